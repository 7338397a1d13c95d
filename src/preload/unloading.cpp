// dlclose(): a module that is loaded into the place of one that is gone must not be taken for it.
//
// When the real dlclose() has returned, another thread may load a module into the same place and
// call the clock from there, before we have retired what was counted under those addresses. So both
// happen under the loader's lock, which every load takes. The C library has no function that takes
// the lock for us, but one that holds it while it calls us back: dlsym() runs the resolver of an
// indirect function (STT_GNU_IFUNC). A thread may take the lock again while it has it, and the real
// dlclose() holds it anyway, even while it runs the destructors of what it unloads: so no thread
// waits for us that would not have waited for it.
//
// Where dlsym() does not call back (because another one is interposed), the sites are retired after
// the real dlclose(), which leaves the gap above.
#include <dlfcn.h>

#include <cerrno>

#include "base/attributes.h"
#include "callsite/call_sites.h"
#include "os/module_snapshot.h"
#include "os/real_functions.h"

using namespace clockshim;

namespace {

struct Closing {
  int (*real)(void*);
  void* handle;
  int result = 0;
  int error = 0;
  bool done = false;
};

// What this thread has to do once it has the lock. It is volatile because the C library's headers
// promise that dlsym() does not call back.
CLOCKSHIM_TLS Closing* volatile t_closing = nullptr;

void close_and_retire(Closing& closing, bool locked) noexcept {
  closing.result = closing.real(closing.handle);
  closing.error = errno;
  closing.done = true;
  refresh_snapshot();
  g_sites.retire_unloaded(locked);
}

void nothing() noexcept {}

}  // namespace

extern "C" {
using Nothing = void (*)();
// The resolver. Anybody may look the function up, and then it does nothing. It is not static,
// because then clang would give it another name.
CLOCKSHIM_HIDDEN Nothing clockshim_has_loader_lock() noexcept {
  Closing* const closing = t_closing;
  t_closing = nullptr;  // a destructor may close another module
  if (closing != nullptr) close_and_retire(*closing, true);
  return nothing;
}
__attribute__((visibility("default"), ifunc("clockshim_has_loader_lock"))) void
clockshim_under_loader_lock();
}

CLOCKSHIM_EXPORT int dlclose(void* handle) noexcept {
  // Before glibc 2.34 it is in libdl.so.2, which may have been loaded after start.
  if (real_functions().dlclose == nullptr) find_real_functions();
  Closing closing{.real = g_real_functions.dlclose.load(std::memory_order_relaxed),
                  .handle = handle};
  if (closing.real == nullptr) {
    errno = ENOSYS;
    return -1;
  }
  t_closing = &closing;
  if (const auto dlsym = g_real_functions.dlsym.load(std::memory_order_relaxed); dlsym != nullptr)
    static_cast<void>(dlsym(RTLD_DEFAULT, "clockshim_under_loader_lock"));
  t_closing = nullptr;
  const volatile bool& done = closing.done;
  if (!done) close_and_retire(closing, false);
  errno = closing.error;
  return closing.result;
}
