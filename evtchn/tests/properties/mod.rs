//! Properties over random sequences of operations.

mod agreement;
mod failures;
mod ops;
