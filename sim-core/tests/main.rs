//! Tests of the hypervisor on its machine. One program, so that what they all use is compiled once.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod arinc653;
mod boards;
mod boot;
mod common;
mod counts;
mod devices;
mod digest;
mod errors;
mod events;
mod exceptions;
mod field;
mod fifo;
mod formulas;
mod harness;
mod hazards;
mod hypercalls;
mod injection;
mod isolation;
mod lifecycle;
mod oracle;
mod own_memory;
mod pin;
mod reach;
mod refusal;
mod runs;
mod thread_2022;
mod touches;
