// Held while libunwind is asked. Not waited for: who finds it taken (a signal handler over the learner, another thread) counts this one
// call without learning.
#pragma once

#include <atomic>

namespace clockshim {

class LearningGuard {
 public:
  explicit LearningGuard(std::atomic<bool>& flag) : flag_(flag), held_(!flag.exchange(true, std::memory_order_acquire)) {}
  ~LearningGuard() {
    if (held_) flag_.store(false, std::memory_order_release);
  }
  LearningGuard(const LearningGuard&) = delete;
  LearningGuard& operator=(const LearningGuard&) = delete;
  [[nodiscard]] bool held() const { return held_; }

 private:
  std::atomic<bool>& flag_;
  bool held_;
};

}  // namespace clockshim
