// The timeline under real threads, with a counter that all of them push forward: built with the
// thread sanitizer too, which sees what is not ordered by release and acquire. Threads hand
// readings to each other; nobody may be given less than what it was handed. A further thread sets
// the clocks all the time.
#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

#include "clock/timeline_impl.h"

namespace clockshim {
namespace {

constexpr unsigned kThreads = 4;
constexpr int kReadings = 60'000;
constexpr std::uint64_t kPerLook =
    40;  // ticks that a look at the counter takes; 2 ticks are a nanosecond
constexpr std::uint64_t kDisagree = 1'000'000;  // ticks between two CPUs' counters

struct SharedSource {
  std::atomic<std::uint64_t>& ticks;
  unsigned index;
  bool disagree;

  std::uint64_t look() noexcept {
    return ticks.fetch_add(kPerLook, std::memory_order_acq_rel) + kPerLook;
  }
  Reading reading() noexcept {
    const unsigned cpu = index % 2;
    return {Ticks{look() + (disagree ? cpu * kDisagree : 0)}, cpu};
  }
  bool real(clockid_t, Nanos& out) noexcept {
    out = Nanos{static_cast<std::int64_t>(look() / 2)};
    return true;
  }
  bool coarse(CoarsePair& out) noexcept {
    out.monotonic = Nanos{static_cast<std::int64_t>(look() / 2 / 4'000'000 * 4'000'000)};
    out.realtime = out.monotonic;
    return true;
  }
  [[nodiscard]] std::uintptr_t thread() const noexcept { return index + 1; }
};

class TimelineThreads : public testing::TestWithParam<bool> {
 protected:
  Nanos read(SharedSource& source) {
    timespec t;
    Floor& floor = timeline->floor(CLOCK_MONOTONIC);
    const std::int64_t seen = floor.load(std::memory_order_acquire);
    const std::uint8_t mode_bits = timeline->mode_bits();
    const Reading now = source.reading();
    const auto exchange = [](Floor& f, std::int64_t& expected, std::int64_t to) {
      return f.compare_exchange_strong(expected, to, std::memory_order_acq_rel);
    };
    const bool hot = mode_bits == 0 ? timeline->read(CLOCK_MONOTONIC, now.ticks, t)
                     : (mode_bits & kSettling) == 0
                         ? timeline->read_above(CLOCK_MONOTONIC, now, floor, seen, t, exchange)
                         : false;
    if (hot) return from_timespec(t);
    Nanos out;
    EXPECT_NE(timeline->resync(CLOCK_MONOTONIC, source, out), Answer::none);
    return out;
  }

  std::unique_ptr<Timeline<SharedSource>> timeline = std::make_unique<Timeline<SharedSource>>();
  live::ClockRecord record{};
};

TEST_P(TimelineThreads, NobodyReadsLessThanItWasHanded) {
  const bool disagree = GetParam();
  timeline->start({.tolerance = microseconds(10),
                   .clocks = all_servable(),
                   .coarse_tick = milliseconds(4),
                   .cpus = 2,
                   .per_cpu = disagree,
                   .can_tell_cpus = true},
                  record);
  std::atomic<std::uint64_t> ticks{1'000'000'000};
  std::atomic<std::int64_t> newest{0};
  std::atomic<int> backward{0};
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  for (unsigned index = 0; index < kThreads; ++index) {
    threads.emplace_back([&, index] {
      SharedSource source{ticks, index, disagree};
      for (int i = 0; i < kReadings; ++i) {
        const std::int64_t seen = newest.load(std::memory_order_acquire);
        const std::int64_t mine = read(source).raw();
        if (mine < seen) backward.fetch_add(1, std::memory_order_relaxed);
        newest.store(mine, std::memory_order_release);
        if (i % 16 == 0) ticks.fetch_add(100'000, std::memory_order_acq_rel);  // 50 us pass
      }
    });
  }
  std::thread setter([&] {
    while (!done.load(std::memory_order_acquire)) {
      timeline->clocks_were_set();
      std::this_thread::yield();
    }
  });
  for (auto& thread : threads) thread.join();
  done.store(true, std::memory_order_release);
  setter.join();
  EXPECT_EQ(backward.load(), 0);
  EXPECT_GT(record.clocks[CLOCK_MONOTONIC].resyncs.load(), 100U);
}

INSTANTIATE_TEST_SUITE_P(Counters, TimelineThreads, testing::Values(false, true),
                         [](const auto& which) { return which.param ? "Disagree" : "Agree"; });

}  // namespace
}  // namespace clockshim
