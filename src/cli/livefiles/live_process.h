// Finds out from /proc whether the process of a live file still runs.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "os/descriptor.h"

namespace clockshim::cli {

// unknown: it is in another pid namespace that we can't see, or another user's.
enum class Liveness { running, gone, unknown };

// What is known about a file and the process that created it.
struct FileCreator {
  std::string
      name;  // the file's name without its folder, or the kernel's name for a segment's mapping
  dev_t device = 0;
  ino_t inode = 0;
  std::uint32_t pid = 0;
  std::uint64_t pid_namespace = 0;
  std::uint64_t start_ticks = 0;
};

// Whether the creator still runs. exec keeps pid and start, so the test is whether the process has
// the file mapped or, if its map can't be read, its start. `pid` is set to its number in our
// namespace if it runs; else to creator.pid.
Liveness life_of(const FileCreator& creator, long& pid);

// The name in /proc/PID/maps for a segment, whose inode there is its id.
inline constexpr const char* kSegmentName = "SYSV00000000 (deleted)";

// Opens the memory of a process that has this segment of another IPC namespace attached, and sets
// the segment's address in it. None: no such process is found, or its memory must not be read.
Descriptor memory_of_segment(int id, std::uint64_t ipc_namespace, std::uint64_t& address,
                             std::uint64_t& size);

// Whether this process has the file mapped. unknown: its map can't be read.
Liveness maps_file(long pid, const FileCreator& creator);

// A thread of a process: its number in its own pid namespace, and in ours. They are the same unless
// it is in a pid namespace of its own.
struct Task {
  std::uint32_t inner = 0;
  long tid = 0;
};
std::vector<Task> tasks_of(long pid, bool own_namespace);

// A thread's name, as it or its owner has set it (prctl(2), PR_SET_NAME). "": there is no such
// thread.
std::string task_name(long pid, long tid);

// The start of a process that runs; 0: it has ended, even if it is a zombie.
std::uint64_t start_ticks_of(long pid);

// All processes that may be seen. In ascending order: what started first is likely to stay longest,
// and its number stands in the paths of its container's files.
std::vector<long> all_processes();

}  // namespace clockshim::cli
