//! Sweeps as processes: threads, shards, interruptions, full disks, files that are there already.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const RING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/scenarios/ring.toml");
/// Twelve cells with every kind of row: runs, faults, refusals, and systems that do not fit the memory.
const SMALL: [&str; 8] = [
    "--vary",
    "ring.domains=2..3",
    "--vary",
    "ring.gap=0x100000,0x60000000",
    "--strategies",
    "naive,map-page,background",
    "--set",
    "ring.rounds=3",
];

fn mpusim(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mpusim"));
    for name in ["SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", "JOB_COMPLETION_INDEX", "JOB_COMPLETIONS"] {
        command.env_remove(name);
    }
    command.args(arguments);
    command
}

pub(crate) fn sweep(arguments: &[&str], to: &Path) -> Command {
    let mut command = mpusim(&["sweep", RING, "--quiet", "-o", to.to_str().unwrap()]);
    command.args(arguments);
    command
}

/// Runs a command and tells its exit status and what it said.
pub(crate) fn run(command: &mut Command) -> (i32, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code().unwrap(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

pub(crate) fn well(command: &mut Command) {
    assert_eq!(run(command), (0, String::new()), "{command:?}");
}

fn whole(folder: &TempDir, ending: &str) -> (PathBuf, Vec<u8>) {
    let path = folder.path().join(format!("whole.{ending}"));
    well(&mut sweep(&SMALL, &path));
    let bytes = fs::read(&path).unwrap();
    (path, bytes)
}

#[test]
fn threads_do_not_show() {
    let folder = TempDir::new().unwrap();
    for ending in ["csv", "jsonl"] {
        let (_, all) = whole(&folder, ending);
        for jobs in ["1", "2", "5"] {
            let path = folder.path().join(format!("{jobs}.{ending}"));
            well(sweep(&SMALL, &path).args(["--jobs", jobs]));
            assert!(fs::read(path).unwrap() == all, "{jobs} threads, {ending}");
        }
    }
}

#[test]
fn every_kind_of_end_is_a_row() {
    let folder = TempDir::new().unwrap();
    let (path, _) = whole(&folder, "csv");
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_path(path).unwrap();
    let names = reader.headers().unwrap().clone();
    let at = |name: &str| names.iter().position(|column| column == name).unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let outcomes: Vec<&str> = rows.iter().map(|row| &row[at("outcome")]).collect();
    let [fault, good, refused, invalid] = ["hypervisor-fault", "completed", "refused", "invalid"];
    let good_ones = [fault, good, refused];
    // With banks 1.5 GiB apart the third domain lies beyond the board's memory.
    assert_eq!(outcomes, [good_ones, good_ones, good_ones, [invalid; 3]].concat());
    assert_eq!(&rows[1][at("ring.domains")], "2");
    assert_eq!((&rows[1][at("sent")], &rows[1][at("send_prbar")]), ("6", "2.00"));
    // Boot takes more than the views do.
    assert_eq!((&rows[2][at("sent")], &rows[2][at("regions_required")]), ("", "9"));
    assert!(rows[9][at("message")].contains("0xd0200000"), "{:?}", &rows[9]);
}

#[test]
fn shards_make_the_whole() {
    let folder = TempDir::new().unwrap();
    for ending in ["csv", "jsonl"] {
        let (_, all) = whole(&folder, ending);
        let part = |index: usize| folder.path().join(format!("part{index}.{ending}"));
        for index in 1..=3 {
            well(sweep(&SMALL, &part(index)).args(["--shard", &format!("{index}/3")]));
        }
        let merged = folder.path().join(format!("merged.{ending}"));
        let merge = |files: &[PathBuf]| {
            let mut command = mpusim(&["sweep", "merge", "-o", merged.to_str().unwrap()]);
            run(command.args(files))
        };
        for (files, why) in [
            (vec![part(1), part(3)], "no file of shard 2/3"),
            (vec![part(1), part(2), part(3), part(2)], "are both shard 2/3: they overlap"),
            (vec![], "the following required arguments were not provided"),
        ] {
            let (status, said) = merge(&files);
            assert!(status == 2 && said.contains(why), "{said}");
            assert!(!merged.exists());
        }
        let (status, said) = merge(&[part(3), part(1), part(2)]);
        assert_eq!((status, said.contains("12 rows of 3 shards")), (0, true), "{said}");
        assert!(fs::read(&merged).unwrap() == all, "{ending}");
        let (status, said) = merge(&[part(1), part(2), part(3)]);
        assert!(status == 2 && said.contains("is there already"), "{said}");

        // A shard that is not done is named.
        let bytes = fs::read(part(2)).unwrap();
        fs::write(part(2), &bytes[..bytes.len() - 1]).unwrap();
        fs::remove_file(&merged).unwrap();
        let (status, said) = merge(&[part(1), part(2), part(3)]);
        assert!(status == 2 && said.contains("(shard 2/3) ends before the row of cell"), "{said}");
        assert!(!merged.exists());
    }
}

#[test]
fn a_batch_system_names_the_shard() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    well(sweep(&SMALL, &path("told.csv")).args(["--shard", "2/3"]));
    let slurm = [("SLURM_ARRAY_TASK_ID", "1"), ("SLURM_ARRAY_TASK_COUNT", "3")];
    well(sweep(&SMALL, &path("slurm.csv")).envs(slurm));
    well(sweep(&SMALL, &path("job.csv")).envs([("JOB_COMPLETION_INDEX", "1"), ("JOB_COMPLETIONS", "3")]));
    well(sweep(&SMALL, &path("argument.csv")).args(["--shard", "2/3"]).env("JOB_COMPLETION_INDEX", "0"));
    let told = fs::read(path("told.csv")).unwrap();
    for name in ["slurm.csv", "job.csv", "argument.csv"] {
        assert!(fs::read(path(name)).unwrap() == told, "{name}");
    }
    let (status, said) = run(sweep(&SMALL, &path("x.csv")).env("JOB_COMPLETION_INDEX", "0"));
    assert!(status == 2 && said.contains("JOB_COMPLETIONS"), "{said}");
}

#[test]
fn a_file_is_not_replaced_unasked() {
    let folder = TempDir::new().unwrap();
    let (path, all) = whole(&folder, "csv");
    let (status, said) = run(&mut sweep(&SMALL, &path));
    assert!(status == 2 && said.contains("is there already; --resume goes on with it"), "{said}");
    well(sweep(&SMALL, &path).arg("--resume"));
    assert!(fs::read(&path).unwrap() == all, "there was nothing left to do");

    // Another sweep's file, and no sweep's.
    let (status, said) = run(sweep(&SMALL[..6], &path).arg("--resume"));
    assert!(status == 2 && said.contains("with --set ring.rounds=3, not nothing"), "{said}");
    let (status, said) = run(sweep(&SMALL, &path).args(["--resume", "--shard", "1/2"]));
    assert!(status == 2 && said.contains("as shard 1/1, not 1/2"), "{said}");
    assert!(fs::read(&path).unwrap() == all);
    let notes = folder.path().join("notes.csv");
    fs::write(&notes, "a,b\n1,2\n").unwrap();
    let (status, said) = run(sweep(&SMALL, &notes).arg("--resume"));
    assert!(status == 2 && said.contains("does not begin as a file of"), "{said}");
    well(sweep(&SMALL, &notes).arg("--force"));
    assert!(fs::read(&notes).unwrap() == all);
}

#[test]
fn what_is_wrong_is_said_before_anything_runs() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.csv");
    let cases: [(&[&str], &str); 9] = [
        (&["--vary", "ring.domains=8..2"], "--vary ring.domains=8..2: 8..2 holds nothing"),
        (&["--vary", "ring.domains=2..8:0"], "a step of 0 never ends"),
        (&["--vary", "ring.domain=2..8"], "--vary ring.domain=2: unknown key `domain`; did you mean `domains`?"),
        (&["--vary", "ring.domains=1..8"], "--vary ring.domains=1: domains is 1, which is out of range"),
        (&["--vary", "placement=heap,stack"], "--vary placement=stack: unknown word `stack`"),
        (&["--vary", "pes=1", "--vary", "pes=2"], "pes is varied twice"),
        (&["--vary", "pes=1,2", "--set", "pes=3"], "pes is varied, and --set pes=3 sets it"),
        (&["--strategies", "naive,nothing"], "--strategies: there is no strategy \"nothing\""),
        (&["--shard", "4/3"], "--shard 4/3: expected i/n"),
    ];
    for (arguments, why) in cases {
        let (status, said) = run(&mut sweep(arguments, &path));
        assert!(status == 2 && said.contains(why), "{arguments:?}: {said}");
        assert!(!path.exists(), "{arguments:?}");
    }
    let (status, said) = run(&mut sweep(&SMALL, &folder.path().join("x.txt")));
    assert!(status == 2 && said.contains("ends in .csv or .jsonl"), "{said}");
}

