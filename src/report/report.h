// What a report says, free of how it was counted and how it is drawn. docs/report-format.md
// describes the JSON form.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace clockshim {

struct ReportFrame {
  std::string symbol;  // demangled; "" where none is known
  std::string module;  // path, as loaded; "" where there is none (JIT code, a function of Python's)
  std::uint64_t offset =
      0;  // of the return address, in the module; the call itself ends at offset - 1
  std::uint64_t symbol_offset = 0;  // behind the symbol's start
  std::string build_id{};           // of the module, in hexadecimal; "" where none is known
  std::string
      file{};  // source file; "" where none is known. The command fills it in, but for Python
  std::uint32_t line = 0;  // 0: none is known; of a function of Python's, where it begins
  bool inlined = false;    // into the next frame, by the compiler: it stands at the same offset
};

// What one thread's table holds of a site.
struct ReportShare {
  std::size_t thread = 0;  // of Report::threads
  std::uint64_t calls = 0;
};

struct ReportSite {
  std::uint64_t calls = 0;
  std::string clock;
  std::string function;
  std::vector<ReportFrame> frames;  // innermost caller first
  std::size_t exact_frames = 0;     // the rest is the stack as first seen
  bool sampled =
      false;  // calls is an estimate: one call in so many was looked at, and stands for so many
  std::uint64_t caller_function_start = 0;  // of the asking function, in its module; 0: not known.
                                            // The command fills in this and timed_wait
  std::string timed_wait{};  // a wait with a time-out on REALTIME that the asking function calls,
                             // too; "": none is known
  std::uint64_t key = 0;     // in its live file (live/site_key.h); 0: it comes from none
  std::vector<ReportShare>
      threads{};  // the same calls by thread, each thread once; less where that is not told
};

// A table of counts: a thread's, or that of several threads which had it one after another.
struct ReportThread {
  std::uint32_t tid = 0;      // the kernel's number of the last one; 0: not known
  std::string name{};         // of the last one, where it still runs; ""
  std::uint64_t threads = 0;  // how many had it; 0: not known
  long pid = 0;               // of their process
  bool ended =
      false;  // the last one gave it back when it ended. False: it runs, or went without a word
  bool shared = false;  // no thread's own: of threads that found no table, and of sites that a full
                        // table had no room for
  std::uint64_t calls = 0;
};

struct ReportClock {
  std::string name;
  std::uint64_t calls = 0;
  std::uint64_t served = 0;
  std::uint64_t real = 0;
  std::uint64_t resyncs = 0;
};

// Calls over time, as seen by somebody who looked again and again while the process ran. The
// command makes them.
struct ReportRates {
  struct Series {
    std::string clock;
    std::string caller{};  // the function's name, and its module's; "": all callers
    std::string module{};
    std::string function{};  // as called: clock_gettime ...
    std::vector<std::uint64_t>
        calls{};  // between a look and the one before: as many as there are times
  };
  double interval = 0;          // seconds between two looks, as they were wanted
  double started_at = 0;        // the first look, in seconds since 1970
  std::vector<double> times;    // the others, in seconds since the first; ascending
  std::vector<Series> clocks;   // most calls first
  std::vector<Series> callers;  // the busiest, most calls first
};

struct ReportAdvice {
  std::string kind;  // "pairs", "reuse" or "timed_wait": docs/report-format.md
  std::string text;
};

struct Report {
  std::string version;
  std::string program;
  long pid = 0;
  std::vector<long> pids;  // of all processes, where several reports were merged; else empty
  long forked_from = 0;    // the parent's pid, where it is a forked child; else 0
  std::string state;  // running, ended (in good order), lost (killed, or its program was replaced)
  double started_at = 0;  // seconds since 1970
  double seconds = 0;     // from start to this report or its end
  std::string clocksource;
  std::string mode;  // coherent, percpu, passthrough
  std::string mode_reason;
  std::string order;
  std::string profile;
  std::int64_t tolerance_ns = 0;
  std::vector<ReportClock> clocks;  // those that were asked for
  std::uint64_t samples = 0;
  std::int64_t p50_ns = 0;
  std::int64_t p99_ns = 0;
  std::int64_t max_ns = 0;
  std::uint64_t over_tolerance = 0;
  struct Bucket {
    std::int64_t up_to_ns;
    std::uint64_t samples;
  };
  std::vector<Bucket> errors;  // the same as a histogram, empty buckets left out
  std::uint64_t disturbances = 0;
  std::uint64_t dropped = 0;
  std::vector<ReportSite> sites;  // by calls, most first; each call once
  std::vector<ReportSite>
      stacks;  // profile stacks: the same calls once more, by full stack; sampled
  std::vector<ReportThread> threads;  // those that asked, most calls first, the shared table last;
                                      // none where that is not told
  ReportRates rates;                  // no times: nobody looked
  std::vector<std::string> notes;     // what the operator should know: one sentence each
  std::vector<ReportAdvice> advice;   // what the program's author could do. The command fills it in

  [[nodiscard]] std::uint64_t calls() const {
    std::uint64_t sum = 0;
    for (const auto& clock : clocks) sum += clock.calls;
    return sum;
  }
};

std::string render_text(const Report& report);
std::string render_json(const Report& report);

}  // namespace clockshim
