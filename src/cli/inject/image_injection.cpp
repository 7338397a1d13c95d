#include "cli/inject/image_injection.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <memory>
#include <span>
#include <sstream>
#include <vector>

#include "arch/cpu_features.h"
#include "cli/inject/dynamic_image.h"
#include "cli/inject/image_bytes.h"
#include "cli/inject/tracee.h"
#include "image/contract.h"
#include "live/describe.h"
#include "live/folder.h"
#include "live/region.h"
#include "live/segment.h"
#include "os/base_name.h"
#include "os/clocksource.h"
#include "os/counter_cost.h"
#include "os/counters_plan.h"
#include "os/current_cpu.h"
#include "os/descriptor.h"
#include "os/error_text.h"
#include "os/possible_cpus.h"
#include "os/process.h"
#include "os/read_file.h"
#include "os/real_clock.h"
#include "symbolize/wrapper_code.h"

namespace clockshim::cli {
namespace {

constexpr std::uint64_t kPageMask = live::kPage - 1;
constexpr std::uint64_t page_end(std::uint64_t address) {
  return (address + kPageMask) & ~kPageMask;
}
constexpr std::uint64_t page_begin(std::uint64_t address) { return address & ~kPageMask; }

// The longest image of the kernel's that is looked at; it has 8 KiB today.
constexpr std::uint64_t kLongestVdso = 64U << 10;

bool failed(long result) { return result < 0 && result > -4096; }

std::string proc(pid_t pid, const char* file) {
  return "/proc/" + std::to_string(pid) + "/" + file;
}

std::string content_of(const std::string& path) {
  constexpr std::size_t kMost = 1U << 20;
  std::string text;
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  read_all(file.get(), text, kMost);
  return text;
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

template <std::size_t N>
void put(char (&field)[N], const std::string& text) {
  std::memcpy(field, text.data(), std::min(text.size(), N - 1));
}

// The kernel writes a line's end in a file's name as \012 there.
std::string as_in_maps(std::string path) {
  for (std::size_t at = 0; (at = path.find('\n', at)) != std::string::npos;)
    path.replace(at, 1, "\\012");
  return path;
}

// The files that are mapped into the process, and the wrappers in them. What it executes may have
// been removed or replaced meanwhile, so that is read as the process has it.
void describe_code(pid_t pid, const std::string& executable, ImageSettings& settings) {
  const std::string own = as_in_maps(executable);
  std::istringstream maps(content_of(proc(pid, "maps")));
  for (std::string line; std::getline(maps, line);) {
    std::istringstream words(line);
    std::string range;
    std::string rights;
    std::string offset;
    std::string device;
    std::string inode;
    std::string path;
    words >> range >> rights >> offset >> device >> inode >> std::ws;
    std::getline(words, path);
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    const char* const last = range.data() + range.size();
    const auto [dash, error] = std::from_chars(range.data(), last, begin, 16);
    if (error != std::errc{} || dash == last || !path.starts_with('/')) continue;
    std::from_chars(dash + 1, last, end, 16);
    const bool is_own = path == own;
    if (is_own) path = executable;
    const auto used = std::span(settings.modules, settings.modules_used);
    const auto known = std::find_if(used.begin(), used.end(), [&path](const ImageModule& module) {
      return path.compare(0, live::kModulePath - 1, module.path) == 0;
    });
    if (known != used.end()) {
      known->end = end;
      continue;
    }
    if (settings.modules_used == kImageModules) break;
    const WrapperFile file = read_wrapper_file(is_own ? proc(pid, "exe") : path);
    ImageModule& module = settings.modules[settings.modules_used++];
    module.start = begin;
    module.end = end;
    module.load_bias = begin - file.first_address;
    module.build_id_size =
        static_cast<std::uint8_t>(std::min(file.build_id.size(), sizeof module.build_id));
    std::copy_n(file.build_id.begin(), module.build_id_size, module.build_id);
    put(module.path, path);
    for (const WrapperStretch& stretch : file.wrappers) {
      if (settings.wrappers_used == kMostWrapperCode) break;
      settings.wrappers[settings.wrappers_used++] = {
          stretch.begin + module.load_bias, stretch.end + module.load_bias, stretch.cfa_offset,
          stretch.saved_frame, stretch.from_frame};
    }
  }
  std::sort(settings.wrappers, settings.wrappers + settings.wrappers_used,
            [](const WrapperCode& a, const WrapperCode& b) { return a.begin < b.begin; });
}

// What a process is served by, and how its report calls that.
struct Plan {
  std::string clocksource;
  std::string mode;
  std::string reason;
};

Plan plan_service(const Settings& settings, ImageSettings& out) {
  Plan plan;
  plan.clocksource = current_clocksource();
  plan.mode = "passthrough";
  out.uncounted = settings.profile == Profile::off;
  out.cpus = possible_cpus();
  out.tolerance = settings.tolerance.raw();
  out.granularity = clocksource_granularity(plan.clocksource).raw();
  out.coarse_tick = coarse_tick().raw();
  CpuCounter counter;
  if (!settings.serving_errors.empty()) {
    plan.reason = "a setting can't be used";
  } else if (settings.tolerance == Nanos{0}) {
    plan.reason = "CLOCKSHIM_TOLERANCE=0: count, serve nothing";
  } else if (counter_forbidden()) {
    plan.reason = "PR_SET_TSC forbids the time stamp counter here";
  } else if (counter_expensive()) {
    plan.reason = "reading the time stamp counter costs more than the clock does";
  } else if (plan.clocksource != "tsc" && !counter_invariant() && !in_virtual_machine()) {
    plan.reason = "the CPU does not promise an invariant TSC";
  } else if (counter.find()) {
    const CountersPlan counters = plan_counters(settings, plan.clocksource, out.cpus, counter);
    out.clocks = settings.clocks;
    out.per_cpu = counters.per_cpu;
    out.may_promote = counters.may_promote;
    out.aligned = counters.offsets != nullptr;
    if (out.aligned) std::copy_n(counters.offsets, kCountersCpus, out.offsets);
    plan.mode = counters.mode;
    plan.reason = counters.reason;
  }
  return plan;
}

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

}  // namespace

// The memory in which the process will count: a segment with a name, as the library makes one.
class SharedRegion {
 public:
  ~SharedRegion() {
    if (region_ == nullptr) return;
    if (!kept_) {
      live::remove_segment(segment_);
      if (path_[0] != '\0') unlink(path_);
    }
    live::detach_segment(region_);
  }
  // Returns "", or why there is none.
  std::string make(const live::Header& header, const std::string& folder) {
    int error = 0;
    void* const memory = live::room_for_segments() ? live::make_segment(live::kSizeWithFewNames,
                                                                        live::own_ipc_namespace(),
                                                                        nullptr, segment_, error)
                                                   : nullptr;
    if (memory == nullptr) return "no shared memory: " + error_text(error != 0 ? error : ENOSPC);
    region_ = static_cast<live::Region*>(memory);
    live::Header own{};
    std::memcpy(static_cast<void*>(&own), static_cast<const void*>(&header), sizeof own);
    own.token = segment_.token;
    own.paths_seen = live::own_paths_seen();
    live::begin_region(*region_, own, live::kSizeWithFewNames);
    region_->header.token = segment_.token;
    unsigned name = 0;
    const live::NamingProblem why =
        live::name_segment(segment_, own, folder.c_str(), name, path_, sizeof path_);
    if (why) return folder + ": " + (why.words != nullptr ? why.words : error_text(why.error));
    std::memcpy(region_->header.link, path_, sizeof path_);
    return "";
  }
  // From here on another process counts in it.
  void keep() { kept_ = true; }
  // Nobody has counted in it, and nobody is left who could.
  void remove_if_unused() {
    const live::State state = region_->header.state.load(std::memory_order_relaxed);
    shmid_ds info{};
    if (state == live::State::none && shmctl(segment_.id, IPC_STAT, &info) == 0 &&
        info.shm_nattch == 1)
      kept_ = false;
  }
  [[nodiscard]] int id() const { return segment_.id; }
  [[nodiscard]] live::Header& header() const { return region_->header; }

