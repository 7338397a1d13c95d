// The live segment: the System V shared memory segment that a region lies in, and the symbolic link
// by which viewers find it.
//
// Why not a mapped file? Whoever may write to a file can truncate it, its file system can fill up,
// and RLIMIT_FSIZE applies to it; each of these raises a signal that kills the host. The size of a
// segment can't be changed, and it takes no room in /dev/shm. Its pages are allocated when they are
// first written to, so a process pays for what it uses. It outlives its process, even if that was
// killed. It needs no descriptor, and a forked child inherits it.
//
// The link's target is /proc/clockshim/ID-TOKEN-NAMESPACE. This path can't be created, so nothing
// that is written through the link goes anywhere. TOKEN is in the region's header, too, because ids
// are reused. NAMESPACE is the IPC namespace of the ids.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

#include "live/layout.h"

namespace clockshim::live {

inline constexpr std::size_t kLongestPath = 320;

// Identifies a segment. All zero: none.
struct Segment {
  int id = 0;
  std::uint64_t token = 0;          // never 0
  std::uint64_t ipc_namespace = 0;  // the inode of /proc/self/ns/ipc; 0: unknown
  explicit operator bool() const { return token != 0; }
};

// The inode of this process's IPC namespace; 0 if /proc can't be read. One system call.
std::uint64_t own_ipc_namespace() noexcept;

// A number of what paths mean to this process: of its root directory and of its mount namespace.
// Where two processes have the same, the same path leads to the same file. Two system calls.
std::uint64_t own_paths_seen() noexcept;

// Creates a segment of `size` bytes, all zero, for this user alone. Attaches it at `at` (replacing
// what is mapped there), or anywhere if that is null. Returns the address; null: `error` is the
// errno.
void* make_segment(std::size_t size, std::uint64_t ipc_namespace, void* at, Segment& out,
                   int& error) noexcept;

// Attaches an existing segment; null: it is gone, or not ours. `writable` means to count in it.
void* attach_segment(const Segment& segment, bool writable) noexcept;
void detach_segment(const void* address) noexcept;

// What the kernel reports about a segment.
struct SegmentFacts {
  bool there = false;
  std::size_t size = 0;
  uid_t owner = 0;
  unsigned long attached = 0;  // how many times processes have it attached now
};
SegmentFacts facts_of(const Segment& segment) noexcept;

// Marks the segment for removal: it goes when no process has it attached any more.
void remove_segment(const Segment& segment) noexcept;
// Like remove_segment(), for a segment that this process has attached. Its id can't have been
// reused, so the header need not be checked.
void remove_attached(const Segment& segment) noexcept;

// Whether one more segment may be created. Segments are a resource of the whole machine
// (kernel.shmmni, 4096). If more than three quarters are in use, we create no more. If more than an
// eighth are, one call in sixteen looks at some, and removes those of ours that no process has
// attached and no link names any more (its folder was removed).
bool room_for_segments() noexcept;

// Removes such orphans among at most `most` segments, however many exist. Returns how many were
// removed.
unsigned remove_orphans(unsigned most) noexcept;

// Makes a link to the segment in `folder` (which is created if missing). Its name is the first free
// one of PID-TICKS.live, PID-TICKS.1.live ..., from number `first` on, which is set to the next one
// to try. `path` is set to the link's path, or "" if there is none; the result says why. The folder
// must be ours, and no other user may be allowed to write to it.
struct NamingProblem {
  const char* words = nullptr;  // words for a message, to follow the folder's name
  int error = 0;                // or an errno
  explicit operator bool() const { return words != nullptr || error != 0; }
};
NamingProblem name_segment(const Segment& segment, const Header& header, const char* folder,
                           unsigned& first, char* path, std::size_t size) noexcept;

// Reads a link. False: it is none of ours. `folder` is a descriptor or AT_FDCWD.
bool read_link(int folder, const char* name, Segment& out) noexcept;

// The path of a process's link with this number.
void link_name(const Header& header, unsigned number, const char* folder, char* out,
               std::size_t size) noexcept;

}  // namespace clockshim::live
