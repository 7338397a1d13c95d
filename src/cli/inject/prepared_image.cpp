#include "cli/inject/prepared_image.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <utility>
#include <vector>

#include "cli/inject/proc_files.h"
#include "cli/inject/process_code.h"
#include "live/describe.h"
#include "os/base_name.h"
#include "os/clocksource.h"
#include "os/counters_plan.h"
#include "os/current_cpu.h"
#include "os/descriptor.h"
#include "os/error_text.h"
#include "os/pass_through.h"
#include "os/possible_cpus.h"
#include "os/process.h"
#include "os/read_file.h"
#include "os/write.h"

namespace clockshim::cli {
namespace {

struct Owner {
  uid_t user;
  gid_t group;
};

// Whose files a process makes: /proc/PID/status has real, effective, saved and file system's ids.
Owner owner_of(pid_t pid) {
  const long user = last_number(status_line(pid, "Uid"));
  const long group = last_number(status_line(pid, "Gid"));
  return {user < 0 ? geteuid() : static_cast<uid_t>(user),
          group < 0 ? getegid() : static_cast<gid_t>(group)};
}

// For a moment we make files as somebody else does. Only root can.
class As {
 public:
  explicit As(Owner owner) : user_(geteuid()), group_(getegid()) {
    if (owner.user == user_) return;
    changed_ = setegid(owner.group) == 0 && seteuid(owner.user) == 0;
  }
  ~As() {
    if (!changed_) return;
    static_cast<void>(seteuid(user_));
    static_cast<void>(setegid(group_));
  }
  As(const As&) = delete;
  As& operator=(const As&) = delete;

