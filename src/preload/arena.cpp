#include "preload/arena.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include <bit>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>

#include "arch/call_on_stack.h"
#include "base/attributes.h"
#include "os/raw_syscall.h"

extern "C" void* __libc_stack_end;

namespace clockshim {
namespace {

constexpr std::size_t kAlignment = 16;
constexpr std::size_t kReserve =
    128UL << 10;  // for the start, and for a report if there is no other memory
constexpr std::size_t kStack = 1UL << 20;  // address space; pages are allocated as they are used
constexpr std::size_t kGuard = 4096;       // the guard page below the stack
constexpr std::size_t kChunk = 1UL << 20;  // the size of further memory from the kernel
constexpr std::size_t kMost = 64UL << 20;  // a report that needs more is given up
constexpr std::size_t kSmallestBlock = 32;
constexpr unsigned kClasses = 28;  // block sizes: powers of two

// The header before each block that was handed out.
struct alignas(kAlignment) Head {
  std::size_t size_class;
  void* start;  // the start of the block; a block that is aligned begins behind it
};

struct FreeBlock {
  FreeBlock* next;
};

struct alignas(kAlignment) Chunk {
  Chunk* next;
  std::size_t size;
};
static_assert(sizeof(Chunk) == kAlignment);

void* from_kernel(std::size_t size) noexcept {
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  const int saved_errno = errno;
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, kFlags, -1, 0);
  errno = saved_errno;
  return memory;
}

alignas(kAlignment) CLOCKSHIM_LARGE constinit std::byte g_reserve[kReserve] = {};

class Arena {
 public:
  void* take(std::size_t size, std::size_t alignment) noexcept {
    const std::size_t extra = sizeof(Head) + (alignment > kAlignment ? alignment : 0);
    if (size > kMost) return nullptr;
    const std::size_t block_size =
        std::bit_ceil(size + extra < kSmallestBlock ? kSmallestBlock : size + extra);
    const auto size_class = static_cast<unsigned>(std::countr_zero(block_size));
    if (size_class >= kClasses) return nullptr;
    void* block = free_[size_class];
    if (block != nullptr) {
      free_[size_class] = free_[size_class]->next;
    } else {
      block = cut(block_size);
      if (block == nullptr) return nullptr;
    }
    auto at = reinterpret_cast<std::uintptr_t>(block) + sizeof(Head);
    if (alignment > kAlignment) at = (at + alignment - 1) & ~(alignment - 1);
    auto* head = reinterpret_cast<Head*>(at) - 1;
    head->size_class = size_class;
    head->start = block;
    return head + 1;
  }

  void give_back(void* p) noexcept {
    const Head head = static_cast<Head*>(p)[-1];
    auto* block = static_cast<FreeBlock*>(head.start);
    block->next = free_[head.size_class];
    free_[head.size_class] = block;
  }

  // How many bytes the caller may use from `p` on.
  static std::size_t room_at(void* p) noexcept {
    const Head head = static_cast<Head*>(p)[-1];
    return static_cast<std::size_t>(static_cast<std::byte*>(head.start) +
                                    (std::size_t{1} << head.size_class) -
                                    static_cast<std::byte*>(p));
  }

  // Gets memory from the kernel, from which further blocks are cut. What is left of the memory
  // before is not used any more.
  bool add(std::size_t size) noexcept {
    if (size > kMost - added_) return false;
    void* memory = from_kernel(size);
    if (memory == MAP_FAILED) return false;
    chunks_ = new (memory) Chunk{chunks_, size};
    added_ += size;
    at_ = static_cast<std::byte*>(memory) + kAlignment;
    end_ = static_cast<std::byte*>(memory) + size;
    return true;
  }

  // Takes a stack from what the start has left, and returns its end. It is enough for a report
  // without long names. Null: there is too little left. It works once, because the memory does not
  // come back.
  void* small_stack() noexcept {
    constexpr std::size_t kSize = 32UL << 10;
    if (kSize > static_cast<std::size_t>(end_ - at_)) return nullptr;
    at_ += kSize;
    return at_;
  }

  // Returns the kernel's memory, with all blocks in it. The rest of the memory is not handed out
  // any more.
  void drop() noexcept {
    std::memset(free_, 0, sizeof free_);
    at_ = end_ = nullptr;
    for (Chunk* chunk = chunks_; chunk != nullptr;) {
      const Chunk gone = *chunk;
      munmap(chunk, gone.size);
      chunk = gone.next;
    }
    chunks_ = nullptr;
    added_ = 0;
  }

 private:
  void* cut(std::size_t size) noexcept {
    if (at_ == nullptr && !started_) {
      started_ = true;
      at_ = g_reserve;
      end_ = g_reserve + sizeof g_reserve;
    }
    if (size > static_cast<std::size_t>(end_ - at_)) {
      const std::size_t least = (size + sizeof(Chunk) + kAlignment + 4095) & ~std::size_t{4095};
      if (!add(least > kChunk ? least : kChunk)) return nullptr;
    }
    void* block = at_;
    at_ += size;
    return block;
  }

