//! What is asked for, and what came of it.

use super::diff::Difference;
use super::mpu::MpuSummary;
use super::setting::Setting;
use serde::Serialize;
use std::path::PathBuf;

/// How to replay.
#[derive(Debug, Clone)]
pub struct Options {
    /// The strategy and the machine. Strategy `naive` ends in a fault, and the report says why.
    pub setting: Setting,
    /// Files that need what this replayer does not have are counted, and no error.
    pub skip_unsupported: bool,
}

/// What came of all files.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// The strategy.
    pub strategy: &'static str,
    /// Sums over the files.
    pub totals: Totals,
    /// Each file, in the order replayed.
    pub files: Vec<FileResult>,
    /// What came of files that record accesses through MPUs, if there were any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mpu: Option<MpuSummary>,
}

/// Sums over all files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Files replayed or skipped.
    pub files: usize,
    /// Steps that went as recorded.
    pub steps: usize,
    /// Files that ended at a difference.
    pub mismatches: usize,
    /// Files in which the hypervisor took an exception from itself.
    pub faults: usize,
    /// Files that went as recorded, but leaned on what hardware might have done otherwise.
    pub hazards: usize,
    /// Files that went as recorded, with hazards that the strategy has by design: they count as well.
    pub own_hazards: usize,
    /// Files that need what this replayer does not have.
    pub skipped: usize,
    /// `*.jsonl` files of the folders that are no vectors of event channels.
    pub others: usize,
}

/// What came of one file.
#[derive(Debug, Clone, Serialize)]
pub struct FileResult {
    /// Where it is.
    pub path: PathBuf,
    /// What it calls itself.
    pub name: String,
    /// Steps that went as recorded.
    pub steps: usize,
    /// How it ended.
    pub outcome: Outcome,
    /// The first hazard that the strategy has by design, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own_hazard: Option<String>,
}

/// How a file ended.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Outcome {
    /// Every step as recorded.
    Ok,
    /// A step that did not go as recorded; the file was left there.
    Mismatch(Box<Mismatch>),
    /// Not replayed.
    Skipped {
        /// Why.
        reason: String,
    },
    /// The hypervisor took an exception from itself.
    HypervisorFault(Box<HypervisorFault>),
    /// Every step as recorded, but hardware might have done otherwise.
    Hazard {
        /// The first, in words.
        first: String,
        /// How many were noted.
        count: usize,
    },
}

/// A step that did not go as recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mismatch {
    /// Its line in the file, from 1; the header is line 1.
    pub line: usize,
    /// Its number, from 1.
    pub step: usize,
    /// Its operation.
    pub op: String,
    /// What differs.
    pub differences: Vec<Difference>,
    /// The steps up to it, as they stand in the file, at most ten.
    pub last_steps: Vec<String>,
}

/// An exception that the hypervisor took from itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HypervisorFault {
    /// The step's line in the file, from 1.
    pub line: usize,
    /// Its number, from 1.
    pub step: usize,
    /// Its operation.
    pub op: String,
    /// Domain id and vCPU that made it; none: the hypervisor itself.
    pub caller: Option<(u16, u32)>,
    /// The kind of access.
    pub access: String,
    /// `ESR_EL2`.
    pub esr: String,
    /// `FAR_EL2`.
    pub far: String,
    /// Whose memory it is.
    pub owner: String,
    /// What lives there.
    pub object: Option<String>,
}

impl Summary {
    /// Whether every file that was replayed went as recorded.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let Totals { mismatches, faults, hazards, .. } = self.totals;
        mismatches + faults + hazards == 0 && self.mpu.as_ref().is_none_or(MpuSummary::is_clean)
    }
}
