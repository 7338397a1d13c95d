#include "cli/inject/image_injection.h"

#include <elf.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "arch/cpu_features.h"
#include "cli/inject/dynamic_image.h"
#include "cli/inject/image_bytes.h"
#include "cli/inject/process_code.h"
#include "cli/inject/shared_region.h"
#include "cli/inject/tracee.h"
#include "image/contract.h"
#include "live/describe.h"
#include "os/base_name.h"
#include "os/clocksource.h"
#include "os/counters_plan.h"
#include "os/current_cpu.h"
#include "os/error_text.h"
#include "os/pass_through.h"
#include "os/possible_cpus.h"
#include "os/process.h"
#include "os/read_file.h"

namespace clockshim::cli {
namespace {

constexpr std::uint64_t kPageMask = live::kPage - 1;
constexpr std::uint64_t page_end(std::uint64_t address) {
  return (address + kPageMask) & ~kPageMask;
}
constexpr std::uint64_t page_begin(std::uint64_t address) { return address & ~kPageMask; }

// The longest image of the kernel's that is looked at; it has 8 KiB today.
constexpr std::uint64_t kLongestVdso = 64U << 10;

// Of a system call that another process made for us.
bool failed(long result) { return result < 0 && result > -4096; }
std::string error_of(long result) { return error_text(static_cast<int>(-result)); }

std::string proc(pid_t pid, const char* file) {
  return "/proc/" + std::to_string(pid) + "/" + file;
}

std::uint64_t vdso_of(pid_t pid) {
  const std::string vector = content_of(proc(pid, "auxv"));
  for (std::size_t at = 0; at + sizeof(Elf64_auxv_t) <= vector.size(); at += sizeof(Elf64_auxv_t)) {
    Elf64_auxv_t entry;
    std::memcpy(&entry, vector.data() + at, sizeof entry);
    if (entry.a_type == AT_SYSINFO_EHDR) return entry.a_un.a_val;
  }
  return 0;
}

// The kernel's image in the process.
struct Vdso {
  std::uint64_t at = 0;
  std::vector<std::byte> bytes{};
};

// Finds it and takes the process by it. Returns "", or why that can't be.
std::string take_by_vdso(pid_t pid, Tracee& process, Vdso& vdso) {
  vdso.at = vdso_of(pid);
  if (vdso.at == 0) return "the kernel gives its processes no vDSO, or /proc can't be read";
  vdso.bytes.resize(live::kPage);
  if (!process.read(vdso.at, vdso.bytes.data(), vdso.bytes.size()))
    return "its memory can't be read: " + error_text(errno);
  vdso.bytes.resize(std::min(kLongestVdso, page_end(DynamicImage(vdso.bytes).size())));
  if (!process.read(vdso.at, vdso.bytes.data(), vdso.bytes.size()) ||
      !process.take(vdso.bytes, vdso.at))
    return "its vDSO is none that is known";
  const DynamicImage image(vdso.bytes);
  if (image.find("__vdso_clock_gettime") == 0 || image.find("__vdso_gettimeofday") == 0)
    return "its vDSO has no clock_gettime and gettimeofday";
  return "";
}

// What a process is served by, and how its report calls that.
struct Plan {
  std::string clocksource;
  std::string mode = "passthrough";
  std::string reason{};
};

Plan plan_service(const Settings& settings, ImageSettings& out) {
  Plan plan{current_clocksource()};
  out.uncounted = settings.profile == Profile::off;
  out.cpus = possible_cpus();
  out.tolerance = settings.tolerance.raw();
  out.granularity = clocksource_granularity(plan.clocksource).raw();
  out.coarse_tick = coarse_tick().raw();
  plan.reason = reason_to_pass_through(settings, plan.clocksource);
  if (!plan.reason.empty()) return plan;
  CpuCounter counter;
  // The library may have rseq; the image has rdtscp alone.
  if (!counter.find() || !counter.can_align()) {
    plan.reason = "rdtscp does not say here which CPU it was read on";
    return plan;
  }
  const CountersPlan counters = plan_counters(settings, plan.clocksource, out.cpus, counter);
  out.clocks = settings.clocks;
  out.per_cpu = counters.per_cpu;
  out.may_promote = counters.may_promote;
  out.aligned = counters.offsets != nullptr;
  if (out.aligned) std::copy_n(counters.offsets, kCountersCpus, out.offsets);
  plan.mode = counters.mode;
  plan.reason = counters.reason;
  return plan;
}

std::unique_ptr<live::Header> header_of(pid_t pid, const std::string& executable,
                                        const Settings& settings, const Plan& plan) {
  const std::string program = base_name(executable);
  live::ProcessFacts facts;
  facts.pid = static_cast<std::uint32_t>(pid);
  facts.start_ticks = start_ticks_in(content_of(proc(pid, "stat")));
  facts.run_pid = facts.pid;
  facts.program = program;
  facts.executable = executable;
  facts.clocksource = plan.clocksource;
  facts.mode = plan.mode;
  facts.mode_reason = plan.reason;
  auto header = std::make_unique<live::Header>();
  live::describe(*header, settings, facts);
  return header;
}

// What was mapped into the process for us. It is unmapped again, unless it is kept.
class Mappings {
 public:
  explicit Mappings(Tracee& process) : process_(process) {}
  ~Mappings() {
    if (counts_ != 0 && attached_) process_.system_call(SYS_shmdt, {counts_});
    if (counts_ != 0 && !attached_) process_.system_call(SYS_munmap, {counts_, kCounts});
    if (image_ != 0) process_.system_call(SYS_munmap, {image_, image_size_});
  }
  Mappings(const Mappings&) = delete;
  Mappings& operator=(const Mappings&) = delete;

