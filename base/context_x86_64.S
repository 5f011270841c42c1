/* The context switch for x86-64 (System V calling convention). What a suspended stack holds, from its stack
 * pointer up, in words:
 *
 *     0 r15 | 1 r14 | 2 r13 | 3 r12 | 4 rbx | 5 rbp | 6 return address
 *
 * A new context has its function in r12, its argument in r13, context_entry as the return address; its frame
 * lies right below the stack's upper end, so context_entry starts with the stack aligned to 16. */
#if defined(__x86_64__)

        .text

        .globl  context_swap
        .hidden context_swap
        .type   context_swap, @function
        .p2align 4
context_swap:
        .cfi_startproc
        pushq   %rbp
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbp, 0
        pushq   %rbx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbx, 0
        pushq   %r12
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r12, 0
        pushq   %r13
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r13, 0
        pushq   %r14
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r14, 0
        pushq   %r15
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r15, 0
        /* The other stack looks the same from its pointer up, so the unwinding rules hold on both sides. */
        movq    %rsp, (%rdi)
        movq    %rsi, %rsp
        popq    %r15
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r15
        popq    %r14
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r14
        popq    %r13
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r13
        popq    %r12
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r12
        popq    %rbx
        .cfi_adjust_cfa_offset -8
        .cfi_restore %rbx
        popq    %rbp
        .cfi_adjust_cfa_offset -8
        .cfi_restore %rbp
        ret
        .cfi_endproc
        .size   context_swap, .-context_swap

        .globl  context_entry
        .hidden context_entry
        .type   context_entry, @function
        .p2align 4
context_entry:
        .cfi_startproc
        .cfi_undefined %rip
        movq    %r13, %rdi
        call    *%r12
        ud2
        .cfi_endproc
        .size   context_entry, .-context_entry

        .globl  context_call_at
        .hidden context_call_at
        .type   context_call_at, @function
        .p2align 4
context_call_at:
        .cfi_startproc
        pushq   %rbp
        .cfi_def_cfa_offset 16
        .cfi_offset %rbp, -16
        movq    %rsp, %rbp
        .cfi_def_cfa_register %rbp
        movq    %rdi, %rsp
        movq    %rdx, %rdi
        call    *%rsi
        movq    %rbp, %rsp
        popq    %rbp
        .cfi_def_cfa %rsp, 8
        ret
        .cfi_endproc
        .size   context_call_at, .-context_call_at

#endif
        .section .note.GNU-stack, "", %progbits
