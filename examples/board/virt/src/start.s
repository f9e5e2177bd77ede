// Start-up at EL2: a stack, zeros, vectors that end the run.

    .section .text.start, "ax"
    .global _start
_start:
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
    b   .

    .balign 2048
vectors:
    .rept 16
    bl  unexpected
    .balign 128
    .endr
