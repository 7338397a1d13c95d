// |served - real|, as measured at each resync: a histogram with 8 buckets an octave (12 % wide), updated by the thread
// that resyncs. Lock-free; async-signal-safe; valid when all zero.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>

#include "base/nanos.h"

namespace clockshim {

struct AccuracySummary {
  std::uint64_t samples = 0;
  Nanos p50;
  Nanos p99;
  Nanos max;
  std::uint64_t over_tolerance = 0;
};

class Accuracy {
 public:
  // `error` >= 0: the largest difference that the sample leaves possible.
  void record(Nanos error, Nanos tolerance) noexcept {
    const auto value = static_cast<std::uint64_t>(error.raw());
    buckets_[bucket_of(value)].fetch_add(1, std::memory_order_relaxed);
    if (error > tolerance) over_tolerance_.fetch_add(1, std::memory_order_relaxed);
    std::uint64_t seen = max_.load(std::memory_order_relaxed);
    while (value > seen && !max_.compare_exchange_weak(seen, value, std::memory_order_relaxed)) {
    }
  }

  // Percentiles are the upper edge of their bucket, but never above the maximum.
  [[nodiscard]] AccuracySummary summary() const noexcept {
    AccuracySummary s;
    std::uint64_t counts[kBuckets];
    for (unsigned i = 0; i < kBuckets; ++i) s.samples += counts[i] = buckets_[i].load(std::memory_order_relaxed);
    s.max = Nanos{static_cast<std::int64_t>(max_.load(std::memory_order_relaxed))};
    s.over_tolerance = over_tolerance_.load(std::memory_order_relaxed);
    s.p50 = percentile(counts, s, 50);
    s.p99 = percentile(counts, s, 99);
    return s;
  }

 private:
  static constexpr unsigned kSubBits = 3;
  static constexpr unsigned kBuckets = (64 - kSubBits) << kSubBits;  // INT64_MAX falls into the last octave's last

  static constexpr unsigned bucket_of(std::uint64_t value) noexcept {
    if (value < (1U << kSubBits)) return static_cast<unsigned>(value);
    const unsigned exponent = static_cast<unsigned>(std::bit_width(value)) - 1 - kSubBits;
    return (exponent << kSubBits) + static_cast<unsigned>(value >> exponent);
  }
  static constexpr std::uint64_t upper_edge(unsigned bucket) noexcept {
    if (bucket < (1U << kSubBits)) return bucket;
    const unsigned exponent = (bucket >> kSubBits) - 1;
    const std::uint64_t mantissa = bucket - (exponent << kSubBits);
    return ((mantissa + 1) << exponent) - 1;
  }

  static Nanos percentile(const std::uint64_t (&counts)[kBuckets], const AccuracySummary& s, unsigned percent) noexcept {
    const std::uint64_t rank = s.samples - s.samples * (100 - percent) / 100;
    std::uint64_t seen = 0;
    for (unsigned i = 0; i < kBuckets; ++i) {
      seen += counts[i];
      if (seen >= rank && seen > 0) {
        const auto edge = static_cast<std::int64_t>(upper_edge(i));
        return Nanos{edge < s.max.raw() ? edge : s.max.raw()};
      }
    }
    return Nanos{};
  }

  std::atomic<std::uint64_t> buckets_[kBuckets]{};
  std::atomic<std::uint64_t> max_{};
  std::atomic<std::uint64_t> over_tolerance_{};
};

}  // namespace clockshim
