// Finds and reads live files in their folders. Any user may own a folder, so what is opened is
// checked to be memory that a link of ours names, or a plain file of a sane size. It is copied, and
// its content is not trusted here.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cli/livefiles/live_folders.h"
#include "cli/livefiles/live_process.h"
#include "cli/livefiles/live_source.h"
#include "live/layout.h"
#include "report/report.h"

namespace clockshim::cli {

// Whether a name is PID-HEX.live or PID-HEX.N.live, or the name of such a file while it is being
// made, .PID-HEX
bool is_live_name(const std::string& name);
bool is_temporary_name(const std::string& name);

// The paths of everything named like a live file, sorted by folder and name. None if there is no
// such folder.
std::vector<std::string> live_files(const Folders& folders);
// The live files of a process (by its pid in our namespace), the newest first. There are several if
// it called exec, or if a pid was reused.
std::vector<std::string> live_files_of(long pid, const Folders& folders);

// A copy of a live file at one moment.
class LiveFile {
 public:
  // Opens and copies a file. If that fails, `problem` says why, in words that follow the path; ""
  // if there is nothing to report.
  static std::optional<LiveFile> open(const std::string& path, std::string& problem);

  // Like open(), from a source that was opened before. "" in `problem` without a result means that
  // it was made for a child that has not called yet, or that its process has reported everything.
  static std::optional<LiveFile> read(const LiveSource& source, const std::string& path,
                                      std::string& problem);

  // Removes the name, if it still belongs to this file, and the memory that it names. Returns 0 or
  // an errno.
  [[nodiscard]] int remove() const;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const live::Header& header() const {
    return *reinterpret_cast<const live::Header*>(content_.get());
  }
  [[nodiscard]] std::span<const std::byte> bytes() const { return {content_.get(), size_}; }
  [[nodiscard]] dev_t device() const { return device_; }
  [[nodiscard]] ino_t inode() const { return inode_; }
  [[nodiscard]] uid_t owner() const { return owner_; }
  [[nodiscard]] const live::Segment& segment() const { return segment_; }  // false for a plain file
  [[nodiscard]] std::uint64_t room() const { return room_; }  // the bytes that removing it frees

  [[nodiscard]] Liveness life() const { return life_; }  // when the file was read
  [[nodiscard]] long pid() const {
    return pid_;
  }  // in our pid namespace if it runs; else in its own

  // Whether the process runs now, and still has the file.
  [[nodiscard]] Liveness life_now() const;

  // The report, with the right `state` and `seconds`: "lost" if the process is gone and the file
  // does not say that it ended.
  [[nodiscard]] Report report() const;

 private:
  struct Free {
    void operator()(std::byte* p) const {
      ::operator delete[](p, std::align_val_t{alignof(live::Header)});
    }
  };
  [[nodiscard]] FileCreator creator() const;

  std::string path_;
  std::unique_ptr<std::byte[], Free> content_;
  std::size_t size_ = 0;
  std::uint64_t room_ = 0;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  uid_t owner_ = 0;
  live::Segment segment_;
  Liveness life_ = Liveness::unknown;
  long pid_ = 0;
};

}  // namespace clockshim::cli
