//! Conformance replay: recorded event-channel vectors against the simulated hypervisor.
//!
//! A vector file says which domains there are, then step by step what a guest, the hypervisor or the control domain does and
//! what comes of it: the result, the output, which vCPUs got the event interrupt, which came out of a poll. Each file
//! gets a machine of its own with one PE; every hypercall goes through the same trap entry as in a run, every access
//! of a guest through both MPUs, so the chosen strategy carries it all, and must not change a single result.
//!
//! - `files` finds and reads; `format` parses, and refuses what it does not know, with `event` for operations of
//!   `event_channel_op`; `error` says where.
//! - `system` lays the file's domains out; `rig` runs vCPUs, traps and the hypervisor; `lifecycle` makes and ends domains.
//! - `calls`, `guest`, `guest_fifo`, `control`: what steps do. `dump`: the whole state. `run`: step by step; `diff`: against
//!   the recording.
//! - `setting`: the strategy and the machine; `strategies`: which ones can, and why others cannot. `check`: what must hold after each step whatever the recording says.
//! - `pe`: where a recording, or a guest that writes meanwhile, differs from what the machine would do.
//! - `wording`: steps and differences in words. `render`: for people.
//!
//! `transcript` does the same for transcripts of a running Xen, which are another format.

#![forbid(unsafe_code)]

mod calls;
mod check;
mod control;
mod diff;
mod dump;
mod error;
#[allow(missing_docs, reason = "fields are those of the steps in recordings")]
pub mod event;
mod files;
#[allow(missing_docs, reason = "fields are those of the steps in recordings")]
pub mod format;
mod guest;
mod guest_fifo;
mod lifecycle;
pub mod mpu;
pub mod pe;
mod render;
pub mod rig;
mod run;
mod setting;
mod strategies;
mod system;
pub mod transcript;
pub mod wording;

pub use diff::{Difference, compare};
pub use error::ReplayError;
pub use render::render;
pub use run::{file, refusal_words};
use serde::Serialize;
pub use setting::{MAX_PES, Setting};
use sim_core::hyp::strategy::Strategy;
use std::path::PathBuf;
pub use strategies::{Form, forms, render_all, replay_under_all};

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
    pub mpu: Option<mpu::MpuSummary>,
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
        mismatches + faults + hazards == 0 && self.mpu.as_ref().is_none_or(mpu::MpuSummary::is_clean)
    }
}

/// Replays files, and of folders every vector file below, sorted by path. A file is left at its first difference.
pub fn replay(paths: &[PathBuf], options: &Options) -> Result<Summary, ReplayError> {
    let found = files::find(paths)?;
    let mut totals = Totals { others: found.others, ..Totals::default() };
    let mut results = Vec::with_capacity(found.files.len());
    for path in &found.files {
        let result = run::file(path, &files::read(path)?, options)?;
        totals.files += 1;
        totals.steps += result.steps;
        match result.outcome {
            Outcome::Ok => {}
            Outcome::Mismatch(_) => totals.mismatches += 1,
            Outcome::Skipped { .. } => totals.skipped += 1,
            Outcome::HypervisorFault(_) => totals.faults += 1,
            Outcome::Hazard { .. } => totals.hazards += 1,
        }
        totals.own_hazards += usize::from(result.own_hazard.is_some());
        results.push(result);
    }
    let mut mpu = (!found.mpu.is_empty()).then(mpu::MpuSummary::default);
    if let Some(summary) = &mut mpu {
        for path in &found.mpu {
            summary.add(path, &files::read(path)?)?;
        }
    }
    Ok(Summary { strategy: options.setting.strategy.name(), totals, files: results, mpu })
}
