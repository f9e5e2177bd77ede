//! What is said on standard error while something runs.

mod fuzz;
mod sweep;

pub use fuzz::Fuzzed;
pub use sweep::Swept;

use std::time::Duration;

/// Where there is no terminal, a line is printed no more often than this.
const EVERY: Duration = Duration::from_secs(10);
