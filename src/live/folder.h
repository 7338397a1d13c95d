// The folder of live files, kept small. What a process leaves behind when it is killed, or calls
// _exit or exec, stays to be read; but not without end, since it stands in memory.
// Async-signal-safe.
#pragma once

#include <cstdint>

#include "live/layout.h"

namespace clockshim::live {

// Where more files than kKeptFiles stand, removes some of processes that are gone. To be called
// for one in kFilesPerLook that are added: so their number stays bounded, however many processes
// come and go, and each pays for a part of a look (2 us a file). Sees only segments of the IPC
// namespace that is named.
inline constexpr unsigned kKeptFiles = 64;
inline constexpr unsigned kFilesPerLook = 16;
void bound_folder(const char* folder, std::uint64_t ipc_namespace) noexcept;

// The programs that this process was before exec: their files are removed where nothing was
// counted, so that env, nice or a shell leave nothing behind. Returns the number of the first name
// that is free.
unsigned tidy_behind_exec(const char* folder, const Header& self,
                          std::uint64_t ipc_namespace) noexcept;

}  // namespace clockshim::live
