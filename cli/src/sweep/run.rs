//! Cells in parallel, rows in order.

use super::SweepError;
use super::cell::{Cells, Simulate};
use super::columns::Row;
use super::output::Output;
use super::progress::Progress;
use super::shard::Shard;
use indicatif::ProgressBar;
use rayon::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};

/// Cells that each thread takes before rows are written: enough that threads seldom wait for each other at the end of a
/// batch, few enough that little work is lost when the process is killed.
const PER_THREAD: usize = 128;

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

    /// Runs the cells that have no row yet.
    pub fn run(
        &self,
        output: &mut Output,
        progress: &mut Progress,
        simulate: &impl Simulate,
    ) -> Result<End, SweepError> {
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
            let systems: Vec<&[u64]> = cells.chunk_by(|a, b| self.system(*a) == self.system(*b)).collect();
            let bar = progress.bar();
            let rows: Vec<Vec<Row>> = pool
                .install(|| systems.par_iter().with_max_len(1).map(|cells| self.rows(cells, bar, simulate)).collect());
            // Rows behind the first one that is not there would leave a gap.
            let in_order = rows.into_iter().flatten().zip(&cells);
            let rows: Vec<Row> = in_order.map_while(|(row, cell)| (row.cell == *cell).then_some(row)).collect();
            output.rows(&rows)?;
            progress.rows(rows.iter().map(|row| row.outcome));
            if rows.len() < cells.len() {
                return Ok(End::Interrupted);
            }
        }
    }

    fn system(&self, cell: u64) -> u64 {
        self.cells.grid.system(cell)
    }

    /// The rows of some cells of one system, which is set up once; fewer if it is time to stop.
    fn rows(&self, cells: &[u64], bar: Option<&ProgressBar>, simulate: &impl Simulate) -> Vec<Row> {
        let go_on = || !self.stop.load(Ordering::Relaxed);
        let Some(system) = cells.first().filter(|_| go_on()).map(|first| self.cells.system(*first)) else {
            return Vec::new();
        };
        let left = cells.iter().take_while(|_| go_on());
        left.map(|cell| {
            let row = self.cells.run(*cell, &system, simulate);
            bar.inspect(|bar| bar.inc(1));
            row
        })
        .collect()
    }
}
