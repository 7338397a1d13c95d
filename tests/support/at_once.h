// Threads that do the same thing at the same moment, over and over, so that they collide.
#pragma once

#include <barrier>
#include <thread>
#include <vector>

namespace clockshim::test {

// Calls f(thread, round) in each of `threads` threads for each of `rounds` rounds. Each round
// begins in all of them together.
template <typename F>
void at_once(unsigned threads, unsigned rounds, F f) {
  std::barrier start(static_cast<std::ptrdiff_t>(threads));
  std::vector<std::jthread> running;
  for (unsigned thread = 0; thread < threads; ++thread) {
    running.emplace_back([&, thread] {
      for (unsigned round = 0; round < rounds; ++round) {
        start.arrive_and_wait();
        f(thread, round);
      }
    });
  }
}

}  // namespace clockshim::test
