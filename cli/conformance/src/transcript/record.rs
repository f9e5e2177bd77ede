//! A transcript's records.

use super::super::error::{Place, ReplayError};
use super::super::live::StepError;
use serde::Deserialize;
use serde_json::{Map, Value};

/// One line.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    d: u16,
    v: u32,
    op: String,
    r#in: Map<String, Value>,
    rc: i64,
    out: Map<String, Value>,
}

/// What one guest noted of one thing it did.
#[derive(Debug)]
pub(super) struct Record {
    /// Its line, from 1.
    pub(super) line: usize,
    /// The line as it stands in the file.
    pub(super) text: String,
    /// The domain.
    pub(super) domain: u16,
    /// Its vCPU.
    pub(super) vcpu: u32,
    /// What it did.
    pub(super) op: String,
    /// With which arguments.
    pub(super) input: Map<String, Value>,
    /// The result.
    pub(super) rc: i64,
    /// The output.
    pub(super) out: Map<String, Value>,
}

/// Reads all of them.
pub(super) fn parse(place: &Place, text: &str) -> Result<Vec<Record>, ReplayError> {
    let mut records = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        let read: Line = serde_json::from_str(text)
            .map_err(|error| place.bad(line, "a record with d, v, op, in, rc and out", error))?;
        let Line { d, v, op, r#in, rc, out } = read;
        if v > 1 {
            return Err(place.bad(line, "vCPU 0 or 1", v));
        }
        records.push(Record { line, text: text.to_owned(), domain: d, vcpu: v, op, input: r#in, rc, out });
    }
    if records.is_empty() {
        return Err(place.bad(1, "a record", "an empty file"));
    }
    Ok(records)
}

impl Record {
    /// An argument that is a number.
    pub(super) fn number(&self, key: &str) -> Result<u64, StepError> {
        let found = self.input.get(key).and_then(Value::as_u64);
        found.ok_or_else(|| StepError::Step(format!("{:?} without a number {key:?}", self.op)))
    }

    /// The same cut to 32 bits, as most fields have.
    pub(super) fn word(&self, key: &str) -> Result<u32, StepError> {
        Ok(self.number(key)? as u32)
    }

    /// An argument that is text.
    pub(super) fn text_of(&self, key: &str) -> &str {
        self.input.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// A number of the output.
    pub(super) fn told(&self, key: &str) -> Option<u32> {
        self.out.get(key).and_then(Value::as_u64).and_then(|value| u32::try_from(value).ok())
    }

    /// The value of a boot argument, if this record lists them.
    pub(super) fn boot_argument(&self, name: &str) -> Option<u32> {
        let all = self.out.get("bootargs").and_then(Value::as_str)?;
        all.split_whitespace().find_map(|one| one.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
    }
}
