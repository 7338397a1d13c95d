// Start and exit: what the constructor decides, and the report that the destructor writes.
// Allocation, files and messages belong to these two. (forks.cpp makes files for forked
// children, too.)
#include "preload/lifecycle.h"

#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>

#include "arch/counter.h"
#include "arch/cpu_features.h"
#include "base/duration.h"
#include "callsite/call_sites.h"
#include "callsite/full_stacks.h"
#include "callsite/thread_counts.h"
#include "callsite/wrappers.h"
#include "clock/served_clock.h"
#include "live/region.h"
#include "os/clock_readers.h"
#include "os/clocksource.h"
#include "os/counters_file.h"
#include "os/counters_plan.h"
#include "os/log.h"
#include "os/module_snapshot.h"
#include "os/next_clocks.h"
#include "os/pass_through.h"
#include "os/possible_cpus.h"
#include "os/process.h"
#include "os/real_clock.h"
#include "os/real_functions.h"
#include "os/report_path.h"
#include "os/thread_end.h"
#include "os/thread_id.h"
#include "os/write.h"
#include "preload/arena.h"
#include "preload/exit_report.h"
#include "preload/forks.h"
#include "preload/live_file.h"
#include "preload/state.h"

namespace clockshim {

constinit bool g_uncounted = false;

namespace {

// It is never destroyed, because the host may call us after the last destructor has run.
alignas(ProcessState) constinit unsigned char g_state_storage[sizeof(ProcessState)]{};
constinit ProcessState* g_state = nullptr;

// Why this process must pass its calls through; "" if it can be served.
std::string reason_not_to_serve(const ProcessState& state, const NextClocks& next) {
  if (next.library != nullptr)
    return std::string(next.library) + " behind this library defines " + next.function +
           ", too: its clocks are used";
  return reason_to_pass_through(state.settings, state.clocksource);
}

// Chooses between one timeline for all CPUs and one for each. Returns why there can be none, or "".
std::string plan_timeline(ProcessState& state, TimelineSettings& timeline) {
  const Settings& settings = state.settings;
  timeline.cpus = possible_cpus();
  timeline.can_tell_cpus = g_clock.counter.find();
  const CountersPlan counters =
      plan_counters(settings, state.clocksource, timeline.cpus, g_clock.counter);
  timeline.per_cpu = counters.per_cpu;
  timeline.may_promote = counters.may_promote;
  timeline.offsets = counters.offsets;
  state.mode = counters.mode;
  state.mode_reason = counters.reason;
  if (!counters.unused.empty())
    say(settings.counters == Counters::file ? LogLevel::warn : LogLevel::info, settings.log,
        state.program + ": the counters file is not used: " + counters.unused);
  if (timeline.per_cpu && !timeline.can_tell_cpus)
    return "clocksource " + state.clocksource +
           ": nothing vouches that the CPUs' counters agree, and CPUs can't be told apart";
  timeline.tolerance = settings.tolerance;
  timeline.clocks = settings.clocks;
  timeline.relaxed = settings.order == Order::relaxed;
  timeline.granularity = clocksource_granularity(state.clocksource);
  timeline.coarse_tick = coarse_tick();
  static_assert(kCountersCpus == kMaxCpus);
  if (counters.offsets != nullptr) g_clock.counter.align(counters.offsets, kMaxCpus);
  return "";
}

// Whether this process is to be served. With CLOCKSHIM_FOLLOW=0 only the process that `clockshim
// run` started is, whose pid it sets in CLOCKSHIM_RUN_PID.
bool followed(Settings& settings) {
  if (settings.follow) return true;
  const char* root = unless_empty(getenv("CLOCKSHIM_RUN_PID"));
  if (root != nullptr) return std::to_string(getpid()) == root;
  settings.serving_errors.push_back(
      "CLOCKSHIM_FOLLOW=\"0\": works with `clockshim run` only, which knows the named program; use "
      "CLOCKSHIM_ONLY=PROGRAM");
  return true;
}

// Most programs that a shell script starts have no clock to read. For them the live file and the
// timeline, half of what a start costs, are left out. Should the C library load a module that asks
// after all, its calls are passed through, counted with their callers, and reported at exit.
void stand_by(ProcessState& state) {
  g_uncounted = state.settings.profile == Profile::off;
  state.mode = "passthrough";
  state.mode_reason = "nothing that was loaded at start can read a clock";
  describe_private_region(state);
  find_thread_ids();
  ThreadCounts::sign_again();
  if (!g_uncounted) call_at_thread_end(&ThreadCounts::detach);
  g_clock.far = !ThreadCounts::is_near();
  g_clock.publish_state();
  expect_forks();
  say(LogLevel::info, state.settings.log,
      state.program + ": mode " + state.mode + " (" + state.mode_reason + ")");
}

void start(ProcessState& state, const NextClocks& next) {
  state.settings = read_settings([](const char* name) -> const char* { return getenv(name); });
  state.program = program_invocation_short_name;
  state.pid = getpid();
  Nanos realtime;
  real::read(CLOCK_MONOTONIC, state.started);
  real::read(CLOCK_REALTIME, realtime);
  state.started_at = realtime.raw() / kNanosPerSecond;

  Settings& settings = state.settings;
  const std::string skipped = reason_to_skip(settings, state.program);
  if (!skipped.empty() || !followed(settings)) {
    g_uncounted = true;
    if (!skipped.empty())
      say(LogLevel::info, settings.log, state.program + " is not served: " + skipped);
    return;
  }
  state.active = true;
  state.executable = executable_path();  // now, because the process may be in a chroot or behind a
                                         // filter when it ends
  if (report_is_path(settings.report)) {
    const std::string problem = report_path_problem(state);
    if (!problem.empty()) {
      settings.observing_errors.push_back("CLOCKSHIM_REPORT=\"" + settings.report +
                                          "\": " + problem);
      settings.report = Settings{}.report;
    }
  }
  say_errors(settings, state.program);
  if (!clock_is_reachable()) return stand_by(state);
  g_uncounted = settings.profile == Profile::off;
  if (!g_uncounted) {
    find_static_wrappers();
    g_sites.walk_always(settings.depth);
  }
  state.clocksource = current_clocksource();
  TimelineSettings timeline;
  std::string passed = reason_not_to_serve(state, next);
  if (passed.empty()) passed = plan_timeline(state, timeline);
  if (!passed.empty()) {
    state.mode = "passthrough";
    state.mode_reason = passed;
    const bool others = next.library != nullptr;
    const std::string how = others ? " runs on uncached: " : " runs on with real time, uncached: ";
    const std::string remedy = others ? " (in LD_PRELOAD, libclockshim.so goes last)" : "";
    if (settings.serving_errors.empty() && settings.tolerance != Nanos{0})
      say(LogLevel::warn, settings.log, state.program + how + passed + remedy);
  }
  if (g_uncounted) {
    describe_private_region(state);
  } else if (const std::string problem = open_live_file(state); !problem.empty()) {
    state.notes.push_back(problem);
    say(LogLevel::warn, settings.log,
        state.program + ": " + problem + "; counts are told at exit only");
  }
  find_thread_ids();
  ThreadCounts::sign_again();
  if (passed.empty()) g_clock.timeline.start(timeline, live::current().clock);
  if (!g_uncounted) call_at_thread_end(&ThreadCounts::detach);
  if (settings.stacks_every != 0) {
    g_stacks.sample_every(settings.stacks_every);
    ThreadCounts::disable_hot_path();
  }
  g_clock.far = !ThreadCounts::is_near();
  g_clock.publish_state();
  expect_forks();
  say(LogLevel::info, settings.log,
      state.program + ": mode " + state.mode + " (" + state.mode_reason + "), tolerance " +
          format_duration(settings.tolerance));
}

}  // namespace
}  // namespace clockshim

