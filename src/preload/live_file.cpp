#include "preload/live_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "callsite/full_stacks.h"
#include "callsite/site_table.h"
#include "clock/served_clock.h"
#include "live/folder.h"
#include "live/region.h"
#include "os/clocksource.h"
#include "os/module.h"
#include "os/real_clock.h"
#include "preload/lifecycle.h"

namespace clockshim {
namespace {

// What a forked child needs of its parent, in memory that no fork clears.
struct Own {
  live::Header header;
  std::size_t size = 0;
  char folder[256] = "";               // "": the default one, which depends on the user
  char path[live::kLongestPath] = "";  // of the file; "": there is none
  bool contained = false;
};
constinit Own g_own{};
constinit std::atomic<bool> g_expecting{false};
constinit std::atomic<bool> g_following{false};

// What does not fit is cut; the field is zero before.
template <std::size_t N>
void put(char (&field)[N], std::string_view text) {
  std::memcpy(field, text.data(), text.size() < N ? text.size() : N - 1);
}

Nanos now_on(clockid_t id) {
  Nanos now;
  real::read(id, now);
  return now;
}

// Async-signal-safe.
const char* folder_now(char (&out)[sizeof g_own.folder]) {
  if (g_own.folder[0] != '\0') return g_own.folder;
  std::snprintf(out, sizeof out, "/dev/shm/clockshim-%u", static_cast<unsigned>(geteuid()));
  return out;
}

void put_start(live::Header& header) {
  live::identify(header);
  header.started_at = now_on(CLOCK_REALTIME).raw();
  header.started = now_on(CLOCK_MONOTONIC).raw();
}

void describe(const ProcessState& state, live::Header& header) {
  const Settings& settings = state.settings;
  put_start(header);
  if (const char* run = getenv("CLOCKSHIM_RUN_PID")) std::from_chars(run, run + std::strlen(run), header.run_pid);
  header.stacks_every = settings.stacks_every;
  header.tolerance = settings.tolerance.raw();
  put(header.clockshim_version, CLOCKSHIM_VERSION);
  put(header.program, state.program);
  put(header.executable, state.executable);
  put(header.clocksource, state.clocksource);
  put(header.order, settings.order == Order::strict ? "strict" : "relaxed");
  put(header.profile, settings.profile == Profile::off ? "off" : settings.profile == Profile::sites ? "sites" : "stacks");
  put(header.mode, state.mode);
  put(header.mode_reason, state.mode_reason);
  for (std::size_t i = 0; i < std::size(header.notes) && i < state.notes.size(); ++i) put(header.notes[i], state.notes[i]);
}

}  // namespace

std::string open_live_file(const ProcessState& state) {
  describe(state, g_own.header);
  put(g_own.folder, state.settings.dir);
  g_own.contained = state.contained;
  g_own.size = state.settings.profile == Profile::stacks             ? sizeof(live::Region)
               : any_module_defines("PyGILState_GetThisThreadState") ? live::kSizeWithoutStacks
                                                                     : live::kSizeWithFewNames;
  const bool forks = madvise(&g_first_look, sizeof g_first_look, MADV_WIPEONFORK) == 0;
  char buffer[sizeof g_own.folder] = "";
  const std::string folder = folder_now(buffer);
  std::string problem;
  if (!forks) {
    problem = "this kernel can't wipe memory on fork (4.14 can): a child's counts include its parent's, and there is no live file";
  } else {
    live::tidy_behind_exec(folder.c_str(), g_own.header);
    live::bound_folder(folder.c_str(), g_own.header);
    // Threads are given tables in order: where the first has none, nobody has counted anything yet.
    const bool counted = live::g_region.threads[0].used != 0;
    const char* why = live::map_file(g_own.header, g_own.size, folder.c_str(), g_own.path, sizeof g_own.path, counted);
    if (why != nullptr) problem = "no live file: " + folder + ": " + why;
  }
  if (!problem.empty()) {
    live::describe_region(g_own.header, g_own.size);
    if (forks) live::wipe_on_fork();
  }
  return problem;
}

void expect_forks() noexcept { g_expecting.store(true, std::memory_order_release); }

bool region_is_ours() noexcept { return (g_first_look.how[CLOCK_REALTIME].load(std::memory_order_acquire) & kAwake) != 0; }

bool follow_fork() noexcept {
  if (!g_expecting.load(std::memory_order_acquire)) return true;
  if (g_following.exchange(true, std::memory_order_acq_rel)) return false;
  const int saved_errno = errno;
  const auto parent = g_own.header.pid;
  put_start(g_own.header);
  g_own.header.forked_from = parent;
  // What the clock has become goes on; what it has measured is the parent's.
  live::ClockRecord& clock = live::g_region.clock;
  const live::ModeChange change = clock.last_change.load(std::memory_order_relaxed);
  const std::uint64_t ticks = clock.change_ticks.load(std::memory_order_relaxed);
  bool mapped = false;
  if (g_own.path[0] != '\0') {
    char buffer[sizeof g_own.folder] = "";
    // A filter of the program's own may kill whoever opens a file.
    const bool filtered = seccomp_filtered() && !(g_own.contained && privileges_may_grow());
    g_own.path[0] = '\0';
    if (!filtered) {
      const char* const folder = folder_now(buffer);
      live::bound_folder(folder, g_own.header);
      mapped = live::map_file(g_own.header, g_own.size, folder, g_own.path, sizeof g_own.path, false) == nullptr;
    }
    if (!mapped && !live::map_private(g_own.header, g_own.size)) g_uncounted = true;  // no memory: the parent's counts stay right
  } else {
    live::describe_region(g_own.header, g_own.size);
  }
  clock.last_change.store(change, std::memory_order_relaxed);
  clock.change_ticks.store(ticks, std::memory_order_relaxed);
  g_clock.timeline.release_claims_of_others(Arch::thread_pointer());
  if (g_uncounted) {
    SiteTable::count_nowhere();
  } else {
    g_sites.attach_again(g_own.header.pid);
  }
  g_clock.wake();
  g_following.store(false, std::memory_order_release);
  errno = saved_errno;
  return true;
}

void mark_ended() noexcept {
  live::g_region.header.ended.store(now_on(CLOCK_MONOTONIC).raw(), std::memory_order_relaxed);
  live::g_region.header.state.store(live::State::ended, std::memory_order_release);
}

void close_live_file(bool told) noexcept {
  if (g_own.path[0] == '\0') return;
  if (told) {
    unlink(g_own.path);
  } else {
    live::shrink(g_own.path);
  }
}

}  // namespace clockshim
