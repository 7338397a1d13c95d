// dlclose: what is loaded in the place of a module that is gone must not be taken for it.
#include <dlfcn.h>

#include <atomic>
#include <cerrno>

#include "base/attributes.h"
#include "callsite/site_table.h"

using namespace clockshim;

CLOCKSHIM_EXPORT int dlclose(void* handle) noexcept {
  static std::atomic<void*> next{nullptr};
  if (next.load(std::memory_order_acquire) == nullptr) next.store(dlsym(RTLD_NEXT, "dlclose"), std::memory_order_release);
  const auto real = reinterpret_cast<int (*)(void*)>(next.load(std::memory_order_acquire));
  if (real == nullptr) {
    errno = ENOSYS;
    return -1;
  }
  const int result = real(handle);
  const int saved_errno = errno;
  g_sites.retire_unloaded();
  errno = saved_errno;
  return result;
}