using namespace clockshim;

// The usual start files (crti.o) call it in each module that they were linked into, if it is
// defined: under the loader's lock, before the module's constructors. With gprof's start files a
// program defines it for itself. (os/module_snapshot.h says what for.)
// NOLINTNEXTLINE(readability-identifier-naming): the start files have given it this name
CLOCKSHIM_EXPORT void __gmon_start__() noexcept {
  // Start makes the first snapshot. Before that nothing of the host's is called.
  if (g_real_functions.found.load(std::memory_order_acquire)) refresh_snapshot();
}

__attribute__((constructor)) static void clockshim_start() {
  static_cast<void>(real_functions());
  refresh_snapshot();
  NextClocks next = find_next_clocks();
  real::chain_to(next.functions);
  // The loader ignores most preloads where this is set. Whoever got us in all the same gets real
  // time.
  if (getauxval(AT_SECURE) != 0) {
    g_uncounted = true;
    return;
  }
  const int saved_errno = errno;
  const auto begin = [](void* others) {
    remember_stderr();
    auto* state = new (g_state_storage) ProcessState;
    start(*state, *static_cast<const NextClocks*>(others));
    g_state = state;
  };
  // Without memory before main(), nothing is started.
  if (!run_or_give_up(begin, &next)) g_uncounted = true;
  errno = saved_errno;
}

__attribute__((destructor)) static void clockshim_finish() {
  // The C library calls a destructor once, whichever threads and handlers call exit(). A host with
  // another loader may call it again.
  static std::atomic<bool> finishing{false};
  if (g_state == nullptr || finishing.exchange(true)) return;
  const int saved_errno = errno;
  write_exit_report(*g_state);
  errno = saved_errno;
}
