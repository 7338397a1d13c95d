#include "checker.h"

#include <algorithm>
#include <cstdio>

#include "base/clock_id.h"

namespace sim {
namespace {

constexpr std::size_t kLastReads = 40;

template <class... Values>
std::string text(const char* format, Values... values) {
  char line[400];
  std::snprintf(line, sizeof line, format, values...);
  return line;
}

long long ns(Ps t) { return t / kNs; }

}  // namespace

void Checker::happened(const Disturbance& d, Ps asleep, bool parted) {
  watched_.push_back({late_step_back(d, plan_), d.at + asleep});
  watched_.push_back({allowance(d, plan_), d.at + asleep});
  if (preempted_until_ > d.at) watched_.back().stale_until = preempted_until_ + asleep;
  asleep_ += asleep;
  if (d.kind == Kind::cpu_jump && !parted) parting_.jumped(d);
  if (!watched_.back().allowance.stepped_back) return;
  for (const clockid_t id : {CLOCK_REALTIME, CLOCK_TAI}) {
    for (Seen& seen : own_) seen.newest[id] = seen.slowest[id] = 0;
    shared_.newest[id] = shared_.slowest[id] = 0;
  }
}

bool Checker::applies(const Watched& watched, const Read& read) const {
  const Allowance& a = watched.allowance;
  if ((a.clocks & clockshim::mask_of(read.id)) == 0 || read.end < a.from) return false;
  if (a.after_demotion > 0 && demoted_ >= a.from) return read.begin < demoted_ + a.after_demotion;
  if (watched.stale_until > a.until &&
      read.begin < watched.stale_until + (a.until_if_preempted - a.from))
    return true;
  return read.begin < (preempted_until_ > a.from ? a.until_if_preempted : a.until);
}

// In whole nanoseconds, none of which is cut off: a bound must not be tighter than what it is made
// of.
static std::int64_t rounded_up(Ps time) { return (time + kNs - 1) / kNs; }

// What the kernel says next is read no sooner than the way to it takes. Beyond that, the last
// sample may have been held up before its reading, and so may be early in its bracket by all of the
// delay. The rate is late by this, and by as long as the first sample of its baseline was held up.
// A segment is shorter than the baseline of a rate that is so uncertain. And there is the clock's
// step.
std::int64_t Checker::kernel_later() const {
  return rounded_up(plan_.way_there + 3 * (plan_.dearest - plan_.cheapest) +
                    (plan_.granularity > kNs ? plan_.granularity : 0)) +
         offset_error() + kRoundingNs;
}

// A wait that the kernel has ended comes back no sooner than its reading of the clock does.
std::int64_t Checker::kernel_back() const {
  return rounded_up(plan_.cheapest - plan_.way_there) + (plan_.relaxed ? kUnfencedNs : 0) +
         offset_error() + kRoundingNs;
}

// The sample may be of another CPU than the reading, and the ends of the rate's baseline, which is
// at least as long as a segment, may be of two.
std::int64_t Checker::offset_error() const {
  return plan_.known_offsets.empty() ? 0 : 2 * kOffsetErrorNs;
}

void Checker::begin(Read& read) const {
  const Seen& seen = seen_by(read);
  read.least = seen.newest[read.id];
  read.slowest = seen.slowest[read.id] == 0
                     ? 0
                     : seen.slowest[read.id] + part_of(read.begin) - unasked(seen, read);
}

std::int64_t Checker::unasked(const Seen& seen, const Read& read) const {
  const Ps gap = watched_.empty() ? 0 : read.begin - seen.asked[read.id];
  return gap > kLook ? rounded_up(gap) / kSlowestPart + 1 : 0;
}

void Checker::end(const Read& read) {
  parting_.read(read.cpu, read.id, read.begin, read.end);
  last_.push_back(read);
  if (last_.size() > kLastReads) last_.pop_front();
  if (failed()) return;

  const Range real = kernel_.between(read.id, read.begin, read.end);
  const std::int64_t ahead = read.value - real.high;
  const std::int64_t behind = real.low - read.value;
  std::int64_t may_be_ahead = plan_.exact ? kernel_later() : plan_.tolerance;
  std::int64_t may_be_behind = plan_.exact ? kernel_back() : plan_.tolerance;
  std::int64_t may_go_back = 0;
  bool stepped_back = false;
  for (const Watched& watched : watched_) {
    const Allowance& a = watched.allowance;
    if (!applies(watched, read)) continue;
    may_be_ahead += a.ahead;
    may_be_behind += a.behind;
    may_go_back += a.backward;
    stepped_back |= a.stepped_back;
  }
  if (!watched_.empty()) may_be_ahead += kLetGoNs;
  if (!watched_.empty() && demoted_ != 0 && read.end >= demoted_ &&
      read.begin < demoted_ + kParting)
    may_be_ahead += kPartingAheadNs;
  const bool wrong = std::max(ahead, behind) > plan_.tolerance;
  if (wrong && !watched_.empty())
    watched_.back().last_wrong = std::max(watched_.back().last_wrong, read.begin);
  if (watched_.empty()) worst_error_ = std::max({worst_error_, ahead, behind});

  if (ahead > may_be_ahead)
    fail(read, text("%lld ns ahead, allowed are %lld", static_cast<long long>(ahead),
                    static_cast<long long>(may_be_ahead)));
  if (behind > may_be_behind)
    fail(read, text("%lld ns behind, allowed are %lld", static_cast<long long>(behind),
                    static_cast<long long>(may_be_behind)));
  if (stepped_back) return;  // old time or new: no floor for anybody
  if (read.value < read.least && !watched_.empty())
    back_ = {std::max(back_.most, read.least - read.value),
             std::max(back_.last, read.begin - watched_.back().awake)};
  if (read.least != 0 && read.value + may_go_back < read.least)
    fail(read, text("goes back by %lld ns", static_cast<long long>(read.least - read.value)));
  // One that may be behind, and may not go back, has to wait.
  const std::int64_t patience = kStandsStillTolerances * plan_.tolerance +
                                std::max(may_go_back, may_be_behind - plan_.tolerance);
  if (read.slowest != 0 && read.value + patience < read.slowest)
    fail(read, text("stands still: %lld ns less than a clock that runs at 1/%lld",
                    static_cast<long long>(read.slowest - read.value),
                    static_cast<long long>(kSlowestPart)));
  Seen& seen = seen_by(read);
  if (seen.slowest[read.id] != 0) seen.slowest[read.id] -= unasked(seen, read);
  seen.asked[read.id] = std::max(seen.asked[read.id], read.end);
  seen.newest[read.id] = std::max(seen.newest[read.id], read.value);
  seen.slowest[read.id] = std::max(seen.slowest[read.id], read.value - part_of(read.end));
}

void Checker::finish(Ps now) {
  const Ps bound = parting_.bound(now, plan_);
  const Ps after = parting_.after() != 0 ? parting_.after() : now - parting_.jumped_at();
  if (!failed() && bound != 0 && after > bound)
    failure_ =
        text("parted %lld ns after a counter has jumped, allowed are %lld", ns(after), ns(bound));
}

std::vector<Detection> Checker::detections() const {
  std::vector<Detection> all;
  for (const Watched& watched : watched_) {
    const Allowance& a = watched.allowance;
    if (a.told && a.until > watched.awake)
      all.push_back(
          {a.kind, std::max<Ps>(0, watched.last_wrong - watched.awake), a.until - watched.awake});
  }
  return all;
}

std::string Checker::describe(const Read& read) const {
  const Range real = kernel_.between(read.id, read.begin, read.end);
  return text("%12lld..%lld ns  thread %u, CPU %u  %-13s %-8s %lld  real %lld..%lld (%+lld)",
              ns(read.begin - kStart), ns(read.end - kStart), read.thread, read.cpu,
              std::string(clockshim::clock_name(static_cast<unsigned>(read.id))).c_str(),
              read.source, static_cast<long long>(read.value), static_cast<long long>(real.low),
              static_cast<long long>(real.high),
              static_cast<long long>(read.value > real.high  ? read.value - real.high
                                     : read.value < real.low ? read.value - real.low
                                                             : 0));
}

void Checker::fail(const Read& read, const std::string& why) {
  if (!failed()) failure_ = why + "\n  " + describe(read);
}

}  // namespace sim
