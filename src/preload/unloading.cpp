// dlclose: what is loaded in the place of a module that is gone must not be taken for it.
//
// When the real dlclose() has returned, another thread may load a module into the same place and
// call the clock from there, before we have retired what was counted under those addresses. So both
// happen under the loader's lock, which each loading takes. No call of the C library's takes it for
// us, but one holds it while it calls back: dlsym(), which runs the resolver of an indirect
// function (STT_GNU_IFUNC). The lock may be taken again by its owner, and dlclose() holds it
// itself, also while it runs the destructors of what it unloads: nobody waits for us who would not
// have waited for it.
//
// Where dlsym() does not call back (another one stands before it), it is done behind the real
// dlclose(), as well as it goes.
#include <dlfcn.h>

#include <atomic>
#include <cerrno>

#include "base/attributes.h"
#include "callsite/site_table.h"

using namespace clockshim;

namespace {

struct Closing {
  int (*real)(void*);
  void* handle;
  int result = 0;
  int error = 0;
  bool done = false;
};

// What the thread has to do once it has the lock. Volatile: the C library's headers promise that
// dlsym() does not come back to us.
CLOCKSHIM_TLS Closing* volatile t_closing = nullptr;

void close_and_retire(Closing& closing, bool locked) noexcept {
  closing.result = closing.real(closing.handle);
  closing.error = errno;
  closing.done = true;
  g_sites.retire_unloaded(locked);
}

void nothing() noexcept {}

}  // namespace

extern "C" {
using Nothing = void (*)();
// Anybody may look the function up. It does nothing then.
[[maybe_unused]] static Nothing clockshim_has_loader_lock() noexcept {
  Closing* const closing = t_closing;
  t_closing = nullptr;  // a destructor may close another module
  if (closing != nullptr) close_and_retire(*closing, true);
  return nothing;
}
__attribute__((visibility("default"), ifunc("clockshim_has_loader_lock"))) void
clockshim_under_loader_lock();
}

CLOCKSHIM_EXPORT int dlclose(void* handle) noexcept {
  static std::atomic<void*> next{nullptr};
  if (next.load(std::memory_order_acquire) == nullptr)
    next.store(dlsym(RTLD_NEXT, "dlclose"), std::memory_order_release);
  Closing closing{.real = reinterpret_cast<int (*)(void*)>(next.load(std::memory_order_acquire)),
                  .handle = handle};
  if (closing.real == nullptr) {
    errno = ENOSYS;
    return -1;
  }
  t_closing = &closing;
  static_cast<void>(dlsym(RTLD_DEFAULT, "clockshim_under_loader_lock"));
  t_closing = nullptr;
  const volatile bool& done = closing.done;
  if (!done) close_and_retire(closing, false);
  errno = closing.error;
  return closing.result;
}
