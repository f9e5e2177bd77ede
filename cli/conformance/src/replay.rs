//! All files, one after the other.

use super::error::ReplayError;
use super::mpu::MpuSummary;
use super::outcome::{Options, Outcome, Summary, Totals};
use super::{files, run};
use sim_core::hyp::strategy::Strategy;
use std::path::PathBuf;

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
    let mut mpu = (!found.mpu.is_empty()).then(MpuSummary::default);
    if let Some(summary) = &mut mpu {
        for path in &found.mpu {
            summary.add(path, &files::read(path)?)?;
        }
    }
    Ok(Summary { strategy: options.setting.strategy.name(), totals, files: results, mpu })
}
