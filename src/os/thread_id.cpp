#include "os/thread_id.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

#include "arch/counter.h"
#include "os/dynamic_symbols.h"
#include "os/raw_syscall.h"

namespace clockshim {
namespace {

constinit std::atomic<std::uint32_t> g_place{0};  // an offset from the thread pointer; 0: not known
constinit std::atomic<std::uint32_t> g_only_thread{0};  // whose control block has no number

std::uint32_t id_at(std::uint32_t place) {
  return __atomic_load_n(reinterpret_cast<const std::uint32_t*>(Arch::thread_pointer() + place),
                         __ATOMIC_RELAXED);
}

}  // namespace

void find_thread_ids() noexcept {
  // Its place in glibc's control block since 2.3.4 on this CPU. The value there proves it: no other
  // field has the thread's number. What thread debuggers ask for costs two pages of the C library.
  constexpr std::uint32_t kUsualPlace = 720;
  const auto tid = static_cast<std::uint32_t>(raw_syscall(SYS_gettid));
  const std::uint32_t there = id_at(kUsualPlace);
  if (there == tid) return g_place.store(kUsualPlace, std::memory_order_relaxed);
  NextDefinition debuggers[] = {{"_thread_db_pthread_tid"}, {"_thread_db_sizeof_pthread"}};
  find_next_definitions(debuggers);
  struct Field {
    std::uint32_t bits, count, offset;
  };
  const auto* field = reinterpret_cast<const Field*>(debuggers[0].address);
  const auto* size = reinterpret_cast<const std::uint32_t*>(debuggers[1].address);
  if (field == nullptr && size == nullptr && there == 0) {
    // Before 2.34, in a program without libpthread: only fork() writes it there, in the child.
    g_only_thread.store(tid, std::memory_order_relaxed);
    return g_place.store(kUsualPlace, std::memory_order_relaxed);
  }
  if (field == nullptr || size == nullptr || *size < 4 || field->bits != 32 || field->count != 1)
    return;
  if (field->offset % 4 != 0 || field->offset > *size - 4) return;
  if (id_at(field->offset) == tid) g_place.store(field->offset, std::memory_order_relaxed);
}

// A thread with a hand-made control block may have no number there.
std::uint32_t this_thread_id() noexcept {
  const std::uint32_t place = g_place.load(std::memory_order_relaxed);
  if (place == 0 || pthread_self() != Arch::thread_pointer()) return 0;
  const std::uint32_t id = id_at(place);
  return id != 0 ? id : g_only_thread.load(std::memory_order_relaxed);
}

std::string name_of_thread(std::uint32_t tid) {
  char text[32];
  const ssize_t self = readlink("/proc/self", text, sizeof text);
  if (self <= 0 || std::string(text, static_cast<std::size_t>(self)) != std::to_string(getpid()))
    return "";
  const int file =
      open(("/proc/self/task/" + std::to_string(tid) + "/comm").c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return "";
  const ssize_t length = read(file, text, sizeof text);
  close(file);
  std::string name(text, static_cast<std::size_t>(std::max<ssize_t>(0, length)));
  if (name.ends_with('\n')) name.pop_back();
  return name;
}

}  // namespace clockshim
