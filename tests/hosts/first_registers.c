/* What a program finds in its vector registers at its first instruction: they are empty, and the
 * control words are the kernel's. Exits with 0 if they are. */
__asm__(
    ".globl _start\n"
    "_start:\n\t"
    "subq $4096, %rsp\n\t"
    "andq $-64, %rsp\n\t"
    "fxsave64 (%rsp)\n\t"
    "xorl %eax, %eax\n\t"
    "leaq 160(%rsp), %rsi\n\t" /* xmm0 to xmm15 */
    "movl $32, %ecx\n"
    "1:\n\t"
    "orq (%rsi), %rax\n\t"
    "addq $8, %rsi\n\t"
    "loop 1b\n\t"
    "xorl %edi, %edi\n\t"
    "testq %rax, %rax\n\t"
    "setne %dil\n\t"
    "cmpw $0x37f, (%rsp)\n\t"
    "je 2f\n\t"
    "orl $2, %edi\n"
    "2:\n\t"
    "cmpl $0x1f80, 24(%rsp)\n\t"
    "je 3f\n\t"
    "orl $4, %edi\n"
    "3:\n\t"
    "movl $60, %eax\n\t"
    "syscall\n");
