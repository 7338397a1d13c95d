#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/clock_id.h"
#include "report/saved.h"
#include "report/text.h"

namespace clockshim {
namespace {

// After so many calls in more than a second, a clock that was never served did not lack a rate.
constexpr std::uint64_t kFewCalls = 1000;
constexpr double kShortSeconds = 1;

bool is_servable(const ReportClock& clock) {
  return std::any_of(kServableClocks.begin(), kServableClocks.end(),
                     [&](const ServableClock& one) { return one.name == clock.name; });
}

// Why nothing was served, where the reason is known.
std::string why_not_served(const Report& r, bool running) {
  if (r.mode == "passthrough") return "nothing, all calls went to the real clock";
  std::uint64_t calls = 0;
  bool unreachable = false;
  for (const ReportClock& clock : r.clocks) {
    if (!is_servable(clock)) continue;
    calls += clock.calls;
    unreachable = unreachable || clock.unreachable;
  }
  if (calls == 0) return "nothing, no clock was read that can be served";
  if (unreachable || (calls >= kFewCalls && r.seconds > kShortSeconds))
    return "nothing, no call was served";
  return running ? "nothing yet, the clock's rate was not measured so far"
                 : "nothing, it ended before the clock's rate was measured";
}

}  // namespace

std::string short_time(double ns) {
  struct Unit {
    double size;
    const char* name;
  };
  constexpr Unit kUnits[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}, {1, "ns"}};
  const Unit* unit = std::begin(kUnits);
  while (unit + 1 != std::end(kUnits) && ns < unit->size * 0.9995) ++unit;
  const double n = ns / unit->size;
  if (n >= 999.5)
    return fmt::format("{} {}", grouped(static_cast<std::uint64_t>(n + 0.5)), unit->name);
  return fmt::format("{:.{}f} {}", n, n < 9.995 ? 2 : n < 99.95 ? 1 : 0, unit->name);
}

std::string saved_how(const Report& r) {
  if (!r.saved_how.empty()) return one_line(r.saved_how);
  if (r.profile == "off") return "unknown, calls are not counted";
  double served = 0;
  double real_ns = 0;
  double served_ns = 0;
  std::uint64_t all_served = 0;
  for (const ReportClock& clock : r.clocks) {
    all_served += clock.served;
    if (!has_costs(clock)) continue;
    const auto calls = static_cast<double>(clock.served);
    served += calls;
    real_ns += calls * clock.real_call_ns;
    served_ns += calls * clock.served_call_ns;
  }
  const bool running = r.state == "running";
  if (all_served == 0) return why_not_served(r, running);
  if (served == 0) {
    return running ? "not known yet, no call was timed so far"
                   : "unknown, it ended before the cost of a call was measured";
  }
  real_ns /= served;
  served_ns /= served;
  const std::string costs =
      fmt::format("real call {}, served {}", short_time(real_ns), short_time(served_ns));
  if (saved_ns(r) > 0)
    return fmt::format("timed in {}: {}", r.pids.empty() ? "this process" : "the processes", costs);
  if (is_worth_it(real_ns, served_ns))
    return "nothing, too few calls between resyncs (" + costs + ")";
  return "nothing, the clock is cheap here (" + costs + "); the counts are yours";
}

std::string saved_line(const Report& r) {
  const std::int64_t saved = saved_ns(r);
  if (saved == 0) return "CPU saved: " + saved_how(r);
  return fmt::format(
      "CPU saved: {}{} ({})", short_time(static_cast<double>(saved)),
      r.seconds <= 0 ? "" : fmt::format(", {:.1f} % of a core", saved_share(r) * 100),
      saved_how(r));
}

}  // namespace clockshim
