//! What came of transcripts.

use super::super::diff::Difference;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

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
    pub(super) fn add(&mut self, other: &Self) {
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