  std::byte* at_ = nullptr;
  std::byte* end_ = nullptr;
  bool started_ = false;
  Chunk* chunks_ = nullptr;
  std::size_t added_ = 0;
  FreeBlock* free_[kClasses] = {};
};

constinit Arena g_arena{};

// The place to which give_up() jumps.
struct Guard {
  void* place[5] = {};
  bool set = false;
};
constinit Guard g_guard{};
constinit bool g_room = false;

// Whether this is the first thread's own stack, with megabytes left, as when nearly every process
// exits.
bool on_roomy_stack() noexcept {
  constexpr std::uintptr_t kUsed = 1UL << 20;
  constexpr std::uint64_t kEnough = 4UL << 20;
  const auto top = reinterpret_cast<std::uintptr_t>(__libc_stack_end);
  const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  if (here > top || top - here > kUsed) return false;
  std::uint64_t limits[2] = {};
  raw_syscall(SYS_prlimit64, 0L, RLIMIT_STACK, 0, reinterpret_cast<long>(limits));
  if (limits[0] < kEnough) return false;
  stack_t handlers{};  // the handlers' stack may be a part of the first thread's
  const long failed = raw_syscall(SYS_sigaltstack, 0L, reinterpret_cast<long>(&handlers));
  return failed == 0 && (handlers.ss_flags & SS_ONSTACK) == 0;
}

void* new_stack() noexcept {
  void* stack = from_kernel(kGuard + kStack);
  const int saved_errno = errno;
  if (stack != MAP_FAILED) mprotect(stack, kGuard, PROT_NONE);
  errno = saved_errno;
  return stack;
}

void* take_or_give_up(std::size_t size, std::size_t alignment) noexcept {
  void* p = g_arena.take(size, alignment);
  if (p == nullptr) give_up();
  return p;
}

}  // namespace

void give_up() noexcept {
  if (!g_guard.set) __builtin_trap();
  g_guard.set = false;
  __builtin_longjmp(g_guard.place, 1);
}

// This uses the compiler's own setjmp and longjmp: the C library's longjmp() may be interposed, and
// checks which stack it is on.
[[gnu::noinline]] bool run_or_give_up(void (*f)(void*), void* argument) noexcept {
  if (__builtin_setjmp(g_guard.place) != 0) return false;
  g_guard.set = true;
  f(argument);
  g_guard.set = false;
  return true;
}

bool run_apart(void (*f)(void*), void* argument, bool may_map) noexcept {
  struct Apart {
    void (*f)(void*);
    void* argument;
    void* top;
  } apart{f, argument, nullptr};
  const bool here = may_map && on_roomy_stack();
  void* mapped = may_map && !here ? new_stack() : MAP_FAILED;
  g_room = here || mapped != MAP_FAILED;
  if (!here) {
    apart.top = mapped != MAP_FAILED ? static_cast<std::byte*>(mapped) + kGuard + kStack
                                     : g_arena.small_stack();
  }
  bool done = false;
  if (here) {
    done = run_or_give_up(f, argument);
  } else if (apart.top != nullptr) {
    const auto on_it = [](void* p) {
      const auto& how = *static_cast<const Apart*>(p);
      call_on_stack(how.top, how.f, how.argument);
    };
    done = run_or_give_up(on_it, &apart);
  }
  if (mapped != MAP_FAILED) munmap(mapped, kGuard + kStack);
  g_room = false;
  g_arena.drop();
  return done;
}

bool stack_has_room() noexcept { return g_room; }

}  // namespace clockshim

// NOLINTBEGIN(misc-new-delete-overloads): these are all of them
using clockshim::g_arena;
using clockshim::take_or_give_up;

extern "C" {
void* malloc(std::size_t size) noexcept { return g_arena.take(size, clockshim::kAlignment); }

void free(void* p) noexcept {
  if (p != nullptr) g_arena.give_back(p);
}

void* calloc(std::size_t count, std::size_t size) noexcept {
  std::size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) return nullptr;
  void* p = g_arena.take(bytes, clockshim::kAlignment);  // not malloc(), because the compiler turns
                                                         // malloc() and memset() into calloc()
  if (p != nullptr) std::memset(p, 0, bytes);
  return p;
}

void* realloc(void* p, std::size_t size) noexcept {
  if (p == nullptr) return malloc(size);
  const std::size_t room = clockshim::Arena::room_at(p);
  if (size <= room) return p;
  void* larger = malloc(size);
  if (larger == nullptr) return nullptr;
  std::memcpy(larger, p, room);
  free(p);
  return larger;
}
}

void* operator new(std::size_t size) { return take_or_give_up(size, clockshim::kAlignment); }
void* operator new[](std::size_t size) { return take_or_give_up(size, clockshim::kAlignment); }
void* operator new(std::size_t size, std::align_val_t a) {
  return take_or_give_up(size, static_cast<std::size_t>(a));
}
void* operator new[](std::size_t size, std::align_val_t a) {
  return take_or_give_up(size, static_cast<std::size_t>(a));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return malloc(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return malloc(size); }
void operator delete(void* p) noexcept { free(p); }
void operator delete[](void* p) noexcept { free(p); }
void operator delete(void* p, std::size_t) noexcept { free(p); }
void operator delete[](void* p, std::size_t) noexcept { free(p); }
void operator delete(void* p, std::align_val_t) noexcept { free(p); }
void operator delete[](void* p, std::align_val_t) noexcept { free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { free(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { free(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { free(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { free(p); }
// NOLINTEND(misc-new-delete-overloads)
