//! Properties over random sequences of operations.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

extern crate alloc;

mod agreement;
mod failures;
mod ops;
#[path = "../../src/testing.rs"]
mod testing;
