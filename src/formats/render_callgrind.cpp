// Callgrind's profile format: https://valgrind.org/docs/manual/cl-format.html. The cost of an
// exported function is its calls. Its callers, and their inclusive costs, are calls= lines, whose
// count is the number of clock calls that came that way.
#include <fmt/format.h>

#include <map>
#include <set>

#include "formats/formats.h"
#include "formats/thread_slices.h"

namespace clockshim {
namespace {

struct Function {
  std::string object;
  std::string file;
  std::string name;
  auto operator<=>(const Function&) const = default;
};

struct Called {
  Function function;
  std::uint32_t line;  // of the call, in the caller
  auto operator<=>(const Called&) const = default;
};

struct Cost {
  std::uint64_t self = 0;
  std::map<Called, std::uint64_t> calls;
};

// Names are written as "(3) name" the first time, and as "(3)" from then on.
class Names {
 public:
  std::string operator()(const std::string& name) {
    const auto [found, added] = numbers_.try_emplace(name, numbers_.size() + 1);
    return fmt::format("({}){}", found->second, added ? " " + name : "");
  }

 private:
  std::map<std::string, std::size_t> numbers_;
};

std::string or_unknown(const std::string& s) { return is_blank(s) ? "???" : one_line(s); }

// A thread is shown like a function that calls the outermost callers.
void add(const ThreadSlice& slice, std::map<Function, Cost>& costs) {
  for (const ReportSite& site : slice.sites) {
    Function callee{"???", "???", question(site)};
    costs[callee].self += site.calls;
    std::set<Function> seen{callee};
    for (std::size_t i = 0; i < site.frames.size() && seen_in(site, i) != Seen::first; ++i) {
      const ReportFrame& frame = site.frames[i];
      const Function caller{or_unknown(frame.module), or_unknown(frame.file),
                            function_name(frame) + mark_of(site, i)};
      if (!seen.insert(caller).second) continue;  // recursion: its cost is already included
      costs[caller].calls[{callee, frame.line}] += site.calls;
      callee = caller;
    }
    if (!slice.thread.empty()) costs[{"???", "???", slice.thread}].calls[{callee, 0}] += site.calls;
  }
}

}  // namespace

std::string render_callgrind(const Reports& reports, const StackOptions& options) {
  std::map<Function, Cost> costs;
  bool sampled = false;
  for (const Report& report : reports) {
    for (const ThreadSlice& slice : drawn_slices(report, options)) add(slice, costs);
    sampled = sampled || draws_samples(report, options);
  }
  std::uint64_t sum = 0;
  for (const auto& [function, cost] : costs) sum += cost.self;
  std::string out = "# callgrind format\nversion: 1\ncreator: clockshim " CLOCKSHIM_VERSION "\n";
  if (!reports.empty())
    out += fmt::format("pid: {}\ncmd: {}\n", reports.front().pid, process_name(reports.front()));
  out += fmt::format("desc: Counts: {}\n",
                     sampled ? "exact; behind the callers shared by samples, and marked"
                             : "exact, of the callers that every call of a site had");
  out += fmt::format("positions: line\nevents: Calls\nsummary: {}\n", sum);
  Names objects;
  Names files;
  Names functions;
  for (const auto& [function, cost] : costs) {
    out += fmt::format("\nob={}\nfl={}\nfn={}\n", objects(function.object), files(function.file),
                       functions(function.name));
    if (cost.self != 0) out += fmt::format("0 {}\n", cost.self);
    for (const auto& [called, calls] : cost.calls) {
      const Function& callee = called.function;
      out += fmt::format("cob={}\ncfi={}\ncfn={}\ncalls={} 0\n{} {}\n", objects(callee.object),
                         files(callee.file), functions(callee.name), calls, called.line, calls);
    }
  }
  return out + fmt::format("\ntotals: {}\n", sum);
}

}  // namespace clockshim
