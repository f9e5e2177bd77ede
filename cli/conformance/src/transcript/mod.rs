//! Transcripts of a running Xen, held against the simulated hypervisor.
//!
//! A transcript is what small guests noted while they ran on Xen: each hypercall with its result, and now and then what
//! stood in the memory they share with the hypervisor. It has no header: which domains there are, how many vCPUs, which
//! channels boot code made, all that is told from the records. What guests did to their own memory between two records is
//! not noted either; it is known from the program they ran, and `battery` repeats it.
//!
//! - `record` reads; `system` says what machine and domains a transcript implies; `rig` runs them.
//! - `calls`: records that are hypercalls. `memory`: what the guest does to its memory, and dumps of it. `gic`: the
//!   guest's end of the interrupt controller. `battery`: the unrecorded part.
//! - `known`: differences that have a reason. `run`: record by record. `render`: for people.

mod battery;
mod calls;
mod gic;
mod known;
mod memory;
mod record;
mod render;
mod rig;
mod run;
mod system;

use super::diff::Difference;
use super::error::ReplayError;
use super::files;
pub use render::render;
pub use run::file;
use serde::Serialize;
use sim_core::hyp::strategy::{Builtin, Strategy};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What came of all transcripts.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// The strategy.
    pub strategy: &'static str,
    /// Sums over the files.
    pub totals: Totals,
    /// Each file, in the order replayed.
    pub files: Vec<FileResult>,
}

/// Records by what came of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// All of them.
    pub records: usize,
    /// Those compared: `equal`, `explained` and `different` together.
    pub compared: usize,
    /// As recorded.
    pub equal: usize,
    /// Different, for a reason that is known.
    pub explained: usize,
    /// Different, for none.
    pub different: usize,
    /// Not compared: they tell about the machine or the recording.
    pub machine: usize,
    /// Not compared: the hypervisor does not have the hypercall.
    pub unsupported: usize,
    /// Not reached: the hypervisor took an exception from itself before.
    pub unreached: usize,
}

/// What came of one transcript.
#[derive(Debug, Clone, Serialize)]
pub struct FileResult {
    /// Where it is.
    pub path: PathBuf,
    /// The version of Xen it was made on.
    pub xen: String,
    /// The policy between domains that it was made under.
    pub policy: &'static str,
    /// Its records.
    pub totals: Totals,
    /// Explained differences by reason.
    pub explained: BTreeMap<&'static str, usize>,
    /// Records that tell about the machine, by operation.
    pub machine: BTreeMap<String, usize>,
    /// Hypercalls that the hypervisor does not have, by operation.
    pub unsupported: BTreeMap<String, usize>,
    /// Every difference that has no reason.
    pub differences: Vec<RecordDifference>,
}

/// A record that did not go as on Xen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordDifference {
    /// Its line in the file, from 1.
    pub line: usize,
    /// The record as it stands there.
    pub record: String,
    /// What differs.
    pub differences: Vec<Difference>,
}

impl Summary {
    /// Whether every difference has a reason.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.totals.different == 0
    }
}

impl Totals {
    fn add(&mut self, other: &Self) {
        self.records += other.records;
        self.compared += other.compared;
        self.equal += other.equal;
        self.explained += other.explained;
        self.different += other.different;
        self.machine += other.machine;
        self.unsupported += other.unsupported;
        self.unreached += other.unreached;
    }
}

/// Replays transcripts, and of folders every `*.jsonl` below, sorted by path.
pub fn replay(paths: &[PathBuf], strategy: &Builtin) -> Result<Summary, ReplayError> {
    let mut found = Vec::new();
    if paths.is_empty() {
        return Err(ReplayError::NoPaths);
    }
    for path in paths {
        find(path, &mut found)?;
    }
    let mut totals = Totals::default();
    let mut results = Vec::with_capacity(found.len());
    for path in &found {
        let result = run::file(path, &files::read(path)?, strategy)?;
        totals.add(&result.totals);
        results.push(result);
    }
    Ok(Summary { strategy: strategy.name(), totals, files: results })
}

/// A file as it is named; of a folder, every `*.jsonl` below. Links to folders are not followed.
fn find(path: &Path, found: &mut Vec<PathBuf>) -> Result<(), ReplayError> {
    let io = |source| ReplayError::Io { path: path.to_owned(), source };
    if !std::fs::metadata(path).map_err(io)?.is_dir() {
        found.push(path.to_owned());
        return Ok(());
    }
    let before = found.len();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(io)? {
            let entry = entry.map_err(io)?;
            let below = entry.path();
            if entry.file_type().map_err(io)?.is_dir() {
                folders.push(below);
            } else if below.extension().is_some_and(|extension| extension == "jsonl") {
                found.push(below);
            }
        }
    }
    if let Some(new) = found.get_mut(before..) {
        new.sort();
    }
    if found.len() == before {
        return Err(ReplayError::NoVectors { path: path.to_owned() });
    }
    Ok(())
}
