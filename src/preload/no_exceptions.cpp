// The library is compiled without exceptions, but libstdc++'s objects in the archive are not: they
// refer to functions that throw, and to the routines of their landing pads. With these definitions
// neither libgcc's unwinder nor libstdc++'s is linked, which together would take 72 KiB from the
// host's heap at start and half of the library's size. Instead of throwing, each calls give_up().
#include <cstddef>
#include <exception>

#include "preload/arena.h"

using clockshim::give_up;

// NOLINTBEGIN(readability-identifier-naming): the names are the runtime's own

namespace std {

// NOLINTBEGIN(cert-dcl58-cpp): not additions, but definitions of what is declared there
void terminate() noexcept { give_up(); }
void __throw_bad_alloc() { give_up(); }
void __throw_bad_array_new_length() { give_up(); }
void __throw_bad_function_call() { give_up(); }
void __throw_length_error(const char*) { give_up(); }
void __throw_logic_error(const char*) { give_up(); }
void __throw_invalid_argument(const char*) { give_up(); }
void __throw_out_of_range(const char*) { give_up(); }
void __throw_out_of_range_fmt(const char*, ...) { give_up(); }
void __throw_runtime_error(const char*) { give_up(); }
void __throw_system_error(int) { give_up(); }
void __throw_bad_cast() { give_up(); }
// libstdc++'s own checks, which GCC 14's archive was built with.
void __glibcxx_assert_fail(const char*, int, const char*, const char*) noexcept { give_up(); }
// NOLINTEND(cert-dcl58-cpp)

}  // namespace std

extern "C" {
// A host's thread may be unwound while a signal handler's frames are above ours. No frame of ours
// has anything to clean up.
int __gxx_personality_v0(...) {
  constexpr int kContinueUnwind = 8;
  return kContinueUnwind;
}
void _Unwind_Resume(void*) { give_up(); }
void* __cxa_begin_catch(void*) noexcept { give_up(); }
void __cxa_end_catch() { give_up(); }
void __cxa_rethrow() { give_up(); }
void* __cxa_allocate_exception(std::size_t) noexcept { give_up(); }
void __cxa_free_exception(void*) noexcept { give_up(); }
void __cxa_throw(void*, void*, void (*)(void*)) { give_up(); }
void __cxa_throw_bad_array_new_length() { give_up(); }
void __cxa_pure_virtual() { give_up(); }
void abort() noexcept { give_up(); }
}
// NOLINTEND(readability-identifier-naming)
