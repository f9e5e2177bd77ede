// Start-up at EL2, and vectors: they save every register of what was interrupted, and restore them into what comes next.

    .section .text.start, "ax"
    .global _start
_start:
    msr spsel, #1
    ldr x0, =__stack_top
    mov sp, x0
    adr x0, vectors
    msr vbar_el2, x0
    ldr x0, =__bss_start
    ldr x1, =__bss_end
1:  cmp x0, x1
    b.hs 2f
    stp xzr, xzr, [x0], #16
    b   1b
2:  isb
    bl  main
    // Into the image as its PE comes out of reset: main has set ELR and SPSR.
    eret

    .macro entry
    .balign 128
    msr tpidr_el2, x0
    adr x0, saved
    stp x1, x2, [x0, #8]
    adr x1, vectors
    adr x2, .
    sub x1, x2, x1
    and x1, x1, #0x780
    b   common
    .endm

    .balign 2048
vectors:
    .rept 16
    entry
    .endr

common:
    stp x3, x4, [x0, #24]
    stp x5, x6, [x0, #40]
    stp x7, x8, [x0, #56]
    stp x9, x10, [x0, #72]
    stp x11, x12, [x0, #88]
    stp x13, x14, [x0, #104]
    stp x15, x16, [x0, #120]
    stp x17, x18, [x0, #136]
    stp x19, x20, [x0, #152]
    stp x21, x22, [x0, #168]
    stp x23, x24, [x0, #184]
    stp x25, x26, [x0, #200]
    stp x27, x28, [x0, #216]
    stp x29, x30, [x0, #232]
    mrs x2, tpidr_el2
    str x2, [x0]
    mov x2, sp
    str x2, [x0, #248]
    ldr x2, =__stack_top
    mov sp, x2
    bl  exception
    adr x0, saved
    ldr x1, [x0, #248]
    mov sp, x1
    ldp x1, x2, [x0, #8]
    ldp x3, x4, [x0, #24]
    ldp x5, x6, [x0, #40]
    ldp x7, x8, [x0, #56]
    ldp x9, x10, [x0, #72]
    ldp x11, x12, [x0, #88]
    ldp x13, x14, [x0, #104]
    ldp x15, x16, [x0, #120]
    ldp x17, x18, [x0, #136]
    ldp x19, x20, [x0, #152]
    ldp x21, x22, [x0, #168]
    ldp x23, x24, [x0, #184]
    ldp x25, x26, [x0, #200]
    ldp x27, x28, [x0, #216]
    ldp x29, x30, [x0, #232]
    ldr x0, [x0]
    eret

    // x0 to x30, SP; in no page with instructions, for an emulator looks for those at every write to such a page.
    .section .bss.saved, "aw", @nobits
    .balign 16
saved:
    .space 256
