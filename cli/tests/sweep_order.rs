//! When the rows of a sweep are in the file: a slow cell in the middle, and ends of all kinds.

use campaign::sweep::{
    About, Asked, Axis, Cells, End, Grid, NoRun, Open, Output, Shard, Simulate, Sweep, Target, columns,
};
use scenario::{Scenario, profile};
use sim_core::outcome::Report;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};
use tempfile::TempDir;

use crate::sweep::{run, sweep, well};

const RING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/scenarios/ring.toml");
const THREADS: usize = 2;
/// Cells that may be begun behind the first without a row, as docs/sweep.md says.
const AHEAD: u64 = 16 * THREADS as u64;

/// Cells that end at once, but for one, which ends when it is told to.
struct Slow {
    cell: u64,
    begun: AtomicU64,
    go_on: AtomicBool,
}

impl Slow {
    const fn new(cell: u64) -> Self {
        Self { cell, begun: AtomicU64::new(0), go_on: AtomicBool::new(false) }
    }
}

impl Simulate for Slow {
    fn run(&self, _: &Scenario, _: &str, seed: u64) -> Result<(Scenario, Report), NoRun> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        while seed == self.cell && !self.go_on.load(Ordering::SeqCst) {
            sleep(Duration::from_millis(1));
        }
        Err(NoRun::Invalid(format!("seed {seed} was here")))
    }
}

/// A sweep of so many seeds into a file.
fn seeds(count: u64, to: &Path, open: Open, stop: &AtomicBool, simulate: &impl Simulate) -> End {
    let text = fs::read_to_string(RING).unwrap();
    let profile = profile::choose("counts").unwrap();
    let axes =
        vec![Axis::parse(&format!("seed=0..{}", count - 1)).unwrap(), Axis::strategies(&["naive".into()]).unwrap()];
    let grid = Grid::new(axes).unwrap();
    let cells = Cells { path: Path::new(RING), text: &text, board: None, sets: &[], profile: &profile, grid: &grid };
    let asked = Asked {
        scenario: "ring.toml".into(),
        board: None,
        set: Vec::new(),
        vary: Vec::new(),
        profile: "counts".into(),
    };
    let about = About::new(asked, &grid, grid.id(&text, None, &[]), Shard::WHOLE);
    let sweep = Sweep { cells, shard: Shard::WHOLE, jobs: THREADS, stop };
    let target = Target::parse(to).unwrap();
    let mut output = Output::open(target, open, &about, columns(&grid), sweep.mine()).unwrap();
    let end = sweep.run(&mut output, &mut (), simulate).unwrap();
    output.sync().unwrap();
    end
}

/// Whole rows in a CSV file.
fn rows(path: &Path) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    (text.matches('\n').count() as u64).saturating_sub(2)
}

/// Waits until `done`, for as long as a slow machine may take.
fn wait_until(what: &str, done: impl Fn() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_mins(2), "{what}");
        sleep(Duration::from_millis(5));
    }
}

#[test]
fn rows_are_in_the_file_while_a_later_cell_runs() {
    let folder = TempDir::new().unwrap();
    let (path, plain) = (folder.path().join("slow.csv"), folder.path().join("plain.csv"));
    let (slow, never) = (Slow::new(40), AtomicBool::new(false));
    let end = scope(|scope| {
        let sweep = scope.spawn(|| seeds(100, &path, Open::New, &never, &slow));
        wait_until("all rows before the slow cell", || rows(&path) == 40);
        // The others go on for a while, but not to the end.
        wait_until("cells ahead of the slow one", || slow.begun.load(Ordering::SeqCst) == 40 + AHEAD);
        sleep(Duration::from_millis(50));
        assert_eq!((rows(&path), slow.begun.load(Ordering::SeqCst)), (40, 40 + AHEAD));
        slow.go_on.store(true, Ordering::SeqCst);
        sweep.join().unwrap()
    });
    assert_eq!((end, rows(&path)), (End::Done, 100));
    assert_eq!(seeds(100, &plain, Open::New, &never, &Slow::new(u64::MAX)), End::Done);
    assert!(fs::read(&plain).unwrap() == fs::read(&path).unwrap());
}

#[test]
fn an_interruption_waits_for_the_cells_under_way_and_loses_none() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("stopped.csv");
    let (slow, stop) = (Slow::new(5), AtomicBool::new(false));
    let end = scope(|scope| {
        let sweep = scope.spawn(|| seeds(100, &path, Open::New, &stop, &slow));
        wait_until("cells ahead of the slow one", || slow.begun.load(Ordering::SeqCst) == 5 + AHEAD);
        stop.store(true, Ordering::SeqCst);
        slow.go_on.store(true, Ordering::SeqCst);
        sweep.join().unwrap()
    });
    assert_eq!((end, rows(&path)), (End::Interrupted, 5 + AHEAD), "every cell that was begun has its row");
    let resumed = Slow::new(u64::MAX);
    assert_eq!(seeds(100, &path, Open::Resume, &AtomicBool::new(false), &resumed), End::Done);
    assert_eq!((rows(&path), resumed.begun.load(Ordering::SeqCst)), (100, 95 - AHEAD));
}

/// Fewer cells than a thread took at a time before.
const FEW: [&str; 6] = ["--vary", "ring.rounds=30..79", "--strategies", "naive,map-page", "--jobs", "2"];

#[cfg(unix)]
#[test]
fn a_killed_sweep_has_its_rows_and_goes_on_to_the_same_bytes() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    well(&mut sweep(&FEW, &path("whole.csv")));
    let all = fs::read(path("whole.csv")).unwrap();
    let mut child = sweep(&FEW, &path("killed.csv")).spawn().unwrap();
    wait_until("some rows", || rows(&path("killed.csv")) > 5);
    child.kill().unwrap();
    child.wait().unwrap();
    let left = rows(&path("killed.csv"));
    assert!((6..100).contains(&left), "{left} rows: killed in the middle");
    well(sweep(&FEW, &path("killed.csv")).arg("--resume"));
    assert!(fs::read(path("killed.csv")).unwrap() == all);
}

/// A file that must not grow further, in the middle of a sweep.
#[cfg(unix)]
#[test]
fn the_cells_that_are_told_before_an_error_are_those_in_the_file() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("full.csv");
    let program = sweep(&FEW, &path);
    let words = std::iter::once(program.get_program()).chain(program.get_args()).filter(|word| *word != "--quiet");
    let mut limited = Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$@\"", "sh"]).args(words);
    let (status, said) = run(&mut limited);
    let left = rows(&path);
    assert!(status == 2 && left > 0, "{said}");
    assert!(said.contains(&format!("sweep: {left} of 100 cells before the error")), "{left}: {said}");
    assert!(said.contains("--resume goes on behind its last whole row"), "{said}");
    well(sweep(&FEW, &path).arg("--resume"));
    let whole = folder.path().join("whole.csv");
    well(&mut sweep(&FEW, &whole));
    assert!(fs::read(&path).unwrap() == fs::read(&whole).unwrap());
}
