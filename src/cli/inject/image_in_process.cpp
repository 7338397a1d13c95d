#include "cli/inject/image_in_process.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <span>

#include "cli/inject/function_entry.h"
#include "cli/inject/image_bytes.h"
#include "cli/inject/memory_map.h"
#include "cli/inject/prepared_image.h"
#include "cli/inject/tracee.h"
#include "live/segment.h"
#include "os/error_text.h"

namespace clockshim::cli {
namespace {

constexpr std::uint64_t kPageMask = live::kPage - 1;
constexpr std::uint64_t page_end(std::uint64_t address) {
  return (address + kPageMask) & ~kPageMask;
}
constexpr std::uint64_t page_begin(std::uint64_t address) { return address & ~kPageMask; }

constexpr std::uint64_t kPrivateCounts = live::kSizeWithFewNames;
constexpr std::uint64_t kNoFile = ~std::uint64_t{0};

// Of a system call that another process made for us.
bool failed(long result) { return result < 0 && result > -4096; }
std::string error_of(long result) { return error_text(static_cast<int>(-result)); }

std::uint64_t own_symbol(std::string_view name) {
  return DynamicImage(image_bytes()).find("clockshim_image_" + std::string(name));
}

// Where a served function leads, from the image's begin, and where its original is moved to. Only
// where callers may have little stack each call is looked at.
std::uint64_t function_of(std::string_view name, bool little_stacks) {
  return own_symbol(std::string(little_stacks ? "any_" : "") + std::string(name));
}
std::uint64_t original_of(std::string_view name) {
  const auto* const place = std::find(kServedFunctions.begin(), kServedFunctions.end(), name);
  return own_symbol("originals") +
         static_cast<std::uint64_t>(place - kServedFunctions.begin()) * kOriginalSize;
}

// What was mapped into the process for us. It is unmapped again, unless it is kept.
class Mappings {
 public:
  explicit Mappings(Tracee& process) : process_(process) {}
  ~Mappings() {
    if (counts_ != 0 && attached_) process_.system_call(SYS_shmdt, {counts_});
    if (counts_ != 0 && !attached_) process_.system_call(SYS_munmap, {counts_, kPrivateCounts});
    if (image_ != 0) process_.system_call(SYS_munmap, {image_, image_size_});
  }
  Mappings(const Mappings&) = delete;
  Mappings& operator=(const Mappings&) = delete;

  // Memory for an image, where a jump from `at` reaches it. Returns "", or why not.
  std::string map_image(std::uint64_t size, const std::vector<std::uint64_t>& places,
                        std::uint64_t at) {
    constexpr std::size_t kTries = 8;
    long mapped = -ENOMEM;
    for (std::size_t i = 0; i < std::min(kTries, places.size()); ++i) {
      if (!within_jump(at, places[i])) continue;
      // Before Linux 4.17 the place is a wish.
      mapped = process_.system_call(
          SYS_mmap, {places[i], size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, kNoFile, 0});
      if (failed(mapped)) continue;
      const auto here = static_cast<std::uint64_t>(mapped);
      if (within_jump(at, here)) {
        image_ = here;
        image_size_ = size;
        return "";
      }
      process_.system_call(SYS_munmap, {here, size});
      mapped = -ENOMEM;
    }
    return "it can't map memory near its vDSO: " + error_of(mapped);
  }

  // The memory to count in: this segment (negative: memory of its own).
  std::string map_counts(int segment) {
    attached_ = segment >= 0;
    const long mapped =
        attached_ ? process_.system_call(SYS_shmat, {static_cast<unsigned>(segment), 0, 0})
                  : process_.system_call(SYS_mmap, {0, kPrivateCounts, PROT_READ | PROT_WRITE,
                                                    MAP_PRIVATE | MAP_ANONYMOUS, kNoFile, 0});
    if (failed(mapped)) return "it can't attach memory: " + error_of(mapped);
    counts_ = static_cast<std::uint64_t>(mapped);
    return "";
  }
  void keep() { image_ = counts_ = 0; }

  [[nodiscard]] std::uint64_t image() const { return image_; }
  [[nodiscard]] std::uint64_t counts() const { return counts_; }

