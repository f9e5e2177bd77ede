//! `mpusim sweep`: one scenario under every combination of the values of some of its keys, one row for each.
//!
//! From the top:
//!
//! * `run`: cells in parallel, rows in the order of the grid, each written as soon as it can be.
//! * `vary`: axes, from what was typed. `grid`: cells in a stable order. `shard`: which of them are this process's.
//! * `cell`: one cell, one row. `columns`: what a row holds.
//! * `output`: the file. `form`: its two forms, `csv` and `jsonl`. `about`: its first line. `resume`: what of it is whole.
//! * `table`: the file read back, for reports.
//! * `merge`: files of shards into the file of the whole.

mod about;
mod cell;
mod columns;
mod csv;
mod form;
mod grid;
mod jsonl;
mod merge;
mod output;
mod resume;
mod run;
mod shard;
mod table;
mod vary;

pub use about::{About, Asked};
pub use cell::{Cells, NoRun, Simulate, simulate};
pub use columns::{Row, Value, columns};
pub use form::Form;
pub use grid::{Grid, GridId};
pub use merge::{Merged, merge};
pub use output::{Open, Output, Target};
pub use run::{End, Progress, Sweep};
use scenario::LoadError;
pub use shard::Shard;
use std::io;
use std::path::PathBuf;
pub use table::{Field, Line, Table};
use thiserror::Error;
pub use vary::{Axis, STRATEGY};

/// Why a sweep or a merge did not do all it was asked to.
#[derive(Debug, Error)]
pub enum SweepError {
    /// An axis means nothing.
    #[error("--vary {argument}: {why}")]
    Vary {
        /// What was typed.
        argument: String,
        /// What is wrong with it.
        why: String,
    },
    /// The strategies mean nothing.
    #[error("--strategies: {why}")]
    Strategies {
        /// What is wrong with them.
        why: String,
    },
    /// The scenario has no such key, or the key takes no such value.
    #[error("--vary {key}={value}: {}{}", error.title(), error.help().map(|help| format!("; {help}")).unwrap_or_default())]
    Key {
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// What the scenario says to it.
        error: Box<LoadError>,
    },
    /// Two axes have one key.
    #[error("{key} is varied twice; give all its values in one --vary, as in --vary {key}=1..4,8")]
    VariedTwice {
        /// The key.
        key: String,
    },
    /// A key is set and varied.
    #[error("{key} is varied, and --set {set} sets it; leave one of the two out")]
    VariedAndSet {
        /// The key.
        key: String,
        /// The argument.
        set: String,
    },
    /// The product is too large.
    #[error("the product of all --vary has more than {most} cells; vary fewer keys, or give fewer values")]
    TooManyCells {
        /// How many there may be.
        most: u64,
    },
    /// A shard means nothing.
    #[error("{argument}: {why}")]
    Shard {
        /// What was said, and where.
        argument: String,
        /// What was expected.
        why: &'static str,
    },
    /// The file's ending says no form.
    #[error("-o {}: expected a file that ends in .csv or .jsonl, or - for CSV on standard output", path.display())]
    Form {
        /// The file.
        path: PathBuf,
    },
    /// Standard output cannot be gone on with.
    #[error("-o -: standard output has nothing that --resume could go on from; expected a file")]
    ResumeStdout,
    /// The file is there.
    #[error("{} is there already; --resume goes on with it, --force replaces it", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Another process has the file.
    #[error("{} is being written by another process", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// The file is of another sweep.
    #[error("{}: {why}; --force replaces it", path.display())]
    NotThis {
        /// The file.
        path: PathBuf,
        /// In what it differs.
        why: String,
    },
    /// The file is not what a sweep writes.
    #[error("{}:{line}: {why}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What was expected.
        why: String,
    },
    /// The file cannot be read.
    #[error("{} cannot be read: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file cannot be written.
    #[error("{} cannot be written: {error}{}", path.display(), if *resumes { "; --resume goes on behind its last whole row" } else { "" })]
    Write {
        /// The file.
        path: PathBuf,
        /// Whether it is one that `--resume` goes on with.
        resumes: bool,
        /// Why.
        error: io::Error,
    },
    /// The files do not belong together, or are not all there.
    #[error("cannot merge: {0}")]
    Merge(String),
    /// The threads cannot be started.
    #[error("--jobs {jobs}: {error}")]
    Jobs {
        /// How many were asked for.
        jobs: usize,
        /// Why.
        error: io::Error,
    },
}
