// Holds each read against the promises.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "bounds.h"
#include "machine.h"
#include "parting.h"
#include "plan.h"

namespace sim {

struct Read {
  unsigned thread;
  clockid_t id;
  Ps begin;
  Ps end;
  std::int64_t least;  // what another thread handed over before it, or this one read itself
  std::int64_t slowest;
  std::int64_t value;
  unsigned cpu;        // where it ended
  const char* source;  // "served", "resynced", "real"
};

// How long after a disturbance reads were still wrong.
struct Detection {
  Kind kind;
  Ps latency;
  Ps bound;
};

// The readings below one before them, where a disturbance allows for it.
struct Backward {
  std::int64_t most = 0;  // in ns
  Ps last = 0;            // how long after the disturbance the last one began
};

class Checker {
 public:
  Checker(const Plan& plan, const Kernel& kernel)
      : plan_(plan), kernel_(kernel), own_(plan.threads) {}

  // `parted`: each CPU has a timeline of its own by then.
  void happened(const Disturbance& d, Ps asleep, bool parted);
  void demoted(Ps at) {
    demoted_ = at;
    parting_.parted(at);
  }
  void preempted(Ps until) {
    preempted_until_ = until > preempted_until_ ? until : preempted_until_;
  }

  // What the read that is about to begin may rely on.
  void begin(Read& read) const;
  void end(const Read& read);
  // At the end of the schedule, at `now`.
  void finish(Ps now);

  [[nodiscard]] bool failed() const { return !failure_.empty(); }
  [[nodiscard]] const std::string& failure() const { return failure_; }
  [[nodiscard]] std::vector<Detection> detections() const;
  [[nodiscard]] std::int64_t worst_error() const { return worst_error_; }
  [[nodiscard]] const Backward& back() const { return back_; }
  // How long after one CPU's counter had jumped the CPUs were parted; 0: it did not, or they were
  // not.
  [[nodiscard]] Ps parted_after() const { return parting_.after(); }
  [[nodiscard]] const std::deque<Read>& last_reads() const { return last_; }
  [[nodiscard]] std::string describe(const Read& read) const;

 private:
  struct Seen {
    std::int64_t newest[clockshim::kClockIds]{};
    std::int64_t slowest[clockshim::kClockIds]{};  // newest value, less a part of the time since
    Ps asked[clockshim::kClockIds]{};              // when the newest read ended
  };
  struct Watched {
    Allowance allowance;
    Ps awake;
    Ps last_wrong = 0;
    Ps stale_until =
        0;  // threads that were preempted when it happened come back with what they read before
  };
  [[nodiscard]] std::int64_t kernel_later() const;
  [[nodiscard]] std::int64_t kernel_back() const;
  [[nodiscard]] std::int64_t offset_error() const;
  [[nodiscard]] bool applies(const Watched& watched, const Read& read) const;
  [[nodiscard]] Seen& seen_by(const Read& read) {
    return plan_.relaxed ? own_[read.thread] : shared_;
  }
  [[nodiscard]] const Seen& seen_by(const Read& read) const {
    return plan_.relaxed ? own_[read.thread] : shared_;
  }
  [[nodiscard]] std::int64_t part_of(Ps t) const { return (t - asleep_) / kNs / kSlowestPart; }
  // While nobody asks for longer than a look is due after, nobody finds that a clock is ahead: what
  // it had come to by then is what it is held back from.
  [[nodiscard]] std::int64_t unasked(const Seen& seen, const Read& read) const;
  void fail(const Read& read, const std::string& why);

  const Plan& plan_;
  const Kernel& kernel_;
  std::vector<Watched> watched_;
  std::vector<Seen> own_;
  Seen shared_;
  Ps demoted_ = 0;
  Ps preempted_until_ = 0;
  Ps asleep_ = 0;
  std::int64_t worst_error_ = 0;
  Backward back_;
  Parting parting_;
  std::deque<Read> last_;
  std::string failure_;
};

}  // namespace sim
