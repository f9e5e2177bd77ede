//! The model against slow, plain restatements of the same rules.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

mod oracle;

mod check;
mod probes;
mod regions;
mod sync;
