// The memory for the library's start and its report. None of it is the host's, because exit() may
// be called in a signal handler that came while the host's malloc() was holding its locks, or had
// its lists half written.
//
// arena.cpp defines malloc(), free() and operator new for everything that is linked into the
// library, including libstdc++'s own objects; the map file hides them from the host. One thread
// uses the arena at a time: the one that starts, then the one that exits.
#pragma once

namespace clockshim {

// Replaces exceptions (no memory, a logic error). It leaves the function that run_or_give_up() or
// run_apart() is running, at once and without its destructors. Outside of the two it stops the
// process, because nothing may allocate there.
[[noreturn]] void give_up() noexcept;

// Runs f(argument). False: it called give_up().
bool run_or_give_up(void (*f)(void*), void* argument) noexcept;

// Like run_or_give_up(), with all the room that a report needs. If the stack may be too small for
// it (a handler's has 8 KiB), it runs on a stack of its own. Memory that it took from the kernel is
// returned afterwards. If the kernel has none, or must not be asked (`may_map` is false), it uses
// what is left of the start's memory.
bool run_apart(void (*f)(void*), void* argument, bool may_map) noexcept;

// Whether run_apart() is running, and has a stack for deep recursion.
bool stack_has_room() noexcept;

}  // namespace clockshim
