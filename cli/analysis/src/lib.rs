//! What strategies and placements make of a scenario. All front ends say what is found here, so no two of them can differ.
//!
//! * [`judgement`]: a system under a strategy, and what each strategy and placement makes of an access.
//! * [`simulate`]: one run. [`comparison`]: one scenario under several strategies, taken together. [`sensitivity`]: what would change
//!   their ranking.
//! * [`budget`]: a plan slot by slot. [`explain`]: an access asked of MPUs as planned, and of others that differ in one point.

#![forbid(unsafe_code)]

pub mod budget;
pub mod comparison;
pub mod explain;
pub mod judgement;
pub mod sensitivity;
mod simulate;

pub use simulate::simulate;
