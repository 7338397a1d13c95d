#include "world.h"

#include <sys/mman.h>

#include <cstdio>
#include <memory>
#include <string_view>

#include "arch/counter.h"
#include "clock/timeline_impl.h"
#include "disturb.h"
#include "fibers.h"

namespace sim {
namespace {

using clockshim::Answer;
using clockshim::Floor;
using clockshim::Nanos;
using clockshim::Reading;

class World;

struct SimSource {
  World& world;
  [[nodiscard]] Reading reading() const noexcept;
  bool real(clockid_t id, Nanos& out) const noexcept;
  bool coarse(clockshim::CoarsePair& out) const noexcept;
  [[nodiscard]] std::uintptr_t thread() const noexcept;
};

// As in the library: static memory that is right when it is all zero. Given back to the kernel
// after each schedule.
constexpr std::size_t kPage = 4096;
using Shown = clockshim::std::atomic<clockshim::SegmentRef>;
struct alignas(kPage) Memory {
  clockshim::Timeline<SimSource> timeline;
  Shown segments[clockshim::kClockIds];  // HotState's, which may be old
};
constinit Memory g_memory;

World* g_world = nullptr;

class World {
 public:
  World(const Plan& plan, bool verbose)
      : plan_(plan),
        verbose_(verbose),
        random_(plan.seed ^ 0xA0761D6478BD642FULL),
        kernel_(plan.granularity, plan.tick, plan.seed),
        checker_(plan, kernel_),
        threads_(plan.threads),
        ends_(plan.ends),
        fibers_(plan.threads, kStart, [this](unsigned n) { live(n); }) {
    for (unsigned cpu = 0; cpu < plan.cpus; ++cpu)
      counters_.emplace_back(plan.offsets[cpu], plan.hz[cpu]);
    known_ = plan.known_offsets;
    if (!known_.empty()) known_.resize(clockshim::kMaxCpus, clockshim::kNoOffset);
    for (unsigned n = 0; n < plan.threads; ++n) threads_[n].cpu = n % plan.cpus;
    for (std::size_t i = 0; i < plan.disturbances.size(); ++i)
      fibers_.at(plan.disturbances[i].at, [this, i] { happen(plan_.disturbances[i]); });
  }

  Outcome run() {
    timeline_.start({.tolerance = Nanos{plan_.tolerance},
                     .clocks = clockshim::all_servable(),
                     .granularity = Nanos{plan_.granularity / kNs},
                     .coarse_tick = Nanos{plan_.tick / kNs},
                     .cpus = plan_.cpus,
                     .offsets = known_.empty() ? nullptr : known_.data(),
                     .relaxed = plan_.relaxed,
                     .per_cpu = plan_.per_cpu,
                     .can_tell_cpus = true,
                     .may_promote = plan_.may_promote},
                    record_);
    g_world = this;
    deal_accesses();
    fibers_.run();
    g_accesses_left = INT64_MAX;
    g_world = nullptr;
    checker_.finish(fibers_.now());
    outcome_.failure = checker_.failure();
    // A clock that asks the kernel each time keeps every promise, and is of no use. Until the rate
    // is learned it may.
    if (!checker_.failed() && plan_.exact && learned_reads_ > kFewReads &&
        learned_served_ < learned_reads_ / 2)
      outcome_.failure = "hardly anything is served";
    if (!checker_.failed() && outcome_.demoted && counters_agree(plan_))
      outcome_.failure = "the CPUs were parted, and their counters agree";
    outcome_.worst_error = checker_.worst_error();
    outcome_.back = checker_.back();
    outcome_.parted_after = checker_.parted_after();
    outcome_.detections = checker_.detections();
    for (const clockid_t id : plan_.clocks) outcome_.resyncs += record_.clocks[id].resyncs.load();
    if (verbose_ && checker_.failed())
      for (const Read& read : checker_.last_reads())
        std::printf("%s\n", checker_.describe(read).c_str());
    madvise(&g_memory, sizeof g_memory, MADV_DONTNEED);
    return outcome_;
  }

