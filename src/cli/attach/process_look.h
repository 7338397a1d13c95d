// What is known of a process before it is stopped, and whether it is still so once it stands.
#pragma once

#include <sys/types.h>

#include <array>
#include <string>
#include <vector>

#include "cli/inject/image_in_process.h"
#include "cli/inject/memory_map.h"
#include "cli/inject/vdso.h"

namespace clockshim::cli {

// The program that a process runs, so that another one, which it has executed meanwhile or which
// has got its number, is not taken for it: where things are, and 16 random bytes that the kernel
// has put there.
struct Identity {
  std::string vector;
  std::string executable;
  std::array<char, 16> random{};
  bool operator==(const Identity&) const = default;
};

struct Look {
  Vdso vdso{};
  Identity identity{};
  std::vector<MappedRange> map{};
  FoundImages images{};
  bool filtered = false;  // one of its threads is behind a filter of system calls
};

// Looks at it. Returns "", or why nothing can be done with it; `later` says whether it may be
// possible in a moment.
std::string look_at(pid_t pid, Look& out, bool& later);

// Whether the process is as it was when it was looked at: nobody has attached to it or detached
// from it meanwhile, and it has not executed another program.
bool is_as_seen(pid_t pid, const Look& look);

// Whether it has ended, or is about to and has no memory any more. Its first thread may have ended
// before the others.
bool is_gone(pid_t pid);

// Whether somebody traces any of its threads.
bool is_traced(pid_t pid);

// A child that uses its memory without being a thread of it (clone(2) with CLONE_VM); 0: there is
// none. Its threads must stand still, so that none of them is in vfork.
pid_t child_in_memory_of(pid_t pid);

// What messages call it: "redis-server[12]".
std::string name_of(pid_t pid);
// What stands in the way of tracing, in words of somebody who could remove it. `filtered`: it was
// to be traced with its filters suspended.
std::string why_untraceable(const std::string& error, bool filtered = false);

}  // namespace clockshim::cli
