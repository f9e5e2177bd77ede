//! A log of what happens, an object per line, written as it goes.

use crate::report::Cause;
use crate::wording;
use armv8r::observe::{At, Event};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufWriter, Error, Write};
use std::path::Path;

/// A log. The first error ends it, and is told at the end.
#[derive(Debug)]
pub(crate) struct Trace {
    file: BufWriter<File>,
    accesses: bool,
    failed: Option<Error>,
}

fn hex(value: impl std::fmt::LowerHex) -> Value {
    Value::from(format!("{value:#x}"))
}

impl Trace {
    /// Makes or replaces a file.
    pub(crate) fn new(path: &Path, accesses: bool) -> Result<Self, Error> {
        Ok(Self { file: BufWriter::new(File::create(path)?), accesses, failed: None })
    }

    /// Writes an event. Whether it can go on.
    pub(crate) fn event(&mut self, at: &At, event: &Event) -> bool {
        if self.failed.is_some() {
            return false;
        }
        let Some((name, detail)) = self.told(event) else { return true };
        let mut line = json!({
            "time": at.time, "pe": at.pe, "count": at.count, "pc": hex(at.pc), "el": at.el.to_string(), "vmid": at.vmid,
            "event": name,
        });
        if let (Some(line), Value::Object(detail)) = (line.as_object_mut(), detail) {
            line.extend(detail);
        }
        let mut line = line.to_string();
        line.push('\n');
        self.failed = self.file.write_all(line.as_bytes()).err();
        self.failed.is_none()
    }

    fn told(&self, event: &Event) -> Option<(&'static str, Value)> {
        Some(match event {
            Event::Exception(exception) => {
                let cause = Cause::new(exception.kind, exception.ec);
                let detail = json!({
                    "to": exception.target.to_string(), "cause": wording::cause(cause), "esr": hex(exception.esr()),
                    "far": exception.far.map(hex), "hpfar": exception.hpfar.map(hex), "return_to": hex(exception.return_to),
                });
                ("exception", detail)
            }
            Event::Return { from, to, address, illegal } => {
                let (from, to) = (from.to_string(), to.to_string());
                ("return", json!({ "from": from, "to": to, "address": hex(address), "illegal": illegal }))
            }
            Event::Write { register, value } => {
                ("write", json!({ "register": wording::register(*register), "value": hex(value) }))
            }
            Event::Barrier(barrier) => ("barrier", json!({ "barrier": wording::barrier(*barrier) })),
            Event::Maintenance { .. } => return None,
            Event::Access { kind, address, bytes, value } => {
                if !self.accesses {
                    return None;
                }
                let kind = kind.to_string();
                ("access", json!({ "access": kind, "address": hex(address), "bytes": bytes, "value": hex(value) }))
            }
            Event::Hazard(hazard) => ("hazard", wording::hazard_json(hazard, false)),
        })
    }

    /// Ends the log.
    pub(crate) fn finish(&mut self) -> Result<(), Error> {
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.file.flush(),
        }
    }
}
