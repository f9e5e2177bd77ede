//! Tests of the model over its public interface. One program, so that what they all use is compiled once.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod exhaustion;
mod field;
mod properties;
mod setup;
mod synchronisation;
mod watch_out;
mod write_order;
