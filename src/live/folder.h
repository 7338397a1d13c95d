// The folder of live files, kept small. What a process leaves behind when it is killed, or calls _exit or exec, stays to be read; but
// not without end, since it stands in memory. Async-signal-safe.
#pragma once

#include "live/layout.h"

namespace clockshim::live {

// Where more files than kKeptFiles stand, removes some of processes that are gone. To be called before a file is added: so their number
// stays bounded, however many processes come and go. Sees only processes of our own pid namespace.
inline constexpr unsigned kKeptFiles = 64;
void bound_folder(const char* folder, const Header& self) noexcept;

// The programs that this process was before exec: their files are removed where nothing was counted, so that env, nice or a shell
// leave nothing behind; the others give back the room that they reserved and did not use.
void tidy_behind_exec(const char* folder, const Header& self) noexcept;

// Gives back what a file that stays behind reserved and did not use.
void shrink(const char* path) noexcept;

}  // namespace clockshim::live
