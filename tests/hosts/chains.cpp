// Chains of callers, for CLOCKSHIM_DEPTH: one function asks for several others, in frames of all
// kinds.
#include <alloca.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

#include "host.h"

namespace {

long g_calls = 0;

}  // namespace

extern "C" HOST_NOINLINE int64_t asks_for_somebody() {
  ++g_calls;
  const int64_t now = host_clock(CLOCK_MONOTONIC);
  asm volatile("");
  return now;
}

extern "C" HOST_NOINLINE void first_caller(long times) {
  for (long i = 0; i < times; ++i) asks_for_somebody();
}

extern "C" HOST_NOINLINE void second_caller(long times) {
  for (long i = 0; i < times; ++i) asks_for_somebody();
}

// Frames of which each is another size, found by rbp.
extern "C" HOST_NOINLINE void varying_caller(long times) {
  for (long i = 0; i < times; ++i) {
    auto* room = static_cast<volatile char*>(alloca(static_cast<std::size_t>(16 + i % 23 * 16)));
    room[0] = 1;
    asks_for_somebody();
    room[1] = room[0];
  }
}

// A frame further up than a small function's.
extern "C" HOST_NOINLINE void large_caller(long times) {
  volatile char room[60'000];
  room[0] = 1;
  for (long i = 0; i < times; ++i) asks_for_somebody();
  room[1] = room[0];
}

extern "C" HOST_NOINLINE void outer(long times) {
  first_caller(times);
  asm volatile("");
}

extern "C" HOST_NOINLINE long recursive(long depth) {
  asks_for_somebody();
  const long below = depth > 0 ? recursive(depth - 1) : 0;
  asm volatile("");
  return below + 1;
}

extern "C" void asks_in_handler(int) {
  asks_for_somebody();
  asm volatile("");  // no tail call
}

extern "C" HOST_NOINLINE void raises(long times) {
  for (long i = 0; i < times; ++i) raise(SIGUSR1);
}

// A stack of which the library can't know how far it reaches; then a thread that asks from the same
// places on its own.
extern "C" void large_in_handler(int) {
  large_caller(100);
  asm volatile("");
}

extern "C" void* large_in_thread(void*) {
  large_caller(400);
  asm volatile("");
  return nullptr;
}

static void other_stack() {
  static char room[256 * 1024];
  const stack_t stack{room, 0, sizeof room};
  HOST_EXPECT(sigaltstack(&stack, nullptr) == 0);
  struct sigaction action {};
  action.sa_handler = large_in_handler;
  action.sa_flags = SA_ONSTACK;
  HOST_EXPECT(sigaction(SIGUSR1, &action, nullptr) == 0);
  HOST_EXPECT(raise(SIGUSR1) == 0);
  pthread_t thread;
  HOST_EXPECT(pthread_create(&thread, nullptr, large_in_thread, nullptr) == 0);
  HOST_EXPECT(pthread_join(thread, nullptr) == 0);
}

// Generated code without unwind tables: a frame of 8 bytes around a call of its first argument.
static int (*generated())(int (*)(clockid_t, timespec*), clockid_t, timespec*) {
  //                              sub rsp,8          mov rax,rdi       mov edi,esi  mov rsi,rdx call
  //                              rax    add rsp,8          ret
  static const unsigned char kCode[] = {0x48, 0x83, 0xec, 8,    0x48, 0x89, 0xf8, 0x89, 0xf7, 0x48,
                                        0x89, 0xd6, 0xff, 0xd0, 0x48, 0x83, 0xc4, 8,    0xc3};
  void* page =
      mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  HOST_EXPECT(page != MAP_FAILED);
  memcpy(page, kCode, sizeof kCode);
  dprintf(1, "returns %ld %ld\n", static_cast<long>(getpid()),
          static_cast<long>(reinterpret_cast<uintptr_t>(page) + 14));
  int (*code)(int (*)(clockid_t, timespec*), clockid_t, timespec*);
  memcpy(&code, &page, sizeof code);
  return code;
}

extern "C" HOST_NOINLINE int64_t asks_through_generated_code(long times) {
  const auto code = generated();
  timespec t{};
  for (long i = 0; i < times; ++i) {
    ++g_calls;
    HOST_EXPECT(code(&clock_gettime, CLOCK_MONOTONIC, &t) == 0);
  }
  return host_ns(&t);
}

// More chains than there is room for.
template <int N>
HOST_NOINLINE void one_of_many() {
  asm volatile("# caller %c0" ::"i"(N));
  asks_for_somebody();
  asm volatile("");
}

template <int From, int Count>
void all_of_many() {
  if constexpr (Count == 1) {
    one_of_many<From>();
  } else {
    all_of_many<From, Count / 2>();
    all_of_many<From + Count / 2, Count - Count / 2>();
  }
}

int main(int argc, char** argv) {
  const char* how = argc > 1 ? argv[1] : "";
  if (strcmp(how, "callers") == 0) {
    for (int turn = 0; turn < 10; ++turn) {
      first_caller(300);
      second_caller(700);
      varying_caller(200);
      large_caller(50);
      outer(10);
    }
  } else if (strcmp(how, "recursive") == 0) {
    for (int turn = 0; turn < 3; ++turn) recursive(9'999);
  } else if (strcmp(how, "signal") == 0) {
    signal(SIGUSR1, asks_in_handler);
    raises(2'000);
    first_caller(500);
  } else if (strcmp(how, "other-stack") == 0) {
    other_stack();
  } else if (strcmp(how, "generated") == 0) {
    asks_through_generated_code(4'000);
  } else if (strcmp(how, "many") == 0) {
    for (int turn = 0; turn < 3; ++turn) all_of_many<0, 2'000>();
  }
  host_say("calls", g_calls);
  return 0;
}