#[cfg(unix)]
#[test]
fn a_full_disk_is_told() {
    let folder = TempDir::new().unwrap();
    for ending in ["csv", "jsonl"] {
        let path = folder.path().join(format!("full.{ending}"));
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        for how in ["--force", "--resume"] {
            let (status, said) = run(sweep(&SMALL, &path).arg(how));
            assert!(status == 2 && said.contains("cannot be written: No space left on device"), "{said}");
        }
    }
}

/// A sweep that takes longer than the test waits.
const LONG: [&str; 6] = ["--vary", "ring.rounds=50..2000", "--strategies", "naive,map-page", "--jobs", "2"];

/// Starts a long sweep, waits for rows, sends a signal, and tells how it ended and what it left.
#[cfg(unix)]
fn interrupted(path: &Path, signal: &str) -> (Option<i32>, Vec<u8>) {
    let mut child = sweep(&LONG, path).spawn().unwrap();
    let started = Instant::now();
    while fs::metadata(path).map_or(0, |found| found.len()) < 10_000 {
        assert!(started.elapsed() < Duration::from_mins(2), "no rows");
        sleep(Duration::from_millis(10));
    }
    let told = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(told.success());
    (child.wait().unwrap().code(), fs::read(path).unwrap())
}

#[cfg(unix)]
#[test]
fn an_interrupted_sweep_goes_on() {
    let folder = TempDir::new().unwrap();
    for (signal, status) in [("-INT", Some(130)), ("-TERM", Some(130)), ("-KILL", None)] {
        for ending in ["csv", "jsonl"] {
            let path = folder.path().join(format!("sweep{signal}.{ending}"));
            let (ended, left) = interrupted(&path, signal);
            assert_eq!(ended, status, "{signal}");
            if status.is_some() {
                assert_eq!(left.last(), Some(&b'\n'), "whole lines");
            }
            // One that goes on, stopped again: what was there is still there.
            let mut child = sweep(&LONG, &path).arg("--resume").spawn().unwrap();
            sleep(Duration::from_millis(300));
            Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
            child.wait().unwrap();
            let more = fs::read(&path).unwrap();
            let whole = left.iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
            assert!(more.starts_with(&left[..whole]), "{signal} {ending}");
        }
    }
}

#[test]
fn a_file_cut_anywhere_is_made_whole() {
    let folder = TempDir::new().unwrap();
    for ending in ["csv", "jsonl"] {
        let path = folder.path().join(format!("cut.{ending}"));
        let few = ["--vary", "ring.domains=2..3", "--strategies", "naive", "--set", "ring.rounds=1"];
        well(&mut sweep(&few, &path));
        let all = fs::read(&path).unwrap();
        // Before and behind each line's end, a byte further, and here and there.
        let telling = |at: &usize| at.is_multiple_of(31) || all[at.saturating_sub(2)..=*at].contains(&b'\n');
        for length in (0..all.len()).filter(telling) {
            fs::write(&path, &all[..length]).unwrap();
            well(sweep(&few, &path).args(["--resume", "--jobs", "1"]));
            assert!(fs::read(&path).unwrap() == all, "cut at {length}");
        }
        // A row that is not the sweep's.
        fs::write(&path, [&all[..], b"7,7\n"].concat()).unwrap();
        let (status, said) = run(sweep(&few, &path).arg("--resume"));
        assert!(status == 2 && said.contains("expected the end"), "{said}");
    }
}
