// The slow side of Floors. The simulator compiles it again, with its own std::atomic.
#include "clock/floors.h"

#include <algorithm>

namespace clockshim {

bool Floors::clamp(unsigned id, Nanos& value, Floor& floor, std::int64_t before) noexcept {
  if (before == 0) value = std::max(value, Nanos{this->value(id)});  // this thread's first call
  std::int64_t seen = floor.load(std::memory_order_acquire);
  for (int attempt = 0; attempt < policy::kAttempts; ++attempt) {
    if (seen < before) return false;
    if (value.raw() <= seen ||
        floor.compare_exchange_weak(seen, value.raw(), std::memory_order_acq_rel))
      break;
  }
  value = std::max(value, Nanos{seen});
  return true;
}

void Floors::follow_step(Nanos value, ThreadFloor& own, std::int64_t& before) noexcept {
  const std::uint32_t now = steps_.load(std::memory_order_acquire);
  if (own.steps == now) return;
  own.steps = now;
  if (Nanos{before} - value <= step_back()) return;
  if (own.value.compare_exchange_strong(before, value.raw(), std::memory_order_relaxed))
    before = value.raw();
}

void Floors::raise(unsigned id, Nanos served) noexcept {
  Floor& floor = floors_[id].value;
  std::int64_t seen = floor.load(std::memory_order_acquire);
  while (seen < served.raw() &&
         !floor.compare_exchange_weak(seen, served.raw(), std::memory_order_acq_rel)) {
  }
}

void Floors::raise_unless_lowered(unsigned id, std::int64_t before, Nanos answer) noexcept {
  Floor& floor = floors_[id].value;
  std::int64_t seen = before;
  while (seen >= before && seen < answer.raw() &&
         !floor.compare_exchange_weak(seen, answer.raw(), std::memory_order_acq_rel)) {
  }
}

Nanos Floors::lowered(unsigned id, std::int64_t before, Nanos now, bool stepped) noexcept {
  // The call may have been preempted since it loaded `before`, and the floor lowered meanwhile.
  const Nanos seen{std::min(before, value(id))};
  if (!stepped || seen - now <= step_back()) return seen;
  // Other threads may still raise the floor to old times. It is below `seen` only if another thread
  // has lowered it.
  Floor& floor = floors_[id].value;
  for (std::int64_t old = seen.raw();
       old >= seen.raw() &&
       !floor.compare_exchange_weak(old, now.raw(), std::memory_order_acq_rel);) {
  }
  return now;
}

}  // namespace clockshim
