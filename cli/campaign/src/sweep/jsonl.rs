//! The JSON Lines form: an object that says which sweep it is, then an object for each row.

use super::about::About;
use super::columns::{Row, Value};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use std::io;
use words::shown;

/// The first line.
#[derive(Serialize, Deserialize)]
struct First {
    sweep: About,
}

/// How many lines stand in front of the rows.
pub(super) const HEAD_LINES: usize = 1;

/// The line in front of the rows.
pub(super) fn head(about: &About) -> io::Result<Vec<u8>> {
    let head = serde_json::to_string(&First { sweep: about.clone() })?;
    Ok(format!("{}\n", shown::json(&head)).into_bytes())
}

/// What a first line says.
pub(super) fn about(line: &str) -> Option<About> {
    serde_json::from_str::<First>(line).ok().map(|first| first.sweep)
}

/// The lines of some rows.
pub(super) fn rows(columns: &[String], rows: &[Row]) -> io::Result<Vec<u8>> {
    let mut lines = Vec::new();
    for row in rows {
        lines.extend(shown::json(&serde_json::to_string(&Object { columns, row })?).bytes());
        lines.push(b'\n');
    }
    Ok(lines)
}

/// The cell that a row's line is of.
pub(super) fn cell(line: &str) -> Option<u64> {
    #[derive(Deserialize)]
    struct Cell {
        cell: u64,
    }
    serde_json::from_str::<Cell>(line).ok().map(|found| found.cell)
}

struct Object<'a> {
    columns: &'a [String],
    row: &'a Row,
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.columns.len()))?;
        let cell = Value::Number(self.row.cell);
        let values = std::iter::once(&cell).chain(&self.row.values);
        for (name, value) in self.columns.iter().zip(values) {
            match value {
                Value::Text(text) => map.serialize_entry(name, text)?,
                Value::Number(number) => map.serialize_entry(name, number)?,
                Value::Hundredths(mean) => map.serialize_entry(name, &words::hundredths(*mean))?,
                Value::Absent => map.serialize_entry(name, &())?,
            }
        }
        map.end()
    }
}
