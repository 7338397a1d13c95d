#include "os/current_cpu.h"

#include <dlfcn.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arch/cpu_features.h"
#include "os/raw_syscall.h"

namespace clockshim {
namespace {

unsigned kernels_cpu() noexcept {
  unsigned cpu = ~0U;
  raw_syscall(SYS_getcpu, &cpu);
  return cpu;
}

// Whether `reading()` agrees with the kernel. The kernel is asked before and after, because the
// thread may move in between.
template <class F>
bool agrees_with_kernel(F reading) noexcept {
  constexpr int kAttempts = 8;
  for (int i = 0; i < kAttempts; ++i) {
    const unsigned before = kernels_cpu();
    const Reading r = reading();
    if (r.cpu != kNoCpu && before == kernels_cpu()) return r.cpu == before;
  }
  return false;
}

}  // namespace

bool CpuCounter::find() noexcept {
  const auto* offset = static_cast<const std::ptrdiff_t*>(dlsym(RTLD_DEFAULT, "__rseq_offset"));
  const auto* size = static_cast<const unsigned*>(dlsym(RTLD_DEFAULT, "__rseq_size"));
  if (offset != nullptr && size != nullptr && *size != 0) {
    area_ = *offset;
    how_ = How::rseq;
    if (agrees_with_kernel([this] { return ordered(); })) return true;
  }
  how_ = How::none;
  if (cpu_has_rdtscp() && agrees_with_kernel([] { return Arch::by_aux(); })) how_ = How::aux;
  return how_ != How::none;
}

}  // namespace clockshim
