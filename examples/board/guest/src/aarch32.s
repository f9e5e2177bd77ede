// A guest's start-up and vectors at EL1. It may be loaded anywhere; every address is taken relative to the program counter.

    .section .text.start, "ax"
    .arm
    .global _start
_start:
image:
    b   start

    .align 5
vectors:
    b   .                   // reset
    b   undefined
    b   .                   // SVC
    b   prefetch_abort
    b   data_abort
    b   .
    b   irq
    b   .                   // FIQ

// What the handlers tell the program: interrupt taken; abort taken, and with which class.
    .align 2
    .global IRQ_TAKEN
IRQ_TAKEN:
irq_taken:
    .word 0
    .global ABORT_TAKEN
ABORT_TAKEN:
abort_taken:
    .word 0

start:
    // What was linked at 0 is at r4.
    adr r4, image
    adr r0, vectors
    mcr p15, 0, r0, c12, c0, 0      // VBAR
    isb
    // The vCPU's number picks its stack, 64 KiB each, below 2 MiB behind the image's start.
    mrc p15, 0, r0, c0, c0, 5       // MPIDR
    and r0, r0, #0xff
    add r1, r4, #0x200000
    sub sp, r1, r0, lsl #16
    // The interrupt handler pushes four words on a stack of its own, at the far end of the vCPU's.
    sub r2, sp, #0xff00
    cps #0x12
    mov sp, r2
    cps #0x13
    // What starts at zero is set to it, and addresses in the image move along with it. The first vCPU is the first to run; others find it done.
    cmp r0, #0
    bne 2f
    adr r0, offsets
    ldm r0, {r1, r2, r6, r7}
    add r1, r1, r0
    add r2, r2, r0
    add r6, r6, r0
    add r7, r7, r0
    mov r3, #0
3:  cmp r6, r7
    strlo r3, [r6], #4
    blo 3b
1:  cmp r1, r2
    bhs 2f
    ldr r3, [r1], #8                // r_offset; r_info is R_ARM_RELATIVE
    ldr r5, [r4, r3]
    add r5, r5, r4
    str r5, [r4, r3]
    b   1b
2:  mov r0, r4
    mrc p15, 0, r1, c0, c0, 5
    and r1, r1, #0xff
    mov r2, #0                      // no device tree
    bl  main
    b   .
offsets:
    .word __rel_start - offsets
    .word __rel_end - offsets
    .word __bss_start - offsets
    .word __bss_end - offsets

// An interrupt: noted, and masked where the program goes on, which then asks the interrupt controller itself.
irq:
    sub lr, lr, #4
    srsdb sp!, #0x12
    push {r0, r1}
    adr r0, irq_taken
    mov r1, #1
    str r1, [r0]
    ldr r0, [sp, #12]
    orr r0, r0, #0x80
    str r0, [sp, #12]
    pop {r0, r1}
    rfeia sp!

// Aborts: noted by class, and the instruction is skipped. The program is in SVC mode and keeps nothing in r2 and r3 over one.
data_abort:
    sub lr, lr, #4
    mov r2, #0x25
    b   noted
undefined:
    mov r2, #0x100
    b   noted
prefetch_abort:
    // Where a call to nowhere was to return to.
    mrs r2, lr_svc
    mov lr, r2
    mov r2, #0x21
noted:
    adr r3, abort_taken
    str r2, [r3]
    movs pc, lr
