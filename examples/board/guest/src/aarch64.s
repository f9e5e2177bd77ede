// A guest's start-up and vectors at EL1. It may be loaded at any page; every address is taken relative to the program counter.
// The head is that of an arm64 kernel image (Linux, Documentation/arch/arm64/booting.rst), which other hypervisors ask for.

    .section .text.start, "ax"
    .global _start
_start:
image:
    b   start
    .long 0
    .quad 0x100000          // where it likes to be, from a multiple of 2 MiB: board::places::IMAGE
    .quad 0x300000          // how much it takes: to the end of the heap
    .quad 0xa               // little-endian, 4 KiB pages, anywhere
    .quad 0, 0, 0
    .ascii "ARM\x64"
    .long 0

// What the handlers tell the program: interrupt taken; abort taken, and its syndrome.
    .balign 4
    .global IRQ_TAKEN
IRQ_TAKEN:
irq_taken:
    .word 0
    .global ABORT_TAKEN
ABORT_TAKEN:
abort_taken:
    .word 0

start:
    // Where a hypervisor puts the address of a device tree, or 0.
    mov x21, x0
    // What was linked at 0 is at x19.
    adr x19, image
    adr x0, vectors
    msr vbar_el1, x0
    isb
    // The vCPU's number picks its stack, 64 KiB each, below 2 MiB behind the image's start.
    mrs x20, mpidr_el1
    and x20, x20, #0xff
    add x1, x19, #0x200, lsl #12
    sub x1, x1, x20, lsl #16
    mov sp, x1
    // What starts at zero is set to it, and addresses in the image move along with it. The first vCPU is the first to run; others find it done.
    cbnz x20, 2f
    adrp x1, __bss_start
    add x1, x1, :lo12:__bss_start
    adrp x2, __bss_end
    add x2, x2, :lo12:__bss_end
1:  cmp x1, x2
    b.hs 1f
    str xzr, [x1], #8
    b   1b
1:  adrp x1, __rel_start
    add x1, x1, :lo12:__rel_start
    adrp x2, __rel_end
    add x2, x2, :lo12:__rel_end
1:  cmp x1, x2
    b.hs 2f
    ldp x3, x4, [x1], #16           // r_offset, r_info: R_AARCH64_RELATIVE
    ldr x4, [x1], #8                // r_addend
    add x4, x4, x19
    str x4, [x19, x3]
    b   1b
2:  mov x0, x19
    mov x1, x20
    mov x2, x21
    bl  main
    b   .

// An interrupt: noted, and masked where the program goes on, which then asks the interrupt controller itself.
irq:
    stp x0, x1, [sp, #-16]!
    adr x0, irq_taken
    mov w1, #1
    str w1, [x0]
    mrs x0, spsr_el1
    orr x0, x0, #0x80
    msr spsr_el1, x0
    ldp x0, x1, [sp], #16
    eret

// Aborts: the syndrome is noted, and the instruction is skipped.
sync:
    stp x0, x1, [sp, #-16]!
    mrs x0, esr_el1
    adr x1, abort_taken
    str w0, [x1]
    lsr x1, x0, #26
    mrs x0, elr_el1
    add x0, x0, #4
    // Where a call to nowhere was to return to.
    cmp x1, #0x21
    csel x0, x30, x0, eq
    msr elr_el1, x0
    ldp x0, x1, [sp], #16
    eret

    .balign 2048
vectors:
    .rept 4                 // with the stack pointer of EL0
    b   .
    .balign 128
    .endr
    b   sync
    .balign 128
    b   irq
    .balign 128
    .rept 10                // FIQ and SError; from EL0
    b   .
    .balign 128
    .endr
