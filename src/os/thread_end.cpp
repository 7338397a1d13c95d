#include "os/thread_end.h"

#include <pthread.h>

#include "os/real_functions.h"

namespace clockshim {
namespace {

// glibc keeps the values of the first keys in the thread's control block, so setting one allocates
// nothing.
constexpr pthread_key_t kKeysInPlace = 32;

constinit bool g_watched = false;  // then the C library has all three functions
constinit pthread_key_t g_key = 0;
using Ended = void (*)();
constinit Ended g_ended = nullptr;

// Runs among the destructors of a thread's other keys. If a later one reads the clock, the thread
// gets a table again, and the C library calls this again (PTHREAD_DESTRUCTOR_ITERATIONS times; a
// table that is taken after that waits for the stack's reuse).
void thread_ended(void* /*set*/) { g_ended(); }

}  // namespace

void watch_thread_end() noexcept {
  if (!g_watched) return;
  g_real_functions.pthread_setspecific.load(std::memory_order_relaxed)(g_key, &g_key);
}

bool call_at_thread_end(void (*ended)()) noexcept {
  const RealFunctions& real = real_functions();
  const auto create = real.pthread_key_create.load(std::memory_order_relaxed);
  const auto remove = real.pthread_key_delete.load(std::memory_order_relaxed);
  if (create == nullptr || remove == nullptr || real.pthread_setspecific == nullptr) return false;
  if (create(&g_key, thread_ended) != 0) return false;
  g_ended = ended;
  g_watched = g_key < kKeysInPlace;
  if (!g_watched) remove(g_key);
  return g_watched;
}

}  // namespace clockshim
