//! A Xen-like hypervisor for Armv8-R, and the software machine it runs on.
//!
//! The floors, from the top; each imports only what stands below it:
//!
//! * [`world`] puts the two halves together and runs them to the end; [`harness`] lets whoever holds it drive vCPUs step by step.
//! * [`hyp`] is the hypervisor: trap entry, hypercalls, domains, scheduler, slot driver, strategies. The same source runs on
//!   hardware. [`machine`] beside it is a software Armv8-R machine: PEs, memory, MPUs, interrupts, clocks. Neither
//!   knows the other.
//! * [`guest`]: the programs that run on vCPUs.
//! * [`outcome`]: typed results. [`layout`]: who owns which addresses. [`platform`]: the seam between hypervisor and
//!   hardware. [`convention`]: what guests and hypervisor agree on. [`splitmix`]: a generator of numbers.
//!
//! The crates `evtchn` (the event-channel ABI), `mpu-model` (the rule book of the MPU) and `boards` (what a board is) stand below
//! all of it.
//!
//! Feature `sim` (on by default) brings [`machine`], [`guest`] and [`world`]; a build without it proves that the hypervisor
//! never leans on the simulator.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod convention;
#[cfg(feature = "export")]
pub mod export;
#[cfg(feature = "guest")]
pub mod guest;
#[cfg(feature = "sim")]
pub mod harness;
pub mod hyp;
pub mod layout;
#[cfg(feature = "sim")]
pub mod machine;
pub mod outcome;
pub mod platform;
#[cfg(feature = "guest")]
pub mod splitmix;
pub mod story;
#[cfg(feature = "sim")]
pub mod world;
