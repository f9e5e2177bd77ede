//! A board in a file of its own.

use super::error::LoadError;
use super::raw_board::RawBoardTable;
use super::source::Sources;
use super::{board, diagnose, read};
use sim_core::layout::Board;
use std::path::{Path, PathBuf};

/// A board's file: TOML, with the keys of a scenario's table `[board]`.
#[derive(Clone, Debug)]
pub struct BoardFile {
    path: PathBuf,
    text: String,
}

impl BoardFile {
    /// Reads a file; what stands in it is not looked at.
    pub fn read(path: &Path) -> Result<Self, LoadError> {
        Ok(Self { path: path.to_owned(), text: read(path, "board")? })
    }

    /// A board's text. `path` names it in messages.
    #[must_use]
    pub fn from_text(path: &Path, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What stands in it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn path_and_text(&self) -> (&Path, &str) {
        (&self.path, &self.text)
    }

    /// The board, without any scenario.
    pub fn board(&self) -> Result<Board, LoadError> {
        let board = diagnose::parsed::<RawBoardTable>(&self.text).and_then(|table| board::whole(&table));
        board.map_err(|problem| problem.found_in(&Sources::new(&self.path, &self.text, &[])))
    }
}
