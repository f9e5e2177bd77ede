//! The two forms of a sweep's file.

use super::about::About;
use super::columns::Row;
use super::{SweepError, csv, jsonl};
use std::io;
use std::path::Path;

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Comma-separated values.
    Csv,
    /// JSON Lines.
    Jsonl,
}

impl Form {
    /// The form that a file's ending says.
    pub fn of(path: &Path) -> Result<Self, SweepError> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("csv") => Ok(Self::Csv),
            Some("jsonl") => Ok(Self::Jsonl),
            _ => Err(SweepError::Form { path: path.into() }),
        }
    }

    /// The lines in front of the rows.
    pub(super) fn head(self, about: &About, columns: &[String]) -> io::Result<Vec<u8>> {
        match self {
            Self::Csv => csv::head(about, columns),
            Self::Jsonl => jsonl::head(about),
        }
    }

    /// How many lines stand in front of the rows.
    pub(super) const fn head_lines(self) -> usize {
        match self {
            Self::Csv => csv::HEAD_LINES,
            Self::Jsonl => jsonl::HEAD_LINES,
        }
    }

    /// What a first line says.
    pub(super) fn about(self, line: &str) -> Option<About> {
        match self {
            Self::Csv => csv::about(line),
            Self::Jsonl => jsonl::about(line),
        }
    }

    /// The lines of some rows.
    pub(super) fn rows(self, columns: &[String], rows: &[Row]) -> io::Result<Vec<u8>> {
        match self {
            Self::Csv => csv::rows(rows),
            Self::Jsonl => jsonl::rows(columns, rows),
        }
    }

    /// The cell that a row's line is of.
    pub(super) fn cell(self, line: &str) -> Option<u64> {
        match self {
            Self::Csv => csv::cell(line),
            Self::Jsonl => jsonl::cell(line),
        }
    }
}
