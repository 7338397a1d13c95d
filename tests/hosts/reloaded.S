/* A library with a wrapper of a known name (libev's); and another one, OTHER, with code in the same
 * places that is none: there rbp is a number of its own. */
#ifdef OTHER
#define NAME plain
#else
#define NAME ev_time
#endif
        .text
        .globl  NAME, ask
        .type   NAME, @function
        .type   ask, @function
NAME:
ask:
        .cfi_startproc
        push    %rbp
        .cfi_def_cfa_offset 16
        .cfi_offset 6, -16
        mov     %rsp, %rbp
        .cfi_def_cfa_register 6
        sub     $16, %rsp
        mov     $1, %edi
        mov     %rsp, %rsi
#ifdef OTHER
        mov     $1, %ebp
#else
        nopl    0(%rax,%rax)
#endif
        call    clock_gettime@PLT
        mov     (%rsp), %rax
        add     $16, %rsp
        pop     %rbp
        ret
        .cfi_endproc
        .size   NAME, . - NAME
        .size   ask, . - ask
        .section .note.GNU-stack, "", @progbits
