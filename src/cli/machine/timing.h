// Measures what a call costs: batches of calls are timed by the counter, or by the kernel's clock
// if the counter must not be read.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "arch/counter.h"
#include "base/nanos.h"
#include "os/real_clock.h"

namespace clockshim::cli {

// Sleeps for `length`, whatever signals come.
void rest(Nanos length);

// The clock that batches are timed with.
struct Timebase {
  double ns_per_unit = 1;
  bool counter = false;

  [[nodiscard]] std::uint64_t now() const {
    if (counter) return Arch::ordered().raw();
    Nanos n;
    real::read(CLOCK_MONOTONIC, n);
    return static_cast<std::uint64_t>(n.raw());
  }
};

// Nanoseconds for each call, over batches. Batches are timed because a single call takes less time
// than timing it.
struct Cost {
  std::uint64_t calls = 0;
  double total = 0;  // ns
  double median = 0;
  double p99 = 0;
  double p10 = 0;
  double p90 = 0;
  [[nodiscard]] double average() const {
    return calls == 0 ? 0 : total / static_cast<double>(calls);
  }
  [[nodiscard]] double spread() const { return p90 - p10; }
};

// `samples` has the ns for each call, one value for each batch.
Cost summarise(std::vector<double> samples, std::uint64_t calls_a_batch);

// Measures for about `budget`, but at least kLeastBatches batches. The thread should stay on its
// CPU (StayHere).
template <class Call>
Cost measure(const Timebase& base, Nanos budget, Call&& call) {
  constexpr std::size_t kLeastBatches = 20;
  constexpr std::size_t kMostBatches = 100'000;
  // The kernel's clock may advance in steps of 280 ns, so it needs longer batches.
  const std::uint64_t calls = base.counter ? 32 : 2048;
  std::vector<double> samples;
  const auto batch = [&](std::uint64_t n) {
    const std::uint64_t start = base.now();
    for (std::uint64_t i = 0; i < n; ++i) call();
    return static_cast<double>(static_cast<std::int64_t>(base.now() - start)) * base.ns_per_unit;
  };
  std::vector<double> empty;
  for (std::size_t i = 0; i < kLeastBatches; ++i) empty.push_back(batch(0));
  const double overhead = *std::min_element(empty.begin(), empty.end());
  batch(calls);  // warms up pages, caches and branch prediction
  double spent = 0;
  while (samples.size() < kMostBatches &&
         (samples.size() < kLeastBatches || spent < static_cast<double>(budget.raw()))) {
    const double took = batch(calls);
    spent += std::max(took, 1.0);  // so that a counter that stands still does not keep us here
    samples.push_back(std::max(took - overhead, 0.0) / static_cast<double>(calls));
  }
  return summarise(std::move(samples), calls);
}

// One reading of CLOCK_MONOTONIC between two of the counter; the narrowest of several.
struct CounterSample {
  Ticks counter;
  Nanos time;
  TickDelta bracket;
};
CounterSample sample_counter();

// The counter's frequency between two samples, and its uncertainty.
struct Frequency {
  double mhz = 0;
  double error_ppm = 0;
};
Frequency frequency_between(const CounterSample& from, const CounterSample& to);

}  // namespace clockshim::cli
