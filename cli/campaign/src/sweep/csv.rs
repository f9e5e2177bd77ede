//! The CSV form: a comment that says which sweep it is, the names of the columns, a line for each row.

use super::about::About;
use super::columns::{Row, Value};
use std::io;
use words::shown;

/// What stands in front of the first line's JSON.
const MARK: &str = "# mpusim sweep ";

/// The lines in front of the rows.
pub(super) fn head(about: &About, columns: &[String]) -> io::Result<Vec<u8>> {
    let mut head = format!("{MARK}{}\n", shown::json(&serde_json::to_string(about)?)).into_bytes();
    head.extend(records(std::iter::once(columns.iter().map(String::as_bytes)))?);
    Ok(head)
}

/// How many lines stand in front of the rows.
pub(super) const HEAD_LINES: usize = 2;

/// What a first line says.
pub(super) fn about(line: &str) -> Option<About> {
    serde_json::from_str(line.strip_prefix(MARK)?).ok()
}

/// The lines of some rows.
pub(super) fn rows(rows: &[Row]) -> io::Result<Vec<u8>> {
    records(rows.iter().map(|row| std::iter::once(row.cell.to_string()).chain(row.values.iter().map(field))))
}

/// The cell that a row's line is of.
pub(super) fn cell(line: &str) -> Option<u64> {
    line.split_once(',')?.0.parse().ok()
}

fn field(value: &Value) -> String {
    match value {
        Value::Text(text) => shown::line(text).into_owned(),
        Value::Number(number) => number.to_string(),
        Value::Hundredths(mean) => format!("{}.{:02}", mean / 100, mean % 100),
        Value::Absent => String::new(),
    }
}

fn records<R, F>(records: impl Iterator<Item = R>) -> io::Result<Vec<u8>>
where
    R: IntoIterator<Item = F>,
    F: AsRef<[u8]>,
{
    let mut writer = csv::Writer::from_writer(Vec::new());
    for record in records {
        writer.write_record(record)?;
    }
    writer.into_inner().map_err(csv::IntoInnerError::into_error)
}
