// How threads write the content of a record that several of them may complete at the same time.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace clockshim::live {

// Writes `value` to `field`. A record's key determines its content, and whoever finds a record that
// was begun completes it, because the thread that began it may never come back. So two threads may
// write the same bytes at the same time. That is defined only where each write is atomic. Readers
// look at the content once the record's state is kValid. Async-signal-safe.
template <typename T>
void write_same(T& field, const T& value) noexcept {
  static_assert(std::is_trivially_copyable_v<T>);
  if constexpr (std::is_integral_v<T>) {
    std::atomic_ref(field).store(value, std::memory_order_relaxed);
  } else {
    using Word [[gnu::may_alias]] = std::uint32_t;
    static_assert(sizeof(T) % sizeof(Word) == 0);
    static_assert(alignof(T) >= alignof(Word));
    auto* to = reinterpret_cast<Word*>(&field);
    const auto* from = reinterpret_cast<const Word*>(&value);
    for (std::size_t i = 0; i < sizeof(T) / sizeof(Word); ++i)
      __atomic_store_n(&to[i], from[i], __ATOMIC_RELAXED);
  }
}

}  // namespace clockshim::live
