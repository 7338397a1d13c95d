// Reads whole files whose size is not known before: those of /proc and /sys, pipes, and plain
// files. Allocates, so the library does not use it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace clockshim {

// Appends what can be read from a descriptor to `out`, through short reads and EINTR. Returns 0, or
// the errno that ended it; EFBIG if there are more than `most` bytes. Even then `out` has what was
// read before, and never more than `most` bytes of it.
int read_all(int fd, std::string& out, std::size_t most = SIZE_MAX);

// The same for the file at `path`. A FIFO without a writer makes it wait. An empty file is no
// error: 0, and nothing is appended.
int read_file(const std::string& path, std::string& out, std::size_t most = SIZE_MAX);

// The content of the file, as far as it can be read; "" if it is empty or can't be read at all.
std::string content_of(const std::string& path);

}  // namespace clockshim
