// The live file: what a process counts and measures, laid out in memory that viewers can map, too.
// One struct, Region, is both the library's static memory (valid when all zero: before start, and
// when no file can be had) and the layout of the file. It is versioned: docs/report-format.md is
// the specification, and tests/unit/layout_test.cpp checks the offsets. The memory is a System V
// shared memory segment, which a symbolic link in the folder of live files names (live/segment.h).
// What is called the file here is the segment, or a copy of it. Its pages are allocated when they
// are first written to.
//
// Words are written by one thread, or atomically; nothing is locked. Little-endian, 8-byte aligned.
// Records are appended: each is free, then being written, then valid for good. Readers use a record
// only in state kValid, and take sums as they are.
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
    ".live";  // the ending of a file's name, after PID-TICKS (Header::start_ticks, hexadecimal), or
              // after PID-TICKS.N following exec

// The states of an appended record.
inline constexpr std::uint32_t kFree = 0;
inline constexpr std::uint32_t kWriting = 1;
inline constexpr std::uint32_t kValid = 2;

// none: made for a forked child that has not read the clock yet. told: the process has ended, and
// has written a report of everything.
enum class State : std::uint32_t { none = 0, running = 1, ended = 2, told = 3 };

// Why the mode has changed since the start.
enum class ModeChange : std::uint32_t {
  none = 0,
  warp = 1,
  residual = 2,
  promoted = 3,
  stopped = 4,
  new_cpu = 5  // the counters differ by constants, and a CPU came that was not compared
};

// An array of records of one kind: record i is at `at` + i * `size`. A later version may make
// records longer, but not rearrange their fields.
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

// What a call of a clock costs in this process, in picoseconds; 0: it was not measured. Both are
// the least of what was timed recently: `real` by the real clock, `served` from the timeline.
struct CallCost {
  std::atomic<std::uint32_t> real;
  std::atomic<std::uint32_t> served;
};

inline constexpr std::size_t kPage = 4096;
inline constexpr std::size_t kPagesInWords = 6;  // 384 pages

struct alignas(kPage) Header {
  char magic[8];
  std::uint32_t version;
  std::uint32_t header_size;
  Section sections[8];  // indexed by SectionId; the rest is for later versions

  std::atomic<State> state;
  std::uint32_t uid;
  std::uint32_t pid;  // in its own pid namespace
  std::uint32_t
      forked_from;        // the parent's pid, for a forked child that has not called exec; else 0
  std::uint32_t run_pid;  // the pid of the command that `clockshim run` started, which is this
                          // process or an ancestor; else 0
  std::uint32_t stacks_every;   // with profile stacks, one call in this many is sampled, on average
  std::uint64_t pid_namespace;  // the inode of /proc/self/ns/pid
  std::uint64_t
      start_ticks;  // /proc/PID/stat, field 22: with the pid it identifies a process for good
  std::int64_t started_at;          // CLOCK_REALTIME at start, ns
  std::int64_t started;             // CLOCK_MONOTONIC at start, ns
  std::atomic<std::int64_t> ended;  // CLOCK_MONOTONIC at an orderly end, ns; else 0
  std::int64_t tolerance;           // ns

  // Strings end at the first zero byte or the field's end.
  char clockshim_version[32];
  char program[64];
  char executable[512];
  char clocksource[32];
  char order[16];
  char profile[16];
  char mode[16];  // the mode at start; ModeChange says how it changed
  char mode_reason[256];
  char notes[8][256];

  std::atomic<std::uint32_t> counted;  // 1: a thread has begun to count here
  std::uint32_t unused;
  std::uint64_t token;  // a number that the segment's link repeats; 0: the region has no segment
  std::atomic<std::uint64_t>
      pages[kPagesInWords];  // bit n: page n has been written to. Readers need not touch the
                             // others, which would allocate them
  char link[320];  // the path of the segment's link, as its creator saw it; "": it has none
  std::uint64_t paths_seen;  // a number of the root and the mounts in which the creator saw it
  // It is here because a forked child, which inherits it, writes to this page in any case. Files of
  // earlier versions have zeros.
  CallCost costs[kClockIds];
};
static_assert(sizeof(Header) == 4096);

// What the clock measures of itself. There is one record.
struct ClockRecord {
  struct Clock {
    std::atomic<std::uint64_t> resyncs;
    std::atomic<std::int64_t>
        unreachable_best;  // > 0: this clock can't keep the tolerance, but could keep this one, ns
  };
  Clock clocks[kClockIds];
  std::atomic<std::uint64_t> disturbances;
  std::atomic<std::uint64_t> change_ticks;  // ticks that belong to last_change
  std::atomic<ModeChange> last_change;
  std::atomic<std::uint32_t> unused;
  std::atomic<std::int64_t>
      last_resync;  // CLOCK_MONOTONIC, ns; close enough to the end of a process that was killed
  Accuracy accuracy;
};

inline constexpr unsigned kModules = 128;
inline constexpr unsigned kModulePath = 256;
inline constexpr unsigned kBuildId = 32;

// A loaded module, as it was when a site in it was created. Append-only. A module that is loaded
// again in the same place gets its old record.
struct ModuleRecord {
  std::atomic<std::uint32_t> state;
  std::atomic<std::uint32_t>
      unloaded;  // 1: it was unloaded since (dlclose), and another may be in its place
  std::uint64_t start, end, load_bias;  // an address minus load_bias is what addr2line expects
  std::uint8_t build_id_size;           // 0: it is not known
  std::uint8_t build_id[kBuildId - 1];
  char path[kModulePath];  // "" for the executable; cut where it is longer
};

