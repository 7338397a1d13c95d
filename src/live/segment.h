// The live segment: the System V shared memory segment that a region lies in, and the symbolic link
// by which viewers find it.
//
// Why not a mapped file: a file can be cut by whoever may write to it, its file system can fill up,
// and RLIMIT_FSIZE speaks of it; each is a signal that kills the host. A segment has no size that
// anybody can change and takes no room in /dev/shm. Its pages come into being when they are first
// written to, so that a process pays for what it uses, and it outlives the process that wrote it,
// also where that was killed. It needs no descriptor, and is inherited by a forked child.
//
// The link's target is /proc/clockshim/ID-TOKEN-NAMESPACE: a path that can't be made, so nothing
// that is written to the link's name goes anywhere. TOKEN stands in the region's header too, since
// ids are used again. NAMESPACE is that of the ids.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

#include "live/layout.h"

namespace clockshim::live {

inline constexpr std::size_t kLongestPath = 320;

// All zero: none.
struct Segment {
  int id = 0;
  std::uint64_t token = 0;          // never 0
  std::uint64_t ipc_namespace = 0;  // the inode of /proc/self/ns/ipc; 0: unknown
  explicit operator bool() const { return token != 0; }
};

// The inode of this process's IPC namespace; 0 where /proc can't be read. One system call.
std::uint64_t own_ipc_namespace() noexcept;

// A new segment of `size` bytes, all zero, for this user alone, attached at `at` (in the place of
// what is mapped there) or, where that is null, wherever there is room. Returns the address; null:
// `error` is the errno.
void* make_segment(std::size_t size, std::uint64_t ipc_namespace, void* at, Segment& out,
                   int& error) noexcept;

// Attaches one that is there; null: it is gone, or not ours. `writable`: to count in it.
void* attach_segment(const Segment& segment, bool writable) noexcept;
void detach_segment(const void* address) noexcept;

// What the kernel says of a segment.
struct SegmentFacts {
  bool there = false;
  std::size_t size = 0;
  uid_t owner = 0;
  unsigned long attached = 0;  // how often it is attached now, by all processes
};
SegmentFacts facts_of(const Segment& segment) noexcept;

// Gone as soon as nobody has it attached any more.
void remove_segment(const Segment& segment) noexcept;
// The same for one that this process has attached: while it has, nobody else's gets its id, so it
// need not be looked at.
void remove_attached(const Segment& segment) noexcept;

// Segments are a resource of the whole machine (kernel.shmmni, 4096). Above three quarters of them
// none is made any more; above an eighth, one of sixteen calls looks at some, and those of ours
// that nobody has attached and no link names any more (its folder was removed) are given back.
// True: one more may be made.
bool room_for_segments() noexcept;

// The same for up to `most` segments, however many there are. Returns how many were given back.
unsigned remove_orphans(unsigned most) noexcept;

// Makes a link to the segment in `folder` (which is made where it is missing) under the first free
// name PID-TICKS.live, PID-TICKS.1.live ... from number `first` on, which becomes the next to try.
// `path` becomes the link's, "" where there is none. Says why there is none. The folder must be
// ours, with nobody else allowed to write.
struct NamingProblem {
  const char* words = nullptr;  // that go behind the folder's name
  int error = 0;                // or an errno
  explicit operator bool() const { return words != nullptr || error != 0; }
};
NamingProblem name_segment(const Segment& segment, const Header& header, const char* folder,
                           unsigned& first, char* path, std::size_t size) noexcept;

// What a link says. False: it is none of ours. `folder` is a descriptor or AT_FDCWD.
bool read_link(int folder, const char* name, Segment& out) noexcept;

// The path of the nth link of a process.
void link_name(const Header& header, unsigned number, const char* folder, char* out,
               std::size_t size) noexcept;

}  // namespace clockshim::live