 private:
  Tracee& process_;
  std::uint64_t image_ = 0;
  std::uint64_t image_size_ = 0;
  std::uint64_t counts_ = 0;
  bool attached_ = false;
};

// The image as it is to stand in the process's memory from `base` on.
std::vector<std::byte> image_at(const DynamicImage& image, std::span<const std::byte> file,
                                std::uint64_t base) {
  std::vector<std::byte> memory(page_end(image.size()));
  for (const Elf64_Phdr& segment : image.segments()) {
    if (segment.p_type == PT_LOAD)
      std::memcpy(&memory[segment.p_vaddr], &file[segment.p_offset], segment.p_filesz);
  }
  bool others = false;
  for (const Elf64_Rela& relocation : image.relative_relocations(others)) {
    const std::uint64_t address = base + static_cast<std::uint64_t>(relocation.r_addend);
    std::memcpy(&memory[relocation.r_offset], &address, sizeof address);
  }
  return memory;
}

// Writes one segment of the image into its place, with the rights that it needs. Returns "", or why
// not.
std::string place(Tracee& process, const Elf64_Phdr& segment, const std::byte* content,
                  std::uint64_t base) {
  const std::uint64_t begin = base + page_begin(segment.p_vaddr);
  const std::uint64_t length = base + page_end(segment.p_vaddr + segment.p_memsz) - begin;
  if ((segment.p_flags & PF_X) != 0) {
    // What was written to may nowhere become code where that is forbidden (PR_SET_MDWE, systemd's
    // MemoryDenyWriteExecute=). So it is code from the beginning, and written as debuggers do.
    const long done =
        process.system_call(SYS_mmap, {begin, length, PROT_READ | PROT_EXEC,
                                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, kNoFile, 0});
    if (failed(done)) return "it may not run what is mapped: " + error_of(done);
    if (!process.write_code(base + segment.p_vaddr, content, segment.p_filesz))
      return "its memory can't be written: " + error_text(errno);
    return "";
  }
  if (!process.write(base + segment.p_vaddr, content, segment.p_filesz))
    return "its memory can't be written: " + error_text(errno);
  if ((segment.p_flags & PF_W) == 0) process.system_call(SYS_mprotect, {begin, length, PROT_READ});
  return "";
}

// Whether what stands at `base` is this build's image, to the last byte of its code.
bool is_this_build(pid_t pid, std::uint64_t base) {
  const std::span<const std::byte> file = image_bytes();
  const std::uint64_t originals = own_symbol("originals");
  const DynamicImage image(file);
  for (const Elf64_Phdr& segment : image.segments()) {
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    std::vector<std::byte> there(segment.p_filesz);
    if (!read_memory(pid, base + segment.p_vaddr, there.data(), there.size())) return false;
    const auto here = file.subspan(segment.p_offset, segment.p_filesz);
    if (originals >= segment.p_vaddr && originals < segment.p_vaddr + segment.p_filesz)
      std::copy_n(&here[originals - segment.p_vaddr], kServedFunctions.size() * kOriginalSize,
                  &there[originals - segment.p_vaddr]);
    if (!std::equal(there.begin(), there.end(), here.begin())) return false;
  }
  return true;
}

// Whether an image of ours, of whatever build, begins at this address.
bool is_image(pid_t pid, std::uint64_t base) {
  std::vector<char> page(live::kPage);
  constexpr std::string_view kName = "clockshim_image_clock_gettime";
  char magic[SELFMAG];
  return read_memory(pid, base, magic, sizeof magic) &&
         std::string_view(magic, SELFMAG) == ELFMAG &&
         read_memory(pid, base, page.data(), page.size()) &&
         std::search(page.begin(), page.end(), kName.begin(), kName.end()) != page.end();
}

// What stands at the beginning of a function: the kernel's own bytes, or a jump to somewhere.
Entries entry_of(const Vdso& vdso, std::string_view name, std::uint64_t& target) {
  const VdsoFunction function = find_function(vdso, name);
  const VdsoFunction original = find_function(own_vdso(), name);
  if (function.code.size() < kJumpSize || original.code.size() < kJumpSize) return Entries::strange;
  if (std::equal(function.code.begin(), function.code.begin() + kJumpSize, original.code.begin()))
    return Entries::original;
  target = target_of_jump(function.code, function.at);
  return target != 0 ? Entries::ours : Entries::strange;
}

// Of this build's image in the process: what it counts in.
void read_counts(pid_t pid, FoundImage& found) {
  const auto header = std::make_unique<live::Header>();
  if (!read_memory(pid, found.base + own_symbol("settings") + offsetof(ImageSettings, region),
                   &found.counts, sizeof found.counts) ||
      !read_memory(pid, found.counts, static_cast<void*>(header.get()), sizeof *header) ||
      std::memcmp(header->magic, live::kMagic, sizeof header->magic) != 0)
    return;
  found.shared = header->token != 0;
  found.start_ticks = header->start_ticks;
  if (!found.shared || std::memchr(header->link, '\0', sizeof header->link) == nullptr) return;
  // As whoever made the link has seen it: the process in its container, or we.
  const std::string root = "/proc/" + std::to_string(pid) + "/root";
  for (const std::string& link : {root + header->link, std::string(header->link)}) {
    live::Segment named;
    if (live::read_link(AT_FDCWD, link.c_str(), named) && named.token == header->token)
      found.segment = named;
  }
}

}  // namespace

void find_images(pid_t pid, const Vdso& vdso, FoundImages& out) {
  std::uint64_t target = 0;
  for (const std::string_view name : kServedFunctions) {
    const Entries entries = entry_of(vdso, name, target);
    if (entries != Entries::original) out.entries = entries;
    if (entries == Entries::strange) return;
  }
  for (const MappedRange& mapped : memory_map_of(pid)) {
    if (!mapped.path.empty() || !mapped.rights.starts_with("r-") || !is_image(pid, mapped.begin))
      continue;
    FoundImage found;
    found.base = mapped.begin;
    found.ours = is_this_build(pid, found.base);
    if (found.ours) read_counts(pid, found);
    out.all.push_back(found);
  }
  if (out.entries != Entries::ours) return;
  // The mappings of an image follow each other, so the jump leads to the last one that begins
  // before its target.
  for (const FoundImage& found : out.all) {
    if (found.base <= target) out.connected = &found;
  }
  if (out.connected == nullptr) out.entries = Entries::strange;
}

ImageInProcess::ImageInProcess(const Vdso& vdso)
    : vdso_(vdso), image_(image_bytes()), size_(page_end(image_.size())) {}

// Where a function begins with what can't be moved, the system call has to do: that is right, but
// as slow as the kernel.
void ImageInProcess::move_originals(std::vector<std::byte>& memory) const {
  constexpr std::array<std::uint32_t, kServedFunctions.size()> kSystemCalls{SYS_clock_gettime,
                                                                            SYS_gettimeofday};
  for (std::size_t i = 0; i < kServedFunctions.size(); ++i) {
    const VdsoFunction function = find_function(vdso_, kServedFunctions[i]);
    const std::uint64_t at = original_of(kServedFunctions[i]);
    std::vector<std::uint8_t> moved = moved_entry(function.code, function.at, base_ + at).code;
    if (moved.empty() || moved.size() > kOriginalSize) {
      moved = {0xb8, 0, 0, 0, 0, 0x0f, 0x05, 0xc3};  // mov $number, %eax; syscall; ret
      std::memcpy(&moved[1], &kSystemCalls[i], sizeof kSystemCalls[i]);
    }
    std::memcpy(&memory[at], moved.data(), moved.size());
  }
}

namespace {

// Whether an image serves as these settings say, but for where its memory is: in what it counts
// already, or it does not count.
bool serves_so(const Tracee& process, const PreparedImage& prepared, const FoundImage& image) {
  if (!image.ours || image.counts == 0) return false;
  const bool same_memory = prepared.goes_on() ? image.counts == prepared.goes_on_at()
                                              : prepared.region_id() < 0 && !image.shared;
  if (!same_memory) return false;
  auto there = std::make_unique<ImageSettings>();
  auto wanted = std::make_unique<ImageSettings>();
  std::memcpy(static_cast<void*>(wanted.get()), &prepared.settings(), sizeof *wanted);
  if (!process.read(image.base + own_symbol("settings"), there.get(), sizeof *there)) return false;
  for (ImageSettings* const settings : {there.get(), wanted.get()}) {
    settings->region = nullptr;
    settings->clock_gettime = nullptr;
    settings->gettimeofday = nullptr;
  }
  // All that is between the members is zero, here and there.
  const auto one = std::as_bytes(std::span(there.get(), 1));
  const auto other = std::as_bytes(std::span(wanted.get(), 1));
  return std::equal(one.begin(), one.end(), other.begin());
}

}  // namespace

std::string ImageInProcess::write(Tracee& process, const ImageSettings& settings) const {
  std::vector<std::byte> memory = image_at(image_, image_bytes(), base_);
  move_originals(memory);
  for (const Elf64_Phdr& segment : image_.segments()) {
    if (segment.p_type != PT_LOAD || segment.p_memsz == 0) continue;
    std::string why_not = place(process, segment, &memory[segment.p_vaddr], base_);
    if (!why_not.empty()) return why_not;
  }
  if (!process.write(base_ + own_symbol("settings"), &settings, sizeof settings))
    return "its memory can't be written: " + error_text(errno);
  const std::uint64_t stack = base_ + own_symbol("stack") + kImageStack;
  return process.run(base_ + own_symbol("entry"), stack) ? "" : "the image did not start";
}

std::string ImageInProcess::put_into(Tracee& process, PreparedImage& prepared,
                                     const FoundImages& before,
                                     const std::vector<std::uint64_t>& rooms) {
  for (const std::string_view name : kServedFunctions) {
    if (!takes_jump(find_function(vdso_, name).code)) return "its vDSO takes no jump";
  }
  for (const FoundImage& image : before.all) {
    if (!serves_so(process, prepared, image)) continue;
    base_ = image.base;
    little_stacks_ = prepared.settings().on_little_stack_size != 0;
    return "";
  }
  Mappings mapped(process);
  if (std::string why_not = mapped.map_image(size_, rooms, vdso_.at); !why_not.empty())
    return why_not;
  base_ = mapped.image();
  ImageSettings& settings = prepared.settings();
  if (prepared.goes_on()) {
    settings.region = reinterpret_cast<live::Region*>(prepared.goes_on_at());
  } else {
    if (std::string why_not = mapped.map_counts(prepared.region_id()); !why_not.empty())
      return why_not;
    settings.region = reinterpret_cast<live::Region*>(mapped.counts());
  }
  little_stacks_ = settings.on_little_stack_size != 0;
  settings.clock_gettime =
      reinterpret_cast<int (*)(clockid_t, timespec*)>(base_ + original_of("clock_gettime"));
  settings.gettimeofday =
      reinterpret_cast<int (*)(timeval*, void*)>(base_ + original_of("gettimeofday"));
  if (std::string why_not = write(process, settings); !why_not.empty()) return why_not;
  mapped.keep();
  return "";
}

std::uint64_t ImageInProcess::moved_place(std::uint64_t pc) const {
  for (const std::string_view name : kServedFunctions) {
    const VdsoFunction function = find_function(vdso_, name);
    const std::uint64_t to = base_ + original_of(name);
    if (!is_displaced(pc, function.at)) continue;
    const MovedEntry moved = moved_entry(function.code, function.at, to);
    for (const auto& [was, is] : moved.places) {
      if (!moved.code.empty() && function.at + was == pc) return to + is;
    }
    return 0;
  }
  return pc;
}

bool ImageInProcess::connect(const Tracee& process) const {
  return std::all_of(
      kServedFunctions.begin(), kServedFunctions.end(), [&](const std::string_view name) {
        const VdsoFunction function = find_function(vdso_, name);
        const auto code = jump(function.at, base_ + function_of(name, little_stacks_));
        return process.poke(function.at, code.data(), code.size());
      });
}

bool ImageInProcess::disconnect(const Tracee& process, const Vdso& vdso) {
  return std::all_of(
      kServedFunctions.begin(), kServedFunctions.end(), [&](const std::string_view name) {
        const VdsoFunction original = find_function(own_vdso(), name);
        return process.poke(find_function(vdso, name).at, original.code.data(), kJumpSize);
      });
}

void ImageInProcess::end_counting(const Tracee& process, const FoundImage& found) {
  if (!found.ours || found.counts == 0) return;
  auto header = std::make_unique<live::Header>();
  if (!process.read(found.counts, static_cast<void*>(header.get()), sizeof *header)) return;
  SharedRegion::end(*header);
  const std::uint64_t at = found.counts;
  process.write(at + offsetof(live::Header, ended), static_cast<void*>(&header->ended),
                sizeof header->ended);
  process.write(at + offsetof(live::Header, state), static_cast<void*>(&header->state),
                sizeof header->state);
}

}  // namespace clockshim::cli
