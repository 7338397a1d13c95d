#include "live/describe.h"

#include <unistd.h>

#include <iterator>

#include "os/process.h"
#include "os/real_clock.h"

namespace clockshim::live {
namespace {

std::int64_t now_on(clockid_t clock) {
  Nanos now;
  real::read(clock, now);
  return now.raw();
}

}  // namespace

void describe(Header& header, const Settings& settings, const ProcessFacts& process) {
  header.pid = process.pid;
  header.uid = geteuid();
  header.start_ticks = process.start_ticks;
  header.pid_namespace = pid_namespace();
  header.started_at = now_on(CLOCK_REALTIME);
  header.started = now_on(CLOCK_MONOTONIC);
  header.run_pid = process.run_pid;
  header.stacks_every = settings.stacks_every;
  header.tolerance = settings.tolerance.raw();
  put(header.clockshim_version, CLOCKSHIM_VERSION);
  put(header.program, process.program);
  put(header.executable, process.executable);
  put(header.clocksource, process.clocksource);
  put(header.order, settings.order == Order::strict ? "strict" : "relaxed");
  put(header.profile, settings.profile == Profile::off     ? "off"
                      : settings.profile == Profile::sites ? "sites"
                                                           : "stacks");
  put(header.mode, process.mode);
  put(header.mode_reason, process.mode_reason);
  for (std::size_t i = 0; i < std::size(header.notes) && i < process.notes.size(); ++i)
    put(header.notes[i], process.notes[i]);
}

}  // namespace clockshim::live
