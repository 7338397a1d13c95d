// What is done with a process is done by a process of our own, and tried again by another one.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>

#include "cli/attach/attachment.h"

namespace clockshim::cli {

using Milliseconds = std::chrono::milliseconds;

// Between tries the process runs; there are no more once it has stood still for so long in all.
inline constexpr int kTries = 25;
inline constexpr Milliseconds kBetweenTries{20};
inline constexpr Milliseconds kMostInAll{2'000};

// What the process that does it has in its hands: nothing; threads that stand still, and go on when
// it is ended; or one that is made to do something else, and must not be left.
enum class Hold : char { nothing = 'n', threads = 't', borrowed = 'b' };

struct Try {
  Milliseconds patience;  // how long threads may take to stop
  int progress;           // a descriptor, for what tell() tells
  void tell(Hold hold) const;
};

// Each try waits longer than the last. That of which the result says `again` is followed by another
// one.
AttachResult in_tries(pid_t pid, const std::function<AttachResult(const Try&)>& f);

}  // namespace clockshim::cli
