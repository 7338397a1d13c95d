// What an image and the command that puts it into a process agree on.
//
// The image is a small position-independent ELF file without a C library, thread-local storage or
// anything for a loader to do. The command maps it into a process that takes no preload, fills in
// ImageSettings, has the process run clockshim_image_entry() once, and puts jumps to its functions
// into the vDSO's (cli/inject/image_in_process.h). Both are of the same build, so the layout has no
// versions.
#pragma once

#include <sys/syscall.h>
#include <sys/time.h>

#include <cstdint>
#include <ctime>

#include "base/clock_id.h"
#include "live/layout.h"
#include "os/counters_file.h"

namespace clockshim {

// A stretch of a wrapper's code [begin, end), and how to get from a return address in it to the
// wrapper's caller: the members of callsite/stack.h's FrameRule.
struct WrapperCode {
  std::uint64_t begin;
  std::uint64_t end;
  std::int32_t cfa_offset;
  std::int16_t saved_frame;
  bool from_frame;
  bool other_stack;  // the caller's frame may be on another stack: Go's runtime changes it
};
inline constexpr unsigned kMostWrapperCode = 1024;

// A file that is mapped into the process: what live::ModuleRecord says of it.
struct ImageModule {
  std::uint64_t start;
  std::uint64_t end;
  std::uint64_t load_bias;
  std::uint8_t build_id_size;
  std::uint8_t build_id[live::kBuildId - 1];
  char path[live::kModulePath];
};
inline constexpr unsigned kImageModules = 128;

// The room for the beginning of one of the vDSO's functions, which the command moves into the
// image, in bytes of code; and the stack that the image's entry runs on, in bytes.
inline constexpr unsigned kOriginalSize = 64;
inline constexpr unsigned kImageStack = 32U << 10;

// The image's own stacks for callers that have little: how many there are, and bytes of each. A
// call takes up to 1.9 KiB, on as many at a time as threads run.
inline constexpr unsigned kCallStacks = 128;
inline constexpr unsigned kCallStack = 3U << 10;

// The image's entry ends with this system call, mprotect(0, 0, PROT_NONE). It changes nothing and
// no filter forbids it; the command sees it.
inline constexpr unsigned kLastSystemCall = SYS_mprotect;

// Written while the process is stopped, before anything of the image runs; never after that.
// Addresses are the process's own.
struct ImageSettings {
  live::Region* region;                        // shared with whoever reads the counts
  int (*clock_gettime)(clockid_t, timespec*);  // the vDSO's functions, as they were
  int (*gettimeofday)(timeval*, void*);

  // What calls the vDSO on a goroutine's own stack: this many bytes of code. 0: nothing.
  std::uint64_t on_little_stack;
  std::uint64_t on_little_stack_size;

  std::int64_t tolerance;    // ns, above 0
  std::int64_t granularity;  // ns: TimelineSettings has the meaning of these
  std::int64_t coarse_tick;
  ClockMask clocks;  // 0: nothing is served
  std::uint32_t cpus;
  bool per_cpu;
  bool may_promote;
  bool aligned;    // `offsets` are taken off
  bool uncounted;  // with CLOCKSHIM_PROFILE=off

  std::uint32_t modules_used;
  std::uint32_t wrappers_used;
  ImageModule modules[kImageModules];
  WrapperCode wrappers[kMostWrapperCode];  // in order, and none overlaps another
  std::int64_t offsets[kCountersCpus];
};

}  // namespace clockshim