  // What a thread asks the CPU and the kernel for. Half of what it costs passes before, half after.
  Reading reading(Ps early = 0) {
    pass(kCounterCost / 2);
    const Reading now{clockshim::Ticks{static_cast<std::uint64_t>(
                          counters_[me().cpu].at(fibers_.now() - early) - known())},
                      me().cpu};
    pass(kCounterCost / 2);
    return now;
  }
  std::int64_t real(clockid_t id) {
    // Exact schedules: about the same each time, but for an interruption now and then.
    const bool held_up = !plan_.exact || random_.one_in(kHeldUpOneIn);
    const Ps delay =
        random_.between(0, held_up ? plan_.dearest - plan_.cheapest : plan_.cheapest / kSteadyPart);
    const Ps cost = plan_.cheapest + delay;
    const Ps before = plan_.way_there + random_.between(0, delay);
    pass(before);
    const std::int64_t value = kernel_.at(id, fibers_.now());
    pass(cost - before);
    return value;
  }
  CoarseValues coarse() {
    pass(kCoarseCost / 2);
    const CoarseValues values = kernel_.coarse(fibers_.now());
    pass(kCoarseCost / 2);
    return values;
  }
  unsigned number() {
    const unsigned n = fibers_.running();
    if (plan_.shared_number) return 1;
    return plan_.unnumbered && n + 1 == plan_.threads ? 0 : n + 1;
  }

  void preempt() {
    deal_accesses();
    if (!fibers_.inside()) return;
    Ps length = random_.spread(kNs, 2 * kUs);
    if (random_.one_in(plan_.long_one_in))
      length = random_.spread(kNs, std::min(plan_.longest_preemption, 200 * kUs));
    if (random_.one_in(100)) length = random_.spread(kUs, plan_.longest_preemption);
    if (length >= kUs) {
      checker_.preempted(fibers_.now() + length);
      if (!plan_.pinned && random_.one_in(2))
        me().cpu = static_cast<unsigned>(random_.below(plan_.cpus));
    }
    fibers_.pass(length);
  }

 private:
  static constexpr Ps kCounterCost = 10 * kNs;
  static_assert(kUnfencedNs * kNs <= kCounterCost / 2, "no earlier than the one before");
  static constexpr Ps kCoarseCost = 18 * kNs;
  static constexpr Ps kLearning = 4 * kMs;
  static constexpr std::uint64_t kFewReads = 500;
  static constexpr Ps kSteadyPart = 8;
  static constexpr int kHeldUpOneIn = 8;
  static constexpr int kSleepOneIn = 2000;

  struct Thread {
    unsigned cpu = 0;
    clockshim::ThreadFloor floors[clockshim::kClockIds]{};
  };

  Thread& me() { return threads_[fibers_.running()]; }
  std::int64_t known() { return known_.empty() ? 0 : known_[me().cpu]; }
  void deal_accesses() {
    g_accesses_left = 1 + static_cast<std::int64_t>(random_.below(
                              2 * static_cast<std::uint64_t>(plan_.accesses_between)));
  }

  void pass(Ps length) {
    access();
    fibers_.pass(length);
  }

  // As preload/interpose.cpp does it.
  bool fast(unsigned id, timespec& out) {
    const std::uint8_t mode_bits = timeline_.mode_bits();
    if ((mode_bits & clockshim::kPerCpu) == 0) {
      const clockshim::SegmentRef segment = g_memory.segments[id].load();
      return timeline_.read_segment(
          segment, ((mode_bits & clockshim::kRelaxed) == 0 ? reading() : unordered()).ticks, out);
    }
    if ((mode_bits & clockshim::kSettling) != 0) return false;
    if ((mode_bits & clockshim::kRelaxed) != 0) {
      Floor& mine = me().floors[id].value;
      const std::int64_t seen = mine.load();
      return timeline_.read_above(id, unordered(), mine, seen, out,
                                  [](Floor& floor, std::int64_t& expected, std::int64_t to) {
                                    return clockshim::Arch::exchange_here(floor, expected, to);
                                  });
    }
    Floor& all = timeline_.floor(id);
    const std::int64_t seen = all.load();
    return timeline_.read_above(id, reading(), all, seen, out,
                                [](Floor& floor, std::int64_t& expected, std::int64_t to) {
                                  return floor.compare_exchange_strong(expected, to);
                                });
  }
  // As ServedClock::refresh_state() does it.
  void show_segment(unsigned id) {
    const clockshim::SegmentRef current = timeline_.current(id);
    if (g_memory.segments[id].load() != current) g_memory.segments[id].store(current);
  }
  // Not before this thread's last one: those stay in order.
  Reading unordered() { return reading(static_cast<Ps>(random_.below(kUnfencedNs * kNs))); }

