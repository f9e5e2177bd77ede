//! Scenarios on boards. An emulator and the images are needed; without them the tests say so and are skipped.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::Command;

/// What a run of the program came to.
#[derive(Debug)]
struct Run {
    status: Option<i32>,
    out: String,
    err: String,
}

/// Runs `mpusim` in the project's folder.
fn run(args: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mpusim"));
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let done = command.args(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Run { status: done.status.code(), out: text(done.stdout), err: text(done.stderr) }
}

/// Whether a board can be run; says how to install what is missing.
fn can_run() -> bool {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let images = ["r52", "guest.bin"].iter().all(|image| root.join("target/board").join(image).exists());
    let machines = Command::new("qemu-system-arm").args(["-M", "help"]).output();
    let emulator = machines.is_ok_and(|done| String::from_utf8_lossy(&done.stdout).contains("mps3-an536"));
    let missing = match (images, emulator) {
        (true, true) => return true,
        (_, false) => "qemu-system-arm with mps3-an536 (9.2 or newer); .ci/install installs it",
        (false, true) => "the boards' images; .ci/install installs a toolchain for them, .ci/board builds them",
    };
    assert!(std::env::var_os("MPUSIM_REQUIRE_ALL").is_none(), "missing: {missing}");
    eprintln!("skipped: a scenario on a board; missing: {missing}");
    false
}

fn on_r52(scenario: &str, strategy: &str, sets: &[&str]) -> Run {
    let file = format!("examples/scenarios/{scenario}.toml");
    let mut args = vec!["parity", &file, "--target", "r52", "--strategy", strategy];
    for set in sets {
        args.extend(["--set", set]);
    }
    run(&args)
}

#[test]
fn every_strategy_tells_the_same_on_a_cortex_r52() {
    if !can_run() {
        return;
    }
    let strategies = [
        "pin",
        "map-page",
        "map-page:2",
        "switch-view",
        "switch-view:lazy",
        "hybrid",
        "enable-mask",
        "ku-window",
        "xen-pool",
    ];
    for strategy in strategies {
        let run = on_r52("thread-2022-one-pe", strategy, &[]);
        assert_eq!(run.status, Some(0), "{strategy}: {}{}", run.out, run.err);
        assert!(run.out.contains("the last: 0 idle"), "{strategy}: {}", run.out);
    }
}

#[test]
fn naive_ends_in_a_data_abort_at_the_predicted_address() {
    if !can_run() {
        return;
    }
    let simulated = run(&[
        "run",
        "examples/scenarios/thread-2022-one-pe.toml",
        "--set",
        "board=qemu-an536",
        "--strategy",
        "naive",
        "--format",
        "json",
    ]);
    let json: serde_json::Value = serde_json::from_str(&simulated.out).unwrap();
    let predicted = json["fault"]["far"].as_str().unwrap_or_default().to_owned();
    assert_eq!(json["fault"]["ec"], 0x25);
    let run = on_r52("thread-2022-one-pe", "naive", &[]);
    assert_eq!(run.status, Some(0), "{}{}", run.out, run.err);
    assert!(run.out.contains(&format!("the last: 0 fault ec=0x25 fsc=0x0c far={predicted}")), "{}", run.out);
    assert!(run.out.contains(&format!("HDFAR={predicted}")), "the board's own report: {}", run.out);
}
