#include "cli/inject/process_code.h"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <set>
#include <span>
#include <sstream>

#include "cli/inject/memory_map.h"
#include "cli/inject/proc_files.h"
#include "cli/inject/vdso.h"
#include "live/describe.h"
#include "live/layout.h"
#include "os/base_name.h"
#include "symbolize/wrapper_code.h"

namespace clockshim::cli {
namespace {

// The kernel writes a line's end in a file's name as \012 there.
std::string as_in_maps(std::string path) {
  for (std::size_t at = 0; (at = path.find('\n', at)) != std::string::npos;)
    path.replace(at, 1, "\\012");
  return path;
}

// A path by which what is mapped there can be read. "" for `path` is the program. The process may
// be in a container, or have changed its root, and the file may have been removed or replaced: root
// may open what is mapped itself.
std::string file_of(pid_t pid, std::uint64_t begin, std::uint64_t end, const std::string& path) {
  if (path.empty()) return proc_file(pid, "exe");
  std::ostringstream range;
  range << "map_files/" << std::hex << begin << '-' << end;
  const std::string mapped = proc_file(pid, range.str());
  return access(mapped.c_str(), R_OK) == 0 ? mapped : proc_file(pid, "root" + path);
}

}  // namespace

bool has_library(pid_t pid, const std::vector<MappedRange>& map, const FoundImages& images) {
  return std::any_of(map.begin(), map.end(), [&](const MappedRange& mapped) {
    const std::string name = base_name(mapped.path);
    if (name == "libclockshim.so" || name == "libclockshim.so (deleted)") return true;
    char magic[sizeof live::kMagic];
    // It counts in a segment, whatever its file is called, and our images' are known.
    return name.starts_with("SYSV") && read_memory(pid, mapped.begin, magic, sizeof magic) &&
           std::equal(std::begin(magic), std::end(magic), std::begin(live::kMagic)) &&
           std::none_of(images.all.begin(), images.all.end(), [&](const FoundImage& image) {
             return !image.ours || image.counts == mapped.begin;
           });
  });
}

std::string describe_code(pid_t pid, const std::string& executable, ImageSettings& settings) {
  const std::string own = as_in_maps(executable);
  const std::vector<MappedRange> map = memory_map_of(pid);
  std::set<std::string> with_code;
  for (const MappedRange& range : map) {
    if (range.rights.size() > 2 && range.rights[2] == 'x') with_code.insert(range.path);
  }
  for (const auto& [begin, end, rights, mapped] : map) {
    if (!mapped.starts_with('/') || !with_code.contains(mapped)) continue;
    std::string path = mapped;
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
    const WrapperFile file = read_wrapper_file(file_of(pid, begin, end, is_own ? "" : path));
    if (!file.unclear.empty()) return file.unclear;
    ImageModule& module = settings.modules[settings.modules_used++];
    module.start = begin;
    module.end = end;
    module.load_bias = begin - file.first_address;
    module.build_id_size =
        static_cast<std::uint8_t>(std::min(file.build_id.size(), sizeof module.build_id));
    std::copy_n(file.build_id.begin(), module.build_id_size, module.build_id);
    live::put(module.path, path);
    if (const CodeRange& range = file.on_little_stack; !range.empty()) {
      // There is one Go in a process; were there two, what is between them may use our stacks, too.
      const std::uint64_t first = range.begin + module.load_bias;
      const std::uint64_t before = settings.on_little_stack;
      settings.on_little_stack = before != 0 ? std::min(before, first) : first;
      settings.on_little_stack_size =
          std::max(before + settings.on_little_stack_size, range.end + module.load_bias) -
          settings.on_little_stack;
    }
    for (const WrapperStretch& stretch : file.wrappers) {
      if (settings.wrappers_used == kMostWrapperCode) break;
      settings.wrappers[settings.wrappers_used++] = {stretch.begin + module.load_bias,
                                                     stretch.end + module.load_bias,
                                                     stretch.cfa_offset,
                                                     stretch.saved_frame,
                                                     stretch.from_frame,
                                                     stretch.other_stack};
    }
  }
  std::sort(settings.wrappers, settings.wrappers + settings.wrappers_used,
            [](const WrapperCode& a, const WrapperCode& b) { return a.begin < b.begin; });
  return "";
}

}  // namespace clockshim::cli
