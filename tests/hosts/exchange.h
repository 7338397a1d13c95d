// Threads hand readings of a clock to each other and check that none is less than one that was
// handed to them. How a reading travels (an atomic, a mutex, a pipe) is the carrier's affair; what
// is checked, counted and when to stop is the same for all.
#pragma once

#include <sched.h>

#include <algorithm>
#include <atomic>

#include "host.h"

// A reading and who took it.
struct Word {
  int64_t reading;
  int who;
};

// What all threads count together. All atomics are lock-free: signal handlers and, in shared
// memory, children use them.
struct Common {
  std::atomic<long> handoffs{};  // readings that came from another thread
  std::atomic<long> readings{};
  std::atomic<long> backward{};
  std::atomic<int64_t> worst{};
  std::atomic<long> moves{};  // of threads, to another CPU
  long wanted_moves = 0;
  int64_t start = 0;  // readings count from here, so that they leave room for the taker's number

  void compare(int64_t now, int64_t earlier) {
    if (now >= earlier) return;
    backward.fetch_add(1);
    int64_t worst_yet = worst.load();
    while (worst_yet < earlier - now && !worst.compare_exchange_weak(worst_yet, earlier - now)) {
    }
  }

  void say() const {
    host_say("handoffs", handoffs);
    host_say("readings", readings);
    host_say("backward", backward);
    host_say("worst", worst);
  }
};

constexpr int kIdBits = 3;  // threads are numbered 1 to 7; 0 is nobody
constexpr int kMaxId = (1 << kIdBits) - 1;

// The newest reading stands in an atomic: whoever loads it reads later.
class ByAtomic {
 public:
  Word take() const {
    const int64_t word = newest_.load(std::memory_order_acquire);
    return {word >> kIdBits, static_cast<int>(word & kMaxId)};
  }
  void give(const Word& word) {
    newest_.store(word.reading << kIdBits | word.who, std::memory_order_release);
  }

 private:
  alignas(64) std::atomic<int64_t> newest_{};
};

// Each thread has a line of its own, in which its newest reading stands, and looks at one line of
// the others' after the other. A line moves to another CPU for each reading that is new, so most
// readings are handed over: some ten times as many as by one word that both write.
class ByLines {
 public:
  // What one thread sees of the lines.
  class View {
   public:
    View(ByLines& lines, int id, int threads) : lines_(lines), id_(id), threads_(threads) {}
    // A reading that this thread has not seen yet, or its own.
    Word take() {
      do next_ = next_ % threads_ + 1;
      while (next_ == id_);
      const int64_t reading = lines_.newest_[next_].reading.load(std::memory_order_acquire);
      if (reading == seen_[next_]) return {0, id_};
      seen_[next_] = reading;
      return {reading, next_};
    }
    void give(const Word& word) {
      lines_.newest_[id_].reading.store(word.reading, std::memory_order_release);
    }

   private:
    ByLines& lines_;
    const int id_;
    const int threads_;
    int next_ = 1;
    int64_t seen_[kMaxId + 1]{};
  };

 private:
  struct alignas(64) Line {
    std::atomic<int64_t> reading{};
  };
  Line newest_[kMaxId + 1];
};

// One thread's part. It ends after `wanted` handoffs of all and as many moves as are wanted. Where
// the threads share one CPU, handoffs are rare: then it ends after a hundred times as many
// readings. `between` runs after each reading
// that was handed on.
template <class Carrier, class Between>
void exchange(Carrier& carrier, Common& common, int id, clockid_t clock, long wanted,
              Between&& between) {
  constexpr long kPatience = 100;
  constexpr long kTurns = 256;  // between two looks at the common counts
  constexpr int kAlone = 64;  // own readings in a row, after which the CPU is offered to the others
  long handoffs = 0;
  int alone = 0;
  int64_t mine = 0;
  for (long turn = 1;; ++turn) {
    const Word seen = carrier.take();
    const int64_t now = host_clock(clock) - common.start;
    common.compare(now, std::max(seen.reading, mine));
    mine = now;
    carrier.give({now, id});
    alone = seen.who == id ? alone + 1 : 0;
    if (seen.who != id && seen.who != 0) ++handoffs;
    if (alone == kAlone) {
      alone = 0;
      sched_yield();
    }
    between(turn);
    if (turn % kTurns != 0) continue;
    const long readings = common.readings.fetch_add(kTurns) + kTurns;
    const bool enough = common.handoffs.fetch_add(handoffs) + handoffs >= wanted &&
                        common.moves.load() >= common.wanted_moves;
    if (enough || readings >= kPatience * wanted) return;
    handoffs = 0;
  }
}
