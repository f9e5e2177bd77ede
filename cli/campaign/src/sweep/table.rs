//! A sweep's file, read back.

use super::SweepError;
use super::about::About;
use super::form::Form;
use super::resume::LONGEST;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// The rows of a sweep, or of a part of it.
#[derive(Clone, Debug)]
pub struct Table {
    path: PathBuf,
    about: About,
    columns: Vec<String>,
    places: HashMap<String, usize>,
    rows: Vec<Vec<Field>>,
}

/// One value of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Field {
    /// A number.
    Number(f64),
    /// Anything else.
    Text(String),
    /// There is none.
    Absent,
}

impl Field {
    fn of(text: &str) -> Self {
        match text.parse::<f64>() {
            _ if text.is_empty() => Self::Absent,
            Ok(number) if number.is_finite() => Self::Number(number),
            _ => Self::Text(text.into()),
        }
    }

    /// The number, if it is one.
    #[must_use]
    pub const fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(_) | Self::Absent => None,
        }
    }

    /// As it stands in the file; of numbers, the shortest form.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
            Self::Absent => String::new(),
        }
    }
}

impl Table {
    /// Reads a file of `mpusim sweep` or `mpusim sweep merge`, finished or not. Every row in it must be whole.
    pub fn read(path: &Path) -> Result<Self, SweepError> {
        let form = Form::of(path)?;
        let mut lines = Lines::open(path)?;
        let first = lines.next()?.unwrap_or_default();
        let about =
            form.about(&first).ok_or_else(|| lines.wrong("expected the first line of a file of `mpusim sweep`"))?;
        let mut columns = Vec::new();
        if form == Form::Csv {
            let line = lines.next()?.ok_or_else(|| lines.wrong("expected the names of the columns"))?;
            columns = lines.record(&line)?;
        }
        let mut rows: Vec<Vec<Field>> = Vec::new();
        while let Some(line) = lines.next()? {
            let row = match form {
                Form::Csv => lines.record(&line)?.iter().map(|field| Field::of(field)).collect(),
                Form::Jsonl => lines.object(&line, &mut columns)?,
            };
            if row.len() != columns.len() {
                return Err(lines.wrong(&format!("expected {} values, found {}", columns.len(), row.len())));
            }
            rows.push(row);
        }
        if rows.is_empty() {
            return Err(
                lines.wrong("expected rows; a sweep that was interrupted before its first goes on with --resume")
            );
        }
        for name in ["cell", "strategy", "outcome"] {
            if !columns.iter().any(|column| column == name) {
                return Err(lines.wrong(&format!("the rows have no column {name}")));
            }
        }
        let places = columns.iter().enumerate().map(|(at, name)| (name.clone(), at)).collect();
        Ok(Self { path: path.into(), about, columns, places, rows })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Which sweep it is.
    #[must_use]
    pub const fn about(&self) -> &About {
        &self.about
    }

    /// The keys of the scenario that were varied, the slowest first.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        let names = self.columns.iter().map(String::as_str);
        names.skip(1).take_while(|name| *name != "strategy")
    }

    /// The rows.
    pub fn rows(&self) -> impl Iterator<Item = Line<'_>> {
        self.rows.iter().map(|fields| Line { table: self, fields })
    }

    /// How many rows there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none, which [`Table::read`] refuses.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    table: &'a Table,
    fields: &'a [Field],
}

impl<'a> Line<'a> {
    /// The value in a column; absent too where there is no such column.
    #[must_use]
    pub fn get(&self, column: &str) -> &'a Field {
        let place = self.table.places.get(column);
        place.and_then(|at| self.fields.get(*at)).unwrap_or(&Field::Absent)
    }

    /// The number in a column.
    #[must_use]
    pub fn number(&self, column: &str) -> Option<f64> {
        self.get(column).number()
    }

    /// Whether the run came to its end.
    #[must_use]
    pub fn completed(&self) -> bool {
        matches!(self.get("outcome"), Field::Text(outcome) if outcome == "completed")
    }
}

/// The lines of a file, each whole.
struct Lines {
    path: PathBuf,
    reader: BufReader<File>,
    number: u64,
}

impl Lines {
    fn open(path: &Path) -> Result<Self, SweepError> {
        let file = File::open(path).map_err(|error| SweepError::Read { path: path.into(), error })?;
        Ok(Self { path: path.into(), reader: BufReader::new(file), number: 0 })
    }

    fn next(&mut self) -> Result<Option<String>, SweepError> {
        let mut line = Vec::new();
        self.number += 1;
        let read = self.reader.by_ref().take(LONGEST).read_until(b'\n', &mut line);
        read.map_err(|error| SweepError::Read { path: self.path.clone(), error })?;
        if line.is_empty() {
            return Ok(None);
        }
        if line.pop() != Some(b'\n') {
            return Err(self.wrong("the last row is not whole; `mpusim sweep --resume` makes it so"));
        }
        String::from_utf8(line).map(Some).map_err(|_| self.wrong("expected UTF-8"))
    }

    /// The fields of a line of CSV. No field of a sweep holds a line's end.
    fn record(&self, line: &str) -> Result<Vec<String>, SweepError> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
        match reader.records().next() {
            Some(Ok(record)) => Ok(record.iter().map(str::to_owned).collect()),
            _ => Err(self.wrong("expected a row of comma-separated values")),
        }
    }

    /// The values of an object, whose names are those of the first row.
    fn object(&self, line: &str, columns: &mut Vec<String>) -> Result<Vec<Field>, SweepError> {
        let row: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line)
            .map_err(|error| self.wrong(&format!("expected an object: {}", words::json_error(error.to_string()))))?;
        if columns.is_empty() {
            columns.extend(row.keys().cloned());
        } else if !row.keys().eq(columns.iter()) {
            return Err(self.wrong("expected the names that the first row has, in the same order"));
        }
        let field = |value: serde_json::Value| match value {
            serde_json::Value::Null => Field::Absent,
            serde_json::Value::Number(number) => number.as_f64().map_or(Field::Absent, Field::Number),
            serde_json::Value::String(text) => Field::Text(text),
            other => Field::Text(other.to_string()),
        };
        Ok(row.into_iter().map(|(_, value)| field(value)).collect())
    }

    fn wrong(&self, why: &str) -> SweepError {
        SweepError::Foreign { path: self.path.clone(), line: self.number, why: why.into() }
    }
}
