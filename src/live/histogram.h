// A histogram of |served - real| with 8 buckets an octave (12 % wide). Lock-free;
// async-signal-safe; valid when all zero.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>

#include "base/nanos.h"

namespace clockshim {

inline constexpr unsigned kHistogramSubBits = 3;
inline constexpr unsigned kHistogramBuckets =
    (64 - kHistogramSubBits)
    << kHistogramSubBits;  // INT64_MAX falls into the last bucket of the last octave

// The bucket of a value, and the largest value of a bucket, in nanoseconds.
constexpr unsigned histogram_bucket(std::uint64_t value) noexcept {
  if (value < (1U << kHistogramSubBits)) return static_cast<unsigned>(value);
  const unsigned exponent = static_cast<unsigned>(std::bit_width(value)) - 1 - kHistogramSubBits;
  return (exponent << kHistogramSubBits) + static_cast<unsigned>(value >> exponent);
}
constexpr std::uint64_t histogram_edge(unsigned bucket) noexcept {
  if (bucket < (1U << kHistogramSubBits)) return bucket;
  const unsigned exponent = (bucket >> kHistogramSubBits) - 1;
  const std::uint64_t mantissa = bucket - (exponent << kHistogramSubBits);
  return ((mantissa + 1) << exponent) - 1;
}

struct AccuracySummary {
  std::uint64_t samples = 0;
  Nanos p50;
  Nanos p99;
  Nanos max;
  std::uint64_t over_tolerance = 0;
};

// The errors that each resync measures; the thread that resyncs writes them. Part of the live file,
// so a change needs a new version of the layout.
struct Accuracy {
  // Records one error. `error` (>= 0) is the largest difference that the sample leaves possible.
  void record(Nanos error, Nanos tolerance) noexcept {
    const auto value = static_cast<std::uint64_t>(error.raw());
    buckets[histogram_bucket(value)].fetch_add(1, std::memory_order_relaxed);
    if (error > tolerance) over_tolerance.fetch_add(1, std::memory_order_relaxed);
    std::uint64_t seen = max.load(std::memory_order_relaxed);
    while (value > seen && !max.compare_exchange_weak(seen, value, std::memory_order_relaxed)) {
    }
  }

  // Percentiles are the upper edge of their bucket, but at most the maximum.
  [[nodiscard]] AccuracySummary summary() const noexcept {
    AccuracySummary s;
    std::uint64_t counts[kHistogramBuckets];
    for (unsigned i = 0; i < kHistogramBuckets; ++i)
      s.samples += counts[i] = buckets[i].load(std::memory_order_relaxed);
    s.max = Nanos{static_cast<std::int64_t>(max.load(std::memory_order_relaxed))};
    s.over_tolerance = over_tolerance.load(std::memory_order_relaxed);
    s.p50 = percentile(counts, s, 50);
    s.p99 = percentile(counts, s, 99);
    return s;
  }

  std::atomic<std::uint64_t> buckets[kHistogramBuckets];
  std::atomic<std::uint64_t> max;
  std::atomic<std::uint64_t> over_tolerance;

 private:
  static Nanos percentile(const std::uint64_t (&counts)[kHistogramBuckets],
                          const AccuracySummary& s, unsigned percent) noexcept {
    const std::uint64_t rank = s.samples - s.samples * (100 - percent) / 100;
    std::uint64_t seen = 0;
    for (unsigned i = 0; i < kHistogramBuckets; ++i) {
      seen += counts[i];
      if (seen >= rank && seen > 0) {
        const auto edge = static_cast<std::int64_t>(histogram_edge(i));
        return Nanos{edge < s.max.raw() ? edge : s.max.raw()};
      }
    }
    return Nanos{};
  }
};

}  // namespace clockshim
