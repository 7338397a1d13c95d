// The source that a live file is read from: the segment that its link names; the memory of a
// process that has it, if the segment is in another IPC namespace; or a plain file, which is a copy
// that someone has kept. Once opened, it can be read again and again, even when the name is gone.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "live/segment.h"
#include "os/descriptor.h"

namespace clockshim::cli {

class LiveSource {
 public:
  // Returns nothing on failure; `problem` says why, in words that follow the path.
  static std::optional<LiveSource> open(const std::string& path, std::string& problem);

  // Reads up to `size` bytes from `offset` on, fewer at the end. Negative: an error, in errno.
  ssize_t read(std::byte* out, std::size_t size, std::size_t offset) const;

  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] bool is_segment() const { return static_cast<bool>(segment_); }
  [[nodiscard]] const live::Segment& segment() const { return segment_; }
  // For a segment: whether any other process has it attached. True if that is unknown.
  [[nodiscard]] bool in_use() const;
  // The device of the link, or of the file.
  [[nodiscard]] dev_t device() const { return device_; }
  [[nodiscard]] ino_t inode() const { return inode_; }
  [[nodiscard]] uid_t owner() const { return owner_; }
  [[nodiscard]] std::uint64_t blocks() const { return blocks_; }  // bytes on disk, for a plain file

 private:
  bool open_segment(std::string& problem);
  bool open_file(const std::string& path, std::string& problem);

  live::Segment segment_;
  std::shared_ptr<const std::byte> memory_{};  // attached
  Descriptor file_{};                          // a plain file, or a process's memory
  std::uint64_t base_ = 0;                     // where the segment begins in it
  std::uint64_t size_ = 0;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  uid_t owner_ = 0;
  std::uint64_t blocks_ = 0;
};

// Whether `path` is a link of ours to a segment that is gone.
bool is_dangling(const std::string& path);

}  // namespace clockshim::cli
