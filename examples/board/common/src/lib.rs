//! What the board images share.

#![no_std]

#[cfg(feature = "hypervisor")]
extern crate alloc;

/// The immediate of the HVC by which a guest says that a step (its number in the first register) gave something else than
/// expected. It is for whoever watches the board: the hypervisor never sees it.
pub const UNEXPECTED: u16 = 0xffff;

pub mod heap;
#[cfg(feature = "hypervisor")]
pub mod hypervisor;
pub mod places;
pub mod semihosting;
