// Live files, as a viewer finds them in their folders. A folder may be anybody's: what is opened is
// checked to be memory that a link of ours names, or a plain file of a sane size; it is copied, and
// believed by nobody here.
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

// PID-HEX.live or PID-HEX.N.live; and what such a file is called while it is being made, .PID-HEX
bool is_live_name(const std::string& name);
bool is_temporary_name(const std::string& name);

// Paths of what is called like a live file: by folder, and there by name. None where there is no
// such folder.
std::vector<std::string> live_files(const Folders& folders);
// Those of a process, as we number it, the newest first: more than one where it called exec, or a
// number was used again.
std::vector<std::string> live_files_of(long pid, const Folders& folders);

// A copy of a file, at one moment.
class LiveFile {
 public:
  // "" in `problem`, or why not, in words that go behind the path.
  static std::optional<LiveFile> open(const std::string& path, std::string& problem);

  // The same of what was opened before. "" in `problem` with nothing: it was made for a child that
  // has not asked for the time, or its process has told all of it.
  static std::optional<LiveFile> read(const LiveSource& source, const std::string& path,
                                      std::string& problem);

  // Removes the name, if it still stands for this file, and the memory that it names. 0 or errno.
  [[nodiscard]] int remove() const;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const live::Header& header() const {
    return *reinterpret_cast<const live::Header*>(content_.get());
  }
  [[nodiscard]] std::span<const std::byte> bytes() const { return {content_.get(), size_}; }
  [[nodiscard]] dev_t device() const { return device_; }
  [[nodiscard]] ino_t inode() const { return inode_; }
  [[nodiscard]] uid_t owner() const { return owner_; }
  [[nodiscard]] const live::Segment& segment() const { return segment_; }  // none: a plain file
  [[nodiscard]] std::uint64_t room() const { return room_; }  // bytes that its removal gives back

  [[nodiscard]] Liveness life() const { return life_; }  // as it was when the file had been read
  [[nodiscard]] long pid() const {
    return pid_;
  }  // as we number processes, where it runs; else as it did itself

  // Whether the process runs by now, and still has the file.
  [[nodiscard]] Liveness life_now() const;

  // With `state` and `seconds` right: "lost" where the process is gone and the file does not say
  // that it ended.
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
