// Threads of the simulated machine: fibers, run one at a time in the order of true time. Between
// two of its pauses a fiber runs at one instant, so a schedule is the order and the length of the
// pauses, and nothing else.
#pragma once

#include <csetjmp>
#include <functional>
#include <memory>
#include <vector>

#include "machine.h"

namespace sim {

class Fibers {
 public:
  // Fiber n runs body(n) from `start` on.
  Fibers(unsigned count, Ps start, std::function<void(unsigned)> body);
  Fibers(const Fibers&) = delete;
  Fibers& operator=(const Fibers&) = delete;

  // Something that happens to the machine at a time. To be added before run().
  void at(Ps when, std::function<void()> event);
  // Until all fibers have ended, or an exception would have: none are thrown here.
  void run();

  [[nodiscard]] Ps now() const { return now_; }
  [[nodiscard]] unsigned running() const { return running_; }
  [[nodiscard]] bool inside() const { return inside_; }

  // By the fiber that runs: nothing for so long.
  void pass(Ps length);
  // By an event: fiber n does not run before `until`.
  void hold(unsigned n, Ps until);
  // By an event: nobody runs for so long, and what was to happen happens later.
  void hold_all(Ps length);

 private:
  struct Fiber {
    Ps ready;
    bool started = false;
    bool ended = false;
    jmp_buf place;
    std::unique_ptr<char[]> stack;
  };
  struct Event {
    Ps when;
    std::function<void()> happen;
  };

  static void enter();
  void resume(Fiber& fiber);
  void yield(Fiber& fiber);

  std::function<void(unsigned)> body_;
  std::vector<Fiber> fibers_;
  std::vector<Event> events_;
  std::size_t next_event_ = 0;
  Ps now_;
  Ps horizon_ = 0;  // before it nobody else has anything to do
  unsigned running_ = 0;
  bool inside_ = false;
  jmp_buf scheduler_;
};

}  // namespace sim