  void call(Read& read) {
    const auto id = static_cast<unsigned>(read.id);
    timespec out{};
    ++outcome_.reads;
    if (fast(id, out)) {
      read.value = out.tv_sec * clockshim::kNanosPerSecond + out.tv_nsec;
      read.source = "served";
      ++outcome_.served;
      return;
    }
    const bool relaxed = (timeline_.mode_bits() & clockshim::kRelaxed) != 0;
    SimSource source{*this};
    Nanos slow;
    const Answer answer = timeline_.resync(id, source, slow, relaxed ? &me().floors[id] : nullptr);
    show_segment(id);
    read.value = answer == Answer::none ? real(read.id) : slow.raw();
    read.source = answer == Answer::served ? "resynced" : "real";
    if (answer == Answer::served) ++outcome_.served;
  }

  void live(unsigned n) {
    fibers_.pass(random_.between(0, 50 * kUs));
    while (fibers_.now() < ends_ && !checker_.failed()) {
      Read read{};
      read.thread = n;
      read.id = plan_.clocks[random_.below(plan_.clocks.size())];
      read.begin = fibers_.now();
      checker_.begin(read);
      call(read);
      if (read.begin >= kStart + kLearning) {
        ++learned_reads_;
        if (std::string_view(read.source) != "real") ++learned_served_;
      }
      watch_mode();
      read.end = fibers_.now();  // only now: to look at the mode is an access, too
      read.cpu = me().cpu;
      checker_.end(read);
      fibers_.pass(pause());
    }
  }

  Ps pause() {
    if (plan_.tight) return random_.between(0, 100 * kNs);
    if (plan_.sleeps && random_.one_in(kSleepOneIn)) return random_.spread(100 * kUs, 10 * kMs);
    if (!plan_.pinned && random_.one_in(200))
      me().cpu = static_cast<unsigned>(random_.below(plan_.cpus));
    if (random_.one_in(4)) return random_.between(0, 50 * kNs);
    return random_.between(0, 4 * plan_.pause);
  }

  void watch_mode() {
    const bool per_cpu = (timeline_.mode_bits() & clockshim::kPerCpu) != 0;
    if (per_cpu == per_cpu_) return;
    per_cpu_ = per_cpu;
    (per_cpu ? outcome_.demoted : outcome_.promoted) = true;
    if (per_cpu) checker_.demoted(fibers_.now());
    if (verbose_)
      std::printf("%12lld ns  %s\n", static_cast<long long>((fibers_.now() - kStart) / kNs),
                  per_cpu ? "demoted" : "promoted");
  }

  void happen(Disturbance d) {
    d.at = fibers_.now();
    const Ps length = d.amount * kNs;  // where the amount is a time
    if (verbose_)
      std::printf("%12lld ns  %s %lld, CPU %u\n", static_cast<long long>((d.at - kStart) / kNs),
                  name_of(d.kind), static_cast<long long>(d.amount), d.cpu);
    const Ps asleep = disturb(d, kernel_, counters_);
    if (d.kind == Kind::steal) {
      for (unsigned n = 0; n < plan_.threads; ++n)
        if (threads_[n].cpu == d.cpu) fibers_.hold(n, d.at + length);
    }
    if (asleep > 0 || d.kind == Kind::steal_all) {
      fibers_.hold_all(length);
      ends_ += length;
    }
    if (d.kind == Kind::steal || d.kind == Kind::steal_all) checker_.preempted(d.at + length);
    checker_.happened(d, asleep, per_cpu_);
  }

  const Plan& plan_;
  const bool verbose_;
  Random random_;
  Kernel kernel_;
  Checker checker_;
  std::vector<Curve> counters_;
  std::vector<std::int64_t> known_;  // kMaxCpus of them, as the library has them; or none
  std::vector<Thread> threads_;
  clockshim::Timeline<SimSource>& timeline_ = g_memory.timeline;
  clockshim::live::ClockRecord record_{};
  Ps ends_;
  bool per_cpu_ = plan_.per_cpu;
  Outcome outcome_;
  std::uint64_t learned_reads_ = 0;
  std::uint64_t learned_served_ = 0;
  Fibers fibers_;
};

Reading SimSource::reading() const noexcept { return world.reading(); }
bool SimSource::real(clockid_t id, Nanos& out) const noexcept {
  out = Nanos{world.real(id)};
  return true;
}
bool SimSource::coarse(clockshim::CoarsePair& out) const noexcept {
  const CoarseValues values = world.coarse();
  out = {Nanos{values.realtime}, Nanos{values.monotonic}};
  return true;
}
std::uintptr_t SimSource::thread() const noexcept { return world.number(); }

}  // namespace

void preempted_at_access() noexcept {
  if (g_world != nullptr) g_world->preempt();
}

Outcome run(const Plan& plan, bool verbose) { return World(plan, verbose).run(); }

}  // namespace sim
