// The Python functions behind a call that came through CPython.
//
// The chain of such a call ends with the C function that the Python code has called (time_time for
// time.time()). Its next link is not another C function's frame, but the function that the
// interpreter runs. Its name is stored at the first call, because at the exit of the process
// nothing of it is left.
//
// The region has room for some names (live::room_for_names). When that is used up, number() says
// no, and calls of further functions are counted as of no function. A quarter of it is kept for
// functions that call the clock themselves. All functions are async-signal-safe and lock-free; they
// read the frames of the calling thread alone.
#pragma once

#include <atomic>
#include <cstdint>

#include "callsite/python/code_memo.h"
#include "callsite/python/cpython.h"
#include "live/layout.h"
#include "live/site_key.h"
#include "os/module.h"

namespace clockshim {

// The Python functions behind the C frames of a chain, innermost first.
struct PythonFrames {
  unsigned count = 0;
  std::uintptr_t frames[live::kSiteDepth];
  std::uint64_t keys[live::kSiteDepth];
  std::uint16_t numbers[live::kSiteDepth];  // of their names, once number_all() has found them
};

class PythonCallers {
 public:
  constexpr PythonCallers() = default;

  // Whether the module is a CPython whose frames can be read. If it is one whose frames can't, that
  // is noted in the region, for the report.
  static CPythonIs look_at(live::Region& region, const Module& module) noexcept;

  // Finds up to `most` functions (1 to live::kSiteDepth) behind a call of this thread. There are
  // none if the call is made without the interpreter's lock (in the time-out of a lock), or by a
  // thread that runs no Python. `memo` is this thread's, or null.
  static void find(CodeMemo* memo, unsigned most, PythonFrames& out) noexcept;

  // The key of a call whose last C frame has `key`, with the functions of `python` behind it.
  static SiteKey key_behind(SiteKey key, const PythonFrames& python) noexcept;

  // HOT in Python. Like find() and key_behind(), if the thread's memo has all the functions. False:
  // it has not, and `key` means nothing.
  static bool find_again(const CodeMemo& memo, unsigned most, SiteKey& key) noexcept;

  // Finds or creates the number of the name of a frame's function, which is below live::kNames.
  // False: it can't be read, or there is no room for it.
  bool number(live::Region& region, std::uintptr_t frame, std::uint16_t& out) noexcept;

  // The same for all functions of `python`. False: one has no number.
  bool number_all(live::Region& region, PythonFrames& python) noexcept;

  // At a site's first call: writes the functions behind `last` as they are now, from site.pc[exact]
  // on, and returns the number of all frames, at most live::kSiteDepth.
  unsigned first_stack(live::Region& region, live::SiteRecord& site, unsigned exact,
                       std::uintptr_t last) noexcept;

  // Writes the functions from `frame` on, at most `most`, as a sampled stack has them, and returns
  // how many. `cut` is set if there were more.
  unsigned whole_stack(live::Region& region, std::uintptr_t frame, std::uint64_t* out,
                       unsigned most, bool& cut) noexcept;

  // In a forked child. With `share` its region is its parent's.
  void begin_in_child(bool share) noexcept {
    if (!share) names_used_.store(0, std::memory_order_relaxed);
  }

 private:
  std::atomic<unsigned> names_used_{};  // used region.names
};

}  // namespace clockshim
