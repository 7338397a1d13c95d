/* Three plug-ins of one layout, by hand. In plug_w1 the function is named like a wrapper (GLib's) and keeps rbp as a frame
 * pointer. In plug_w2, loaded at the same address afterwards, the same call returns to a function that uses rbp for a
 * number: a frame rule that is remembered for that address reads memory at that number. In plug_w3 it points to the stack, and
 * the rule would find something there. */
	.text
#ifdef PLUG_W1
	.globl g_get_monotonic_time
	.type g_get_monotonic_time, @function
g_get_monotonic_time:
#else
	.globl not_a_wrapper_
	.type not_a_wrapper_, @function
not_a_wrapper_:
#endif
	.cfi_startproc
	push %rbp
	.cfi_def_cfa_offset 16
	.cfi_offset %rbp, -16
#ifdef PLUG_W1
	mov %rsp, %rbp
	.cfi_def_cfa_register %rbp
	.nops 7
#else
#ifdef PLUG_W3
	lea 8(%rsp), %rbp
	.nops 5
#else
	mov $0x1234, %rbp
	.nops 3
#endif
#endif
	sub $32, %rsp
#ifndef PLUG_W1
	.cfi_def_cfa_offset 48
#endif
	mov $1, %edi
	mov %rsp, %rsi
	call clock_gettime@PLT
	add $32, %rsp
#ifdef PLUG_W1
	pop %rbp
	.cfi_def_cfa %rsp, 8
#else
	.cfi_def_cfa_offset 16
	pop %rbp
	.cfi_def_cfa_offset 8
#endif
	ret
	.cfi_endproc
#ifdef PLUG_W1
	.size g_get_monotonic_time, . - g_get_monotonic_time
#else
	.size not_a_wrapper_, . - not_a_wrapper_
#endif
	.section .note.GNU-stack,"",@progbits
