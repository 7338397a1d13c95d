#include "cli/inject/vdso.h"

#include <elf.h>
#include <sys/auxv.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "cli/inject/dynamic_image.h"
#include "cli/inject/proc_files.h"
#include "live/layout.h"
#include "os/error_text.h"
#include "os/read_file.h"

namespace clockshim::cli {
namespace {

// The longest image of the kernel's that is looked at; it has 8 KiB today.
constexpr std::uint64_t kLongest = 64U << 10;

std::uint64_t size_of(const std::vector<std::byte>& beginning) {
  const std::uint64_t size = DynamicImage(beginning).size();
  return std::min(kLongest, (size + live::kPage - 1) / live::kPage * live::kPage);
}

}  // namespace

bool read_memory(pid_t pid, std::uint64_t from, void* to, std::size_t size) {
  const iovec own{to, size};
  const iovec theirs{reinterpret_cast<void*>(from), size};
  return process_vm_readv(pid, &own, 1, &theirs, 1, 0) == static_cast<ssize_t>(size);
}

std::string read_vdso(pid_t pid, Vdso& out) {
  out.at = auxiliary_value(content_of(proc_file(pid, "auxv")), AT_SYSINFO_EHDR);
  if (out.at == 0) return "the kernel gives its processes no vDSO, or /proc can't be read";
  out.bytes.resize(live::kPage);
  if (!read_memory(pid, out.at, out.bytes.data(), out.bytes.size()))
    return "its memory can't be read: " + error_text(errno);
  out.bytes.resize(size_of(out.bytes));
  if (out.bytes.empty() || !read_memory(pid, out.at, out.bytes.data(), out.bytes.size()))
    return "its vDSO is none that is known";
  for (const std::string_view name : kServedFunctions) {
    if (find_function(out, name).at == 0) return "its vDSO has no clock_gettime and gettimeofday";
  }
  return "";
}

const Vdso& own_vdso() {
  static const Vdso kOwn = [] {
    Vdso out;
    out.at = getauxval(AT_SYSINFO_EHDR);
    if (out.at == 0) return out;
    const auto* const begin = reinterpret_cast<const std::byte*>(out.at);
    out.bytes.assign(begin, begin + live::kPage);
    const std::uint64_t size = size_of(out.bytes);
    out.bytes.assign(begin, begin + size);
    return out;
  }();
  return kOwn;
}

VdsoFunction find_function(const Vdso& vdso, std::string_view name) {
  for (const DynamicImage::Symbol& symbol : DynamicImage(vdso.bytes).symbols()) {
    if (symbol.name != "__vdso_" + std::string(name) || symbol.value >= vdso.bytes.size()) continue;
    const std::uint64_t size =
        std::min<std::uint64_t>(symbol.size, vdso.bytes.size() - symbol.value);
    return {vdso.at + symbol.value,
            {reinterpret_cast<const std::uint8_t*>(vdso.bytes.data()) + symbol.value, size}};
  }
  return {};
}

}  // namespace clockshim::cli
