#include "cli/inject/image_injection.h"

#include <unistd.h>

#include "arch/cpu_features.h"
#include "cli/inject/image_in_process.h"
#include "cli/inject/memory_map.h"
#include "cli/inject/prepared_image.h"
#include "cli/inject/proc_files.h"
#include "cli/inject/process_code.h"
#include "cli/inject/shared_region.h"
#include "cli/inject/tracee.h"
#include "cli/inject/vdso.h"

namespace clockshim::cli {
namespace {

// The filters of system calls that it is behind, in the kernel's words. It inherits ours.
std::string filters_of(pid_t pid) {
  return status_line(pid, "Seccomp") + " " + status_line(pid, "Seccomp_filters");
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
  if (!proc_is_ours()) return "/proc is of another pid namespace";
  Vdso vdso;
  if (std::string why_not = read_vdso(pid, vdso); !why_not.empty()) return why_not;
  const std::vector<MappedRange> map = memory_map_of(pid);
  const FoundImages none;
  if (has_library(pid, map, none)) return "something else has preloaded the library";
  if (filters_of(pid) != filters_of(getpid()))
    return "it has put itself behind a filter of system calls before it has begun";
  // Where the loader starts one for a library, it may be in the middle of what is changed here.
  if (task_folders(pid).size() > 1)
    return "it has threads before it has begun (clockshim attach serves it then)";
  if (!process.take(vdso.bytes, vdso.at)) return "its vDSO is none that is known";
  PreparedImage prepared;
  if (std::string why_not = prepared.prepare(pid, settings_, static_cast<std::uint32_t>(pid));
      !why_not.empty())
    return why_not;
  uncounted_ = prepared.uncounted();
  ImageInProcess image(vdso);
  const std::vector<std::uint64_t> rooms = room_near(map, vdso.at, image.size());
  if (std::string why_not = image.put_into(process, prepared, none, rooms); !why_not.empty())
    return why_not;
  region_ = prepared.keep_region();
  if (!image.connect(process)) {
    ImageInProcess::disconnect(process, vdso);
    return "its vDSO can't be changed";
  }
  mode_ = prepared.mode();
  mode_reason_ = prepared.mode_reason();
  return "";
}

}  // namespace clockshim::cli
