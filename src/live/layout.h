// The live file: what a process counts and measures, as it stands in memory that a viewer can map
// too. One struct, Region, that is at once static memory of the library (valid when all zero:
// before start, and where no file can be had) and the file's layout. Versioned:
// docs/report-format.md is the specification, and tests/unit/layout_test.cpp holds the offsets. The
// memory is a System V shared memory segment, which a symbolic link in the folder of live files
// names (live/segment.h); what is called the file here is the segment, or a copy of it. Its pages
// come into being when they are first written to.
//
// Words are written by one thread, or atomically; nothing is locked. Little-endian, 8-byte aligned.
// Records are appended: free, then being written, then valid for good. Readers take a record only
// in state kValid, and sums as they come.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/clock_id.h"
#include "live/histogram.h"

namespace clockshim::live {

inline constexpr char kMagic[8] = {'c', 'l', 'o', 'c', 'k', 's', 'h', 'm'};
inline constexpr std::uint32_t kVersion = 1;
inline constexpr char kEnding[] =
    ".live";  // of a file's name, behind PID-TICKS (Header::start_ticks, hexadecimal), or
              // PID-TICKS.N behind exec

// States of an appended record.
inline constexpr std::uint32_t kFree = 0;
inline constexpr std::uint32_t kWriting = 1;
inline constexpr std::uint32_t kValid = 2;

// none: made for a forked child that has not asked for the time yet. told: ended, and has written a
// report of all of it.
enum class State : std::uint32_t { none = 0, running = 1, ended = 2, told = 3 };

// Why the mode is not the one of the start any more.
enum class ModeChange : std::uint32_t {
  none = 0,
  warp = 1,
  residual = 2,
  promoted = 3,
  stopped = 4
};

// A run of records of one kind: record i stands at `at` + i * `size`. A later version may make
// records longer, not rearrange them.
struct Section {
  std::uint32_t at;
  std::uint32_t size;
  std::uint32_t count;
  std::uint32_t unused;
};
enum class SectionId : unsigned { clock, modules, sites, shared, threads, stacks, names };
inline constexpr SectionId kEachSection[] = {
    SectionId::clock,   SectionId::modules, SectionId::sites, SectionId::shared,
    SectionId::threads, SectionId::stacks,  SectionId::names};

inline constexpr std::size_t kPage = 4096;
inline constexpr std::size_t kPagesInWords = 6;  // 384 pages

struct alignas(kPage) Header {
  char magic[8];
  std::uint32_t version;
  std::uint32_t header_size;
  Section sections[8];  // by SectionId; the rest is for later versions

  std::atomic<State> state;
  std::uint32_t uid;
  std::uint32_t pid;          // in its own pid namespace
  std::uint32_t forked_from;  // the pid of the parent, if it is a forked child that has not called
                              // exec; else 0
  std::uint32_t run_pid;  // of the command that `clockshim run` started, it or an ancestor; else 0
  std::uint32_t stacks_every;   // profile stacks: one call in so many
  std::uint64_t pid_namespace;  // the inode of /proc/self/ns/pid
  std::uint64_t start_ticks;    // /proc/PID/stat, field 22: with the pid names a process for good
  std::int64_t started_at;      // CLOCK_REALTIME at start, ns
  std::int64_t started;         // CLOCK_MONOTONIC at start, ns
  std::atomic<std::int64_t> ended;  // CLOCK_MONOTONIC at an orderly end, ns; else 0
  std::int64_t tolerance;           // ns

  // Strings end at the first zero byte or the field's end.
  char clockshim_version[32];
  char program[64];
  char executable[512];
  char clocksource[32];
  char order[16];
  char profile[16];
  char mode[16];  // at start; ModeChange tells what became of it
  char mode_reason[256];
  char notes[8][256];

