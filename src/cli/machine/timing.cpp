#include "cli/machine/timing.h"

#include <cstddef>
#include <ctime>

namespace clockshim::cli {

void rest(Nanos length) {
  timespec left{length.raw() / kNanosPerSecond, length.raw() % kNanosPerSecond};
  while (nanosleep(&left, &left) != 0) {
  }
}

Cost summarise(std::vector<double> samples, std::uint64_t calls_a_batch) {
  Cost cost;
  if (samples.empty()) return cost;
  std::sort(samples.begin(), samples.end());
  const auto at = [&](double part) {
    return samples[static_cast<std::size_t>(part * static_cast<double>(samples.size() - 1))];
  };
  cost.calls = calls_a_batch * samples.size();
  for (const double sample : samples) cost.total += sample * static_cast<double>(calls_a_batch);
  cost.median = at(0.5);
  cost.p99 = at(0.99);
  cost.p10 = at(0.1);
  cost.p90 = at(0.9);
  return cost;
}

CounterSample sample_counter() {
  constexpr int kTries = 10;
  CounterSample best;
  for (int i = 0; i < kTries; ++i) {
    CounterSample sample;
    sample.counter = Arch::ordered();
    real::read(CLOCK_MONOTONIC, sample.time);
    sample.bracket = Arch::ordered() - sample.counter;
    if (i == 0 || sample.bracket < best.bracket) best = sample;
  }
  return best;
}

Frequency frequency_between(const CounterSample& from, const CounterSample& to) {
  Frequency frequency;
  const auto ticks =
      static_cast<double>(static_cast<std::int64_t>((to.counter - from.counter).raw()));
  const auto elapsed = static_cast<double>((to.time - from.time).raw());
  if (elapsed <= 0 || ticks <= 0) return frequency;
  frequency.mhz = ticks / elapsed * 1e3;
  frequency.error_ppm = static_cast<double>(from.bracket.raw() + to.bracket.raw()) / ticks * 1e6;
  return frequency;
}

}  // namespace clockshim::cli