 private:
  live::Segment segment_;
  live::Region* region_ = nullptr;
  char path_[live::kLongestPath]{};
  bool kept_ = false;
};

ImageInjection::ImageInjection(Settings settings) : settings_(std::move(settings)) {}
ImageInjection::~ImageInjection() = default;

// The library does the same in the process itself (preload/live_file.cpp, mark_ended()).
void ImageInjection::process_has_ended(bool orderly) {
  if (region_ == nullptr) return;
  region_->remove_if_unused();
  if (!orderly) return;
  Nanos now;
  real::read(CLOCK_MONOTONIC, now);
  region_->header().ended.store(now.raw(), std::memory_order_relaxed);
  live::State running = live::State::running;
  region_->header().state.compare_exchange_strong(running, live::State::ended,
                                                  std::memory_order_release);
}

std::string ImageInjection::inject(pid_t pid) {
  Tracee process(pid);
  // If it was killed meanwhile, there is nothing to say.
  const auto let_go = [&process](const std::string& why) {
    return process.let_go() ? why : std::string();
  };
  const std::uint64_t vdso_at = vdso_of(pid);
  if (vdso_at == 0) return let_go("the kernel gives its processes no vDSO");
  if (!cpu_has_rdtscp()) return let_go("the CPU has no rdtscp");
  std::vector<std::byte> vdso(live::kPage);
  if (!process.read(vdso_at, vdso.data(), vdso.size()))
    return let_go("its memory can't be read: " + error_text(errno));
  vdso.resize(std::min(kLongestVdso, page_end(DynamicImage(vdso).size())));
  if (!process.read(vdso_at, vdso.data(), vdso.size()) || !process.take(vdso, vdso_at))
    return let_go("its vDSO is none that is known");
  const DynamicImage kernels(vdso);
  const std::uint64_t clock_gettime_at = kernels.find("__vdso_clock_gettime");
  const std::uint64_t gettimeofday_at = kernels.find("__vdso_gettimeofday");
  if (clock_gettime_at == 0 || gettimeofday_at == 0)
    return let_go("its vDSO has no clock_gettime and gettimeofday");

  const std::span<const std::byte> file = image_bytes();
  const DynamicImage image(file);
  const auto settings = std::make_unique<ImageSettings>();
  const Plan plan = plan_service(settings_, *settings);

  std::error_code unknown;
  const std::string executable = std::filesystem::read_symlink(proc(pid, "exe"), unknown).string();
  describe_code(pid, executable, *settings);
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
  const auto header = std::make_unique<live::Header>();
  live::describe(*header, settings_, facts);
  auto region = std::make_unique<SharedRegion>();
  const std::string folder =
      settings_.dir.empty() ? "/dev/shm/clockshim-" + std::to_string(geteuid()) : settings_.dir;
  if (!settings->uncounted) uncounted_ = region->make(*header, folder);

  // From here on the process's memory changes. Whatever fails, what was mapped is unmapped.
  const auto map = [&process](std::uint64_t size) {
    return process.system_call(SYS_mmap, {0, size, PROT_READ | PROT_WRITE,
                                          MAP_PRIVATE | MAP_ANONYMOUS, ~std::uint64_t{0}, 0});
  };
  const std::uint64_t size = page_end(image.size());
  const long mapped = map(size);
  if (failed(mapped))
    return let_go("it can't map memory: " + error_text(static_cast<int>(-mapped)));
  const auto base = static_cast<std::uint64_t>(mapped);
  const auto undo = [&](const std::string& why) {
    process.system_call(SYS_munmap, {base, size});
    return let_go(why);
  };
  const bool shared = uncounted_.empty() && !settings->uncounted;
  const long counts =
      shared ? process.system_call(SYS_shmat, {static_cast<unsigned>(region->id()), 0, 0})
             : map(live::kSizeWithFewNames);
  if (failed(counts))
    return undo("it can't attach memory: " + error_text(static_cast<int>(-counts)));
  settings->region = reinterpret_cast<live::Region*>(counts);
  settings->clock_gettime =
      reinterpret_cast<int (*)(clockid_t, timespec*)>(vdso_at + clock_gettime_at);
  settings->gettimeofday = reinterpret_cast<int (*)(timeval*, void*)>(vdso_at + gettimeofday_at);

  const std::vector<std::byte> memory = image_at(image, file, base);
  const std::uint64_t settings_at = image.find("clockshim_image_settings");
  for (const Elf64_Phdr& segment : image.segments()) {
    if (segment.p_type != PT_LOAD || segment.p_memsz == 0) continue;
    const std::uint64_t begin = base + page_begin(segment.p_vaddr);
    const std::uint64_t length = base + page_end(segment.p_vaddr + segment.p_memsz) - begin;
    const std::byte* const content = &memory[segment.p_vaddr];
    const bool code = (segment.p_flags & PF_X) != 0;
    long done = 0;
    // What was written to may nowhere become code where that is forbidden (PR_SET_MDWE, systemd's
    // MemoryDenyWriteExecute=). So it is code from the beginning, and written as debuggers do.
    if (code)
      done = process.system_call(
          SYS_mmap, {begin, length, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                     ~std::uint64_t{0}, 0});
    if (failed(done))
      return undo("it may not run what is mapped: " + error_text(static_cast<int>(-done)));
    if (code ? !process.write_code(base + segment.p_vaddr, content, segment.p_filesz)
             : !process.write(base + segment.p_vaddr, content, segment.p_filesz))
      return undo("its memory can't be written: " + error_text(errno));
    if (!code && (segment.p_flags & PF_W) == 0)
      process.system_call(SYS_mprotect, {begin, length, PROT_READ});
  }
  if (!process.write(base + settings_at, settings.get(), sizeof *settings))
    return undo("its memory can't be written: " + error_text(errno));
  if (!process.run(base + image.find("clockshim_image_entry")))
    return undo("the image did not start");

  for (const DynamicImage::Symbol& symbol : kernels.symbols()) {
    std::string_view name = symbol.name;
    constexpr std::string_view kPrefix = "__vdso_";
    if (name.starts_with(kPrefix)) name.remove_prefix(kPrefix.size());
    if (name != "clock_gettime" && name != "gettimeofday") continue;
    const std::uint64_t at = base + image.find("clockshim_image_" + std::string(name)) - vdso_at;
    if (!process.poke(vdso_at + symbol.value_at, &at, sizeof at))
      return let_go("its vDSO can't be changed: " + error_text(errno));
  }
  if (shared) {
    region->keep();
    region_ = std::move(region);
  }
  mode_ = plan.mode;
  mode_reason_ = plan.reason;
  process.let_go();
  return "";
}

}  // namespace clockshim::cli
