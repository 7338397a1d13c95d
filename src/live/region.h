// The process's region (live/layout.h), and the file below it.
#pragma once

#include <cstddef>

#include "live/layout.h"

namespace clockshim::live {

extern constinit Region g_region;

inline constexpr std::size_t kLongestPath = 320;

// Puts a new file below the region, so that what stands there from now on is seen by viewers and outlives the process. The header is
// the caller's, but for the layout's own fields. `keep`: what stands in the region now stays; else the rest begins as zeros.
// `folder` is made (mode 0700) where it is missing; it must be ours, with nobody else allowed to write to it.
// Null: done, and `path` is the file's. Else why not, in words that go behind the folder's name, and the region is as it was.
// Async-signal-safe.
const char* map_file(const Header& header, std::size_t size, const char* folder, char* path, std::size_t path_size, bool keep) noexcept;

// Private memory instead, all zero but for the header, in a forked child of a process that has or had a file. False: out of memory.
bool map_private(const Header& header, std::size_t size) noexcept;

// The path of a process's file; `program`: 0, or how often it has called exec since the first one.
void file_name(const Header& header, unsigned program, const char* folder, char* out, std::size_t size) noexcept;

// The header of a region that has no file.
void describe_region(const Header& header, std::size_t size) noexcept;

// Forked children find zeros here (from Linux 4.14 on): only for a region that has no file. False: the kernel can't.
bool wipe_on_fork() noexcept;

// Fills in what names this process for good: pid, start_ticks, pid_namespace, uid. Opens /proc files; async-signal-safe.
void identify(Header& header) noexcept;

}  // namespace clockshim::live
