//! Transcripts of a running Xen, held against the simulated hypervisor.
//!
//! A transcript is what small guests noted while they ran on Xen: each hypercall with its result, and now and then what
//! stood in the memory they share with the hypervisor. It has no header: which domains there are, how many vCPUs, which
//! channels boot code made, all that is told from the records. What guests did to their own memory between two records is
//! not noted either; it is known from the program they ran, and `battery` repeats it.
//!
//! - `record` reads; `system` says what machine and domains a transcript implies; `live` runs them.
//! - `calls`: records that are hypercalls. `memory`: what the guest does to its memory, and dumps of it. `gic`: the
//!   guest's end of the interrupt controller. `battery`: the unrecorded part.
//! - `known`: differences that have a reason. `run`: record by record. `outcome`: what came of it. `render`: for people.

mod battery;
mod calls;
mod gic;
mod known;
mod live;
mod memory;
mod outcome;
mod record;
mod render;
mod run;
mod system;

use super::error::ReplayError;
use super::files;
pub use outcome::{FileResult, RecordDifference, Summary, Totals};
pub use render::render;
pub use run::file;
use sim_core::hyp::strategy::{Builtin, Strategy};
use std::path::PathBuf;

/// Replays transcripts, and of folders every `*.jsonl` below, sorted by path.
pub fn replay(paths: &[PathBuf], strategy: &Builtin) -> Result<Summary, ReplayError> {
    let mut found = Vec::new();
    if paths.is_empty() {
        return Err(ReplayError::NoPaths);
    }
    for path in paths {
        if files::is_folder(path)? {
            let below = files::below(path)?;
            if below.is_empty() {
                return Err(ReplayError::NoVectors { path: path.clone() });
            }
            found.extend(below);
        } else {
            found.push(path.clone());
        }
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
