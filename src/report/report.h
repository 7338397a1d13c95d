// What a report says, free of how it was counted and how it is drawn. docs/report-format.md describes the JSON form.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace clockshim {

struct ReportFrame {
  std::string symbol;               // demangled; "" where none is known
  std::string module;               // path, as loaded; "" where there is none (JIT code, a function of Python's)
  std::uint64_t offset = 0;         // of the return address, in the module; the call itself ends at offset - 1
  std::uint64_t symbol_offset = 0;  // behind the symbol's start
  std::string build_id{};           // of the module, in hexadecimal; "" where none is known
  std::string file{};               // source file; "" where none is known. The command fills it in, but for Python
  std::uint32_t line = 0;           // 0: none is known; of a function of Python's, where it begins
  bool inlined = false;             // into the next frame, by the compiler: it stands at the same offset
};

struct ReportSite {
  std::uint64_t calls = 0;
  std::string clock;
  std::string function;
  std::vector<ReportFrame> frames;  // innermost caller first
  std::size_t exact_frames = 0;     // the rest is the stack as first seen
  bool sampled = false;             // calls is an estimate: one call in so many was looked at, and stands for so many
  std::uint64_t asker_start = 0;    // of the asking function, in its module; 0: not known. The command fills in this and timed_wait
  std::string timed_wait{};         // a wait with a time-out on REALTIME that the asking function calls, too; "": none is known
};

struct ReportClock {
  std::string name;
  std::uint64_t calls = 0;
  std::uint64_t served = 0;
  std::uint64_t real = 0;
  std::uint64_t resyncs = 0;
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
  std::string state;       // running, ended (in good order), lost (killed, or its program was replaced)
  double started_at = 0;   // seconds since 1970
  double seconds = 0;      // from start to this report or its end
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
  std::vector<ReportSite> sites;     // by calls, most first; each call once
  std::vector<ReportSite> stacks;    // profile stacks: the same calls once more, by full stack; sampled
  std::vector<std::string> notes;    // what the operator should know: one sentence each
  std::vector<ReportAdvice> advice;  // what the program's author could do. The command fills it in

  [[nodiscard]] std::uint64_t calls() const {
    std::uint64_t sum = 0;
    for (const auto& clock : clocks) sum += clock.calls;
    return sum;
  }
};

std::string render_text(const Report& report);
std::string render_json(const Report& report);

}  // namespace clockshim
