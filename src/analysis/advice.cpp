#include "analysis/advice.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "report/frames.h"
#include "report/saved.h"

namespace clockshim {
namespace {

constexpr std::uint64_t kEnoughResyncs = 10;  // with fewer there is no useful average
constexpr std::size_t kNamed = 3;             // callers that a text names

// A caller that needs some advice.
struct Needy {
  std::string name;
  std::uint64_t weight = 0;  // calls
};

// The callers of one piece of advice, and what following it would save.
class Group {
 public:
  void add(const std::string& name, std::uint64_t weight) {
    const auto same = std::find_if(callers_.begin(), callers_.end(),
                                   [&](const Needy& caller) { return caller.name == name; });
    if (same == callers_.end()) {
      callers_.push_back({name, weight});
    } else {
      same->weight += weight;
    }
  }

  // A call costs `now` as it is answered here, and `real` by the real clock; in ns, 0: not known.
  void saves(std::uint64_t calls, double now, double real) {
    calls_ += calls;
    now_ns_ += static_cast<double>(calls) * now;
    real_ns_ += static_cast<double>(calls) * real;
  }

  // Names the busiest callers; `verbs` are for one and for several. Can be called once.
  ReportAdvice advice(const std::string& kind, const char* verb_of_one, const char* verb_of_many,
                      const std::string& text, double seconds) && {
    std::stable_sort(callers_.begin(), callers_.end(),
                     [](const Needy& a, const Needy& b) { return a.weight > b.weight; });
    ReportAdvice out;
    for (Needy& caller : callers_) out.callers.push_back(std::move(caller.name));
    out.kind = kind;
    out.text = names(out.callers) + " " + (out.callers.size() == 1 ? verb_of_one : verb_of_many) +
               " " + text + saved_text(seconds);
    out.saves_calls = calls_;
    out.saves_cpu_ns = static_cast<std::int64_t>(std::min(now_ns_, 9e18));
    return out;
  }

  [[nodiscard]] bool of_one() const { return callers_.size() == 1; }
  // The least weight of a caller.
  [[nodiscard]] std::uint64_t least() const {
    return std::min_element(callers_.begin(), callers_.end(),
                            [](const Needy& a, const Needy& b) { return a.weight < b.weight; })
        ->weight;
  }

 private:
  static std::string names(const std::vector<std::string>& callers) {
    std::string out;
    const std::size_t named = std::min(callers.size(), kNamed);
    for (std::size_t i = 0; i < named; ++i) {
      const bool last = i + 1 == callers.size();
      out += (i == 0 ? "" : last ? " and " : ", ") + callers[i];
    }
    if (callers.size() > named) out += " and " + grouped(callers.size() - named) + " more callers";
    return out;
  }

  [[nodiscard]] std::string saved_text(double seconds) const {
    if (calls_ == 0) return "";
    const bool by_second = seconds > 0;
    const double divisor = by_second ? seconds : 1;
    const auto calls = static_cast<std::uint64_t>(static_cast<double>(calls_) / divisor + 0.5);
    std::string out = "; saves up to " + grouped(calls) + (by_second ? " calls/s" : " calls");
    if (now_ns_ <= 0) return out;
    const char* const unit = by_second ? " of CPU a second" : " of CPU";
    out += ", " + short_time(now_ns_ / divisor) + unit;
    const auto count = static_cast<double>(calls_);
    if (is_worth_it(real_ns_ / count, now_ns_ / count))
      out += " (" + short_time(real_ns_ / divisor) + " by the real clock)";
    return out;
  }

