#include "cli/console/output_file.h"
#include "os/write.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace clockshim::cli {
namespace {

int write_and_close(int fd, const std::string& content) {
  if (fd < 0) return errno;
  const int error = write_all(fd, content);
  return close(fd) != 0 && error == 0 ? errno : error;
}

mode_t mode_of_new_files() {
  const mode_t mask = umask(0);
  umask(mask);
  return 0666 & ~mask;
}

// Resolves symbolic links, if the file exists.
std::string resolved(const std::string& path) {
  char* const real = realpath(path.c_str(), nullptr);
  std::string out = real == nullptr ? path : real;
  std::free(real);
  return out;
}

}  // namespace

int write_file(const std::string& path, const std::string& content) {
  struct stat info {};
  const bool there = stat(path.c_str(), &info) == 0;
  if (there && !S_ISREG(info.st_mode))
    return write_and_close(open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY), content);
  if (there && access(path.c_str(), W_OK) != 0) return errno;
  const std::string target = resolved(path);
  std::string beside = target + ".XXXXXX";
  const int fd = mkostemp(beside.data(), O_CLOEXEC);
  if (fd < 0) return errno;
  // Keep the owner of an existing file, if we may set it.
  if (there && fchown(fd, info.st_uid, info.st_gid) != 0) errno = 0;
  if (fchmod(fd, there ? info.st_mode & 07777 : mode_of_new_files()) != 0) errno = 0;
  int error = write_and_close(fd, content);
  if (error == 0 && rename(beside.c_str(), target.c_str()) != 0) error = errno;
  if (error != 0) unlink(beside.c_str());
  return error;
}

}  // namespace clockshim::cli