inline constexpr unsigned kSiteBits = 10;
inline constexpr unsigned kSites = 1U << kSiteBits;
inline constexpr unsigned kSiteDepth = 8;  // frames kept of the stack at the first sight of a site

// The frames that a site's key stands for. Append-only; hashed by SiteKey::home(kSiteBits), open
// addressing.
struct SiteRecord {
  std::atomic<std::uint64_t> key;
  std::atomic<std::uint32_t> state;
  std::uint8_t frames;
  std::uint8_t exact_frames;  // the first frames, which every call of this site has; the rest are
                              // as of the first call
  // 1: one of its modules is unloaded, and no call has this key any more.
  std::atomic<std::uint8_t> retired;
  std::uint8_t unused;
  std::uint16_t
      module[kSiteDepth];        // kModules or more: not known; kNamed: a name, not a machine frame
  std::uint64_t pc[kSiteDepth];  // return addresses, innermost first; the number of a name if
                                 // module is kNamed
};
inline constexpr std::uint16_t kNamed = 0xFFFF;

// Counts that threads share: for threads without a table of their own, and for keys that do not fit
// into a full table.
inline constexpr unsigned kSharedBits = 10;
inline constexpr unsigned kSharedSites = 1U << kSharedBits;
struct SharedEntry {
  std::atomic<std::uint64_t> key;
  std::atomic<std::uint64_t> count;
};
struct SharedCounts {
  std::atomic<std::uint64_t> dropped;          // calls that no table had room for
  std::atomic<std::uint64_t> dropped_samples;  // sampled stacks that did not fit
  std::atomic<std::uint64_t> real[kClockIds];  // calls that the real function answered
  SharedEntry entries[kSharedSites];
};

// The counts of one thread at a time, and of those that had the table before it. Only that thread
// writes here.
inline constexpr unsigned kThreads = 192;
inline constexpr unsigned kThreadSiteBits = 7;
inline constexpr unsigned kThreadSites = 1U << kThreadSiteBits;
inline constexpr unsigned kThreadSitesUsable = kThreadSites * 7 / 8;
struct alignas(64) ThreadTable {
  struct Entry {
    std::uint64_t key;
    std::uint64_t count;  // or a packed FrameRule, if the key has SiteKey::kRule
  };
  Entry entries[kThreadSites];       // first, which saves the fast path two instructions
  std::atomic<std::uint64_t> owner;  // the owner's thread pointer (%fs:0); 0: free
  std::uint64_t used;                // entries
  std::uint64_t real[kClockIds];     // calls that the real function answered
  std::atomic<std::uint32_t>
      tid;  // the kernel's number of the thread that has the table, or had it last; 0: not known
  std::atomic<std::uint32_t>
      threads;  // how many threads have had it, as far as their numbers are known

  // The entry at `place` bytes from the first.
  Entry& at(std::size_t place) noexcept {
    return *reinterpret_cast<Entry*>(reinterpret_cast<char*>(entries) + place);
  }
};

// Names that no symbol table has. Append-only; hashed by key, open addressing. A process that may
// run Python from its start has room for kNames of them. Another one has room for kFewNames, in
// case it loads Python later.
inline constexpr unsigned kNames = 512;
inline constexpr unsigned kFewNames = 64;
enum class NameKind : std::uint32_t {
  python = 0,          // a function: its qualified name, file and first line
  unread_version = 1,  // a Python whose frames are not read, because its version is unknown: the
                       // version ("" before 3.11) and the module's path
  unread_build = 2,    // the same, because it is not built as usual
  unread_second = 3,   // the same, because another Python is read already
};
struct Name {
  std::uint32_t line;
  NameKind kind;
  char symbol[88];  // UTF-8; the beginning of a long one is cut
  char file[144];
};
struct NameRecord {
  std::atomic<std::uint64_t> key;  // a hash of the content
  std::atomic<std::uint32_t> state;
  std::uint32_t unused;
  Name name;
};

// Full stacks of one call in Header::stacks_every. Append-only; hashed by key. This section exists
// only with profile stacks.
inline constexpr unsigned kStackBits = 10;
inline constexpr unsigned kStacks = 1U << kStackBits;
inline constexpr unsigned kStackDepth = 46;
struct StackRecord {
  std::atomic<std::uint64_t>
      key;  // a hash of all its frames, with the clock and the function as in SiteKey
  std::atomic<std::uint64_t> samples;
  std::atomic<std::uint32_t> state;
  std::uint16_t depth;
  std::uint16_t cut;              // 1: there were more frames
  std::uint64_t pc[kStackDepth];  // return addresses, innermost first, whose modules follow from
                                  // them; or kNamedFrame and the number of a name
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

// A file is the beginning of a region, as far as the process needs it.
inline constexpr std::size_t kSizeWithFewNames =
    offsetof(Region, names) + kFewNames * sizeof(NameRecord);
inline constexpr std::size_t kSizeWithoutStacks = offsetof(Region, stacks);
static_assert(
    kSizeWithFewNames <= 640U << 10,
    "address space for each process that is served, and for each child of its that has forked");
static_assert(kSizeWithoutStacks <= 1U << 20);
static_assert(kSizeWithFewNames % kPage == 0 && sizeof(Region) % kPage == 0);
static_assert(sizeof(Region) / kPage <= kPagesInWords * 64);

// Marks the pages of a record as written to, so that readers look at them. Call it when beginning a
// record. Async-signal-safe.
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
