#include "os/module_snapshot.h"

#include <link.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <span>

#include "os/containment.h"
#include "os/raw_syscall.h"
#include "os/real_functions.h"

namespace clockshim {
namespace {

// Atomics, because a reader may be late and see them overwritten. It finds that out afterwards.
struct Entry {
  std::atomic<std::uintptr_t> start, end, load_bias;
  std::atomic<const char*> path;
  std::atomic<const std::uint8_t*> unwind_header;
  std::atomic<const Elf64_Dyn*> dynamic;
  std::atomic<std::uint64_t> file_header;  // a hash of it; 0: is never unloaded
};

struct Copy {
  std::atomic<Entry*> entries;
  std::atomic<unsigned> count;
  unsigned capacity;
};

// The copy (version % 2) is valid, and the next refresh writes to the other one. So a reader that
// interrupts the writer has something to read, and the writer never waits. Version 0 is empty.
constinit Copy g_copies[2]{};
constinit std::atomic<unsigned> g_version{0};

// What the loader has counted, at the last refresh. Under its lock.
struct Changes {
  unsigned long long loaded = 0, unloaded = 0;
  bool operator==(const Changes&) const = default;
};
constinit Changes g_seen{};

// Distinguishes the module from anything else that may be mapped in its place.
std::uint64_t hash_file_header(std::uintptr_t start) noexcept {
  const auto* word = reinterpret_cast<const std::uint64_t*>(start);
  std::uint64_t hash = 0;
  for (unsigned i = 0; i < sizeof(Elf64_Ehdr) / sizeof *word; ++i)
    hash = (hash ^ word[i]) * 0x9E3779B97F4A7C15ULL;  // 2^64 / phi
  return hash | 1U;
}

// Whether the page can be read: the kernel copies a signal mask from there before it looks at its
// first argument, which is none that it knows.
bool readable(std::uintptr_t page) noexcept {
  constexpr long kNoSuchWay = -1;
  constexpr long kMaskSize = 8;
  return raw_syscall(SYS_rt_sigprocmask, kNoSuchWay, static_cast<long>(page), 0, kMaskSize) !=
         -EFAULT;
}

// In a process that has confined itself no system call is made, and the snapshot is trusted.
bool is_there(const Entry& entry) noexcept {
  const std::uint64_t file_header = entry.file_header.load(std::memory_order_relaxed);
  if (file_header == 0 || self_contained()) return true;
  const std::uintptr_t start = entry.start.load(std::memory_order_relaxed);
  return readable(start) && hash_file_header(start) == file_header;
}

const Entry* find_in(const Copy& copy, std::uintptr_t address) noexcept {
  const Entry* const entries = copy.entries.load(std::memory_order_relaxed);
  const unsigned count = copy.count.load(std::memory_order_relaxed);
  for (const Entry& entry : std::span(entries, count)) {
    const std::uintptr_t start = entry.start.load(std::memory_order_relaxed);
    if (address >= start && address < entry.end.load(std::memory_order_relaxed)) return &entry;
  }
  return nullptr;
}

// Makes room for so many modules. What had too little room is not given back: somebody may read it.
bool reserve(Copy& copy, unsigned count) noexcept {
  if (count <= copy.capacity) return true;
  constexpr unsigned kLeast = 73;  // a page of them
  const unsigned capacity = std::max(kLeast, 2 * count);
  void* const memory = mmap(nullptr, capacity * sizeof(Entry), PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return false;
  copy.count.store(0, std::memory_order_relaxed);
  copy.entries.store(static_cast<Entry*>(memory), std::memory_order_release);
  copy.capacity = capacity;
  return true;
}

struct Refresh {
  Copy& to;
  const Copy& from;
  bool first;
  Changes now{};
};

// A module that was there at start is never unloaded; the loader gives its place to no other.
bool is_permanent(const Refresh& refresh, std::uintptr_t start) noexcept {
  if (refresh.first) return true;
  const Entry* const before = find_in(refresh.from, start);
  return before != nullptr && before->file_header.load(std::memory_order_relaxed) == 0;
}

int add_module(dl_phdr_info* info, std::size_t, void* argument) {
  auto& refresh = *static_cast<Refresh*>(argument);
  const unsigned count = refresh.to.count.load(std::memory_order_relaxed);
  if (count == refresh.to.capacity) return 1;
  constexpr std::uintptr_t kPage = 4096;
  std::uintptr_t start = UINTPTR_MAX;
  std::uintptr_t end = 0;
  const std::uint8_t* unwind_header = nullptr;
  const Elf64_Dyn* dynamic = nullptr;
  for (const auto& header : std::span(info->dlpi_phdr, info->dlpi_phnum)) {
    const std::uintptr_t at = info->dlpi_addr + header.p_vaddr;
    if (header.p_type == PT_LOAD) {
      start = std::min(start, at & ~(kPage - 1));
      end = std::max(end, at + header.p_memsz);
    } else if (header.p_type == PT_GNU_EH_FRAME) {
      unwind_header = reinterpret_cast<const std::uint8_t*>(at);
    } else if (header.p_type == PT_DYNAMIC) {
      dynamic = reinterpret_cast<const Elf64_Dyn*>(at);
    }
  }
  if (start >= end) return 0;
  Entry& entry = refresh.to.entries.load(std::memory_order_relaxed)[count];
  entry.start.store(start, std::memory_order_relaxed);
  entry.end.store(end, std::memory_order_relaxed);
  entry.load_bias.store(info->dlpi_addr, std::memory_order_relaxed);
  entry.path.store(info->dlpi_name, std::memory_order_relaxed);
  entry.unwind_header.store(unwind_header, std::memory_order_relaxed);
  entry.dynamic.store(dynamic, std::memory_order_relaxed);
  entry.file_header.store(is_permanent(refresh, start) ? 0 : hash_file_header(start),
                          std::memory_order_relaxed);
  refresh.to.count.store(count + 1, std::memory_order_relaxed);
  return 0;
}

Changes changes() noexcept {
  Changes now;
  const auto of_the_first = [](dl_phdr_info* info, std::size_t, void* out) {
    *static_cast<Changes*>(out) = {info->dlpi_adds, info->dlpi_subs};
    return 1;
  };
  iterate_modules(of_the_first, &now);
  return now;
}

}  // namespace

void refresh_snapshot() noexcept {
  if (real_functions().dl_find_object.load(std::memory_order_relaxed) != nullptr) return;
  const int saved_errno = errno;
  // Only one thread at a time is in here, by the loader's lock.
  const auto refresh = [](void*) {
    const unsigned version = g_version.load(std::memory_order_relaxed);
    Refresh next{g_copies[(version + 1) % 2], g_copies[version % 2], version == 0, changes()};
    if (version != 0 && next.now == g_seen) return;
    // The loader counts the modules of all its namespaces, but perhaps not the kernel's vDSO.
    constexpr unsigned kUncounted = 8;
    const auto counted = static_cast<unsigned>(next.now.loaded - next.now.unloaded);
    if (!reserve(next.to, counted + kUncounted)) return;
    std::atomic_thread_fence(std::memory_order_release);  // with the readers' fence
    next.to.count.store(0, std::memory_order_relaxed);
    iterate_modules(add_module, &next);
    g_seen = next.now;
    g_version.store(version + 1, std::memory_order_release);
  };
  while_none_is_unloaded(refresh, nullptr);
  errno = saved_errno;
}

bool find_in_snapshot(std::uintptr_t address, Module& out) noexcept {
  if (g_version.load(std::memory_order_relaxed) == 0) refresh_snapshot();
  for (;;) {
    const unsigned version = g_version.load(std::memory_order_acquire);
    const Entry* const entry = find_in(g_copies[version % 2], address);
    bool found = entry != nullptr;
    if (found) {
      out.map_start = entry->start.load(std::memory_order_relaxed);
      out.map_end = entry->end.load(std::memory_order_relaxed);
      out.load_bias = entry->load_bias.load(std::memory_order_relaxed);
      out.path = entry->path.load(std::memory_order_relaxed);
      out.unwind_header = entry->unwind_header.load(std::memory_order_relaxed);
      out.dynamic = entry->dynamic.load(std::memory_order_relaxed);
      found = is_there(*entry);
    }
    std::atomic_thread_fence(std::memory_order_acquire);
    if (g_version.load(std::memory_order_relaxed) == version) return found;
  }
}

}  // namespace clockshim
