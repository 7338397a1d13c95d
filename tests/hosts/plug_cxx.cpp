// A C++ plug-in: throws and catches, and leaves objects with destructors on the stacks of threads
// that are cancelled. It brings the C++ run-time into a C process late, which is when a foreign
// unwinder in the preload would take it over.
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <stdexcept>

namespace {

std::atomic<int> g_destroyed;
std::atomic<int> g_waiting;

struct Guard {
  ~Guard() { g_destroyed.fetch_add(1); }
};

void* waits(void*) {
  const Guard guard;
  (void)std::chrono::steady_clock::now();
  g_waiting.fetch_add(1);
  for (;;) pause();
}

}  // namespace

extern "C" int throw_and_catch(int times) {
  int caught = 0;
  for (int i = 0; i < times; ++i) {
    try {
      const Guard guard;
      (void)std::chrono::system_clock::now();
      throw std::runtime_error("thrown");
    } catch (const std::exception&) {
      ++caught;
    }
  }
  return caught;
}

extern "C" int cancel_threads(int threads) {
  g_destroyed = 0;
  for (int i = 0; i < threads; ++i) {
    pthread_t thread;
    if (pthread_create(&thread, nullptr, waits, nullptr) != 0) return -1;
    while (g_waiting.load() <= i) usleep(100);
    pthread_cancel(thread);
    pthread_join(thread, nullptr);
  }
  return g_destroyed.load();
}
