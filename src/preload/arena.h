// The memory that the library's start and its report live in. Nothing of it is the host's: exit()
// may be called in a signal handler that came while the host's malloc() was holding its locks, or
// had its lists half written.
//
// arena.cpp defines malloc(), free() and operator new for everything that is linked into the
// library, libstdc++'s own objects included; the map file keeps them from the host. One thread uses
// the arena at a time: the one that starts, then the one that ends.
#pragma once

namespace clockshim {

// What used to be an exception (no memory, an error of logic) leaves what run_or_give_up() or
// run_apart() was asked to do, at once and without its destructors. Called outside of the two it
// stops the process: nothing may allocate there.
[[noreturn]] void give_up() noexcept;

// f(argument). False: it was given up.
bool run_or_give_up(void (*f)(void*), void* argument) noexcept;

// The same with all the room that a report takes. Where the stack may be too small for it (a
// handler's has 8 KiB), on one of its own. What memory it took from the kernel is given back
// afterwards. Where the kernel has none to give, or must not be asked (`may_map`), it is done with
// what is left of the start's.
bool run_apart(void (*f)(void*), void* argument, bool may_map) noexcept;

// Whether this is run_apart(), and found a stack for what goes deep.
bool stack_has_room() noexcept;

}  // namespace clockshim
