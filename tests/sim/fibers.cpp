// ucontext enters a fiber for the first time; from then on _setjmp and _longjmp switch, which save
// no signal mask and so make no system call. (_FORTIFY_SOURCE would take a jump to another stack
// for an error: meson.build turns it off.)
#include "fibers.h"

#include <ucontext.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace sim {
namespace {

constexpr std::size_t kStack = 128 * 1024;
Fibers* g_entering = nullptr;  // makecontext passes no pointers

}  // namespace

Fibers::Fibers(unsigned count, Ps start, std::function<void(unsigned)> body)
    : body_(std::move(body)), fibers_(count), now_(start) {
  for (Fiber& fiber : fibers_) {
    fiber.ready = start;
    fiber.stack.reset(new char[kStack]);
  }
}

void Fibers::at(Ps when, std::function<void()> event) {
  const auto later =
      std::find_if(events_.begin(), events_.end(), [&](const Event& e) { return e.when > when; });
  events_.insert(later, Event{when, std::move(event)});
}

void Fibers::run() {
  for (;;) {
    const auto earlier = [](const Fiber& a, const Fiber& b) {
      return !a.ended && (b.ended || a.ready < b.ready);
    };
    Fiber& next = *std::min_element(fibers_.begin(), fibers_.end(), earlier);
    if (next.ended) return;
    const Ps event =
        next_event_ < events_.size() ? events_[next_event_].when : std::numeric_limits<Ps>::max();
    if (event <= next.ready) {
      now_ = event;
      events_[next_event_++].happen();
      continue;
    }
    now_ = next.ready;
    horizon_ = event;
    for (const Fiber& other : fibers_)
      if (!other.ended && &other != &next) horizon_ = std::min(horizon_, other.ready);
    running_ = static_cast<unsigned>(&next - fibers_.data());
    inside_ = true;
    resume(next);
    inside_ = false;
  }
}

void Fibers::enter() {
  Fibers& all = *g_entering;
  const unsigned n = all.running_;
  all.body_(n);
  all.fibers_[n].ended = true;
  _longjmp(all.scheduler_, 1);
}

void Fibers::resume(Fiber& fiber) {
  if (_setjmp(scheduler_) != 0) return;
  if (fiber.started) _longjmp(fiber.place, 1);
  fiber.started = true;
  g_entering = this;
  ucontext_t context;
  getcontext(&context);
  context.uc_stack.ss_sp = fiber.stack.get();
  context.uc_stack.ss_size = kStack;
  context.uc_link = nullptr;
  makecontext(&context, &Fibers::enter, 0);
  setcontext(&context);
}

void Fibers::yield(Fiber& fiber) {
  if (_setjmp(fiber.place) == 0) _longjmp(scheduler_, 1);
}

void Fibers::pass(Ps length) {
  Fiber& fiber = fibers_[running_];
  fiber.ready = now_ + length;
  if (fiber.ready < horizon_) {
    now_ = fiber.ready;
  } else {
    yield(fiber);
  }
}

void Fibers::hold(unsigned n, Ps until) { fibers_[n].ready = std::max(fibers_[n].ready, until); }

void Fibers::hold_all(Ps length) {
  for (Fiber& fiber : fibers_) fiber.ready += length;
  for (std::size_t i = next_event_; i < events_.size(); ++i) events_[i].when += length;
}

}  // namespace sim
