#include "disturb.h"

namespace sim {
namespace {

void jump(Curve& counter, Ps at, std::int64_t ns) {
  counter.jump(at, static_cast<std::int64_t>(static_cast<double>(ns) * counter.rate() / 1e9));
}

void change_rate(Curve& counter, Ps at, double factor) {
  counter.change_rate(at, counter.rate() * factor);
}

void sleep(Curve& counter, const Disturbance& d, Ps awake) {
  const double rate = counter.rate();
  if (d.kind == Kind::suspend_restarted) counter.jump(awake, -counter.at(awake));
  if (d.kind != Kind::suspend_stopped) return;
  counter.change_rate(d.at, 0);
  counter.change_rate(awake, rate);
}

}  // namespace

Ps disturb(const Disturbance& d, Kernel& kernel, std::vector<Curve>& counters) {
  const Ps length = d.amount * kNs;  // where the amount is a time
  const auto amount = static_cast<double>(d.amount);
  switch (d.kind) {
    case Kind::wall_step: kernel.step_wall(d.at, d.amount); break;
    case Kind::frequency: kernel.change_frequency(d.at, amount); break;
    case Kind::counter_forward:
      for (Curve& counter : counters) jump(counter, d.at, d.amount);
      break;
    case Kind::counter_backward:
      for (Curve& counter : counters) jump(counter, d.at, -d.amount);
      break;
    case Kind::rate_change:
      for (Curve& counter : counters) change_rate(counter, d.at, amount / 1000);
      break;
    case Kind::counter_stop:
      for (Curve& counter : counters) change_rate(counter, d.at, 0);
      break;
    case Kind::suspend_counting:
    case Kind::suspend_restarted:
    case Kind::suspend_stopped:
      kernel.suspend(d.at, length);
      for (Curve& counter : counters) sleep(counter, d, d.at + length);
      return length;
    case Kind::cpu_jump: jump(counters[d.cpu], d.at, d.amount); break;
    case Kind::cpu_drift: change_rate(counters[d.cpu], d.at, 1 + amount * 1e-6); break;
    case Kind::steal:
    case Kind::steal_all: break;
  }
  return 0;
}

}  // namespace sim
