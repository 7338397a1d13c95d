// simulator: thousands of seeded schedules of threads over disturbed clocks and counters; each read
// is checked. The same seed is the same schedule. Exit status 1 where a promise was broken, 2 for a
// mistake in the command line.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "plan.h"
#include "world.h"

namespace {

using namespace sim;

struct Options {
  std::uint64_t seeds = 5000;
  std::uint64_t first = 1;
  bool replay = false;  // `first` alone, and tell all
  bool table = false;
  std::string only;
};

constexpr std::uint64_t kFailuresTold = 10;

int refuse(const std::string& line) {
  std::fprintf(stderr, "simulator: %s\n", line.c_str());
  return 2;
}

// A schedule that kills the simulator is to be replayed, too.
const char* g_case = "";
std::uint64_t g_seed = 0;
void tell_and_die(int signal_number) {
  std::printf("DIED by signal %d, case %s, seed %llu\n  replay: simulator --case %s --seed %llu\n",
              signal_number, g_case, static_cast<unsigned long long>(g_seed), g_case,
              static_cast<unsigned long long>(g_seed));
  std::fflush(stdout);
  std::_Exit(1);
}

const Case* find_case(const std::string& name) {
  const auto found =
      std::find_if(cases().begin(), cases().end(), [&](const Case& c) { return c.name == name; });
  return found == cases().end() ? nullptr : &*found;
}

std::string case_names() {
  std::string all;
  for (const Case& c : cases()) all += (all.empty() ? "" : ", ") + std::string(c.name);
  return all;
}

// What stands where a number should.
CLI::Validator whole_number(std::uint64_t least) {
  return {[least](std::string& text) {
            std::uint64_t number = 0;
            const auto [end, error] =
                std::from_chars(text.data(), text.data() + text.size(), number);
            const bool good =
                error == std::errc() && end == text.data() + text.size() && number >= least;
            return good ? ""
                        : "\"" + text + "\": must be a whole number from " + std::to_string(least) +
                              " on";
          },
          ""};
}

CLI::Validator name_of_case() {
  return {[](std::string& text) {
            return find_case(text) != nullptr ? ""
                                              : "\"" + text + "\": must be one of " + case_names();
          },
          "NAME"};
}

// An exit status, where that is all there is to do.
std::optional<int> parse(int argc, char** argv, Options& options) {
  CLI::App app(
      "Thousands of seeded schedules of threads over disturbed clocks and counters; each read is "
      "checked.",
      "simulator");
  app.footer("Exit status: 1 where a promise was broken, 2 for a mistake in the command line.");
  app.add_option("--seeds", options.seeds, "how many schedules")
      ->type_name("N")
      ->capture_default_str()
      ->check(whole_number(1));
  auto* first = app.add_option("--first", options.first, "the first one's seed")
                    ->type_name("S")
                    ->capture_default_str()
                    ->check(whole_number(0));
  auto* only = app.add_option("--case", options.only, "schedules of this case only")
                   ->type_name("NAME")
                   ->check(name_of_case());
  auto* seed = app.add_option("--seed", options.first,
                              "replay the schedule of this seed, of one case, and tell all");
  seed->type_name("S")->check(whole_number(0))->needs(only)->excludes(first);
  app.add_flag("--table", options.table, "what was seen of each case");
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked_for_help) {
    return app.exit(asked_for_help);
  } catch (const CLI::ParseError& mistake) {
    return refuse(mistake.what());
  }
  options.replay = seed->count() > 0;
  return std::nullopt;
}

struct CaseTotal {
  std::uint64_t seeds = 0;
  std::uint64_t failed = 0;
  std::uint64_t reads = 0;
  std::uint64_t served = 0;
  std::uint64_t promoted = 0;
  std::uint64_t demoted = 0;
  std::int64_t worst_error = 0;
  std::vector<Ps> latencies;
  Ps bound = 0;
  Backward back;
  Ps parted_after = 0;

