//! Why there is no trace.

use std::path::PathBuf;
use thiserror::Error;

/// Why a trace was not written.
#[derive(Debug, Error)]
pub enum TraceError {
    /// The file's ending says no form.
    #[error("--trace {}: expected a file that ends in .json (for ui.perfetto.dev) or .jsonl (an object per line)", path.display())]
    Form {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be written.
    #[error("the trace cannot be written to {}: {why}; expected --trace FILE, a file that can be made or replaced", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
}