  // Maps room for the image, and the memory to count in: this segment (null: memory of its own).
  // Returns "", or why not.
  std::string map(std::uint64_t image_size, const SharedRegion* segment) {
    const long image = anonymous(image_size);
    if (failed(image)) return "it can't map memory: " + error_of(image);
    image_ = static_cast<std::uint64_t>(image);
    image_size_ = image_size;
    attached_ = segment != nullptr;
    const long counts =
        attached_ ? process_.system_call(SYS_shmat, {static_cast<unsigned>(segment->id()), 0, 0})
                  : anonymous(kCounts);
    if (failed(counts)) return "it can't attach memory: " + error_of(counts);
    counts_ = static_cast<std::uint64_t>(counts);
    return "";
  }
  void keep() { image_ = counts_ = 0; }

  [[nodiscard]] std::uint64_t image() const { return image_; }
  [[nodiscard]] std::uint64_t counts() const { return counts_; }

 private:
  static constexpr std::uint64_t kCounts = live::kSizeWithFewNames;
  long anonymous(std::uint64_t size) {
    return process_.system_call(SYS_mmap, {0, size, PROT_READ | PROT_WRITE,
                                           MAP_PRIVATE | MAP_ANONYMOUS, ~std::uint64_t{0}, 0});
  }

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
    const long done = process.system_call(
        SYS_mmap, {begin, length, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                   ~std::uint64_t{0}, 0});
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

// Points the vDSO's names for the two functions to the image's.
bool redirect(Tracee& process, const Vdso& vdso, const DynamicImage& image, std::uint64_t base) {
  for (const DynamicImage::Symbol& symbol : DynamicImage(vdso.bytes).symbols()) {
    std::string_view name = symbol.name;
    constexpr std::string_view kPrefix = "__vdso_";
    if (name.starts_with(kPrefix)) name.remove_prefix(kPrefix.size());
    if (name != "clock_gettime" && name != "gettimeofday") continue;
    const std::uint64_t at = base + image.find("clockshim_image_" + std::string(name)) - vdso.at;
    if (!process.poke(vdso.at + symbol.value_at, &at, sizeof at)) return false;
  }
  return true;
}

}  // namespace

ImageInjection::ImageInjection(Settings settings) : settings_(std::move(settings)) {}
ImageInjection::~ImageInjection() = default;

void ImageInjection::process_has_ended(bool orderly) {
  if (region_ != nullptr) region_->process_has_ended(orderly);
}

std::string ImageInjection::inject(pid_t pid) {
  Tracee process(pid);
  const std::string why_not = put_into(pid, process);
  // If it was killed meanwhile, there is nothing to say.
  return process.let_go() ? why_not : "";
}

std::string ImageInjection::put_into(pid_t pid, Tracee& process) {
  if (!cpu_has_rdtscp()) return "the CPU has no rdtscp";
  Vdso vdso;
  if (std::string why_not = take_by_vdso(pid, process, vdso); !why_not.empty()) return why_not;

  const auto settings = std::make_unique<ImageSettings>();
  const Plan plan = plan_service(settings_, *settings);
  std::error_code unknown;
  const std::string executable = std::filesystem::read_symlink(proc(pid, "exe"), unknown).string();
  describe_code(pid, executable, *settings);
  auto region = std::make_unique<SharedRegion>();
  if (!settings->uncounted) {
    const std::string folder =
        settings_.dir.empty() ? "/dev/shm/clockshim-" + std::to_string(geteuid()) : settings_.dir;
    uncounted_ = region->make(*header_of(pid, executable, settings_, plan), folder);
  }
  if (settings->uncounted || !uncounted_.empty()) region.reset();

  const DynamicImage image(image_bytes());
  Mappings mapped(process);
  if (std::string why_not = mapped.map(page_end(image.size()), region.get()); !why_not.empty())
    return why_not;
  const std::uint64_t base = mapped.image();
  const DynamicImage kernels(vdso.bytes);
  settings->region = reinterpret_cast<live::Region*>(mapped.counts());
  settings->clock_gettime = reinterpret_cast<int (*)(clockid_t, timespec*)>(
      vdso.at + kernels.find("__vdso_clock_gettime"));
  settings->gettimeofday =
      reinterpret_cast<int (*)(timeval*, void*)>(vdso.at + kernels.find("__vdso_gettimeofday"));
  const std::vector<std::byte> memory = image_at(image, image_bytes(), base);
  for (const Elf64_Phdr& segment : image.segments()) {
    if (segment.p_type != PT_LOAD || segment.p_memsz == 0) continue;
    std::string why_not = place(process, segment, &memory[segment.p_vaddr], base);
    if (!why_not.empty()) return why_not;
  }
  if (!process.write(base + image.find("clockshim_image_settings"), settings.get(),
                     sizeof *settings))
    return "its memory can't be written: " + error_text(errno);
  if (!process.run(base + image.find("clockshim_image_entry"))) return "the image did not start";

  // From the first name on the image has to stay.
  mapped.keep();
  if (region != nullptr) region->keep();
  region_ = std::move(region);
  if (!redirect(process, vdso, image, base)) return "its vDSO can't be changed";
  mode_ = plan.mode;
  mode_reason_ = plan.reason;
  return "";
}

}  // namespace clockshim::cli
