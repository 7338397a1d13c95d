// Calling a function on another stack.
#pragma once

#if !defined(__x86_64__)
#error "clockshim is written for x86-64"
#endif

namespace clockshim {

// Calls f(argument) on the stack that ends at `top` (a multiple of 16). Unwinders find the way
// back, because rbp keeps the frame.
[[gnu::naked, gnu::noinline]] inline void call_on_stack([[maybe_unused]] void* top,
                                                        [[maybe_unused]] void (*f)(void*),
                                                        [[maybe_unused]] void* argument) noexcept {
  asm(R"(
    pushq %rbp
    .cfi_def_cfa_offset 16
    .cfi_offset %rbp, -16
    movq %rsp, %rbp
    .cfi_def_cfa_register %rbp
    movq %rdi, %rsp
    movq %rdx, %rdi
    callq *%rsi
    leave
    .cfi_def_cfa %rsp, 8
    ret
  )");
}

}  // namespace clockshim
