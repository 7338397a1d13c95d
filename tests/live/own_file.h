// A live file of the test's own process, made by hand: for what asks whether a process runs and
// what it has mapped.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/livefiles/live_process.h"
#include "live_host.h"
#include "os/process.h"

namespace clockshim::test {

inline constexpr std::uintptr_t kProgram = 0x400000;
inline const SiteKey kBusy(kProgram + 0x10, CLOCK_MONOTONIC, Function::clock_gettime);
inline const SiteKey kRare(kProgram + 0x20, CLOCK_REALTIME, Function::clock_gettime);

// A file of this process, as its library would have made it, and mapped.
class OwnFile {
 public:
  OwnFile(const TempDir& dir, const std::string& ending, std::int64_t started_at,
          std::uint64_t ticks = cli::start_ticks_of(getpid())) {
    LiveRegion region;
    region->header.pid = static_cast<std::uint32_t>(getpid());
    region->header.pid_namespace = pid_namespace();
    region->header.start_ticks = ticks;
    region->header.started_at = started_at;
    const unsigned program = region.add_module("/nowhere/program" + std::to_string(started_at),
                                               kProgram, kProgram + 0x1000);
    for (const SiteKey key : {kBusy, kRare}) {
      region.add_site(key, {{key.raw() & 0xFFFFFFFFFFFFFF, program}});
      region.count(0, key, 0);
    }
    path_ = write_file(dir.path(std::to_string(getpid()) + "-" + ending), region.bytes());
    const int fd = open(path_.c_str(), O_RDWR | O_CLOEXEC);
    mapped_ = mmap(nullptr, sizeof(live::Region), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    EXPECT_NE(mapped_, MAP_FAILED);
  }
  ~OwnFile() { unmap(); }
  OwnFile(const OwnFile&) = delete;
  OwnFile& operator=(const OwnFile&) = delete;

  live::Region& operator*() { return *static_cast<live::Region*>(mapped_); }
  void count(std::uint64_t busy, std::uint64_t rare) {
    (**this).threads[0].entries[0].count = busy;
    (**this).threads[0].entries[1].count = rare;
  }
  void unmap() {
    if (mapped_ != nullptr) munmap(mapped_, sizeof(live::Region));
    mapped_ = nullptr;
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
  void* mapped_ = nullptr;
};

}  // namespace clockshim::test
