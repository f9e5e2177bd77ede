// Start-up at EL2 (Hyp mode), and a way to EL1 and back with the cycle counter read at each turn.

    .section .text.vectors, "ax"
    .arm

    .macro cycles register
    mrc p15, 0, \register, c9, c13, 0      // PMCCNTR
    .endm
    .macro ticks register
    mrrc p15, 1, \register, r1, c14        // CNTVCT
    .endm

// Vectors, of which one is for a guest's hypercall.
    .macro vectors name, hypercall
    .align 5
\name:
    b   .                   // reset: comes from the loader, not through here
    b   unexpected
    b   unexpected
    b   unexpected
    b   unexpected
    b   \hypercall
    b   unexpected
    b   unexpected
    .endm
    vectors with_cycles, hypercall_with_cycles
    vectors with_ticks, hypercall_with_ticks

    .global _start
_start:
    ldr sp, =__stack_top
    ldr r0, =with_cycles
    mcr p15, 4, r0, c12, c0, 0      // HVBAR
    ldr r0, =__bss_start
    ldr r1, =__bss_end
    mov r2, #0
1:  cmp r0, r1
    strlo r2, [r0], #4
    blo 1b
    isb
    bl  main
    b   .

// Takes the address of eight words, for the counter: before ERET and behind it at EL1; before and behind a hypercall that
// EL2 returns from at once; before and behind 32 loads with an addition each; before HVC, and behind it at EL2.
    .macro way name, counter
    .global to_el1_and_back_\name
to_el1_and_back_\name:
    push {r4-r11, lr}
    ldr r1, =\name
    mcr p15, 4, r1, c12, c0, 0      // HVBAR
    ldr r1, =at_el1_\name
    msr elr_hyp, r1
    mov r1, #0x1d3                  // Supervisor mode, all masked
    msr spsr_cxsf, r1
    mov r8, #1                      // hypercalls to return from
    isb
    \counter r4
    eret
at_el1_\name:
    \counter r5
    isb
    \counter r9
    hvc #0
    \counter r10
    isb
    \counter r11
    .rept 32
    ldr r2, [r0]
    add r3, r3, r2
    .endr
    isb
    \counter r12
    isb
    \counter r6
    hvc #0
hypercall_\name:
    \counter r7
    subs r8, r8, #1
    bmi 1f
    eret
1:  stm r0!, {r4, r5}
    stm r0!, {r9, r10, r11, r12}
    stm r0!, {r6, r7}
    pop {r4-r11, pc}
    .ltorg
    .endm
    way with_cycles, cycles
    way with_ticks, ticks
