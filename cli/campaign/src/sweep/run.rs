//! Cells in parallel, rows in order.

use super::SweepError;
use super::cell::{Cells, Simulate};
use super::columns::Row;
use super::output::Output;
use super::shard::Shard;
use scenario::{LoadError, Scenario};
use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, Scope, available_parallelism, scope};
use std::time::{Duration, Instant};

/// Cells for each thread, from the first one without a row on, that may be begun: so many rows may wait for one that takes
/// longer, and are lost with it when the process is killed. More of them and threads seldom wait for a slow cell.
const AHEAD: usize = 16;

/// A row that was written is on the disk no later than this.
const SYNC: Duration = Duration::from_millis(500);

/// How a sweep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Every cell has its row.
    Done,
    /// It was told to stop; every row that is there is whole.
    Interrupted,
}

/// Is told how far a sweep is, on the thread that runs it.
pub trait Progress {
    /// One more cell was run, or found to be no system.
    fn cell(&mut self);
    /// One more row was written, with this outcome.
    fn row(&mut self, outcome: &'static str);
}

/// Nobody is told.
impl Progress for () {
    fn cell(&mut self) {}

    fn row(&mut self, _: &'static str) {}
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

    /// Runs the cells that have no row yet. A row is written as soon as it and all before it are there, and is on the disk within
    /// a second.
    pub fn run(
        &self,
        output: &mut Output,
        progress: &mut impl Progress,
        simulate: &impl Simulate,
    ) -> Result<End, SweepError> {
        let left: Vec<u64> = self.mine().skip(usize::try_from(output.kept()).unwrap_or(usize::MAX)).collect();
        let processors = || available_parallelism().map_or(1, NonZero::get);
        let threads = if self.jobs == 0 { processors() } else { self.jobs }.min(left.len()).max(1);
        let queue = Queue::new(&left, threads.saturating_mul(AHEAD), self.stop);
        let written = scope(|scope| {
            let (sender, rows) = channel();
            let begun = (0..threads)
                .try_for_each(|_| self.start(scope, &queue, sender.clone(), simulate))
                .map_err(|error| SweepError::Jobs { jobs: threads, error });
            drop(sender);
            let written = begun.and_then(|()| write(&rows, &queue, output, progress));
            // Whatever it was that ended the writing, nobody is to wait for it.
            queue.close();
            written
        })?;
        Ok(if written == left.len() { End::Done } else { End::Interrupted })
    }

    fn start<'scope, S: Simulate>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        queue: &'scope Queue<'_>,
        rows: Sender<(usize, Row)>,
        simulate: &'scope S,
    ) -> std::io::Result<()> {
        let work = move || {
            // A thread that panics takes the others along.
            let _closes = Closes(queue);
            let mut system: Option<(u64, Result<Scenario, LoadError>)> = None;
            while let Some((place, cell)) = queue.next() {
                let number = self.cells.grid.system(cell);
                // Cells of one system are neighbours: it is set up once by each thread that gets some of them.
                let (_, found) = match system.take() {
                    Some(same) if same.0 == number => system.insert(same),
                    _ => system.insert((number, self.cells.system(cell))),
                };
                let row = self.cells.run(cell, found, simulate);
                if rows.send((place, row)).is_err() {
                    return;
                }
            }
        };
        Builder::new().spawn_scoped(scope, work).map(|_| ())
    }
}

/// Writes rows in order, each as soon as it can be, until no more come: how many there are.
fn write(
    rows: &Receiver<(usize, Row)>,
    queue: &Queue<'_>,
    output: &mut Output,
    progress: &mut impl Progress,
) -> Result<usize, SweepError> {
    let mut early = BTreeMap::new();
    let mut written = 0;
    let mut unsynced: Option<Instant> = None;
    loop {
        let received = match unsynced {
            None => rows.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(since) => rows.recv_timeout(SYNC.saturating_sub(since.elapsed())),
        };
        match received {
            Ok((place, row)) => {
                progress.cell();
                early.insert(place, row);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(written),
        }
        while let Some(row) = early.remove(&written) {
            output.row(&row)?;
            progress.row(row.outcome);
            written += 1;
            unsynced = unsynced.or_else(|| Some(Instant::now()));
        }
        queue.wrote(written);
        if unsynced.is_some_and(|since| since.elapsed() >= SYNC) {
            output.sync()?;
            unsynced = None;
        }
    }
}

/// The cells that are left, handed out in order.
struct Queue<'a> {
    cells: &'a [u64],
    /// So many may be begun behind the first without a row.
    ahead: usize,
    stop: &'a AtomicBool,
    at: Mutex<At>,
    moved: Condvar,
}

#[derive(Default)]
struct At {
    begun: usize,
    written: usize,
    closed: bool,
}

impl<'a> Queue<'a> {
    fn new(cells: &'a [u64], ahead: usize, stop: &'a AtomicBool) -> Self {
        Self { cells, ahead, stop, at: Mutex::default(), moved: Condvar::new() }
    }

    fn at(&self) -> MutexGuard<'_, At> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next cell and its place among those that are left, once it may be begun; none if no further one is.
    fn next(&self) -> Option<(usize, u64)> {
        let far = |at: &mut At| !at.closed && at.begun < self.cells.len() && at.begun - at.written >= self.ahead;
        let mut at = self.moved.wait_while(self.at(), far).unwrap_or_else(PoisonError::into_inner);
        if at.closed || self.stop.load(Ordering::Relaxed) {
            return None;
        }
        let place = at.begun;
        let cell = *self.cells.get(place)?;
        at.begun += 1;
        Some((place, cell))
    }

    /// So many have their rows.
    fn wrote(&self, written: usize) {
        self.at().written = written;
        self.moved.notify_all();
    }

    /// No further cell is begun.
    fn close(&self) {
        self.at().closed = true;
        self.moved.notify_all();
    }
}

/// Closes the queue when its thread ends by a panic.
struct Closes<'a>(&'a Queue<'a>);

impl Drop for Closes<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.close();
        }
    }
}
