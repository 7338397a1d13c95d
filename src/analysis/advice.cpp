#include "analysis/advice.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>

#include "report/frames.h"

namespace clockshim {
namespace {

constexpr std::size_t kMost = 10;
constexpr std::uint64_t kEnoughResyncs = 10;  // with fewer there is no useful average

struct Weighed {
  std::uint64_t calls;
  ReportAdvice advice;
};

void take_the_weightiest(std::vector<Weighed> from, std::vector<ReportAdvice>& to) {
  std::stable_sort(from.begin(), from.end(),
                   [](const Weighed& a, const Weighed& b) { return a.calls > b.calls; });
  for (std::size_t i = 0; i < std::min(from.size(), kMost); ++i)
    to.push_back(std::move(from[i].advice));
}

std::string who(const ReportFrame& caller) {
  if (is_blank(caller.symbol)) return function_name(caller);  // it includes the module
  const std::string at = place(caller);
  return function_name(caller) +
         (caller.module.empty() ? ""
                                : " (" + module_name(caller) + (at.empty() ? "" : ", " + at) + ")");
}

std::vector<Weighed> pairs(const Report& report) {
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
  std::vector<Weighed> out;
  for (const auto& [function, counts] : functions) {
    const auto [less, more] = std::minmax(counts.realtime, counts.monotonic);
    if (less < kPairCalls || more - less > more / 100) continue;
    const std::string name =
        function.first +
        (function.second.empty() ? "" : " (" + one_line(base_name(function.second)) + ")");
    out.push_back(
        {less + more,
         {"pairs",
          fmt::format("{} asks for realtime and monotonic equally often ({} and {} calls): where "
                      "both are for one event, "
                      "one reading and a difference kept between the two clocks are enough",
                      name, grouped(counts.realtime), grouped(counts.monotonic))}});
  }
  return out;
}

std::vector<Weighed> reuse(const Report& report) {
  std::vector<Weighed> out;
  for (const ReportSite& site : report.sites) {
    const auto clock = std::find_if(report.clocks.begin(), report.clocks.end(),
                                    [&](const ReportClock& c) { return c.name == site.clock; });
    if (site.sampled || clock == report.clocks.end() || clock->resyncs < kEnoughResyncs) continue;
    const std::uint64_t times = site.calls / clock->resyncs;
    if (times < kReuse) continue;
    out.push_back(
        {site.calls,
         {"reuse", fmt::format("{} asks for {} about {} times between two resyncs (a few "
                               "milliseconds), all threads together: "
                               "where it needs no such fine time, it could reuse a reading",
                               who(caller_of(site)), one_line(site.clock), grouped(times))}});
  }
  return out;
}

// The same wait with a MONOTONIC time-out: glibc has it since 2.30.
std::string twin_of(std::string wait) {
  if (wait == "pthread_cond_timedwait")
    return "pthread_condattr_setclock, or pthread_cond_clockwait";
  const std::size_t at = wait.find("timed");
  return at == std::string::npos ? wait : wait.replace(at, 5, "clock");
}

std::vector<Weighed> timed_waits(const Report& report) {
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
  std::vector<Weighed> out;
  for (const auto& [function, found] : functions) {
    if (found.site == nullptr || found.monotonic || found.calls < kWaitCalls) continue;
    const std::string& wait = found.site->timed_wait;
    out.push_back({found.calls,
                   {"timed_wait", fmt::format("{} asks for realtime ({} calls) and waits in {}: a "
                                              "time-out made of it is wrong once the clock "
                                              "is set. Time-outs belong on MONOTONIC ({})",
                                              who(caller_of(*found.site)), grouped(found.calls),
                                              one_line(wait), twin_of(wait))}});
  }
  return out;
}

}  // namespace

std::vector<ReportAdvice> advise(const Report& report) {
  std::vector<ReportAdvice> out;
  take_the_weightiest(pairs(report), out);
  take_the_weightiest(reuse(report), out);
  take_the_weightiest(timed_waits(report), out);
  return out;
}

}  // namespace clockshim
