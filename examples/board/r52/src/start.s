// Start-up and vectors at EL2 (Hyp mode).

    .section .text.vectors, "ax"
    .arm
    .align 5
    .global __vectors
__vectors:
    b   .                   // reset: comes from the loader, not through here
    b   hyp_exception       // undefined instruction, from Hyp mode
    b   hyp_exception       // HVC, from Hyp mode
    b   hyp_exception       // prefetch abort, from Hyp mode
    b   hyp_exception       // data abort, from Hyp mode
    b   guest_exception     // any synchronous exception of a guest
    b   guest_irq
    b   .                   // FIQ: the GIC has no group 0 interrupts here

    .global _start
_start:
    ldr sp, =__stack_top
    ldr r0, =__vectors
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

// An exception of EL2's own ends everything: the report runs on the stack where it happened.
hyp_exception:
    mrs r0, elr_hyp
    bl  hyp_fault
    b   .

guest_irq:
    push {r0-r12, lr}
    mov r1, #1
    b   enter
guest_exception:
    push {r0-r12, lr}
    mov r1, #0
enter:
    mrs r2, elr_hyp
    mrs r3, spsr
    push {r2, r3}
    mov r0, sp
    bl  trap
    // The stack is empty but for the frame: Hyp mode's stack starts over at each entry.
    .global resume
resume:
    pop {r2, r3}
    msr elr_hyp, r2
    msr spsr_cxsf, r3
    pop {r0-r12, lr}
    eret

// The first ERET: takes the address of a frame, somewhere on the stack. It goes to the top of it, last word first, for the two
// may overlap.
    .global enter_guest
enter_guest:
    ldr r1, =__stack_top
    add r0, r0, #64
    mov r2, #16
1:  ldr r3, [r0, #-4]!
    str r3, [r1, #-4]!
    subs r2, r2, #1
    bne 1b
    mov sp, r1
    b   resume
