#include "os/make_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace clockshim {

int make_own_folder(const char* path) noexcept {
  constexpr mode_t kOwners = S_IRWXU;
  if (mkdir(path, kOwners) != 0) return errno;
  // The umask belongs to the process, not to the thread: changing it, even for a moment, would show
  // in files that other threads make. So the folder's mode is corrected afterwards, through a
  // descriptor that needs no rights (O_PATH) and its name in /proc: by now the path could lead to
  // another folder, or to a link.
  const int folder = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (folder < 0) return errno;
  struct stat info;
  int error = fstat(folder, &info) == 0 ? 0 : errno;
  if (error == 0 && info.st_uid == geteuid() && (info.st_mode & kOwners) != kOwners) {
    char name[sizeof "/proc/self/fd/" + 3 * sizeof folder];
    std::snprintf(name, sizeof name, "/proc/self/fd/%d", folder);
    if (chmod(name, kOwners) != 0) error = errno;
  }
  close(folder);
  return error;
}

}  // namespace clockshim
