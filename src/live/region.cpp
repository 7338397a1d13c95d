#include "live/region.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "os/process.h"

namespace clockshim::live {

constinit Region g_region{};

namespace {

constexpr std::size_t kPage = 4096;
// Of the file system, so much stays free: shared memory is the host's before it is ours.
constexpr unsigned kLeftFree = 4;     // a quarter
constexpr unsigned kFileNames = 100;  // of programs that one process was in turn (exec)

// strerror() may allocate.
const char* problem_of(int error) {
  const char* text = strerrordesc_np(error);
  return text != nullptr ? text : "unknown error";
}

// Closes what was opened, whatever happens.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

Section section_of(Part part, std::size_t size) {
  const auto section = [](std::size_t at, std::size_t one, std::size_t count) {
    return Section{static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(one), static_cast<std::uint32_t>(count), 0};
  };
  switch (part) {
    case Part::clock: return section(offsetof(Region, clock), sizeof(ClockRecord), 1);
    case Part::modules: return section(offsetof(Region, modules), sizeof(ModuleRecord), kModules);
    case Part::sites: return section(offsetof(Region, sites), sizeof(SiteRecord), kSites);
    case Part::shared: return section(offsetof(Region, shared), sizeof(SharedCounts), 1);
    case Part::threads: return section(offsetof(Region, threads), sizeof(ThreadTable), kThreads);
    case Part::names: return section(offsetof(Region, names), sizeof(NameRecord), size < kSizeWithoutStacks ? kFewNames : kNames);
    case Part::stacks: return section(offsetof(Region, stacks), sizeof(StackRecord), size > kSizeWithoutStacks ? kStacks : 0);
  }
  return {};
}

void complete(Header& header, std::size_t size) {
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.version = kVersion;
  header.header_size = sizeof(Header);
  for (const Part part : kEachPart) header.sections[static_cast<unsigned>(part)] = section_of(part, size);
  header.state.store(State::running, std::memory_order_relaxed);
}

void copy_header(Header& to, const Header& from, std::size_t size) {
  std::memcpy(static_cast<void*>(&to), static_cast<const void*>(&from), sizeof(Header));
  complete(to, size);
}

const char* check_folder(int folder) {
  struct stat info;
  if (folder < 0) return errno == ELOOP || errno == ENOTDIR ? "is not a folder" : problem_of(errno);
  if (fstat(folder, &info) != 0) return problem_of(errno);
  if (info.st_uid != geteuid()) return "belongs to another user";
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0) return "may be written to by others";
  return nullptr;
}

const char* check_room(int file) {
  struct statfs info;
  if (fstatfs(file, &info) == 0 && info.f_blocks != 0 && info.f_bavail < info.f_blocks / kLeftFree)
    return "is more than three quarters full";
  return nullptr;
}

// Under the first name that is free. Nobody finds it half made, and nothing is replaced.
const char* publish(const Header& header, const char* temporary, const char* folder, char* path, std::size_t size) {
  for (unsigned program = 0; program < kFileNames; ++program) {
    file_name(header, program, folder, path, size);
    if (renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE) == 0) return nullptr;
    if (errno != EEXIST) return problem_of(errno);
  }
  return "holds too many files of this process";
}

}  // namespace

const char* map_file(const Header& header, std::size_t size, const char* folder, char* path, std::size_t path_size, bool keep) noexcept {
  if (mkdir(folder, 0700) != 0 && errno != EEXIST) return problem_of(errno);
  const Descriptor parent(open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (const char* problem = check_folder(parent.get())) return problem;
  char temporary[kLongestPath];
  std::snprintf(temporary, sizeof temporary, "%s/.%u-%llx", folder, header.pid, static_cast<unsigned long long>(header.started_at));
  const Descriptor file(open(temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (file.get() < 0) return problem_of(errno);
  // All of it now: a page that is missing when it is touched would be the host's death (SIGBUS).
  const char* problem = check_room(file.get());
  if (problem == nullptr && fallocate(file.get(), 0, 0, static_cast<off_t>(size)) != 0) problem = problem_of(errno);
  void* fresh = MAP_FAILED;
  if (problem == nullptr) {
    fresh = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    if (fresh == MAP_FAILED) problem = problem_of(errno);
  }
  if (problem == nullptr) {
    auto* region = static_cast<Region*>(fresh);
    if (keep) std::memcpy(fresh, static_cast<const void*>(&g_region), size);
    copy_header(region->header, header, size);
    problem = publish(header, temporary, folder, path, path_size);
  }
  if (problem == nullptr && mremap(fresh, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, static_cast<void*>(&g_region)) == MAP_FAILED) {
    problem = problem_of(errno);
    unlink(path);
  }
  if (problem != nullptr) {
    if (fresh != MAP_FAILED) munmap(fresh, size);
    unlink(temporary);
    path[0] = '\0';
    return problem;
  }
  return nullptr;
}

bool map_private(const Header& header, std::size_t size) noexcept {
  void* fresh = mmap(&g_region, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  if (fresh == MAP_FAILED) return false;
  copy_header(g_region.header, header, size);
  return wipe_on_fork();
}

void file_name(const Header& header, unsigned program, const char* folder, char* out, std::size_t size) noexcept {
  const auto ticks = static_cast<unsigned long long>(header.start_ticks);
  if (program == 0) {
    std::snprintf(out, size, "%s/%u-%llx%s", folder, header.pid, ticks, kEnding);
  } else {
    std::snprintf(out, size, "%s/%u-%llx.%u%s", folder, header.pid, ticks, program, kEnding);
  }
}

void describe_region(const Header& header, std::size_t size) noexcept { copy_header(g_region.header, header, size); }

bool wipe_on_fork() noexcept { return madvise(&g_region, sizeof g_region, MADV_WIPEONFORK) == 0; }

void identify(Header& header) noexcept {
  header.pid = static_cast<std::uint32_t>(getpid());
  header.uid = geteuid();
  header.start_ticks = process_start_ticks();
  struct stat info;
  header.pid_namespace = stat("/proc/self/ns/pid", &info) == 0 ? info.st_ino : 0;
}

}  // namespace clockshim::live
