// Whether the process that a live file is of still runs, by /proc.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "cli/console/descriptor.h"

namespace clockshim::cli {

// Unknown: it is another pid namespace's that we can't see, or another user's.
enum class Liveness { running, gone, unknown };

// What is known of a file and the process that made it.
struct FileCreator {
  std::string
      name;  // of the file, without its folder; of a segment's mapping, as the kernel calls it
  dev_t device = 0;
  ino_t inode = 0;
  std::uint32_t pid = 0;
  std::uint64_t pid_namespace = 0;
  std::uint64_t start_ticks = 0;
};

// exec keeps a process's id and its start, so what decides is whether it has the file mapped; where
// that may not be read, its start. `pid`: where it runs, its number as we see it; else creator.pid.
Liveness life_of(const FileCreator& creator, long& pid);

// What /proc/PID/maps calls a segment whose inode is its id.
inline constexpr const char* kSegmentName = "SYSV00000000 (deleted)";

// The memory of a process that has this segment of another IPC namespace attached, and where it
// stands there. None: no such process is to be found, or its memory must not be read.
Descriptor memory_of_segment(int id, std::uint64_t ipc_namespace, std::uint64_t& address,
                             std::uint64_t& size);

// Whether this process has the file mapped. Unknown: that may not be read.
Liveness maps_file(long pid, const FileCreator& creator);

// The threads of a process: their numbers as it sees them itself, and as we do. Where it is in a
// pid namespace of its own they differ.
struct Task {
  std::uint32_t inner = 0;
  long tid = 0;
};
std::vector<Task> tasks_of(long pid, bool own_namespace);

// A thread's name, as it or its owner has set it (prctl(2), PR_SET_NAME). "": there is no such
// thread.
std::string task_name(long pid, long tid);

// /proc/PID/stat, field 22; 0: there is no such process, or it can't be read.
std::uint64_t start_ticks_in(const std::string& stat);

// Of a process that runs; 0: it has ended, whether or not somebody has waited for it.
std::uint64_t start_ticks_of(long pid);

// The inode of /proc/self/ns/pid.
std::uint64_t own_pid_namespace();

}  // namespace clockshim::cli
