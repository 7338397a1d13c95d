// What live_file.cpp and forks.cpp share: the state of the process's own live file, of which a
// forked child has a copy. For these two files alone.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/attributes.h"
#include "base/nanos.h"
#include "live/folder.h"
#include "live/region.h"
#include "live/segment.h"
#include "os/real_clock.h"

namespace clockshim {

// A segment that was made for a child. It is busy while a thread that forks uses it.
struct Prepared {
  std::atomic<bool> busy{};
  std::uint32_t owner =
      0;  // the process to which the fields below belong; a forked child has copies
  live::Segment segment;
  char path[live::kLongestPath] = "";
};
constexpr unsigned kPrepared = 16;  // how many segments can be kept for later children

// What the process knows of its own live file. A forked child has a copy.
struct LiveFileState {
  live::Header header;  // the initial header of each child's region
  std::size_t size = 0;
  std::uint64_t ipc_namespace = 0;
  char folder[256] = "";
  live::Segment segment;               // none: private memory
  char path[live::kLongestPath] = "";  // of its link; "": it has none
  std::atomic<unsigned> next_name{};
  std::atomic<unsigned> next_look{};
  Prepared prepared[kPrepared];
};
extern CLOCKSHIM_HIDDEN LiveFileState g_live_file;

inline Nanos now_on(clockid_t id) {
  Nanos now;
  real::read(id, now);
  return now;
}

// Fills in the current region as this process's own, which runs.
inline void begin_own_region() {
  live::begin_region(live::current(), g_live_file.header, g_live_file.size);
  live::current().header.state.store(live::State::running, std::memory_order_release);
}

}  // namespace clockshim
