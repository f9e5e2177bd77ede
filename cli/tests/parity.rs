//! Scenarios on boards. An emulator and the images are needed; without them the tests say so and are skipped.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Once;

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

/// What is missing is said once.
static SAID: Once = Once::new();

/// Whether a board can be run; says how to install what is missing.
fn can_run() -> bool {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let images = ["r52", "guest.bin", "virt", "v8r.bin", "v8r-on-virt", "guest-aarch64.bin"];
    let images = images.iter().all(|image| root.join("target/board").join(image).exists());
    let machines = Command::new("qemu-system-arm").args(["-M", "help"]).output();
    let emulator = machines.is_ok_and(|done| String::from_utf8_lossy(&done.stdout).contains("mps3-an536"));
    let missing = match (images, emulator) {
        (true, true) => return true,
        (_, false) => "qemu-system-arm with mps3-an536 (9.2 or newer); .ci/install installs it",
        (false, true) => "the boards' images; .ci/install installs a toolchain for them, .ci/board builds them",
    };
    assert!(std::env::var_os("MPUSIM_REQUIRE_ALL").is_none(), "missing: {missing}");
    // Past what the test harness keeps back of tests that pass.
    SAID.call_once(|| {
        let line = format!("skipped: scenarios on boards; missing: {missing}\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    });
    false
}

fn on_r52(scenario: &str, strategy: &str, sets: &[&str]) -> Run {
    on("r52", scenario, strategy, sets)
}

fn on(target: &str, scenario: &str, strategy: &str, sets: &[&str]) -> Run {
    let file = format!("examples/scenarios/{scenario}.toml");
    let mut args = vec!["parity", &file, "--target", target, "--strategy", strategy];
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

#[test]
fn scenarios_tell_the_same_on_a_cortex_r52() {
    if !can_run() {
        return;
    }
    let one_pe = ["scheduler=rr", "domain.1.vcpu.0.pe=0"];
    let ring = ["ring.base=0x20000000", "ring.ram_size=0x400000", "ring.vcpus=2"];
    let cases: [(&str, &str, &[&str]); 5] = [
        ("uart-from-guest-context", "map-page", &[]),
        ("fifo-two-domains", "map-page", &one_pe),
        ("fifo-two-domains", "hybrid", &one_pe),
        ("fifo-migration", "switch-view", &one_pe),
        ("ring", "pin", &ring),
    ];
    for (scenario, strategy, sets) in cases {
        let run = on_r52(scenario, strategy, sets);
        assert_eq!(run.status, Some(0), "{scenario}, {strategy}: {}{}", run.out, run.err);
        assert!(run.out.contains("the last: 0 idle"), "{scenario}, {strategy}: {}", run.out);
    }
}

#[test]
fn denied_accesses_and_unknown_calls_end_the_same_on_a_cortex_r52() {
    if !can_run() {
        return;
    }
    for strategy in ["map-page", "switch-view", "enable-mask"] {
        let scenario = "cli/tests/board-faults.toml";
        let simulated = run(&["run", scenario, "--strategy", strategy]);
        assert_eq!(simulated.status, Some(0), "{strategy}: {}", simulated.out);
        let run = run(&["parity", scenario, "--target", "r52", "--strategy", strategy]);
        assert_eq!(run.status, Some(0), "{strategy}: {}{}", run.out, run.err);
    }
}

#[test]
fn what_does_not_go_onto_a_board_is_refused_with_the_reason() {
    if !can_run() {
        return;
    }
    let refused = |scenario, sets: &[&str], why: &str| {
        let run = on_r52(scenario, "map-page", sets);
        assert_eq!(run.status, Some(2), "{scenario}: {}", run.out);
        assert!(run.err.contains(why), "{scenario}: {}", run.err);
    };
    refused("ring", &[], "has memory at 0x10000000");
    refused("ring", &["ring.base=0x20000000"], "needs 0x400000 bytes in its first bank");
    refused("idle-view", &[], "no time for timers");
    refused("fixed-frames", &[], "no time for fixed frames");
    refused("thread-2022-one-pe", &["domain.0.shared_info=0x30110000"], "has a page at 0x30110000");
    refused("thread-2022-one-pe", &["el2_regions=20"], "the EL2 MPU has 16 regions, and the layout says 20");
}

#[test]
fn every_strategy_tells_the_same_on_armv8_r_aarch64() {
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
        "static-map",
    ];
    for strategy in strategies {
        let run = on("v8r", "thread-2022-one-pe", strategy, &[]);
        assert_eq!(run.status, Some(0), "{strategy}: {}{}", run.out, run.err);
        assert!(run.out.contains("the last: 0 idle"), "{strategy}: {}", run.out);
    }
}

#[test]
fn naive_ends_at_the_predicted_address_on_armv8_r_aarch64() {
    if !can_run() {
        return;
    }
    let scenario = "examples/scenarios/thread-2022-one-pe.toml";
    let simulated = run(&["run", scenario, "--strategy", "naive", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&simulated.out).unwrap();
    let predicted = json["fault"]["far"].as_str().unwrap_or_default().to_owned();
    assert_eq!(json["fault"]["ec"], 0x25);
    let run = on("v8r", "thread-2022-one-pe", "naive", &[]);
    assert_eq!(run.status, Some(0), "{}{}", run.out, run.err);
    // Nothing is mapped there: a translation fault, which QEMU's Cortex-R52 does not tell from a permission fault.
    assert!(run.out.contains(&format!("the last: 0 fault ec=0x25 fsc=0x04 far={predicted}")), "{}", run.out);
    assert!(run.out.contains(&format!("FAR_EL2={predicted}")), "the board's own report: {}", run.out);
}

#[test]
fn scenarios_tell_the_same_on_armv8_r_aarch64() {
    if !can_run() {
        return;
    }
    let one_pe = ["scheduler=rr", "domain.1.vcpu.0.pe=0"];
    let ring = ["ring.base=0x20000000", "ring.ram_size=0x400000", "ring.vcpus=2"];
    let cases: [(&str, &str, &[&str]); 5] = [
        ("uart-from-guest-context", "map-page", &[]),
        ("fifo-two-domains", "map-page", &one_pe),
        ("fifo-two-domains", "hybrid", &one_pe),
        ("fifo-migration", "switch-view", &one_pe),
        ("ring", "pin", &ring),
    ];
    for (scenario, strategy, sets) in cases {
        let run = on("v8r", scenario, strategy, sets);
        assert_eq!(run.status, Some(0), "{scenario}, {strategy}: {}{}", run.out, run.err);
        assert!(run.out.contains("the last: 0 idle"), "{scenario}, {strategy}: {}", run.out);
    }
}

#[test]
fn denied_accesses_and_unknown_calls_end_the_same_on_armv8_r_aarch64() {
    if !can_run() {
        return;
    }
    for strategy in ["map-page", "switch-view", "enable-mask"] {
        let scenario = "cli/tests/board-faults.toml";
        let simulated = run(&["run", scenario, "--strategy", strategy, "--set", "board=fvp-baser"]);
        assert_eq!(simulated.status, Some(0), "{strategy}: {}", simulated.out);
        let run = run(&["parity", scenario, "--target", "v8r", "--strategy", strategy]);
        assert_eq!(run.status, Some(0), "{strategy}: {}{}", run.out, run.err);
        assert!(run.out.contains("the last: 0 idle"), "{strategy}: {}", run.out);
    }
}

#[test]
fn what_does_not_go_onto_armv8_r_aarch64_is_refused_with_the_reason() {
    if !can_run() {
        return;
    }
    let refused = |scenario, sets: &[&str], why: &str| {
        let run = on("v8r", scenario, "map-page", sets);
        assert_eq!(run.status, Some(2), "{scenario}: {}", run.out);
        assert!(run.err.contains(why), "{scenario}: {}", run.err);
    };
    refused("ring", &[], "needs 0x400000 bytes in its first bank");
    refused("idle-view", &[], "no time for timers");
    refused("thread-2022-one-pe", &["domain.0.shared_info=0x30110000"], "has a page at 0x30110000");
    refused("thread-2022-one-pe", &["el2_regions=20"], "the EL2 MPU has 32 regions, and the layout says 20");
    refused("thread-2022-one-pe", &["board=qemu-an536"], "expected board = \"fvp-baser\"");
}

#[test]
fn the_whole_simulator_tells_the_same_on_aarch64() {
    if !can_run() {
        return;
    }
    let scenarios =
        ["thread-2022", "thread-2022-one-pe", "fvp-2023", "fifo-two-domains", "idle-view", "region-40-of-64"];
    for (scenario, strategy) in scenarios.iter().flat_map(|scenario| [(scenario, "naive"), (scenario, "map-page")]) {
        let file = format!("examples/scenarios/{scenario}.toml");
        let run = run(&["parity", &file, "--target", "aarch64", "--strategy", strategy, "--seed", "7"]);
        assert_eq!(run.status, Some(0), "{scenario}, {strategy}: {}{}", run.out, run.err);
    }
}

#[test]
fn an_image_that_is_not_there_is_named_with_the_remedy() {
    let scenario = "examples/scenarios/thread-2022-one-pe.toml";
    for target in ["r52", "aarch64", "v8r"] {
        let run = run(&["parity", scenario, "--target", target, "--images", "nowhere"]);
        assert_eq!(run.status, Some(2), "{}", run.out);
        assert!(run.err.contains("there is no image nowhere/") && run.err.contains(".ci/board"), "{}", run.err);
    }
}
