#include "report/saved.h"

#include <algorithm>
#include <limits>

namespace clockshim {
namespace {

// Differences of a call's two costs that are below this, or below this share of the real one, are
// what two measurements of the same thing may differ by.
constexpr double kNoiseNs = 50;
constexpr double kNoiseShare = 0.2;
}  // namespace

bool has_costs(const ReportClock& clock) {
  return clock.served != 0 && clock.real_call_ns > 0 && clock.served_call_ns > 0;
}

bool is_worth_it(double real_ns, double served_ns) {
  return real_ns - served_ns >= std::max(kNoiseNs, kNoiseShare * real_ns);
}

std::int64_t saved_ns_of(const ReportClock& clock) {
  if (!has_costs(clock) || !is_worth_it(clock.real_call_ns, clock.served_call_ns)) return 0;
  const double saved =
      static_cast<double>(clock.served) * (clock.real_call_ns - clock.served_call_ns) -
      static_cast<double>(clock.resyncs) * clock.real_call_ns;
  return static_cast<std::int64_t>(std::clamp(saved, 0.0, 9e18));
}

std::int64_t saved_ns(const Report& r) {
  std::int64_t sum = 0;
  for (const ReportClock& clock : r.clocks)
    sum += std::min(clock.saved_ns, std::numeric_limits<std::int64_t>::max() - sum);
  return sum;
}

double saved_share(const Report& r) {
  return r.seconds <= 0 ? 0 : static_cast<double>(saved_ns(r)) / 1e9 / r.seconds;
}

std::int64_t saved_ns(const Report& r, const ReportSite& site) {
  for (const ReportClock& clock : r.clocks) {
    if (clock.name != site.clock || clock.calls == 0) continue;
    const double part = static_cast<double>(site.calls) / static_cast<double>(clock.calls);
    return static_cast<std::int64_t>(static_cast<double>(clock.saved_ns) * std::min(part, 1.0));
  }
  return 0;
}

}  // namespace clockshim
