//! Tests of the event channels over their public interface. One program, so that what they all use is compiled once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

extern crate alloc;

mod accesses;
mod allocation;
mod properties;
mod quirks;
mod raw;
#[path = "../src/testing.rs"]
mod testing;