  void add(const Outcome& outcome) {
    ++seeds;
    failed += outcome.failure.empty() ? 0 : 1;
    reads += outcome.reads;
    served += outcome.served;
    promoted += outcome.promoted ? 1 : 0;
    demoted += outcome.demoted ? 1 : 0;
    worst_error = std::max(worst_error, outcome.worst_error);
    parted_after = std::max(parted_after, outcome.parted_after);
    back = {std::max(back.most, outcome.back.most), std::max(back.last, outcome.back.last)};
    for (const Detection& d : outcome.detections) {
      latencies.push_back(d.latency);
      bound = std::max(bound, d.bound);
    }
  }
};

void print_table(std::map<std::string, CaseTotal>& totals) {
  std::printf("%-20s %6s %6s %10s %7s %9s %5s %5s   %s\n", "case", "seeds", "failed", "reads",
              "served", "error", "prom.", "dem.",
              "wrong after a disturbance: median, p99, worst, bound (us)");
  for (const Case& c : cases()) {
    const auto found = totals.find(c.name);
    if (found == totals.end()) continue;
    CaseTotal& total = found->second;
    std::sort(total.latencies.begin(), total.latencies.end());
    const auto at = [&](std::size_t percent) {
      return static_cast<double>(total.latencies[(total.latencies.size() - 1) * percent / 100]) /
             kUs;
    };
    std::printf(
        "%-20s %6llu %6llu %10llu %6.1f%% %6lld ns %5llu %5llu", c.name,
        static_cast<unsigned long long>(total.seeds), static_cast<unsigned long long>(total.failed),
        static_cast<unsigned long long>(total.reads),
        100.0 * static_cast<double>(total.served) / static_cast<double>(total.reads),
        static_cast<long long>(total.worst_error), static_cast<unsigned long long>(total.promoted),
        static_cast<unsigned long long>(total.demoted));
    if (!total.latencies.empty())
      std::printf("   %.1f %.1f %.1f %.1f", at(50), at(99), at(100),
                  static_cast<double>(total.bound) / kUs);
    if (total.back.most > 0)
      std::printf("   back by %.1f us at most, until %.1f us after it",
                  static_cast<double>(total.back.most) / 1000,
                  static_cast<double>(total.back.last) / kUs);
    if (total.parted_after > 0)
      std::printf(", parted %.1f us after it at most",
                  static_cast<double>(total.parted_after) / kUs);
    std::printf("\n");
  }
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (const std::optional<int> status = parse(argc, argv, options)) return *status;
  std::vector<const Case*> round;
  if (options.only.empty()) {
    for (const Case& c : cases()) round.insert(round.end(), c.weight, &c);
  } else {
    round.push_back(find_case(options.only));
  }
  for (const int fatal : {SIGFPE, SIGSEGV, SIGBUS, SIGILL, SIGABRT})
    std::signal(fatal, tell_and_die);
  std::map<std::string, CaseTotal> totals;
  std::uint64_t failures = 0;
  const std::uint64_t last = options.first + (options.replay ? 1 : options.seeds);
  for (std::uint64_t seed = options.first; seed < last; ++seed) {
    const Case& c = *round[seed % round.size()];
    g_case = c.name;
    g_seed = seed;
    const Outcome outcome = run(plan_for(c, seed), options.replay);
    totals[c.name].add(outcome);
    if (outcome.failure.empty() || ++failures > kFailuresTold) continue;
    std::printf("FAILED case %s, seed %llu: %s\n  replay: simulator --case %s --seed %llu\n",
                c.name, static_cast<unsigned long long>(seed), outcome.failure.c_str(), c.name,
                static_cast<unsigned long long>(seed));
  }
  if (options.table) print_table(totals);
  std::printf("%llu schedules, %llu broke a promise\n",
              static_cast<unsigned long long>(last - options.first),
              static_cast<unsigned long long>(failures));
  return failures == 0 ? 0 : 1;
}
