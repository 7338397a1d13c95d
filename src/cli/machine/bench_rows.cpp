#include "cli/machine/bench_rows.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "cli/machine/clocks_measured.h"
#include "cli/machine/cpu_set.h"

namespace clockshim::cli {
namespace {

constexpr int kReadingsOnACpu = 100;
constexpr std::size_t kLeastMoves = 3;  // there and back, however short the time
constexpr const char* kTimeofday = "gettimeofday";

int raw_clock_gettime(clockid_t id, timespec* t) {
  return static_cast<int>(syscall(SYS_clock_gettime, id, t));
}
int raw_gettimeofday(timeval* t, void* zone) {
  return static_cast<int>(syscall(SYS_gettimeofday, t, zone));
}
int bare_clock_gettime(clockid_t id, timespec* t) { return real::clock_gettime(id, t); }
int bare_gettimeofday(timeval* t, void* zone) { return real::gettimeofday(t, zone); }
int library_gettimeofday(timeval* t, void* zone) { return gettimeofday(t, zone); }

Nanos now() {
  Nanos n;
  real::read(CLOCK_MONOTONIC, n);
  return n;
}

void note(Steps& steps, std::int64_t difference) {
  ++steps.readings;
  if (difference > 0 && (steps.resolution == 0 || difference < steps.resolution))
    steps.resolution = difference;
  if (difference >= 0) return;
  ++steps.backward;
  steps.worst = std::max(steps.worst, -difference);
}

template <class Read>
Steps watch(Nanos budget, Read&& read) {
  const std::vector<int> cpus = allowed_cpus();  // before the thread stays on one of them
  const StayHere and_come_back;
  Steps steps;
  const Nanos start = now();
  std::int64_t last = read();
  for (std::size_t round = 0; round < kLeastMoves || now() - start < budget; ++round) {
    if (!cpus.empty()) move_to(cpus[round % cpus.size()]);
    for (int i = 0; i < kReadingsOnACpu; ++i) {
      const std::int64_t next = read();
      note(steps, next - last);
      last = next;
    }
  }
  return steps;
}

}  // namespace

const ClockReader kBare{"bare", bare_clock_gettime, bare_gettimeofday};
const ClockReader kRawSyscall{"raw", raw_clock_gettime, raw_gettimeofday};
ClockReader through_library(const char* name) {
  return {name, clock_gettime, library_gettimeofday};
}

std::vector<Row> measure_rows(const ClockReader& way, const Budget& budget, const Timebase& base) {
  std::vector<Row> rows;
  for (const auto& [id, name] : kMeasuredClocks) {
    timespec t;
    if (way.clock_gettime(id, &t) != 0) continue;
    Row row;
    row.clock = name;
    row.way = way.name;
    const auto read = [&way, &t, clock_id = id] { way.clock_gettime(clock_id, &t); };
    // The library learns first (the counter's rate), which is not part of what a call costs later.
    measure(base, std::max(budget.cost, milliseconds(5)), read);
    {
      const StayHere stay;
      row.cost = measure(base, budget.cost, read);
    }
    if (budget.steps > Nanos{}) {
      row.steps = watch(budget.steps, [&] {
        read();
        return from_timespec(t).raw();
      });
    }
    rows.push_back(row);
  }
  Row row;
  row.clock = kTimeofday;
  row.way = way.name;
  timeval t;
  {
    const StayHere stay;
    row.cost = measure(base, budget.cost, [&] { way.gettimeofday(&t, nullptr); });
  }
  if (budget.steps > Nanos{}) {
    row.steps = watch(budget.steps, [&] {
      way.gettimeofday(&t, nullptr);
      return t.tv_sec * kNanosPerSecond + t.tv_usec * 1000;
    });
  }
  rows.push_back(row);
  return rows;
}

std::vector<int> thread_counts(int cpus) {
  std::vector<int> counts;
  for (int n = 1; n < cpus; n *= 2) counts.push_back(n);
  counts.push_back(std::max(cpus, 1));
  return counts;
}

std::vector<Throughput> measure_throughput(const ClockReader& way, const Budget& budget) {
  std::vector<Throughput> all;
  if (budget.threads == Nanos{}) return all;
  for (const int count : thread_counts(static_cast<int>(allowed_cpus().size()))) {
    std::atomic<bool> stop{false};
    std::atomic<std::uint64_t> calls{0};
    std::vector<std::thread> threads;
    threads.reserve(static_cast<std::size_t>(count));
    const Nanos start = now();
    for (int i = 0; i < count; ++i) {
      threads.emplace_back([&] {
        timespec t;
        std::uint64_t mine = 0;
        for (; !stop.load(std::memory_order_relaxed); ++mine)
          way.clock_gettime(CLOCK_MONOTONIC, &t);
        calls.fetch_add(mine);
      });
    }
    const timespec length{budget.threads.raw() / kNanosPerSecond,
                          budget.threads.raw() % kNanosPerSecond};
    nanosleep(&length, nullptr);
    stop.store(true);
    for (std::thread& thread : threads) thread.join();
    const double seconds = static_cast<double>((now() - start).raw()) / 1e9;
    all.push_back({way.name, count, static_cast<double>(calls.load()) / seconds});
  }
  return all;
}

}  // namespace clockshim::cli