  std::vector<Needy> callers_;
  std::uint64_t calls_ = 0;
  double now_ns_ = 0;
  double real_ns_ = 0;
};

const ReportClock* clock_of(const Report& report, const std::string& name) {
  for (const ReportClock& clock : report.clocks) {
    if (clock.name == name) return &clock;
  }
  return nullptr;
}

// What a call costs on average as it was answered here, in ns; 0: it is not known.
double cost_now(const ReportClock& clock) {
  const bool known = (clock.served == 0 || clock.served_call_ns > 0) &&
                     (clock.real == 0 || clock.real_call_ns > 0) && clock.calls != 0;
  return known ? (static_cast<double>(clock.served) * clock.served_call_ns +
                  static_cast<double>(clock.real) * clock.real_call_ns) /
                     static_cast<double>(clock.calls)
               : 0;
}

std::string who(const ReportFrame& caller) {
  if (is_blank(caller.symbol)) return function_name(caller);  // it includes the module
  const std::string at = place(caller);
  return function_name(caller) +
         (caller.module.empty() ? ""
                                : " (" + module_name(caller) + (at.empty() ? "" : ", " + at) + ")");
}

void pairs(const Report& report, std::vector<ReportAdvice>& out) {
  struct Counts {
    std::uint64_t realtime = 0;
    std::uint64_t monotonic = 0;
  };
  std::map<std::pair<std::string, std::string>, Counts> functions;
  for (const ReportSite& site : report.sites) {
    const ReportFrame caller = caller_of(site);
    if (site.sampled || caller.symbol.empty()) continue;
    Counts& counts = functions[{function_name(caller), caller.module}];
    if (site.clock == "realtime") counts.realtime += site.calls;
    if (site.clock == "monotonic") counts.monotonic += site.calls;
  }
  const ReportClock* const monotonic = clock_of(report, "monotonic");
  Group group;
  Counts all;
  for (const auto& [function, counts] : functions) {
    const auto [less, more] = std::minmax(counts.realtime, counts.monotonic);
    if (less < kPairCalls || more - less > more / 100) continue;
    group.add(
        function.first +
            (function.second.empty() ? "" : " (" + one_line(base_name(function.second)) + ")"),
        less + more);
    // One of the two readings stays. Which of the clocks it is makes no difference to speak of.
    group.saves(less, monotonic == nullptr ? 0 : cost_now(*monotonic),
                monotonic == nullptr ? 0 : monotonic->real_call_ns);
    all.realtime += counts.realtime;
    all.monotonic += counts.monotonic;
  }
  if (all.realtime == 0) return;
  const std::string text = fmt::format(
      "for realtime and monotonic equally often ({} and {} calls{}): where both are "
      "for one event, one reading and a difference kept between the two clocks are "
      "enough",
      grouped(all.realtime), grouped(all.monotonic), group.of_one() ? "" : " together");
  out.push_back(std::move(group).advice("pairs", "asks", "ask", text, report.seconds));
}

void reuse(const Report& report, std::vector<ReportAdvice>& out) {
  struct OfClock {
    Group group;
    std::uint64_t resyncs = 0;
  };
  std::map<std::string, OfClock> clocks;
  for (const ReportSite& site : report.sites) {
    const ReportClock* const clock = clock_of(report, site.clock);
    if (site.sampled || clock == nullptr || clock->resyncs < kEnoughResyncs) continue;
    if (site.calls / clock->resyncs < kReuse) continue;
    OfClock& same = clocks[site.clock];
    same.group.add(who(caller_of(site)), site.calls);
    same.group.saves(site.calls - clock->resyncs, cost_now(*clock), clock->real_call_ns);
    same.resyncs = clock->resyncs;
  }
  for (auto& [clock, same] : clocks) {
    const bool one = same.group.of_one();
    const std::string text = fmt::format(
        "for {} about {} times{} between two resyncs (a few milliseconds), all threads together: "
        "where {} no such fine time, {} could reuse a reading",
        one_line(clock), grouped(same.group.least() / same.resyncs), one ? "" : " or more",
        one ? "it needs" : "they need", one ? "it" : "they");
    out.push_back(std::move(same.group).advice("reuse", "asks", "each ask", text, report.seconds));
  }
}

// The same wait with a MONOTONIC time-out: glibc has it since 2.30.
std::string twin_of(std::string wait) {
  if (wait == "pthread_cond_timedwait")
    return "pthread_condattr_setclock, or pthread_cond_clockwait";
  const std::size_t at = wait.find("timed");
  return at == std::string::npos ? wait : wait.replace(at, 5, "clock");
}

void timed_waits(const Report& report, std::vector<ReportAdvice>& out) {
  struct Found {
    std::uint64_t calls = 0;
    const ReportSite* site = nullptr;
    bool monotonic = false;  // then it is unknown which of the two clocks the time-out uses
  };
  std::map<std::pair<std::string, std::uint64_t>, Found>
      functions;  // keyed by module and start, because they need no name
  for (const ReportSite& site : report.sites) {
    if (site.sampled || site.caller_function_start == 0) continue;
    Found& found = functions[{caller_of(site).module, site.caller_function_start}];
    found.monotonic = found.monotonic || site.clock == "monotonic";
    if (site.clock == "realtime") found.calls += site.calls;
    if (!site.timed_wait.empty() && found.site == nullptr) found.site = &site;
  }
  struct OfWait {
    Group group;
    std::uint64_t calls = 0;
  };
  std::map<std::string, OfWait> waits;
  for (const auto& [function, found] : functions) {
    if (found.site == nullptr || found.monotonic || found.calls < kWaitCalls) continue;
    OfWait& same = waits[found.site->timed_wait];
    same.group.add(who(caller_of(*found.site)), found.calls);
    same.calls += found.calls;
  }
  for (auto& [wait, same] : waits) {
    const bool one = same.group.of_one();
    const std::string text = fmt::format(
        "for realtime ({} calls{}) and {} in {}: a time-out made of it is wrong once the clock is "
        "set. Time-outs belong on MONOTONIC ({})",
        grouped(same.calls), one ? "" : " together", one ? "waits" : "wait", one_line(wait),
        twin_of(wait));
    out.push_back(std::move(same.group).advice("timed_wait", "asks", "ask", text, report.seconds));
  }
}

}  // namespace

std::vector<ReportAdvice> advise(const Report& report) {
  std::vector<ReportAdvice> out;
  pairs(report, out);
  reuse(report, out);
  timed_waits(report, out);
  const bool by_cpu = std::none_of(out.begin(), out.end(), [](const ReportAdvice& advice) {
    return advice.saves_calls != 0 && advice.saves_cpu_ns == 0;
  });
  std::stable_sort(out.begin(), out.end(), [&](const ReportAdvice& a, const ReportAdvice& b) {
    return by_cpu ? a.saves_cpu_ns > b.saves_cpu_ns : a.saves_calls > b.saves_calls;
  });
  return out;
}

}  // namespace clockshim
