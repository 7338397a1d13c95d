#include "os/thread_index.h"

#include <pthread.h>

namespace clockshim {
namespace {

// glibc keeps the values of a process's first keys in the thread's control block: to set one allocates nothing.
constexpr pthread_key_t kKeysInPlace = 32;

constinit bool g_watched = false;
constinit pthread_key_t g_key = 0;
using Ended = void (*)();
constinit Ended g_ended = nullptr;

// Runs among the destructors of a thread's other keys: one that comes later and asks for the time takes a number anew, and
// the C library comes here again (PTHREAD_DESTRUCTOR_ITERATIONS times; a number taken after that waits for the stack's reuse).
void thread_ended(void* /*set*/) {
  g_ended();
  g_threads.release(Arch::thread_pointer());
}

}  // namespace

unsigned this_thread_index() noexcept {
  bool fresh = false;
  const unsigned index = g_threads.index_of(Arch::thread_pointer(), fresh);
  if (fresh && g_watched) pthread_setspecific(g_key, &g_threads);
  return index;
}

bool release_at_thread_end(void (*ended)()) noexcept {
  if (pthread_key_create(&g_key, thread_ended) != 0) return false;
  g_ended = ended;
  g_watched = g_key < kKeysInPlace;
  if (!g_watched) pthread_key_delete(g_key);
  return g_watched;
}

}  // namespace clockshim
