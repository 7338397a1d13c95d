// A place to be preempted at each access to an atomic. Inside namespace clockshim, `std` is found
// here first: the sources under test are compiled as they are, but each std::atomic in them is this
// one. It shows every order in which threads may see each other's accesses one at a time. What a
// weaker memory could do besides is tests/model/'s business. To be included before anything of
// src/, and in no program that links the library's own objects.
#pragma once

#include <atomic>
#include <cstdint>

namespace sim {

// Accesses until the next preemption. The schedule's dice say how many, and what then.
inline std::int64_t g_accesses_left = INT64_MAX;
void preempted_at_access() noexcept;

inline void access() noexcept {
  if (--g_accesses_left <= 0) preempted_at_access();
}

}  // namespace sim

namespace clockshim::std {

using namespace ::std;

template <class T>
class atomic {  // NOLINT(readability-identifier-naming): as the real one
 public:
  constexpr atomic() = default;
  constexpr atomic(T value)
      : value_(value) {}  // NOLINT(google-explicit-constructor): as the real one
  atomic(const atomic&) = delete;
  atomic& operator=(const atomic&) = delete;

  T load(memory_order = memory_order_seq_cst) const noexcept {
    sim::access();
    return value_;
  }
  void store(T value, memory_order = memory_order_seq_cst) noexcept {
    sim::access();
    value_ = value;
  }
  T exchange(T value, memory_order = memory_order_seq_cst) noexcept {
    return changed([&](T) { return value; });
  }
  T fetch_add(T by, memory_order = memory_order_seq_cst) noexcept {
    return changed([&](T old) { return static_cast<T>(old + by); });
  }
  T fetch_or(T bits, memory_order = memory_order_seq_cst) noexcept {
    return changed([&](T old) { return static_cast<T>(old | bits); });
  }
  T fetch_and(T bits, memory_order = memory_order_seq_cst) noexcept {
    return changed([&](T old) { return static_cast<T>(old & bits); });
  }
  bool compare_exchange_strong(T& expected, T desired,
                               memory_order = memory_order_seq_cst) noexcept {
    sim::access();
    const bool same = value_ == expected;
    (same ? value_ : expected) = same ? desired : value_;
    return same;
  }
  bool compare_exchange_weak(T& expected, T desired,
                             memory_order order = memory_order_seq_cst) noexcept {
    return compare_exchange_strong(expected, desired, order);
  }

 private:
  template <class Change>
  T changed(Change change) noexcept {
    sim::access();
    const T old = value_;
    value_ = change(old);
    return old;
  }

  T value_{};
};

}  // namespace clockshim::std
