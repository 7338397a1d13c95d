#include "live/segment.h"

#include <fcntl.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>

#include "arch/counter.h"
#include "os/make_folder.h"

namespace clockshim::live {
namespace {

constexpr std::string_view kPrefix = "/proc/clockshim/";
constexpr unsigned kMostNames = 4096;  // for one process, with its programs and children

NamingProblem check_folder(const char* folder) {
  struct stat info;
  if (lstat(folder, &info) != 0) return {nullptr, errno};
  if (!S_ISDIR(info.st_mode)) return {"is not a folder"};
  if (info.st_uid != geteuid()) return {"belongs to another user"};
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0) return {"may be written to by others"};
  return {};
}

// Appends texts and numbers, and keeps a zero at the end. snprintf is not used, because it takes
// more stack than a thread may have left.
class Writer {
 public:
  Writer(char* out, std::size_t size) : at_(out), end_(out + size - 1) { *at_ = '\0'; }
  Writer& text(std::string_view part) {
    for (const char c : part) {
      if (at_ < end_) *at_++ = c;
    }
    *at_ = '\0';
    return *this;
  }
  Writer& number(std::uint64_t value, int base) {
    char digits[24];
    return text(
        {digits, static_cast<std::size_t>(
                     std::to_chars(digits, digits + sizeof digits, value, base).ptr - digits)});
  }

 private:
  char* at_;
  char* end_;
};

// Reads a number that is followed by `end` ('\0': the text's end). False: there is none.
bool take_number(std::string_view& text, char end, int base, std::uint64_t& out) {
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  if (error != std::errc{}) return false;
  text.remove_prefix(static_cast<std::size_t>(rest - text.data()));
  if (end == '\0') return text.empty();
  if (text.empty() || text.front() != end) return false;
  text.remove_prefix(1);
  return true;
}

// A token made of the counter, the process and an address that the loader has chosen at random. So
// two segments with the same id never share it.
std::uint64_t new_token(const void* address, int id) {
  const std::uint64_t mixed = Arch::unordered().raw() ^
                              reinterpret_cast<std::uintptr_t>(address) << 20 ^
                              static_cast<unsigned>(id);
  return (mixed * 0x9E3779B97F4A7C15ULL) | 1;
}

}  // namespace

std::uint64_t own_ipc_namespace() noexcept {
  struct stat info;
  return stat("/proc/self/ns/ipc", &info) == 0 ? info.st_ino : 0;
}

std::uint64_t own_paths_seen() noexcept {
  struct stat root {};
  struct stat mounts {};
  if (stat("/", &root) != 0) return 0;
  static_cast<void>(stat("/proc/self/ns/mnt", &mounts));  // without /proc, the root has to do
  constexpr std::uint64_t kMix = 0x9E3779B97F4A7C15ULL;
  return (((root.st_dev * kMix) ^ root.st_ino) * kMix ^ mounts.st_ino) * kMix | 1;
}

void* make_segment(std::size_t size, std::uint64_t ipc_namespace, void* at, Segment& out,
                   int& error) noexcept {
  const int id = shmget(IPC_PRIVATE, size, IPC_CREAT | SHM_NORESERVE | S_IRUSR | S_IWUSR);
  void* const address =
      id < 0 ? reinterpret_cast<void*>(-1) : shmat(id, at, at != nullptr ? SHM_REMAP : 0);
  if (address == reinterpret_cast<void*>(-1)) {
    error = errno;
    if (id >= 0) shmctl(id, IPC_RMID, nullptr);
    return nullptr;
  }
  out = {id, new_token(address, id), ipc_namespace};
  return address;
}

namespace {

// One more than the highest used index of the kernel's table. It is at least the number of
// segments, and costs nothing. SHM_INFO, which counts them, walks over each (160 us for 500).
unsigned places_in_use(shminfo* limits = nullptr) noexcept {
  static_assert(sizeof(shminfo) <= sizeof(shmid_ds) && sizeof(shm_info) <= sizeof(shmid_ds));
  shmid_ds buffer{};
  const int highest = shmctl(0, IPC_INFO, &buffer);
  if (limits != nullptr) std::memcpy(limits, static_cast<const void*>(&buffer), sizeof *limits);
  return highest < 0 ? 0 : static_cast<unsigned>(highest) + 1;
}

unsigned long segments_in_use() noexcept {
  shmid_ds buffer;
  shm_info use;
  if (shmctl(0, SHM_INFO, &buffer) < 0) return 0;
  std::memcpy(&use, static_cast<const void*>(&buffer), sizeof use);
  return static_cast<unsigned long>(use.used_ids);
}

}  // namespace

