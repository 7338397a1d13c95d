// Compiler spellings used across the tree, in one place so that a port changes one file.
#pragma once

// An interposed function, which the loader can see. Everything else is hidden.
#define CLOCKSHIM_EXPORT extern "C" __attribute__((visibility("default")))

// For the exported functions whose fast path fits into four cache lines of code, if it begins with
// one. A program that has used its caches for other things waits for each.
#define CLOCKSHIM_ALIGNED __attribute__((aligned(64)))

// For declarations of what another file defines: -fvisibility=hidden affects definitions only, so
// without this the compiler would load the address from the GOT.
#define CLOCKSHIM_HIDDEN __attribute__((visibility("hidden")))

// Parts of the fast path: always in line, so that the golden instruction profile sees one function.
#define CLOCKSHIM_INLINE inline __attribute__((always_inline))

// The slow path, behind the gate: kept out of line and away from the hot cache lines.
#define CLOCKSHIM_SLOW __attribute__((noinline, cold))

// On what code that runs in calls asks of others, which may use vector registers: aligns the stack,
// because the caller may be in assembly, and have left it as it was.
#define CLOCKSHIM_ALIGNS_STACK __attribute__((force_align_arg_pointer))

// Out of line, but as hot as the rest: every call behind a wrapper goes this way.
#define CLOCKSHIM_NOINLINE __attribute__((noinline))

// Static TLS: one load from the thread pointer, no call into the loader, no allocation at first
// use, no constructor
// (__thread takes constants only, so the compiler needs no wrapper function).
#define CLOCKSHIM_TLS __attribute__((tls_model("initial-exec"))) __thread

// Definitions of zeroed tables of many pages. They go behind all other data, so that what each
// process writes at its start shares a few pages, each of which costs a page fault. The linker
// knows no section of this name and puts it last; compilers know by its beginning that it takes no
// room in the file.
#define CLOCKSHIM_LARGE __attribute__((section(".sbss.clockshim")))

#define CLOCKSHIM_LIKELY(condition) __builtin_expect(!!(condition), 1)
#define CLOCKSHIM_UNLIKELY(condition) __builtin_expect(!!(condition), 0)
