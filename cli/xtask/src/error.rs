//! What can go wrong before anything is checked.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot read {}: {source}", file.display())]
    Read { file: PathBuf, source: std::io::Error },
    #[error("{}:{line}: this is no Rust: {message}", file.display())]
    Parse { file: PathBuf, line: usize, message: String },
    #[error("{}: this is no manifest: {source}", file.display())]
    Manifest { file: PathBuf, source: Box<toml::de::Error> },
}