unsigned remove_orphans(unsigned most) noexcept {
  shmid_ds info;
  const std::uint64_t paths_seen = own_paths_seen();
  const unsigned places = places_in_use();
  const auto first = static_cast<unsigned>(Arch::unordered().raw() >>
                                           10);  // so that each is looked at in the long run
  unsigned removed = 0;
  for (unsigned i = 0; i < places && i < most; ++i) {
    const int id = shmctl(static_cast<int>((first + i) % places), SHM_STAT, &info);
    if (id < 0 || info.shm_nattch != 0 || info.shm_perm.uid != geteuid() ||
        info.shm_segsz < sizeof(Header))
      continue;
    const void* const address = shmat(id, nullptr, SHM_RDONLY);
    if (address == reinterpret_cast<void*>(-1)) continue;
    const Header& header = static_cast<const Region*>(address)->header;
    Segment named;
    const bool ours = std::memcmp(header.magic, kMagic, sizeof kMagic) == 0 && header.token != 0 &&
                      std::memchr(header.link, '\0', sizeof header.link) != nullptr &&
                      header.paths_seen == paths_seen && paths_seen != 0;
    const bool found =
        ours && read_link(AT_FDCWD, header.link, named) && named.token == header.token;
    if (ours && !found && shmctl(id, IPC_RMID, nullptr) == 0) ++removed;
    shmdt(address);
  }
  return removed;
}

bool room_for_segments() noexcept {
  constexpr unsigned kManyParts = 8;
  constexpr unsigned kLookedAt = 256;
  constexpr std::uint64_t kStartsPerLook = 16;
  shminfo limits;
  const unsigned places = places_in_use(&limits);
  if (places <= limits.shmmni / kManyParts) return true;
  const bool crowded = places > limits.shmmni / 4 * 3;
  if (crowded || (Arch::unordered().raw() >> 10) % kStartsPerLook == 0) remove_orphans(kLookedAt);
  return !crowded || segments_in_use() <= limits.shmmni / 4 * 3;
}

void* attach_segment(const Segment& segment, bool writable) noexcept {
  // A segment smaller than a header is none of ours, and must not be read.
  if (facts_of(segment).size < sizeof(Header)) return nullptr;
  void* const address = shmat(segment.id, nullptr, writable ? 0 : SHM_RDONLY);
  return address == reinterpret_cast<void*>(-1) ? nullptr : address;
}

void detach_segment(const void* address) noexcept { shmdt(address); }

SegmentFacts facts_of(const Segment& segment) noexcept {
  shmid_ds info;
  if (!segment || shmctl(segment.id, IPC_STAT, &info) != 0) return {};
  return {true, info.shm_segsz, info.shm_perm.uid, info.shm_nattch};
}

// Ids are reused: a segment with another token, or none, belongs to another process.
void remove_segment(const Segment& segment) noexcept {
  const void* const address = segment ? attach_segment(segment, false) : nullptr;
  if (address == nullptr) return;
  const Header& header = static_cast<const Region*>(address)->header;
  if (std::memcmp(header.magic, kMagic, sizeof kMagic) == 0 && header.token == segment.token)
    shmctl(segment.id, IPC_RMID, nullptr);
  detach_segment(address);
}

void remove_attached(const Segment& segment) noexcept {
  // If the process has changed its namespace since, it still has the segment attached, but without
  // an id.
  if (segment.ipc_namespace == 0 || segment.ipc_namespace != own_ipc_namespace())
    return remove_segment(segment);
  if (segment) shmctl(segment.id, IPC_RMID, nullptr);
}

NamingProblem name_segment(const Segment& segment, const Header& header, const char* folder,
                           unsigned& first, char* path, std::size_t size) noexcept {
  path[0] = '\0';
  if (const int error = make_own_folder(folder); error != 0 && error != EEXIST)
    return {nullptr, error};
  if (const NamingProblem problem = check_folder(folder)) return problem;
  char target[128];
  Writer(target, sizeof target)
      .text(kPrefix)
      .number(static_cast<unsigned>(segment.id), 10)
      .text("-")
      .number(segment.token, 16)
      .text("-")
      .number(segment.ipc_namespace, 16);
  for (; first < kMostNames; ++first) {
    link_name(header, first, folder, path, size);
    if (symlink(target, path) == 0) {
      ++first;
      return {};
    }
    if (errno == EEXIST) continue;
    path[0] = '\0';
    return {nullptr, errno};
  }
  path[0] = '\0';
  return {"holds too many names of this process"};
}

bool read_link(int folder, const char* name, Segment& out) noexcept {
  char target[128];
  const ssize_t length = readlinkat(folder, name, target, sizeof target);
  if (length <= 0) return false;
  std::string_view text(target, static_cast<std::size_t>(length));
  if (!text.starts_with(kPrefix)) return false;
  text.remove_prefix(kPrefix.size());
  std::uint64_t id = 0;
  if (!take_number(text, '-', 10, id) || id > INT32_MAX || !take_number(text, '-', 16, out.token) ||
      !take_number(text, '\0', 16, out.ipc_namespace) || out.token == 0) {
    return false;
  }
  out.id = static_cast<int>(id);
  return true;
}

void link_name(const Header& header, unsigned number, const char* folder, char* out,
               std::size_t size) noexcept {
  Writer name(out, size);
  name.text(folder).text("/").number(header.pid, 10).text("-").number(header.start_ticks, 16);
  if (number != 0) name.text(".").number(number, 10);
  name.text(kEnding);
}

}  // namespace clockshim::live
