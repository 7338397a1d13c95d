// What a live file is read from: the segment that its link names; where that is of another IPC
// namespace, the memory of a process that has it; or a plain file, which is a copy that somebody
// has kept. Opened once, it can be read again and again, also when the name is gone.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "cli/console/descriptor.h"
#include "live/segment.h"

namespace clockshim::cli {

class LiveSource {
 public:
  // Nothing, with the reason in words that go behind the path.
  static std::optional<LiveSource> open(const std::string& path, std::string& problem);

  // Up to `size` bytes from `offset` on. Fewer where there are no more. Below 0: an error, in
  // errno.
  ssize_t read(std::byte* out, std::size_t size, std::size_t offset) const;

  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] bool is_segment() const { return static_cast<bool>(segment_); }
  [[nodiscard]] const live::Segment& segment() const { return segment_; }
  // Of a segment: whether any process but us has it attached. True where that can't be known.
  [[nodiscard]] bool in_use() const;
  // The name's own: of the link, or of the file.
  [[nodiscard]] dev_t device() const { return device_; }
  [[nodiscard]] ino_t inode() const { return inode_; }
  [[nodiscard]] uid_t owner() const { return owner_; }
  [[nodiscard]] std::uint64_t blocks() const { return blocks_; }  // of a plain file, in bytes

 private:
  bool open_segment(std::string& problem);
  bool open_file(const std::string& path, std::string& problem);

  live::Segment segment_;
  std::shared_ptr<const std::byte> memory_{};  // attached
  Descriptor file_{};                          // a plain file, or a process's memory
  std::uint64_t base_ = 0;                     // where it begins there
  std::uint64_t size_ = 0;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  uid_t owner_ = 0;
  std::uint64_t blocks_ = 0;
};

// Whether a link of ours leads to a segment that is gone.
bool is_dangling(const std::string& path);

}  // namespace clockshim::cli
