//! What is wrong with the input, and where.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why nothing could be replayed: the input, not the hypervisor.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// Transcripts have `shared_info` where the strategy cannot have it.
    #[error(
        "transcripts keep shared_info in guests' own memory, and strategy {0} needs placement {1}; replay under another"
    )]
    Transcript(&'static str, &'static str),
    /// A placement was asked for that the strategy does not stand on.
    #[error("strategy {0} needs placement {1}; leave --placement out, or name that")]
    Placement(&'static str, &'static str),
    /// A file or folder that cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A folder without a single vector file.
    #[error("{}: no vector files (*.jsonl whose first line lists domains) in this folder", path.display())]
    NoVectors {
        /// The folder.
        path: PathBuf,
    },
    /// Nothing was named.
    #[error("no files or folders were named")]
    NoPaths,
    /// A file too large to be a recording.
    #[error("{}: larger than {}, the most a vector file may have", path.display(), words::bytes(*limit))]
    TooLarge {
        /// Which.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// A line that is not what the format says.
    #[error("{}:{line}: expected {expected}: {found}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What should be there.
        expected: String,
        /// What is there instead.
        found: String,
    },
    /// A file that needs something this replayer does not have.
    #[error("{}:{line}: {what} is not supported; skip such files with --skip-unsupported", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What it needs.
        what: String,
    },
    /// A system of this strategy that cannot be built for the file's domains.
    #[error("{}: no such system can be built: {why}", path.display())]
    Setup {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

/// A file, for errors in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) path: &'a Path,
}

impl Place<'_> {
    pub(super) fn bad(&self, line: usize, expected: impl Display, found: impl Display) -> ReplayError {
        ReplayError::Format {
            path: self.path.to_owned(),
            line,
            expected: expected.to_string(),
            found: words::json_error(found.to_string()),
        }
    }

    pub(super) fn unsupported(&self, line: usize, what: impl Display) -> ReplayError {
        ReplayError::Unsupported { path: self.path.to_owned(), line, what: what.to_string() }
    }

    pub(super) fn setup(&self, why: impl Display) -> ReplayError {
        ReplayError::Setup { path: self.path.to_owned(), why: why.to_string() }
    }
}