 private:
  uid_t user_;
  gid_t group_;
  bool changed_ = false;
};

ino_t inode_of(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

// A process's namespace that we are not in.
struct Namespace {
  Descriptor descriptor;
  int kind;
};

// Those of memory and of files, as far as they are others than ours. Returns 0, or an errno. They
// are opened before any is entered: in another there may be another /proc.
int other_namespaces(pid_t pid, std::vector<Namespace>& out) {
  struct Kind {
    const char* name;
    int number;
  };
  for (const Kind& kind : {Kind{"ns/ipc", CLONE_NEWIPC}, Kind{"ns/mnt", CLONE_NEWNS}}) {
    if (inode_of(proc_file(pid, kind.name)) == inode_of(std::string("/proc/self/") + kind.name))
      continue;
    Descriptor descriptor(open(proc_file(pid, kind.name).c_str(), O_RDONLY | O_CLOEXEC));
    if (descriptor.get() < 0) return errno;
    out.push_back({std::move(descriptor), kind.number});
  }
  return 0;
}

int enter(const std::vector<Namespace>& spaces) {
  for (const Namespace& space : spaces) {
    if (setns(space.descriptor.get(), space.kind) != 0) return errno;
  }
  return 0;
}

}  // namespace

void PreparedImage::plan(const Settings& settings) {
  clocksource_ = current_clocksource();
  image_->uncounted = settings.profile == Profile::off;
  image_->cpus = possible_cpus();
  image_->tolerance = settings.tolerance.raw();
  image_->granularity = clocksource_granularity(clocksource_).raw();
  image_->coarse_tick = coarse_tick().raw();
  mode_reason_ = reason_to_pass_through(settings, clocksource_);
  if (!mode_reason_.empty()) return;
  CpuCounter counter;
  // The library may have rseq; the image has rdtscp alone.
  if (!counter.find() || !counter.can_align()) {
    mode_reason_ = "rdtscp does not say here which CPU it was read on";
    return;
  }
  const CountersPlan counters = plan_counters(settings, clocksource_, image_->cpus, counter);
  image_->clocks = settings.clocks;
  image_->per_cpu = counters.per_cpu;
  image_->may_promote = counters.may_promote;
  image_->aligned = counters.offsets != nullptr;
  if (image_->aligned) std::copy_n(counters.offsets, kCountersCpus, image_->offsets);
  mode_ = counters.mode;
  mode_reason_ = counters.reason;
}

std::string PreparedImage::describe(pid_t pid, const Settings& settings, std::uint32_t run_pid) {
  std::error_code unknown;
  const std::string executable =
      std::filesystem::read_symlink(proc_file(pid, "exe"), unknown).string();
  const std::string program = base_name(executable);
  const long own_number = last_number(status_line(pid, "NSpid"));
  if (std::string why_not = describe_code(pid, executable, *image_); !why_not.empty())
    return why_not;
  live::ProcessFacts facts;
  facts.pid = static_cast<std::uint32_t>(own_number > 0 ? own_number : pid);
  facts.start_ticks = start_ticks_in(content_of(proc_file(pid, "stat")));
  facts.run_pid = run_pid;
  facts.program = program;
  facts.executable = executable;
  facts.clocksource = clocksource_;
  facts.mode = mode_;
  facts.mode_reason = mode_reason_;
  live::describe(*header_, settings, facts);
  const Owner owner = owner_of(pid);
  header_->uid = owner.user;
  owner_group_ = owner.group;
  header_->pid_namespace = inode_of(proc_file(pid, "ns/pid"));
  return "";
}

void PreparedImage::make_here(const Settings& settings, const live::Segment& before,
                              std::uint64_t ipc_namespace) {
  const As as({header_->uid, owner_group_});
  const std::string folder =
      settings.dir.empty() ? "/dev/shm/clockshim-" + std::to_string(geteuid()) : settings.dir;
  region_ = std::make_unique<SharedRegion>();
  goes_on_ = before && region_->adopt(before, *header_);
  if (!goes_on_) uncounted_ = region_->make(*header_, folder, ipc_namespace);
  if (!uncounted_.empty()) region_.reset();
  if (region_ != nullptr) region_id_ = region_->id();
}

void PreparedImage::make_elsewhere(pid_t pid, const Settings& settings, const live::Segment& before,
                                   std::uint64_t ipc_namespace) {
  std::vector<Namespace> spaces;
  int ends[2];
  const int error = other_namespaces(pid, spaces);
  if (error != 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    uncounted_ = error_text(error != 0 ? error : errno);
    return;
  }
  elsewhere_ = Descriptor(ends[0]);
  Descriptor theirs(ends[1]);
  const pid_t child = fork();
  if (child == 0) {
    elsewhere_ = Descriptor();
    if (const int refused = enter(spaces); refused != 0) {
      uncounted_ = "its namespaces can't be entered: " + error_text(refused);
    } else {
      make_here(settings, before, ipc_namespace);
    }
    write_all(theirs.get(),
              std::to_string(region_id_) + (goes_on_ ? " 1 " : " 0 ") + uncounted_ + "\n");
    char kept = 0;
    if (read(theirs.get(), &kept, 1) == 1) keep_region();
    region_.reset();
    _exit(0);
  }
  theirs = Descriptor();  // so that what is read ends if the child does
  std::string told;
  for (char c = 0; read(elsewhere_.get(), &c, 1) == 1 && c != '\n';) told += c;
  std::istringstream words(told);
  int goes_on = 0;
  if (!(words >> region_id_ >> goes_on)) {
    region_id_ = -1;
    uncounted_ = "nothing is told of its namespaces";
    return;
  }
  goes_on_ = goes_on != 0;
  words.get();
  std::getline(words, uncounted_);
}

void PreparedImage::make_region(pid_t pid, const Settings& settings, const live::Segment& before) {
  const std::uint64_t ipc_namespace = inode_of(proc_file(pid, "ns/ipc"));
  const bool elsewhere = ipc_namespace != inode_of("/proc/self/ns/ipc") ||
                         inode_of(proc_file(pid, "ns/mnt")) != inode_of("/proc/self/ns/mnt");
  if (elsewhere) {
    make_elsewhere(pid, settings, before, ipc_namespace);
  } else {
    make_here(settings, before, ipc_namespace);
  }
}

std::string PreparedImage::prepare(pid_t pid, const Settings& settings, std::uint32_t run_pid,
                                   const live::Segment& before, std::uint64_t before_at) {
  plan(settings);
  if (std::string why_not = describe(pid, settings, run_pid); !why_not.empty()) return why_not;
  goes_on_at_ = before_at;
  if (!image_->uncounted) make_region(pid, settings, before);
  return "";
}

std::unique_ptr<SharedRegion> PreparedImage::keep_region() {
  if (region_ != nullptr) region_->keep();
  if (elsewhere_.get() >= 0) {
    char kept = 1;
    static_cast<void>(!write(elsewhere_.get(), &kept, 1));
    // It has ended when nothing more is to be read.
    static_cast<void>(!read(elsewhere_.get(), &kept, 1));
  }
  return std::move(region_);
}

}  // namespace clockshim::cli
