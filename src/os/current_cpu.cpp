#include "os/current_cpu.h"

#include <sys/syscall.h>
#include <unistd.h>

#include "arch/cpu_features.h"
#include "os/raw_syscall.h"
#include "os/real_functions.h"

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
  const std::ptrdiff_t* const offset = real_functions().rseq_offset;
  const unsigned* const size = real_functions().rseq_size;
  if (offset != nullptr && size != nullptr && *size != 0) {
    area_ = *offset;
    how_ = How::rseq;
    if (agrees_with_kernel([this] { return ordered(); })) return true;
  }
  how_ = How::none;
  if (cpu_has_rdtscp() && agrees_with_kernel([] { return Arch::by_aux(); })) how_ = How::aux;
  return how_ != How::none;
}

bool CpuCounter::can_align() const noexcept {
  if (how_ != How::rseq) return how_ == How::aux;
  return cpu_has_rdtscp() && agrees_with_kernel([] { return Arch::by_aux(); });
}

}  // namespace clockshim