  std::atomic<std::uint32_t> counted;  // 1: somebody has begun to count here
  std::uint32_t unused;
  std::uint64_t token;  // a number that the segment's link repeats; 0: a region without one
  std::atomic<std::uint64_t> pages[kPagesInWords];  // bit n: page n has been written to. Of the
                                                    // others a reader need not make any
  char link[320];  // the path of the segment's link, as its maker saw it; "": it has none
};
static_assert(sizeof(Header) == 4096);

// What the clock measures of itself. One record.
struct ClockRecord {
  struct Clock {
    std::atomic<std::uint64_t> resyncs;
    std::atomic<std::int64_t>
        unreachable_best;  // > 0: the tolerance can't be kept for this clock; what could be, ns
  };
  Clock clocks[kClockIds];
  std::atomic<std::uint64_t> disturbances;
  std::atomic<std::uint64_t> change_ticks;  // of the counter, that go with last_change
  std::atomic<ModeChange> last_change;
  std::atomic<std::uint32_t> unused;
  std::atomic<std::int64_t>
      last_resync;  // CLOCK_MONOTONIC, ns; near enough the end of a process that was killed
  Accuracy accuracy;
};

inline constexpr unsigned kModules = 128;
inline constexpr unsigned kModulePath = 256;
inline constexpr unsigned kBuildId = 32;

// A loaded module, as it was when a site in it was first seen. Append-only. One that is loaded
// again in the same place has its record again.
struct ModuleRecord {
  std::atomic<std::uint32_t> state;
  std::atomic<std::uint32_t>
      unloaded;  // 1: it has been closed since (dlclose), and another may stand in its place
  std::uint64_t start, end, load_bias;  // an address minus load_bias is what addr2line wants
  std::uint8_t build_id_size;           // 0: none known
  std::uint8_t build_id[kBuildId - 1];
  char path[kModulePath];  // "" for the executable; cut where it is longer
};

inline constexpr unsigned kSiteBits = 10;
inline constexpr unsigned kSites = 1U << kSiteBits;
inline constexpr unsigned kSiteDepth = 8;  // frames kept of the stack at the first sight of a site

// What a site's key stands for. Append-only; hashed by SiteKey::home(kSiteBits), open addressing.
struct SiteRecord {
  std::atomic<std::uint64_t> key;
  std::atomic<std::uint32_t> state;
  std::uint8_t frames;
  std::uint8_t exact_frames;  // the first of them that every call of this site had; the rest is as
                              // first seen
  // 1: one of its modules is unloaded, and the key is one that no call has.
  std::atomic<std::uint8_t> retired;
  std::uint8_t unused;
  std::uint16_t
      module[kSiteDepth];  // not below kModules: none known; kNamed: the frame is no machine's
  std::uint64_t pc[kSiteDepth];  // return addresses, innermost first; where module is kNamed, the
                                 // number of a name
};
inline constexpr std::uint16_t kNamed = 0xFFFF;

// Counts that threads share: those that found no table of their own, and keys that a full table has
// no room for.
inline constexpr unsigned kSharedBits = 10;
inline constexpr unsigned kSharedSites = 1U << kSharedBits;
struct SharedEntry {
  std::atomic<std::uint64_t> key;
  std::atomic<std::uint64_t> count;
};
struct SharedCounts {
  std::atomic<std::uint64_t> dropped;          // calls that no table had room for
  std::atomic<std::uint64_t> dropped_samples;  // stacks that there was no room for
  std::atomic<std::uint64_t> real[kClockIds];  // calls that the real function answered
  SharedEntry entries[kSharedSites];
};

// The counts of one thread at a time, and of those that had the table before it. Written by that
// thread alone.
inline constexpr unsigned kThreads = 192;
inline constexpr unsigned kThreadSiteBits = 7;
inline constexpr unsigned kThreadSites = 1U << kThreadSiteBits;
inline constexpr unsigned kThreadSitesUsable = kThreadSites * 7 / 8;
struct alignas(64) ThreadTable {
  struct Entry {
    std::uint64_t key;
    std::uint64_t count;  // or, where the key has SiteKey::kRule, a packed FrameRule
  };
  Entry entries[kThreadSites];       // first: it saves the hot path two instructions
  std::atomic<std::uint64_t> owner;  // the thread's pointer (%fs:0); 0: free
  std::uint64_t used;                // entries
  std::uint64_t real[kClockIds];     // calls that the real function answered
  std::atomic<std::uint32_t>
      tid;  // the kernel's number of the thread that has the table, or had it last; 0: not known
  std::atomic<std::uint32_t>
      threads;  // how many have had it, one after the other, as far as their numbers are known

