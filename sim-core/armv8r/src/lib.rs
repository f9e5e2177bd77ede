#![doc = include_str!("../README.md")]
//!
//! # Where things are
//!
//! * `a64`: instruction words, and what each does to registers and memory. It reaches memory, system registers and exceptions
//!   through the trait [`a64::Env`] alone.
//! * `devices`: interrupt controller, timers, UART.
//! * `features`: what a PE has. `sysreg`: its system registers, by table.
//! * `pe`: a PE: PSTATE, exceptions, traps, memory through the MPUs.
//! * `memory`: physical memory. `bus`: what PEs share, and time. `hazards`: what missing barriers come to.
//! * `machine`: PEs that take turns. `observe`: who looks on.
//! * `semihosting`: what HLT 0xf000 does.
//! * `exception`: what an instruction may end in.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod a64;
pub mod bus;
mod cached;
pub mod devices;
pub mod exception;
pub mod features;
pub mod hazards;
pub mod machine;
pub mod memory;
pub mod observe;
pub mod pe;
pub mod semihosting;
pub mod sysreg;
