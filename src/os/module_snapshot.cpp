#include "os/module_snapshot.h"

#include <link.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <span>

#include "os/containment.h"
#include "os/raw_syscall.h"
#include "os/real_functions.h"

namespace clockshim {
namespace {

// Atomics, because a reader may be late and see them overwritten. It finds that out afterwards:
// whoever acquires a field that the next refresh has released sees the version before that, too.
struct Entry {
  std::atomic<std::uintptr_t> start, end, load_bias;
  std::atomic<const char*> path;
  std::atomic<const std::uint8_t*> unwind_header;
  std::atomic<const Elf64_Dyn*> dynamic;
  std::atomic<std::uint64_t> file_header;  // a hash of it; 0: is never unloaded
};

// As many of them as were asked of the kernel at once. Never given back, because somebody may read
// it.
struct Table {
  std::atomic<unsigned> count;
  unsigned capacity;
  Entry entries[1];

  [[nodiscard]] static std::size_t size_for(unsigned capacity) {
    return offsetof(Table, entries) + capacity * sizeof(Entry);
  }
};

// The table (version % 2) is valid, and the next refresh writes to the other one. So a reader that
// interrupts the writer has something to read, and the writer never waits. Version 0 is empty.
constinit std::atomic<Table*> g_tables[2]{};
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
  const std::uint64_t file_header = entry.file_header.load(std::memory_order_acquire);
  if (file_header == 0 || self_contained()) return true;
  const std::uintptr_t start = entry.start.load(std::memory_order_acquire);
  return readable(start) && hash_file_header(start) == file_header;
}

const Entry* find_in(const Table* table, std::uintptr_t address) noexcept {
  if (table == nullptr) return nullptr;
  const unsigned count = table->count.load(std::memory_order_acquire);
  for (const Entry* entry = table->entries; entry != table->entries + count; ++entry) {
    const std::uintptr_t start = entry->start.load(std::memory_order_acquire);
    if (address >= start && address < entry->end.load(std::memory_order_acquire)) return entry;
  }
  return nullptr;
}

// A table with room for so many modules: the old one, or else a new one. Null: there is no memory.
Table* with_room(std::atomic<Table*>& place, unsigned count) noexcept {
  Table* table = place.load(std::memory_order_relaxed);
  if (table != nullptr && count <= table->capacity) return table;
  constexpr unsigned kLeast = 72;  // a page of them
  const unsigned capacity = std::max(kLeast, 2 * count);
  void* const memory = mmap(nullptr, Table::size_for(capacity), PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  table = static_cast<Table*>(memory);
  table->capacity = capacity;
  place.store(table, std::memory_order_release);
  return table;
}

struct Refresh {
  Table* to;
  const Table* from;
  bool first;
};

// A module that was there at start is never unloaded; the loader gives its place to no other.
bool is_permanent(const Refresh& refresh, std::uintptr_t start) noexcept {
  if (refresh.first) return true;
  const Entry* const before = find_in(refresh.from, start);
  return before != nullptr && before->file_header.load(std::memory_order_acquire) == 0;
}

int add_module(dl_phdr_info* info, std::size_t, void* argument) {
  auto& refresh = *static_cast<Refresh*>(argument);
  const unsigned count = refresh.to->count.load(std::memory_order_relaxed);
  if (count == refresh.to->capacity) return 1;
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
  Entry& entry = refresh.to->entries[count];
  entry.start.store(start, std::memory_order_release);
  entry.end.store(end, std::memory_order_release);
  entry.load_bias.store(info->dlpi_addr, std::memory_order_release);
  entry.path.store(info->dlpi_name, std::memory_order_release);
  entry.unwind_header.store(unwind_header, std::memory_order_release);
  entry.dynamic.store(dynamic, std::memory_order_release);
  entry.file_header.store(is_permanent(refresh, start) ? 0 : hash_file_header(start),
                          std::memory_order_release);
  refresh.to->count.store(count + 1, std::memory_order_release);
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
    const Changes now = changes();
    if (version != 0 && now == g_seen) return;
    // The loader counts the modules of all its namespaces, but perhaps not the kernel's vDSO.
    constexpr unsigned kUncounted = 8;
    const auto counted = static_cast<unsigned>(now.loaded - now.unloaded);
    Refresh next{with_room(g_tables[(version + 1) % 2], counted + kUncounted),
                 g_tables[version % 2].load(std::memory_order_relaxed), version == 0};
    if (next.to == nullptr) return;
    next.to->count.store(0, std::memory_order_release);
    iterate_modules(add_module, &next);
    g_seen = now;
    g_version.store(version + 1, std::memory_order_release);
  };
  while_none_is_unloaded(refresh, nullptr);
  errno = saved_errno;
}

bool find_in_snapshot(std::uintptr_t address, Module& out) noexcept {
  if (g_version.load(std::memory_order_relaxed) == 0) refresh_snapshot();
  for (;;) {
    const unsigned version = g_version.load(std::memory_order_acquire);
    const Entry* const entry =
        find_in(g_tables[version % 2].load(std::memory_order_acquire), address);
    bool found = entry != nullptr;
    if (found) {
      out.map_start = entry->start.load(std::memory_order_acquire);
      out.map_end = entry->end.load(std::memory_order_acquire);
      out.load_bias = entry->load_bias.load(std::memory_order_acquire);
      out.path = entry->path.load(std::memory_order_acquire);
      out.unwind_header = entry->unwind_header.load(std::memory_order_acquire);
      out.dynamic = entry->dynamic.load(std::memory_order_acquire);
      found = is_there(*entry);
    }
    if (g_version.load(std::memory_order_relaxed) == version) return found;
  }
}

}  // namespace clockshim