  // By bytes from the first.
  Entry& at(std::size_t place) noexcept {
    return *reinterpret_cast<Entry*>(reinterpret_cast<char*>(entries) + place);
  }
};

// What no symbol table knows. Append-only; hashed by key, open addressing. A process that may run
// Python from its start has room for kNames of them, another one for the first kFewNames, should it
// load a Python later.
inline constexpr unsigned kNames = 512;
inline constexpr unsigned kFewNames = 64;
enum class NameKind : std::uint32_t {
  python = 0,          // a function: its qualified name, the file, the line where it begins
  unread_version = 1,  // a Python whose frames are not read, as its version is not known: the
                       // version ("" before 3.11), the module's path
  unread_build = 2,    // or because it is not built as usual
  unread_second = 3,   // or because another one is read already
};
struct Name {
  std::uint32_t line;
  NameKind kind;
  char symbol[88];  // UTF-8; too long ones without their beginning
  char file[144];
};
struct NameRecord {
  std::atomic<std::uint64_t> key;  // a hash of what it says
  std::atomic<std::uint32_t> state;
  std::uint32_t unused;
  Name name;
};

// Full stacks, of one call in Header::stacks_every. Append-only; hashed by key. Only there where
// the profile is stacks.
inline constexpr unsigned kStackBits = 10;
inline constexpr unsigned kStacks = 1U << kStackBits;
inline constexpr unsigned kStackDepth = 46;
struct StackRecord {
  std::atomic<std::uint64_t>
      key;  // of all its frames, with the clock and the function as in SiteKey
  std::atomic<std::uint64_t> samples;
  std::atomic<std::uint32_t> state;
  std::uint16_t depth;
  std::uint16_t cut;              // 1: there were more frames
  std::uint64_t pc[kStackDepth];  // return addresses, innermost first; modules by address; or
                                  // kNamedFrame and the number of a name
};
inline constexpr std::uint64_t kNamedFrame = 1ULL << 63;

struct Region {
  Header header;
  ClockRecord clock;
  ModuleRecord modules[kModules];
  SiteRecord sites[kSites];
  SharedCounts shared;
  ThreadTable threads[kThreads];
  alignas(4096) NameRecord names[kNames];
  alignas(4096) StackRecord stacks[kStacks];
};

// A file is the beginning of a region, as much of it as the process needs.
inline constexpr std::size_t kSizeWithFewNames =
    offsetof(Region, names) + kFewNames * sizeof(NameRecord);
inline constexpr std::size_t kSizeWithoutStacks = offsetof(Region, stacks);
static_assert(
    kSizeWithFewNames <= 640U << 10,
    "address space for each process that is served, and for each child of its that has forked");
static_assert(kSizeWithoutStacks <= 1U << 20);
static_assert(kSizeWithFewNames % kPage == 0 && sizeof(Region) % kPage == 0);
static_assert(sizeof(Region) / kPage <= kPagesInWords * 64);

// To be called by whoever begins a record: from now on a reader looks into its page.
// Async-signal-safe.
inline void note_page(Region& region, const void* record, std::size_t size) noexcept {
  const std::size_t first = static_cast<std::size_t>(static_cast<const char*>(record) -
                                                     reinterpret_cast<const char*>(&region)) /
                            kPage;
  const std::size_t last = static_cast<std::size_t>(static_cast<const char*>(record) + size - 1 -
                                                    reinterpret_cast<const char*>(&region)) /
                           kPage;
  for (std::size_t page = first; page <= last; ++page) {
    std::atomic<std::uint64_t>& word = region.header.pages[page / 64];
    const std::uint64_t bit = std::uint64_t{1} << page % 64;
    if ((word.load(std::memory_order_relaxed) & bit) == 0)
      word.fetch_or(bit, std::memory_order_release);
  }
}

}  // namespace clockshim::live
