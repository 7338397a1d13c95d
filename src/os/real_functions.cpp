#include "os/real_functions.h"

#include <span>

#include "os/dynamic_symbols.h"

namespace clockshim {

// Among initialised data, whose pages are in memory already when it is first asked whether it is
// there: to read a page of zeros and then to write to it are two page faults.
__attribute__((section(".data"))) constinit RealFunctions g_real_functions{};

namespace {

// Tests have a library that does without what glibc 2.17 has not.
#ifdef CLOCKSHIM_AS_WITH_OLD_GLIBC
constexpr bool kOldGlibc = true;
#else
constexpr bool kOldGlibc = false;
#endif

// Calls f(name, where it goes) for each of them.
template <class F>
void for_each(RealFunctions& all, F f) noexcept {
  f("syscall", all.syscall);
  f("prctl", all.prctl);
  f("dlclose", all.dlclose);
  f("dl_iterate_phdr", all.dl_iterate_phdr);
  f("clock_settime", all.clock_settime);
  f("settimeofday", all.settimeofday);
  f("adjtime", all.adjtime);
  f("adjtimex", all.adjtimex);
  f("ntp_adjtime", all.ntp_adjtime);
  f("clock_adjtime", all.clock_adjtime);
  f("dlsym", all.dlsym);
  f("pthread_key_create", all.pthread_key_create);
  f("pthread_key_delete", all.pthread_key_delete);
  f("pthread_setspecific", all.pthread_setspecific);
  if (kOldGlibc) return;
  f("_dl_find_object", all.dl_find_object);
  f("__rseq_offset", all.rseq_offset);
  f("__rseq_size", all.rseq_size);
}

}  // namespace

// Two threads that look them up at the same time find the same.
void find_real_functions() noexcept {
  constexpr std::size_t kMost = 24;
  NextDefinition next[kMost];
  std::size_t count = 0;
  for_each(g_real_functions, [&](const char* name, auto&) { next[count++].name = name; });
  find_next_definitions(std::span(next, count));
  count = 0;
  for_each(g_real_functions, [&]<class T>(const char*, std::atomic<T>& out) {
    out.store(reinterpret_cast<T>(next[count++].address), std::memory_order_relaxed);
  });
  g_real_functions.found.store(true, std::memory_order_release);
}

}  // namespace clockshim
