#include "callsite/thread_memos.h"

#include <sys/mman.h>

#include <atomic>
#include <cerrno>

#include "base/attributes.h"
#include "os/containment.h"

namespace clockshim {
namespace {

static_assert(sizeof(ThreadMemos) <= 8192, "two pages");
static_assert(kStaticMemos * sizeof(ThreadMemos) <= 128U << 10,
              "of each process that we are loaded into");
CLOCKSHIM_LARGE constinit ThreadMemos g_first[kStaticMemos]{};
CLOCKSHIM_LARGE constinit std::atomic<ThreadMemos*> g_more[live::kThreads - kStaticMemos]{};

}  // namespace

ThreadMemos* memos_of(unsigned index) noexcept {
  if (index < kStaticMemos) return &g_first[index];
  return g_more[index - kStaticMemos].load(std::memory_order_acquire);
}

ThreadMemos* make_memos(unsigned index) noexcept {
  ThreadMemos* there = memos_of(index);
  if (there != nullptr || self_contained()) return there;
  const int saved_errno = errno;
  void* const memory = mmap(nullptr, sizeof(ThreadMemos), PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  errno = saved_errno;
  if (memory == MAP_FAILED) return nullptr;
  auto* const mine = static_cast<ThreadMemos*>(memory);  // right when all zero
  // A signal handler may have mapped them meanwhile.
  if (g_more[index - kStaticMemos].compare_exchange_strong(there, mine, std::memory_order_acq_rel))
    return mine;
  munmap(memory, sizeof(ThreadMemos));
  errno = saved_errno;
  return there;
}

}  // namespace clockshim
