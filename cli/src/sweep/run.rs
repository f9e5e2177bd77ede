//! Cells in parallel, rows in order.

use super::SweepError;
use super::cell::Cells;
use super::columns::Row;
use super::output::Output;
use super::progress::Progress;
use super::shard::Shard;
use crate::scenario::Scenario;
use rayon::prelude::*;
use sim_core::outcome::Report;
use std::sync::atomic::{AtomicBool, Ordering};

/// Cells that each thread takes before rows are written: enough that threads seldom wait for each other at the end of a
/// batch, few enough that little work is lost when the process is killed.
const PER_THREAD: usize = 32;

/// How a sweep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Every cell has its row.
    Done,
    /// It was told to stop; every row that is there is whole.
    Interrupted,
}

/// A sweep ready to run.
#[derive(Debug)]
pub struct Sweep<'a> {
    /// Its cells.
    pub cells: Cells<'a>,
    /// The part that is run here.
    pub shard: Shard,
    /// Threads; 0: one for each processor.
    pub jobs: usize,
    /// Once true, no further cell is begun.
    pub stop: &'a AtomicBool,
}

impl Sweep<'_> {
    /// The cells of this part, in order.
    pub fn mine(&self) -> impl Iterator<Item = u64> + use<> {
        let shard = self.shard;
        (0..self.cells.grid.cells()).filter(move |cell| shard.has(*cell))
    }

    /// Runs the cells that have no row yet. `simulate` as [`Cells::run`] takes it.
    pub fn run<F>(&self, output: &mut Output, progress: &mut Progress, simulate: &F) -> Result<End, SweepError>
    where
        F: Fn(&Scenario, &str, u64) -> Result<(Scenario, Report), String> + Sync,
    {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(self.jobs).build();
        let pool = pool.map_err(|error| SweepError::Jobs { jobs: self.jobs, error })?;
        let batch = pool.current_num_threads().saturating_mul(PER_THREAD);
        let kept = usize::try_from(output.kept()).unwrap_or(usize::MAX);
        let mut left = self.mine().skip(kept);
        loop {
            let cells: Vec<u64> = left.by_ref().take(batch).collect();
            if cells.is_empty() {
                return Ok(End::Done);
            }
            let bar = progress.bar();
            let one = |cell: &u64| -> Option<Row> {
                if self.stop.load(Ordering::Relaxed) {
                    return None;
                }
                let row = self.cells.run(*cell, simulate);
                bar.inspect(|bar| bar.inc(1));
                Some(row)
            };
            let rows: Vec<Option<Row>> = pool.install(|| cells.par_iter().with_max_len(1).map(one).collect());
            // Rows behind the first one that is not there would leave a gap.
            let rows: Vec<Row> = rows.into_iter().map_while(|row| row).collect();
            output.rows(&rows)?;
            progress.rows(rows.iter().map(|row| row.outcome));
            if rows.len() < cells.len() {
                return Ok(End::Interrupted);
            }
        }
    }
}
