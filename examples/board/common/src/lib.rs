//! What the board images share.

#![no_std]

pub mod heap;
pub mod places;
pub mod semihosting;
