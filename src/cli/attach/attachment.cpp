#include "cli/attach/attachment.h"

#include <sched.h>

#include <algorithm>
#include <functional>
#include <string_view>
#include <thread>

#include "cli/attach/occupied.h"
#include "cli/attach/process_look.h"
#include "cli/attach/tries.h"
#include "cli/inject/function_entry.h"
#include "cli/inject/prepared_image.h"
#include "cli/inject/proc_files.h"
#include "cli/inject/process_code.h"
#include "cli/inject/stopped_process.h"
#include "cli/inject/tracee.h"
#include "os/process.h"
#include "os/read_file.h"

namespace clockshim::cli {
namespace {

// Each thread takes its time to stop.
constexpr Milliseconds kPatienceAThread{1};

// While another process stands still for us, we come first, if we may: for these milliseconds
// alone, because nobody else runs on our CPU then.
class First {
 public:
  First() : before_(sched_getscheduler(0)) {
    sched_getparam(0, &parameters_);
    const sched_param least{sched_get_priority_min(SCHED_RR)};
    changed_ = sched_setscheduler(0, SCHED_RR, &least) == 0;
  }
  ~First() {
    if (changed_) sched_setscheduler(0, before_, &parameters_);
  }
  First(const First&) = delete;
  First& operator=(const First&) = delete;

 private:
  int before_;
  sched_param parameters_{};
  bool changed_ = false;
};

// Holds the process still, as soon as nobody is in the way (`free` says so), and does `act` with
// one of its threads. `act` returns "", or why not.
void while_stopped(pid_t pid, const Try& how, const Look& look, AttachResult& result,
                   const std::function<bool(const StoppedProcess&)>& free,
                   const std::function<std::string(StoppedProcess&, Tracee&)>& act) {
  const Milliseconds patience = how.patience + kPatienceAThread * task_folders(pid).size();
  for (int i = 0; i < kTries; ++i) {
    if (i > 0) std::this_thread::sleep_for(kBetweenTries);
    const First first;
    how.tell(Hold::threads);
    StoppedProcess process(pid);
    std::string problem;
    const StoppedProcess::Outcome outcome = process.stop(patience, look.filtered, problem);
    const bool stands = outcome == StoppedProcess::Outcome::stopped;
    const pid_t thread = stands ? process.borrowable() : 0;
    result.again =
        outcome == StoppedProcess::Outcome::not_now || (stands && !is_as_seen(pid, look));
    const pid_t beside = stands ? child_in_memory_of(pid) : 0;
    const bool now = stands && !result.again && thread != 0 && beside == 0 && free(process);
    if (now) {
      how.tell(Hold::borrowed);
      {
        Tracee tracee(thread, true);
        problem = act(process, tracee);
        if (!tracee.give_back() && problem.empty()) problem = "it was killed meanwhile";
      }
      how.tell(Hold::threads);
    }
    process.release();
    how.tell(Hold::nothing);
    result.stopped += process.stopped_for();
    // Another command may have got some of its threads, and we the others: both let go.
    if (outcome == StoppedProcess::Outcome::refused && is_traced(pid)) {
      result.again = true;
      problem = "somebody else traces it";
    } else if (outcome == StoppedProcess::Outcome::refused) {
      problem = why_untraceable(problem, look.filtered);
    } else if (beside != 0) {
      problem = "it shares its memory with " + name_of(beside);
    } else if (stands && result.again) {
      problem = "it changes all the time";
    } else if (stands && !now) {
      problem = "its threads are always in the middle of what would be changed";
    }
    result.words = problem;
    result.done = now && problem.empty();
    if (now || result.again || !stands || result.stopped > kMostInAll) return;
  }
}

AttachResult attach_now(pid_t pid, const Settings& settings, const Try& how) {
  AttachResult result;
  Look look;
  if (!(result.words = look_at(pid, look, result.again)).empty()) return result;
  if (has_library(pid, look.map, look.images))
    return {.words = "it has the library already, which serves it"};
  if (look.images.entries == Entries::ours)
    return {.already = true, .words = "it is served by an image already"};
  if (look.images.entries == Entries::strange)
    return {.words = "somebody else has changed its vDSO"};
  ImageInProcess image(look.vdso);
  const std::vector<std::uint64_t> rooms = room_near(look.map, look.vdso.at, image.size());
  FoundImage before;
  for (const FoundImage& found : look.images.all) {
    if (found.segment) before = found;
  }
  PreparedImage prepared;
  result.words = prepared.prepare(pid, settings, 0, before.segment, before.counts);
  if (!result.words.empty()) return result;
  // A thread that stands there itself is moved; one that would come back there is waited for.
  const auto nobody_comes_back = [&](const StoppedProcess& process) {
    const Occupied occupied(pid, process, look.map);
    return std::none_of(kServedFunctions.begin(), kServedFunctions.end(),
                        [&](const std::string_view name) {
                          const std::uint64_t entry = find_function(look.vdso, name).at;
                          return occupied.anywhere_in(entry + 1, entry + kJumpSize);
                        });
  };
  while_stopped(pid, how, look, result, nobody_comes_back,
                [&](StoppedProcess& process, Tracee& tracee) {
                  if (!tracee.take(look.vdso.bytes, look.vdso.at, look.filtered))
                    return std::string("its threads can't be worked with");
                  std::string why_not = image.put_into(tracee, prepared, look.images, rooms);
                  if (!why_not.empty()) return why_not;
                  const auto place = [&image](std::uint64_t pc) { return image.moved_place(pc); };
                  if (!tracee.move(place) || !process.move(place, tracee.pid()))
                    return std::string("a thread stands where it can't be told how to go on");
                  if (image.connect(tracee)) return std::string();
                  ImageInProcess::disconnect(tracee, look.vdso);
                  return std::string("its vDSO can't be changed");
                });
  if (!result.done) return result;
  result.words = prepared.mode();
  result.reason = prepared.mode_reason();
  result.uncounted = prepared.uncounted();
  prepared.keep_region();
  return result;
}

AttachResult detach_now(pid_t pid, const Try& how) {
  AttachResult result;
  Look look;
  if (!(result.words = look_at(pid, look, result.again)).empty()) return result;
  if (has_library(pid, look.map, look.images))
    return {.words = "it was started with the library, which can't be taken out of it"};
  if (look.images.entries == Entries::original)
    return {.already = true, .words = "it is not served by an image"};
  if (look.images.entries == Entries::strange)
    return {.words = "somebody else has changed its vDSO"};
  const FoundImage& found = *look.images.connected;
  while_stopped(
      pid, how, look, result, [](const StoppedProcess&) { return true; },
      [&](StoppedProcess&, Tracee& tracee) {
        if (!ImageInProcess::disconnect(tracee, look.vdso)) return "its vDSO can't be changed";
        // A forked child's calls are counted with its parent's.
        if (found.start_ticks == start_ticks_in(content_of(proc_file(pid, "stat"))))
          ImageInProcess::end_counting(tracee, found);
        return "";
      });
  return result;
}

}  // namespace

AttachResult attach(pid_t pid, const Settings& settings) {
  return in_tries(pid, [&](const Try& how) { return attach_now(pid, settings, how); });
}

AttachResult detach(pid_t pid) {
  return in_tries(pid, [pid](const Try& how) { return detach_now(pid, how); });
}

}  // namespace clockshim::cli
