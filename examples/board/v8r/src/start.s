// Start-up and vectors at EL2.

    // Bytes of what the vectors push: x0 to x30, ELR, SPSR, and eight that keep the stack aligned.
    .equ PUSHED, 272

    // A guest's exception: its registers go onto the stack, which is empty but for them.
    .macro from_guest irq
    .balign 128
    sub sp, sp, #PUSHED
    stp x0, x1, [sp]
    stp x2, x3, [sp, #16]
    stp x4, x5, [sp, #32]
    stp x6, x7, [sp, #48]
    stp x8, x9, [sp, #64]
    stp x10, x11, [sp, #80]
    stp x12, x13, [sp, #96]
    stp x14, x15, [sp, #112]
    stp x16, x17, [sp, #128]
    stp x18, x19, [sp, #144]
    stp x20, x21, [sp, #160]
    stp x22, x23, [sp, #176]
    stp x24, x25, [sp, #192]
    stp x26, x27, [sp, #208]
    stp x28, x29, [sp, #224]
    mov w1, #\irq
    b   enter
    .endm

    // An exception of EL2's own ends everything: the report runs on the stack where it happened.
    .macro from_hypervisor
    .balign 128
    mrs x0, elr_el2
    bl  hyp_fault
    .endm

    .section .text.start, "ax"
    .global _start
_start:
    // One PE runs; the others wait for ever.
    mrs x0, mpidr_el1
    tst x0, #0xffffff
    b.ne 3f
    mrs x0, currentel
    cmp x0, #(2 << 2)
    b.ne 3f
    msr spsel, #1
    msr daifset, #0xf
    // MPU, caches and the background region off; the rest as RES1 has it.
    ldr x0, =0x30c50830
    msr sctlr_el2, x0
    isb
    ldr x0, =__vectors
    msr vbar_el2, x0
    ldr x0, =__stack_top
    mov sp, x0
    // Guests have an MPU at EL1, not an MMU (VTCR_EL2.MSA), with 8-bit VMIDs; memory is Secure as far as EL2 says (SC, not SA).
    msr vtcr_el2, xzr
    mov x0, #(1 << 20)
    msr s3_4_c2_c6_2, x0            // VSTCR_EL2, by its encoding: assemblers take the name only where FEAT_SEL2 is on
    // They read the PE's own identity, and have no physical timer.
    mrs x0, midr_el1
    msr vpidr_el2, x0
    msr cnthctl_el2, xzr
    msr cntvoff_el2, xzr
    ldr x0, =__bss_start
    ldr x1, =__bss_end
1:  cmp x0, x1
    b.hs 2f
    stp xzr, xzr, [x0], #16
    b   1b
2:  isb
    bl  main
3:  wfe
    b   3b

    .section .text.vectors, "ax"
    .balign 2048
    .global __vectors
__vectors:
    .rept 8                 // EL2 itself, with either stack pointer
    from_hypervisor
    .endr
    from_guest 0            // synchronous
    from_guest 1            // IRQ
    .rept 2                 // FIQ, which the GIC has no group 0 for; SError
    from_hypervisor
    .endr
    .rept 4                 // AArch32, which there is none of
    from_hypervisor
    .endr
    .balign 128

enter:
    mrs x2, elr_el2
    mrs x3, spsr_el2
    stp x30, x2, [sp, #240]
    str x3, [sp, #256]
    mov x0, sp
    bl  trap
resume:
    ldp x30, x2, [sp, #240]
    ldr x3, [sp, #256]
    msr elr_el2, x2
    msr spsr_el2, x3
    ldp x0, x1, [sp]
    ldp x2, x3, [sp, #16]
    ldp x4, x5, [sp, #32]
    ldp x6, x7, [sp, #48]
    ldp x8, x9, [sp, #64]
    ldp x10, x11, [sp, #80]
    ldp x12, x13, [sp, #96]
    ldp x14, x15, [sp, #112]
    ldp x16, x17, [sp, #128]
    ldp x18, x19, [sp, #144]
    ldp x20, x21, [sp, #160]
    ldp x22, x23, [sp, #176]
    ldp x24, x25, [sp, #192]
    ldp x26, x27, [sp, #208]
    ldp x28, x29, [sp, #224]
    add sp, sp, #PUSHED
    eret

// The first ERET: takes the address of what the vectors would have pushed, somewhere on the stack. It goes to the top of it, last
// word first, for the two may overlap.
    .global enter_guest
enter_guest:
    ldr x1, =__stack_top
    mov x2, #(PUSHED / 8)
1:  sub x2, x2, #1
    ldr x3, [x0, x2, lsl #3]
    str x3, [x1, #-8]!
    cbnz x2, 1b
    mov sp, x1
    b   resume
