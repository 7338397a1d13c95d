#include "cli/livefiles/live_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "cli/livefiles/live_process.h"

namespace clockshim::cli {

std::optional<LiveSource> LiveSource::open(const std::string& path, std::string& problem) {
  problem.clear();
  struct stat info;
  if (lstat(path.c_str(), &info) != 0) {
    problem = std::strerror(errno);
    return std::nullopt;
  }
  LiveSource out;
  out.device_ = info.st_dev;
  out.inode_ = info.st_ino;
  out.owner_ = info.st_uid;
  out.blocks_ = static_cast<std::uint64_t>(info.st_blocks) * 512;
  if (S_ISLNK(info.st_mode)) {
    if (!live::read_link(AT_FDCWD, path.c_str(), out.segment_)) {
      problem = "is a symbolic link, and none of clockshim's";
      return std::nullopt;
    }
    return out.open_segment(problem) ? std::optional(std::move(out)) : std::nullopt;
  }
  if (!S_ISREG(info.st_mode)) {
    problem = "is no plain file";
    return std::nullopt;
  }
  return out.open_file(path, problem) ? std::optional(std::move(out)) : std::nullopt;
}

bool LiveSource::open_segment(std::string& problem) {
  if (segment_.ipc_namespace != live::own_ipc_namespace()) {
    file_ = memory_of_segment(segment_.id, segment_.ipc_namespace, base_, size_);
    if (file_.get() < 0) problem = "is in an IPC namespace that can't be looked into from here";
    return file_.get() >= 0;
  }
  const live::SegmentFacts facts = live::facts_of(segment_);
  const void* const address = facts.there ? live::attach_segment(segment_, false) : nullptr;
  if (address == nullptr) {
    problem = !facts.there && errno == EACCES ? "belongs to another user"
              : facts.there                   ? std::strerror(errno)
                                              : "is of memory that is gone";
    return false;
  }
  if (facts.owner != owner_) problem = "is a link to memory of another user";
  memory_ = {static_cast<const std::byte*>(address),
             [](const std::byte* p) { live::detach_segment(p); }};
  size_ = facts.size;
  return problem.empty();
}

// Opens a plain file. Opening a FIFO would wait for its writer, and a device might do anything; by
// now the name may belong to one.
bool LiveSource::open_file(const std::string& path, std::string& problem) {
  file_ =
      Descriptor(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat info;
  if (file_.get() < 0 || fstat(file_.get(), &info) != 0) {
    problem = std::strerror(errno);
  } else if (!S_ISREG(info.st_mode)) {
    problem = "is no plain file";
  } else {
    size_ = static_cast<std::uint64_t>(info.st_size);
  }
  return problem.empty();
}

ssize_t LiveSource::read(std::byte* out, std::size_t size, std::size_t offset) const {
  if (memory_) {
    const std::size_t there =
        std::min<std::size_t>(size, size_ - std::min<std::uint64_t>(size_, offset));
    std::memcpy(out, memory_.get() + offset, there);
    return static_cast<ssize_t>(there);
  }
  std::size_t done = 0;
  while (done < size) {
    const ssize_t n =
        pread(file_.get(), out + done, size - done, static_cast<off_t>(base_ + offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return static_cast<ssize_t>(done);
}

bool LiveSource::in_use() const {
  if (!memory_) return true;
  const live::SegmentFacts facts = live::facts_of(segment_);
  return facts.there && facts.attached > 1;
}

bool is_dangling(const std::string& path) {
  live::Segment segment;
  if (!live::read_link(AT_FDCWD, path.c_str(), segment) ||
      segment.ipc_namespace != live::own_ipc_namespace())
    return false;
  errno = 0;
  return !live::facts_of(segment).there && (errno == EINVAL || errno == EIDRM);
}

}  // namespace clockshim::cli
