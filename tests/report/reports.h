// Reports to render: one with everything in it that a name must not break, and small ones to count
// by hand.
#pragma once

#include <string>

#include "report/report.h"
#include "report/threads.h"

namespace clockshim::test {

inline ReportFrame frame(const std::string& symbol, const std::string& module,
                         std::uint64_t offset) {
  ReportFrame out;
  out.symbol = symbol;
  out.module = module;
  out.offset = offset;
  return out;
}

// A function of Python's.
inline ReportFrame python_frame(const std::string& name, const std::string& file,
                                std::uint32_t line) {
  ReportFrame out;
  out.symbol = name;
  out.file = file;
  out.line = line;
  return out;
}

inline ReportSite site(std::uint64_t calls, const std::string& clock,
                       std::vector<ReportFrame> frames, std::size_t exact = 1) {
  ReportSite out;
  out.calls = calls;
  out.clock = clock;
  out.function = "clock_gettime";
  out.frames = std::move(frames);
  out.exact_frames = exact;
  return out;
}

inline Report small_report(long pid = 42) {
  Report r;
  r.version = "1";
  r.program = "daemon";
  r.pid = pid;
  r.seconds = 2;
  r.clocksource = "tsc";
  r.mode = "coherent";
  r.mode_reason = "because";
  r.order = "strict";
  r.profile = "sites";
  r.tolerance_ns = 10'000;
  r.clocks = {{"realtime", 1100, 1099, 1, 7}, {"monotonic", 30, 30, 0, 6}};
  r.samples = 13;
  r.p50_ns = 40;
  r.p99_ns = 80;
  r.max_ns = 88;
  r.sites = {
      site(1000, "realtime",
           {frame("now()", "/lib/libstdc++.so.6", 16), frame("work", "/bin/daemon", 32),
            frame("main", "/bin/daemon", 48)},
           2),
      site(100, "realtime", {frame("log", "/bin/daemon", 64), frame("main", "/bin/daemon", 80)}),
      site(30, "monotonic", {frame("work", "/bin/daemon", 96), frame("main", "/bin/daemon", 112)})};
  return r;
}

// Of two threads and the shared table: 1000, 100 and 30 calls of the three sites are 600 + 400,
// 100, and 10 + 20.
inline Report threaded_report(long pid = 42) {
  Report r = small_report(pid);
  r.threads = {{4711, "worker", 1, pid, false, false, 700},
               {4712, "", 121, pid, true, false, 410},
               {0, "", 0, pid, false, true, 20}};
  r.sites[0].threads = {{0, 600}, {1, 400}};
  r.sites[1].threads = {{0, 100}};
  r.sites[2].threads = {{1, 10}, {2, 20}};
  return r;
}

// Looked at for three intervals, of a second, half a one, and two.
inline Report watched_report(long pid = 42) {
  Report r = small_report(pid);
  r.rates.interval = 1;
  r.rates.started_at = 1.7e9;
  r.rates.times = {1, 1.5, 3.5};
  r.rates.clocks = {{"realtime", "", "", "", {100, 200, 0}}, {"monotonic", "", "", "", {0, 0, 30}}};
  r.rates.callers = {{"realtime", "work", "daemon", "clock_gettime", {90, 200, 0}},
                     {"monotonic", "work", "daemon", "clock_gettime", {0, 0, 30}},
                     {"realtime", "log", "daemon", "clock_gettime", {10, 0, 0}}};
  return r;
}

// A Python program's: the C function that Python code has called, and who called it.
inline Report python_report() {
  Report r = small_report();
  const ReportFrame time = frame("time_time", "/usr/bin/python3.11", 16);
  const ReportFrame handler = python_frame("Handler.get.<locals>.<lambda>", "/srv/app.py", 12);
  const ReportFrame init = python_frame("setup", "/srv/web/__init__.py", 3);
  r.sites = {site(1000, "realtime", {time, handler, init}, 2),
             site(130, "realtime", {time, init}, 2)};
  r.clocks = {{"realtime", 1130, 1130, 0, 7}};
  return r;
}

// Sampled, as a report of one call in 100 might be before its stacks are fitted: 12 samples of the
// busiest site's 1000 calls, one of the second's 100, and none of the last.
inline Report sampled_report() {
  Report r = small_report();
  r.profile = "stacks";
  const ReportFrame now = r.sites[0].frames[0];
  const ReportFrame work = r.sites[0].frames[1];
  const ReportFrame main = r.sites[0].frames[2];
  r.stacks = {site(700, "realtime", {now, work, main}, 3),
              site(500, "realtime", {now, work, frame("serve", "/bin/daemon", 144), main}, 4),
              site(100, "realtime", r.sites[1].frames, 2)};
  for (ReportSite& stack : r.stacks) stack.sampled = true;
  return r;
}

// Names as an enemy would choose them; with sampled stacks where `stacks`.
inline Report hostile_report(bool stacks) {
  const std::string names[] = {"",
                               "quote\"d 'name'",
                               "two\nlines\r\n",
                               "semi;colon; 12",
                               "</script><script>alert(1)</script>",
                               "<b>&amp;</b> ]]> --> <!--",
                               std::string("bad\xff\xc3(\xed\xa0\x80\xf8 utf-8 \xc2\x9b"),
                               std::string("zero\0byte", 9),
                               "\x1b[31mred\x07\x7f",
                               "back\\slash\\",
                               "fn=(1) cfn=(2)",
                               "{label=\"x\"} 7\n# EOF",
                               "\xEF\xBF\xBF\xF0\x9F\x95\x90 " + std::string(5000, 'n') + "tail",
                               "   "};
  Report r = small_report();
  r.program = names[4] + names[6];
  r.version = names[1];
  r.mode = names[2];
  r.mode_reason = names[5];
  r.clocksource = names[11];
  r.state = names[8];
  r.started_at = 1.7e9;
  r.sites.clear();
  r.clocks = {{names[4], 1, 1, 0, 0}, {names[6], 2, 1, 1, 0}, {"realtime", 5, 5, 0, 0}};
  for (ReportClock& clock : r.clocks) {
    clock.real_call_ns = 1e9;
    clock.served_call_ns = 0.001;
    clock.saved_ns = INT64_MAX;
  }
  r.errors = {{0, 3}, {15, 7}, {INT64_MAX, 1}};
  r.notes = {names[2], names[4], names[6]};
  r.advice = {
      {names[1], names[5], {names[4], names[6], names[8], names[12]}, UINT64_MAX, INT64_MAX}};
  std::uint64_t calls = 100;
  for (const std::string& name : names) {
    for (const std::string& module : {std::string("/lib/") + name, std::string()}) {
      ReportFrame inlined = frame(name, module, 7);
      inlined.inlined = true;
      inlined.file = name;
      inlined.line = 3;
      ReportFrame outer = frame(name, module, 7);
      outer.file = "/src/" + name;
      outer.line = UINT32_MAX;
      outer.build_id = name;
      ReportSite one = site(calls++, name, {inlined, outer, frame("", "", 0), outer}, 2);
      one.function = name;
      r.sites.push_back(one);
    }
  }
  r.rates.started_at = 1;
  r.rates.times = {1e-9, 2, 1e9};
  for (const std::string& name : names) {
    r.rates.clocks.push_back({name, "", "", "", {UINT64_MAX, 0, 1}});
    r.rates.callers.push_back({name, name, name, name, {0, UINT64_MAX, UINT64_MAX}});
  }
  r.threads = {{1, names[4], 1, 42, false, false, 0},
               {2, names[6], UINT64_MAX, 42, true, false, 0},
               {3, names[8], 7, 42, false, false, 0}};
  for (std::size_t i = 0; i < r.sites.size(); ++i)
    r.sites[i].threads = {{i % 3, r.sites[i].calls - 1}};
  settle_threads(r);
  r.sites.push_back(site(9, "realtime", {}, 0));
  r.sites.push_back(site(0, "realtime", {frame("never", "", 0)}));
  if (!stacks) return r;
  r.stacks = r.sites;
  for (ReportSite& stack : r.stacks) {
    stack.sampled = true;
    stack.exact_frames = 0;
  }
  return r;
}

}  // namespace clockshim::test
