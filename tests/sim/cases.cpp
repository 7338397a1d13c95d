// The cases: what each disturbs, and on what machine. plan_for() draws the rest.
#include <algorithm>
#include <ctime>

#include "base/ticks.h"
#include "plan.h"

namespace sim {
namespace {

void disturb(Plan& plan, Random& random, Kind kind, std::int64_t amount, unsigned cpu = 0) {
  const Ps earliest =
      plan.disturbances.empty() ? kStart + 4 * kMs : plan.disturbances.back().at + 10 * kMs;
  plan.disturbances.push_back({kind, earliest + random.between(0, 9 * kMs), amount, cpu});
}

std::int64_t either_way(Random& random, std::int64_t amount) {
  return random.one_in(2) ? amount : -amount;
}

// Counters that disagree: by how much, and how fast they drift apart.
void disagree(Plan& plan, Random& random) {
  constexpr std::int64_t offsets[] = {0, 1000, 100'000, -100'000, 5'000'000'000};
  constexpr std::int64_t ppm[] = {0, 0, 100, -100, 1000};
  plan.per_cpu = true;
  for (unsigned cpu = 1; cpu < plan.cpus; ++cpu) {
    plan.offsets[cpu] += random.one_of(offsets);
    plan.hz[cpu] *= 1 + static_cast<double>(random.one_of(ppm)) * 1e-6;
  }
}

void wall_step(Plan& plan, Random& random) {
  constexpr std::int64_t steps[] = {1'000'000, 1'000'000'000, 86'400'000'000'000};
  std::int64_t step = random.one_of(steps);
  if (random.one_in(4)) step = random.between(1000, 3 * plan.tolerance);
  disturb(plan, random, Kind::wall_step, either_way(random, step));
}

void suspend(Plan& plan, Random& random, Kind kind) {
  // A counter that is near 0 as it is hardly jumps where it starts there again.
  for (std::int64_t& offset : plan.offsets) offset += offset < 0 ? 1'000'000'000'000'000 : 0;
  disturb(plan, random, kind, random.spread(1'000'000'000, 3'600'000'000'000));
}

// Each thread calls every few microseconds: what a bound in true time presumes.
void busy(Plan& plan) {
  plan.sleeps = false;
  plan.longest_preemption = 20 * kUs;
}

void rate_change(Plan& plan, Random& random) {
  constexpr std::int64_t thousandths[] = {500, 900, 1100, 2000};
  busy(plan);
  disturb(plan, random, Kind::rate_change, random.one_of(thousandths));
}

std::int64_t large_jump(const Plan& plan, Random& random) {
  return random.spread(plan.tick / kNs + 1'000'000 + plan.tolerance + 1000, 10'000'000'000);
}
std::int64_t small_jump(const Plan& plan, Random& random) {
  return random.spread(1000, plan.tick / kNs + 1'000'000);
}

void one_cpu(Plan& plan, Random& random, Kind kind, std::int64_t amount) {
  busy(plan);
  plan.pinned = true;
  disturb(plan, random, kind, amount, static_cast<unsigned>(random.below(plan.cpus)));
  plan.ends = plan.disturbances.back().at + 60 * kMs;
}

// Counters that differ by constants, which are known but for less than the shortest handoff: two
// readings are at least as far apart as reading the counter takes.
void align(Plan& plan, Random& random) {
  constexpr std::int64_t offsets[] = {0, 120, -120, 100'000, -100'000, 5'000'000'000};
  plan.known_offsets.assign(plan.cpus, 0);
  const std::int64_t first = plan.offsets[0];
  for (unsigned cpu = 0; cpu < plan.cpus; ++cpu) {
    plan.offsets[cpu] += random.one_of(offsets);
    const auto most =
        static_cast<std::int64_t>(static_cast<double>(kOffsetErrorNs) * plan.hz[cpu] / 1e9 / 2);
    plan.known_offsets[cpu] = plan.offsets[cpu] - first + random.between(-most, most);
  }
}

// By more than all threads are away for: else the counter may be where it was when somebody asked
// last, as if no time had passed.
void back(Plan& plan, Random& random) {
  const std::int64_t away = plan.longest_preemption / kNs + (plan.sleeps ? 10'000'000 : 0);
  disturb(plan, random, Kind::counter_backward, 4 * away + random.spread(9'000'000, 1'000'000'000));
}

// Whatever can be taken for counters that disagree: long preemptions anywhere, and one disturbance
// of the whole machine, or a few that go on.
void held_up(Plan& plan, Random& random) {
  constexpr Ps preemptions[] = {200 * kUs, 5 * kMs, 50 * kMs};
  plan.accesses_between = 10;
  plan.long_one_in = 2;
  plan.longest_preemption = random.one_of(preemptions);
  // The counter has more bits than a handoff tells of.
  if (random.one_in(2))
    for (std::int64_t& offset : plan.offsets) offset = (std::int64_t{1} << 53) + offset / 2;
  constexpr Kind kinds[] = {Kind::wall_step,        Kind::frequency,
                            Kind::counter_forward,  Kind::counter_backward,
                            Kind::suspend_counting, Kind::suspend_restarted,
                            Kind::suspend_stopped,  Kind::steal,
                            Kind::steal_all};
  const Kind kind = random.one_of(kinds);
  switch (kind) {
    case Kind::wall_step: return wall_step(plan, random);
    case Kind::suspend_counting:
    case Kind::suspend_restarted:
    case Kind::suspend_stopped: return suspend(plan, random, kind);
    case Kind::counter_forward:
      return disturb(plan, random, kind, random.spread(1000, 1'000'000'000));
    case Kind::counter_backward: return back(plan, random);
    default: break;
  }
  for (int i = 0; i < 3; ++i)
    disturb(
        plan, random, kind,
        kind == Kind::frequency ? random.between(-500, 500) : random.spread(100'000, 50'000'000),
        static_cast<unsigned>(random.below(plan.cpus)));
}

void promotion(Plan& plan) {
  busy(plan);
  plan.per_cpu = plan.may_promote = plan.pinned = plan.tight = true;
  plan.accesses_between = 100'000;
  plan.clocks = {CLOCK_MONOTONIC};
  plan.disturbances.push_back({Kind::steal_all, kStart + 25 * kMs, 1'100'000'000, 0});
  plan.ends = kStart + 70 * kMs;
}

}  // namespace

const char* name_of(Kind kind) {
  constexpr const char* names[] = {"wall step",          "frequency",        "counter forward",
                                   "counter backward",   "rate change",      "suspend, counting",
                                   "suspend, restarted", "suspend, stopped", "CPU jump",
                                   "CPU drift",          "counter stop",     "steal",
                                   "steal all"};
  return names[static_cast<int>(kind)];
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"quiet", "coherent, preempted threads, nothing else", 1,
       [](Plan& p, Random&) { p.exact = true; }},
      {"quiet-relaxed", "the same without a fence: order within a thread", 1,
       [](Plan& p, Random&) { p.exact = p.relaxed = true; }},
      {"odd-threads", "a thread without a number, or all with the same", 2,
       [](Plan& p, Random& r) {
         p.threads = 4;
         p.accesses_between = 20;
         (r.one_in(2) ? p.unnumbered : p.shared_number) = true;
       }},
      {"storm", "coherent, each thread preempted at every few instructions", 2,
       [](Plan& p, Random&) {
         p.accesses_between = 6;
         p.long_one_in = 2;
         p.longest_preemption = 200 * kUs;
         p.sleeps = false;
       }},
      {"held-up", "threads held up at any point of a resync; all counters jump, the machine sleeps",
       2, held_up},
      {"stolen", "a vCPU, or all of them, away for up to 50 ms; all threads asleep for up to 2 s",
       1,
       [](Plan& p, Random& r) {
         for (int i = 0; i < 3; ++i)
           disturb(p, r, Kind::steal, r.spread(100'000, 50'000'000),
                   static_cast<unsigned>(r.below(p.cpus)));
         disturb(p, r, Kind::steal_all, r.spread(100'000, 2'000'000'000));
       }},
      {"wall-step", "the wall clock set by microseconds to a day, either way", 3, wall_step},
      {"slew", "adjtimex: frequency up to +-500 ppm, changed a few times", 1,
       [](Plan& p, Random& r) {
         for (int i = 0; i < 3; ++i) disturb(p, r, Kind::frequency, r.between(-500, 500));
         if (r.one_in(2)) disturb(p, r, Kind::steal_all, r.spread(100'000'000, 1'000'000'000));
         disturb(p, r, Kind::frequency, either_way(r, 500));
       }},
      {"jump-forward", "all counters ahead by more than a coarse tick", 1,
       [](Plan& p, Random& r) { disturb(p, r, Kind::counter_forward, large_jump(p, r)); }},
      {"jump-forward-small", "all counters ahead by less than that", 1,
       [](Plan& p, Random& r) { disturb(p, r, Kind::counter_forward, small_jump(p, r)); }},
      {"jump-backward", "all counters back behind the segment's start", 1,
       [](Plan& p, Random& r) { back(p, r); }},
      {"jump-backward-small", "all counters back by up to a segment", 1,
       [](Plan& p, Random& r) {
         disturb(p, r, Kind::counter_backward, r.spread(1000, 4'000'000));
       }},
      {"rate-change", "all counters at half to twice their rate", 1, rate_change},
      {"suspend", "sleep; the counters go on", 1,
       [](Plan& p, Random& r) { suspend(p, r, Kind::suspend_counting); }},
      {"suspend-restart", "sleep; the counters start at 0", 1,
       [](Plan& p, Random& r) { suspend(p, r, Kind::suspend_restarted); }},
      {"suspend-stopped", "sleep; the counters go on from where they were", 1,
       [](Plan& p, Random& r) { suspend(p, r, Kind::suspend_stopped); }},
      {"cpu-jump", "coherent; one CPU's counter jumps", 1,
       [](Plan& p, Random& r) {
         one_cpu(p, r, Kind::cpu_jump, either_way(r, r.spread(20'000, 1'000'000'000)));
       }},
      {"cpu-drift", "coherent; one CPU's counter drifts", 1,
       [](Plan& p, Random& r) {
         one_cpu(p, r, Kind::cpu_drift, either_way(r, r.one_in(2) ? 100 : 1000));
       }},
      {"percpu", "counters that disagree, strict order", 2, disagree},
      {"percpu-relaxed", "counters that disagree, order within a thread", 1,
       [](Plan& p, Random& r) {
         disagree(p, r);
         p.relaxed = true;
       }},
      {"percpu-stolen", "counters that disagree, CPUs away", 1,
       [](Plan& p, Random& r) {
         disagree(p, r);
         for (int i = 0; i < 3; ++i)
           disturb(p, r, Kind::steal, r.spread(100'000, 50'000'000),
                   static_cast<unsigned>(r.below(p.cpus)));
         disturb(p, r, Kind::steal_all, r.spread(100'000, 2'000'000'000));
       }},
      {"percpu-wall-step", "counters that disagree, the wall clock set", 2,
       [](Plan& p, Random& r) {
         disagree(p, r);
         wall_step(p, r);
       }},
      {"percpu-slew", "counters that disagree, frequency changed", 1,
       [](Plan& p, Random& r) {
         disagree(p, r);
         for (int i = 0; i < 3; ++i)
           disturb(p, r, Kind::frequency, either_way(r, r.between(0, 500)));
       }},
      {"percpu-jump", "counters that disagree, one of them jumps", 1,
       [](Plan& p, Random& r) {
         disagree(p, r);
         if (r.one_in(2)) {
           disturb(p, r, Kind::counter_forward, r.spread(1000, 10'000'000'000));
         } else if (r.one_in(2)) {
           disturb(p, r, Kind::counter_backward, r.spread(1000, 4'000'000));
         } else {
           back(p, r);
         }
       }},
      {"percpu-rate", "counters that disagree, all at another rate", 1,
       [](Plan& p, Random& r) {
         disagree(p, r);
         rate_change(p, r);
       }},
      {"percpu-suspend", "counters that disagree, sleep", 1,
       [](Plan& p, Random& r) {
         disagree(p, r);
         suspend(p, r, r.one_in(2) ? Kind::suspend_counting : Kind::suspend_restarted);
       }},
      {"aligned", "counters that differ by constants", 2,
       [](Plan& p, Random& r) {
         align(p, r);
         p.exact = true;
       }},
      {"aligned-relaxed", "the same, order within a thread", 1,
       [](Plan& p, Random& r) {
         align(p, r);
         p.exact = p.relaxed = true;
       }},
      {"aligned-storm", "the same, each thread preempted at every few instructions", 1,
       [](Plan& p, Random& r) {
         align(p, r);
         p.accesses_between = 6;
         p.long_one_in = 2;
         p.longest_preemption = 200 * kUs;
         p.sleeps = false;
       }},
      {"aligned-wall-step", "counters that differ by constants, the wall clock set", 1,
       [](Plan& p, Random& r) {
         align(p, r);
         wall_step(p, r);
       }},
      {"aligned-jump", "counters that differ by constants, until one jumps", 1,
       [](Plan& p, Random& r) {
         align(p, r);
         one_cpu(p, r, Kind::cpu_jump, either_way(r, r.spread(20'000, 1'000'000'000)));
       }},
      {"aligned-drift", "counters that differ by constants, until one drifts", 1,
       [](Plan& p, Random& r) {
         align(p, r);
         one_cpu(p, r, Kind::cpu_drift, either_way(r, r.one_in(2) ? 100 : 1000));
       }},
      {"aligned-new-cpu", "counters that differ by constants, and a CPU that was not compared", 1,
       [](Plan& p, Random& r) {
         align(p, r);
         p.known_offsets.back() = clockshim::kNoOffset;
       }},
      {"promote", "counters that agree are found to, and served as one (long: not in the round)", 0,
       [](Plan& p, Random&) { promotion(p); }},
      {"promote-demote", "... until one jumps", 0,
       [](Plan& p, Random& r) {
         promotion(p);
         p.ends += 40 * kMs;
         p.disturbances.push_back({Kind::cpu_jump, p.ends - 40 * kMs,
                                   either_way(r, r.spread(20'000, 1'000'000'000)), 1});
       }},
      // Off: nothing in src/clock notices a counter that stands still while its segment is open,
      // and a bracket of width 0 is refused, so that no successor comes either. To be given a
      // weight with the detection.
      {"counter-stop", "all counters stand still", 0,
       [](Plan& p, Random& r) { disturb(p, r, Kind::counter_stop, 0); }},
  };
  return all;
}

bool counters_agree(const Plan& plan) {
  const auto apart = [](const Disturbance& d) {
    return d.kind == Kind::cpu_jump || d.kind == Kind::cpu_drift;
  };
  return !plan.per_cpu && std::none_of(plan.disturbances.begin(), plan.disturbances.end(), apart) &&
         std::find(plan.known_offsets.begin(), plan.known_offsets.end(), clockshim::kNoOffset) ==
             plan.known_offsets.end();
}

Plan plan_for(const Case& c, std::uint64_t seed) {
  Random random(seed * 0x2545F4914F6CDD1DULL + 1);
  Plan plan;
  plan.name = c.name;
  plan.seed = seed;
  struct Device {
    Ps granularity, cheapest, dearest;
  };
  constexpr Device devices[] = {
      {kNs, 20 * kNs, 60 * kNs},            // tsc
      {280 * kNs, 700 * kNs, 1500 * kNs},   // acpi_pm
      {70 * kNs, 400 * kNs, 2000 * kNs},    // hpet
      {280 * kNs, 4000 * kNs, 5000 * kNs},  // acpi_pm, trapped to a slow hypervisor
  };
  const Device device = random.one_of(devices);
  plan.granularity = device.granularity;
  plan.cheapest = device.cheapest;
  plan.dearest = device.dearest;
  constexpr Ps ticks[] = {kMs, 4 * kMs, 10 * kMs};
  plan.tick = random.one_of(ticks);
  plan.cpus = 2 + static_cast<unsigned>(random.below(2));
  plan.threads = plan.cpus + static_cast<unsigned>(random.below(3));
  const double hz = static_cast<double>(random.between(1'000'000'000, 4'500'000'000));
  plan.hz.assign(plan.cpus, hz);
  // Now and then the counter wraps in the middle.
  const auto ticks_at_start =
      random.one_in(8)
          ? -static_cast<std::int64_t>(hz) - random.between(0, static_cast<std::int64_t>(hz / 50))
          : random.between(1'000'000'000'000, 1'000'000'000'000'000);
  plan.offsets.assign(plan.cpus, ticks_at_start);
  constexpr std::int64_t between[] = {40, 300, 3000};
  plan.accesses_between = random.one_of(between);
  constexpr Ps preemptions[] = {10 * kUs, kMs, 50 * kMs};
  plan.longest_preemption = random.one_of(preemptions);
  plan.pause = random.spread(300 * kNs, 3 * kUs);
  constexpr clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW,
                                  CLOCK_BOOTTIME, CLOCK_TAI};
  // Few at a time: each then is read often.
  const auto first = random.below(5);
  plan.clocks = {clocks[first], clocks[(first + 1 + random.below(4)) % 5]};
  if (random.one_in(4)) plan.clocks.assign(std::begin(clocks), std::end(clocks));
  plan.ends = kStart + 25 * kMs;
  plan.way_there = random.between(0, plan.cheapest);
  c.plan(plan, random);
  if (!plan.disturbances.empty() && plan.ends < plan.disturbances.back().at + 25 * kMs)
    plan.ends = plan.disturbances.back().at + 25 * kMs;
  return plan;
}

}  // namespace sim
