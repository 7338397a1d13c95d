// How a forked child gets memory of its own without asking the kernel for it. By the time of its
// first clock call the child may be behind a filter that kills for a system call. So its parent
// creates and attaches a segment just before the fork, within its own rights. The child inherits
// it, and only has to change a pointer. A segment that no child has used (it called exec) is used
// for the next child.
//
// If there was none (no memory, the parent has confined itself, a clone that no fork handler sees),
// the child counts in its parent's region by locked additions: its calls are counted there,
// exactly.
#include "preload/forks.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "callsite/call_sites.h"
#include "callsite/full_stacks.h"
#include "callsite/thread_counts.h"
#include "clock/served_clock.h"
#include "os/containment.h"
#include "os/thread_id.h"
#include "preload/live_file_state.h"

// What pthread_atfork() calls (glibc 2.3.2 and later). The C library links pthread_atfork() itself
// into each library that names it, far from the rest of what a start runs.
extern "C" int __register_atfork(void (*prepare)(), void (*parent)(), void (*child)(), void* dso);
extern "C" CLOCKSHIM_HIDDEN void* __dso_handle;

namespace clockshim {
namespace {

using live::Region;

constexpr unsigned kLookedAtOnce =
    2;  // how many of these a fork looks at; each costs a system call

bool is_used(const Prepared& one) { return one.owner != 0 && one.owner == g_live_file.header.pid; }
constinit std::atomic<bool> g_expecting{false};

// State between the fork handlers, of the thread that forks.
struct Forking {
  Region* region = nullptr;      // the child's region; null: there is none
  Prepared* prepared = nullptr;  // where it is recorded; null: nowhere
  live::Segment segment;
};
CLOCKSHIM_TLS Forking t_forking{};
CLOCKSHIM_TLS char t_path[live::kLongestPath];

// --- before a fork, in the parent

// Takes a prepared segment for the next child, if an earlier child has not used it and is gone.
bool take_up(Prepared& one) {
  const live::SegmentFacts facts = live::facts_of(one.segment);
  if (facts.there && facts.attached != 0) return false;
  auto* const region =
      facts.there ? static_cast<Region*>(live::attach_segment(one.segment, true)) : nullptr;
  if (region != nullptr && region->header.token == one.segment.token &&
      region->header.state.load() == live::State::none) {
    t_forking.region = region;
    t_forking.segment = one.segment;
    std::memcpy(t_path, one.path, sizeof t_path);
    return true;
  }
  // Its child has used it and is gone. If the child has written its own report, remove the file;
  // else the file stays. Either way this slot is free.
  const bool told = region != nullptr && region->header.state.load() == live::State::told;
  if (region != nullptr) live::detach_segment(region);
  if (!facts.there || told) {
    if (one.path[0] != '\0') unlink(one.path);
    live::remove_segment(one.segment);
  }
  one.owner = 0;
  return false;
}

void make_new() {
  if (!live::room_for_segments()) return;
  int error = 0;
  auto* const region = static_cast<Region*>(live::make_segment(
      g_live_file.size, g_live_file.ipc_namespace, nullptr, t_forking.segment, error));
  if (region == nullptr) return;
  live::Header header;
  std::memcpy(static_cast<void*>(&header), static_cast<const void*>(&g_live_file.header),
              sizeof header);
  header.token = t_forking.segment.token;
  header.paths_seen = live::own_paths_seen();  // the host may have changed its root since start
  live::begin_region(*region, header, g_live_file.size);
  t_forking.region = region;
  t_path[0] = '\0';
  unsigned name = g_live_file.next_name.load(std::memory_order_relaxed);
  if (g_live_file.path[0] != '\0') {
    if (name % live::kFilesPerLook == 0)
      live::bound_folder(g_live_file.folder, g_live_file.ipc_namespace);
    live::name_segment(t_forking.segment, g_live_file.header, g_live_file.folder, name, t_path,
                       sizeof t_path);
    g_live_file.next_name.store(name, std::memory_order_relaxed);
  }
  // Without a link nobody could find the segment to remove it.
  if (t_path[0] == '\0') live::remove_segment(t_forking.segment);
  std::memcpy(region->header.link, t_path, sizeof t_path);
}

void before_fork() {
  const int saved_errno = errno;
  t_forking.region = nullptr;
  t_forking.prepared = nullptr;
  if (g_expecting.load(std::memory_order_acquire) && g_live_file.segment && !self_contained()) {
    Prepared* vacant = nullptr;
    unsigned looked = 0;
    const unsigned first =
        g_live_file.next_look.fetch_add(kLookedAtOnce, std::memory_order_relaxed);
    for (unsigned i = 0; i < kPrepared && t_forking.region == nullptr; ++i) {
      Prepared& one = g_live_file.prepared[(first + i) % kPrepared];
      if (one.busy.exchange(true, std::memory_order_acquire)) continue;
      if (is_used(one) && looked < kLookedAtOnce) {
        ++looked;
        if (take_up(one)) {
          if (vacant != nullptr) vacant->busy.store(false, std::memory_order_release);
          vacant = &one;
          break;
        }
      }
      if (!is_used(one) && vacant == nullptr) {
        vacant = &one;  // it stays busy
      } else {
        one.busy.store(false, std::memory_order_release);
      }
    }
    t_forking.prepared = vacant;
    if (t_forking.region == nullptr) make_new();
    if (t_forking.region != nullptr) {
      live::Header& header = t_forking.region->header;
      header.forked_from = g_live_file.header.pid;
      header.started_at = now_on(CLOCK_REALTIME_COARSE).raw();
      header.started = now_on(CLOCK_MONOTONIC_COARSE).raw();
      // The child inherits the clock's mode, but not the parent's measurements.
      const live::ClockRecord& parent = live::current().clock;
      live::ClockRecord& child = t_forking.region->clock;
      child.last_change.store(parent.last_change.load(std::memory_order_relaxed),
                              std::memory_order_relaxed);
      child.change_ticks.store(parent.change_ticks.load(std::memory_order_relaxed),
                               std::memory_order_relaxed);
    }
  }
  errno = saved_errno;
}

// --- behind it

void after_fork_in_parent() {
  const int saved_errno = errno;
  Prepared* const prepared = t_forking.prepared;
  if (t_forking.region != nullptr) {
    live::detach_segment(t_forking.region);
    if (prepared != nullptr) {
      prepared->segment = t_forking.segment;
      std::memcpy(prepared->path, t_path, sizeof t_path);
      prepared->owner = g_live_file.header.pid;
    }
  }
  if (prepared != nullptr) prepared->busy.store(false, std::memory_order_release);
  t_forking.region = nullptr;
  t_forking.prepared = nullptr;
  errno = saved_errno;
}

// Runs in the child's only thread. From here to the child's end nothing of ours makes a system
// call, except the clock's own and what the report needs.
void after_fork_in_child() {
  if (!g_expecting.load(std::memory_order_acquire)) return;
  const std::uint32_t parent = g_live_file.header.pid;
  const std::uint32_t pid = this_thread_id();  // 0: not known
  for (Prepared& one : g_live_file.prepared) {
    // Read before writing, because a write makes a copy of the page.
    if (one.busy.load(std::memory_order_relaxed)) one.busy.store(false, std::memory_order_relaxed);
  }
  g_clock.timeline.release_claims_of_others(Arch::thread_pointer());
  bool share = false;
  if (t_forking.region != nullptr) {
    g_live_file.segment = t_forking.segment;
    std::memcpy(g_live_file.path, t_path, sizeof t_path);
    live::g_current = t_forking.region;
  } else if (g_live_file.segment) {
    share = true;
  }
  t_forking.region = nullptr;
  t_forking.prepared = nullptr;
  g_live_file.header.pid = pid;
  g_live_file.header.forked_from = parent;
  g_live_file.header.start_ticks = 0;  // unknown without a system call
  g_live_file.next_name.store(0, std::memory_order_relaxed);
  if (!g_live_file.segment) {  // private memory, which the kernel has zeroed
    begin_own_region();
  } else if (!share) {
    live::current().header.pid = pid;
  }
  g_sites.begin_in_child(live::current(), pid, share);
  g_clock.timeline.record_in(live::current().clock);
  g_clock.costs.begin_in_child(live::current().header);
  g_clock.sharing.store(share, std::memory_order_relaxed);
  g_clock.publish_state();
}

}  // namespace

void expect_forks() noexcept {
  __register_atfork(before_fork, after_fork_in_parent, after_fork_in_child, __dso_handle);
  g_expecting.store(true, std::memory_order_release);
}

bool region_is_ours() noexcept {
  return (g_hot_state.mode_bits[CLOCK_REALTIME].load(std::memory_order_acquire) &
          (kReady | kSharing)) == kReady;
}

void follow_clone() noexcept {
  if (!g_expecting.load(std::memory_order_acquire)) return;
  g_clock.sharing.store(true, std::memory_order_release);
  ThreadCounts::share();
  FullStacks::begin_in_child();
  g_clock.publish_state();
}

void tidy_children() noexcept {
  if (g_live_file.next_look.load(std::memory_order_relaxed) == 0) return;  // it has never forked
  for (Prepared& one : g_live_file.prepared) {
    if (one.busy.exchange(true, std::memory_order_acquire)) continue;
    if (is_used(one) && take_up(one)) {
      live::detach_segment(t_forking.region);
      t_forking.region = nullptr;
      if (one.path[0] != '\0') unlink(one.path);
      live::remove_segment(one.segment);
      one.owner = 0;
    }
    one.busy.store(false, std::memory_order_release);
  }
}

}  // namespace clockshim
