#![doc = include_str!("../README.md")]
//!
//! # Where things are
//!
//! * `board`: [`Board`] and what it consists of: [`Memory`], [`Uart`], [`Gic`], [`Timers`], [`ImageSizes`].
//! * `check`: [`Board::check`] and [`Board::check_map`], and `error` what they find: [`BoardError`].
//! * `pe`: [`PeId`], the number of a PE, and [`PerPe`], what there is one of for each.
//! * `presets`: [`Board::preset`], and what each figure stands on.
//! * `span`: [`Span`], a range of physical addresses.
//!
//! The crate stands below the hypervisor (`sim-core`), which lays systems out on boards, and depends on `mpu-model` alone,
//! for the words of the MPU's architecture: [`mpu_model::Pmsa`], [`mpu_model::Rules`], [`mpu_model::DefaultMap`].

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod board;
mod check;
mod error;
mod pe;
mod presets;
mod span;

pub use board::{Board, Gic, ImageSizes, Kind, Memory, PA_BITS, Timers, Uart};
pub use error::{BoardError, Part};
pub use pe::{PeId, PerPe};
pub use span::Span;
