// The content of a report, independent of how it was counted and how it is drawn.
// docs/report-format.md describes the JSON form.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace clockshim {

struct ReportFrame {
  std::string symbol;  // demangled; "" if unknown
  std::string module;  // path, as loaded; "" if there is none (JIT code, a Python function)
  std::uint64_t offset =
      0;  // offset of the return address in the module; the call itself ends at offset - 1
  std::uint64_t symbol_offset = 0;  // from the symbol's start
  std::string build_id{};           // the module's, in hexadecimal; "" if unknown
  std::string
      file{};  // source file; "" if unknown. Only the command fills it in, except for Python
  std::uint32_t line = 0;  // 0: unknown; for a Python function, its first line
  bool inlined = false;    // the compiler inlined it into the next frame, which has the same offset
};

// The calls of a site in one thread's table.
struct ReportShare {
  std::size_t thread = 0;  // index into Report::threads
  std::uint64_t calls = 0;
};

struct ReportSite {
  std::uint64_t calls = 0;
  std::string clock;
  std::string function;
  std::vector<ReportFrame> frames;  // innermost caller first
  std::size_t exact_frames = 0;     // the rest is the stack of the first call
  bool sampled = false;  // `calls` is a share of the caller's calls, as its samples have it
  std::uint64_t caller_function_start = 0;  // the start of the caller's function in its module; 0:
                                            // unknown. The command fills in this and timed_wait
  std::string timed_wait{};  // a wait with a REALTIME time-out that the caller's function calls,
                             // too; "": none is known
  std::uint64_t key = 0;     // in the live file (live/site_key.h); 0: it is not from one
  std::vector<ReportShare>
      threads{};  // the same calls by thread, each thread once; incomplete if threads are unknown
};

// A table of counts: of one thread, or of several that had it one after another.
struct ReportThread {
  std::uint32_t tid = 0;      // the kernel's number of the last one; 0: unknown
  std::string name{};         // of the last one, if it still runs; else ""
  std::uint64_t threads = 0;  // how many had it; 0: unknown
  long pid = 0;               // their process
  bool ended =
      false;  // the last one gave it back when it ended. False: it runs, or ended without notice
  bool shared = false;  // the shared table: of threads that found no table, and of sites that did
                        // not fit into a full one
  std::uint64_t calls = 0;
};

struct ReportClock {
  std::string name;
  std::uint64_t calls = 0;
  std::uint64_t served = 0;
  std::uint64_t real = 0;
  std::uint64_t resyncs = 0;
  // What a call costs, as measured in the process; 0: it was not measured. In a merged report, the
  // mean over the served calls.
  double real_call_ns = 0;
  double served_call_ns = 0;
  std::int64_t saved_ns = 0;  // CPU time that serving has saved: report/saved.h
  bool unreachable = false;   // it can't keep the tolerance; not known of a report read from JSON
};

// Calls over time, from repeated looks at the running process. Only the command makes them.
struct ReportRates {
  struct Series {
    std::string clock;
    std::string caller{};  // the names of the function and its module; "": all callers
    std::string module{};
    std::string function{};  // the exported function: clock_gettime ...
    std::vector<std::uint64_t>
        calls{};  // calls between each look and the one before: one for each of `times`
  };
  double interval = 0;          // the requested seconds between two looks
  double started_at = 0;        // the first look, in seconds since 1970
  std::vector<double> times;    // the later looks, in seconds since the first; ascending
  std::vector<Series> clocks;   // most calls first
  std::vector<Series> callers;  // the busiest, most calls first
};

struct ReportAdvice {
  std::string kind;  // "pairs", "reuse" or "timed_wait": docs/report-format.md
  std::string text;  // names some of the callers, and says what following it saves
  std::vector<std::string> callers{};  // all whom it is for, busiest first
  std::uint64_t saves_calls = 0;       // at most, over the time of the report
  std::int64_t saves_cpu_ns = 0;       // these calls' CPU time as it was; 0: none, or not known
};

struct Report {
  std::string version;
  std::string program;
  long pid = 0;
  std::vector<long> pids;  // of all processes, if several reports were merged; else empty
  long forked_from = 0;    // the parent's pid, for a forked child; else 0
  std::string state;       // running, ended (in good order), lost (killed, or replaced by exec)
  double started_at = 0;   // seconds since 1970
  double seconds = 0;      // from start to this report or its end
  std::string clocksource;
  std::string mode;  // coherent, aligned, percpu, passthrough
  std::string mode_reason;
  std::string order;
  std::string profile;
  std::int64_t tolerance_ns = 0;
  std::vector<ReportClock> clocks;  // those that were called
  std::string saved_how;            // of a report read from JSON; else "", and saved_how() says it
  std::uint64_t samples = 0;
  std::int64_t p50_ns = 0;
  std::int64_t p99_ns = 0;
  std::int64_t max_ns = 0;
  std::uint64_t over_tolerance = 0;
  struct Bucket {
    std::int64_t up_to_ns;
    std::uint64_t samples;
  };
  std::vector<Bucket> errors;  // the histogram, without empty buckets
  std::uint64_t disturbances = 0;
  std::uint64_t dropped = 0;
  std::vector<ReportSite> sites;   // busiest first; each call is in one of them
  std::vector<ReportSite> stacks;  // profile stacks: the calls of sites with samples again, by
                                   // full stack (report/stack_shares.h)
  std::vector<ReportThread>
      threads;        // those that called, busiest first, the shared table last; empty if unknown
  ReportRates rates;  // without times if it was not watched
  std::vector<std::string> notes;  // one sentence each, for the operator
  std::vector<ReportAdvice>
      advice;  // what the program's author could do; only the command fills it in

  [[nodiscard]] std::uint64_t calls() const {
    std::uint64_t sum = 0;
    for (const auto& clock : clocks) sum += clock.calls;
    return sum;
  }
};

// On standard error, a process with fewer calls than this reports nothing (with CLOCKSHIM_LOG=info,
// one line), and in the summary of `clockshim run` a program with fewer has one line. Otherwise the
// children of a shell script, each with its two or three calls, would bury the report that matters.
// Where calls are not counted, their number says nothing.
inline constexpr std::uint64_t kTooFewForReport = 100;
inline bool too_few_for_report(const std::string& report_setting, const Report& report) {
  return report_setting == "stderr" && report.calls() < kTooFewForReport;
}

std::string render_text(const Report& report);
std::string render_json(const Report& report);

}  // namespace clockshim
