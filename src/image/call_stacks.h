// Stacks of the image's own, for calls from where there is little: a call may take 1.9 KiB, and a
// goroutine's stack may end 700 bytes below the call, with somebody else's memory behind it.
//
// Async-signal-safe and lock-free; any thread may call run() at any time. What never comes back (a
// handler that jumps out of a call, another thread at a fork) leaves one stack less.
#pragma once

#include <atomic>
#include <cstdint>

#include "arch/call_on_stack.h"
#include "image/contract.h"

namespace clockshim {

class CallStacks {
 public:
  // Calls f(argument) on one of the stacks. False: none is free, and it is not called.
  bool run(void (*f)(void*), void* argument) noexcept {
    // Threads begin to look at different places, as far as their stacks are apart.
    constexpr unsigned kApart = 11;
    const auto first = reinterpret_cast<std::uintptr_t>(argument) >> kApart;
    for (unsigned i = 0; i < kCallStacks; ++i) {
      Stack& stack = stacks_[(first + i) % kCallStacks];
      if (stack.taken.exchange(true, std::memory_order_acquire)) continue;
      call_on_stack(stack.memory + sizeof stack.memory, f, argument);
      stack.taken.store(false, std::memory_order_release);
      return true;
    }
    return false;
  }

 private:
  struct alignas(64) Stack {
    unsigned char memory[kCallStack];
    std::atomic<bool> taken;
  };
  Stack stacks_[kCallStacks]{};
};

}  // namespace clockshim
