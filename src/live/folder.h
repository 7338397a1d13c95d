// Keeps the folder of live files small. A process that is killed, or calls _exit or exec, leaves a
// file that may still be read. But such files are in memory, so their number is limited.
// Async-signal-safe.
#pragma once

#include <cstdint>

#include "live/layout.h"

namespace clockshim::live {

// Removes some files of processes that are gone, if there are more than kKeptFiles. Call it for one
// in kFilesPerLook files that are added. So their number stays bounded, however many processes come
// and go, and each process pays for a part of the search (2 us a file). It sees only segments of
// this IPC namespace. While the command of a `clockshim run` is alive, the files of its tree stay,
// because `run` will sum them up, unless there are more than kKeptForRuns.
inline constexpr unsigned kKeptFiles = 64;
inline constexpr unsigned kKeptForRuns = 1024;
inline constexpr unsigned kFilesPerLook = 16;
void bound_folder(const char* folder, std::uint64_t ipc_namespace) noexcept;

// Removes the files of programs that this process was before exec, if nothing was counted in them,
// so that env, nice or a shell leave nothing behind. Returns the number of the first free name.
unsigned tidy_behind_exec(const char* folder, const Header& self,
                          std::uint64_t ipc_namespace) noexcept;

}  // namespace clockshim::live
