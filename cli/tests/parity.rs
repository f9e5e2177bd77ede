//! Scenarios on boards. An emulator and the images are needed; without them the tests say so and are skipped.

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

/// Whether all is there that `what` needs; says how to install what is missing, once for each.
fn needs(what: &str, said: &'static Once, images: &[&str], remedy: &str, emulator: (&str, &str)) -> bool {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let images = images.iter().all(|image| root.join("target/board").join(image).exists());
    let (program, machine) = emulator;
    let machines = Command::new(program).args(["-M", "help"]).output();
    let emulator = machines.is_ok_and(|done| String::from_utf8_lossy(&done.stdout).contains(machine));
    let missing = match (images, emulator) {
        (true, true) => return true,
        (_, false) => format!("{program} with {machine} (9.2 or newer); .ci/install installs it"),
        (false, true) => remedy.to_owned(),
    };
    assert!(std::env::var_os("MPUSIM_REQUIRE_ALL").is_none(), "missing: {missing}");
    // Past what the test harness keeps back of tests that pass.
    said.call_once(|| {
        let line = format!("skipped: {what}; missing: {missing}\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    });
    false
}

/// Whether a board can be run.
fn can_run() -> bool {
    const IMAGES: [&str; 6] = ["r52", "guest.bin", "virt", "v8r.bin", "v8r-on-virt", "guest-aarch64.bin"];
    static SAID: Once = Once::new();
    let remedy = "the boards' images; .ci/install installs a toolchain for them, .ci/board builds them";
    needs("scenarios on boards", &SAID, &IMAGES, remedy, ("qemu-system-arm", "mps3-an536"))
}

/// Whether Xen can be run.
fn can_run_xen() -> bool {
    static SAID: Once = Once::new();
    let remedy = "Xen and a guest for it; examples/board/on-xen.sh fetches the one and builds the other";
    needs("scenarios on Xen", &SAID, &["guest-aarch64.bin", "xen"], remedy, ("qemu-system-aarch64", "virt "))
}

fn on(target: &str, scenario: &str, strategy: &str, sets: &[&str]) -> Run {
    let file = format!("examples/scenarios/{scenario}.toml");
    let mut args = vec!["parity", &file, "--target", target, "--strategy", strategy];
    for set in sets {
        args.extend(["--set", set]);
    }
    run(&args)
}

/// The strategies that fit 16 regions; `naive` and `background` aside.
const STRATEGIES: [&str; 9] = [
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

fn strategies_tell_the_same(target: &str, strategies: &[&str]) {
    for strategy in strategies {
        let run = on(target, "thread-2022-one-pe", strategy, &[]);
        assert_eq!(run.status, Some(0), "{strategy}: {}{}", run.out, run.err);
        assert!(run.out.contains("the last: 0 idle"), "{strategy}: {}", run.out);
    }
}

/// The board ends in a data abort at EL2 with this status code, at the address that the simulator says for `simulated`, and its
/// own report names the address as `register`.
fn naive_ends_at_the_predicted_address(target: &str, simulated: &[&str], fsc: &str, register: &str) {
    let mut args = vec!["run", "examples/scenarios/thread-2022-one-pe.toml", "--strategy", "naive", "--format", "json"];
    args.extend(simulated);
    let json: serde_json::Value = serde_json::from_str(&run(&args).out).unwrap();
    let predicted = json["fault"]["far"].as_str().unwrap_or_default().to_owned();
    assert_eq!(json["fault"]["ec"], 0x25);
    let run = on(target, "thread-2022-one-pe", "naive", &[]);
    assert_eq!(run.status, Some(0), "{}{}", run.out, run.err);
    assert!(run.out.contains(&format!("the last: 0 fault ec=0x25 fsc={fsc} far={predicted}")), "{}", run.out);
    assert!(run.out.contains(&format!("{register}={predicted}")), "the board's own report: {}", run.out);
}

fn scenarios_tell_the_same(target: &str) {
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
        let run = on(target, scenario, strategy, sets);
        assert_eq!(run.status, Some(0), "{scenario}, {strategy}: {}{}", run.out, run.err);
        assert!(run.out.contains("the last: 0 idle"), "{scenario}, {strategy}: {}", run.out);
    }
}

fn denied_accesses_and_unknown_calls_end_the_same(target: &str, simulated: &[&str]) {
    for strategy in ["map-page", "switch-view", "enable-mask"] {
        let scenario = "cli/tests/board-faults.toml";
        let mut args = vec!["run", scenario, "--strategy", strategy];
        args.extend(simulated);
        let here = run(&args);
        assert_eq!(here.status, Some(0), "{strategy}: {}", here.out);
        let run = run(&["parity", scenario, "--target", target, "--strategy", strategy]);
        assert_eq!(run.status, Some(0), "{strategy}: {}{}", run.out, run.err);
        assert!(run.out.contains("the last: 0 idle"), "{strategy}: {}", run.out);
    }
}

#[test]
fn every_strategy_tells_the_same_on_a_cortex_r52() {
    if can_run() {
        strategies_tell_the_same("r52", &STRATEGIES);
    }
}

#[test]
fn strategies_tell_the_same_on_armv8_r_aarch64() {
    if can_run() {
        strategies_tell_the_same("v8r", &["pin", "map-page", "switch-view:lazy", "static-map"]);
    }
}

#[test]
fn naive_ends_in_a_data_abort_at_the_predicted_address() {
    if can_run() {
        naive_ends_at_the_predicted_address("r52", &["--set", "board=qemu-an536"], "0x0c", "HDFAR");
        // Nothing is mapped there: a translation fault, which QEMU's Cortex-R52 does not tell from a permission fault.
        naive_ends_at_the_predicted_address("v8r", &[], "0x04", "FAR_EL2");
    }
}

#[test]
fn scenarios_tell_the_same_on_a_cortex_r52() {
    if can_run() {
        scenarios_tell_the_same("r52");
    }
}

#[test]
fn scenarios_tell_the_same_on_armv8_r_aarch64() {
    if can_run() {
        scenarios_tell_the_same("v8r");
    }
}

#[test]
fn denied_accesses_and_unknown_calls_end_the_same_on_boards() {
    if can_run() {
        denied_accesses_and_unknown_calls_end_the_same("r52", &[]);
        denied_accesses_and_unknown_calls_end_the_same("v8r", &["--set", "board=fvp-baser"]);
    }
}

fn refused(target: &str, scenario: &str, sets: &[&str], why: &str) {
    let run = on(target, scenario, "map-page", sets);
    assert_eq!(run.status, Some(2), "{target}, {scenario}: {}", run.out);
    assert!(run.err.contains(why), "{target}, {scenario}: {}", run.err);
}

#[test]
fn what_does_not_go_onto_a_board_is_refused_with_the_reason() {
    if !can_run() {
        return;
    }
    refused("r52", "ring", &[], "has memory at 0x10000000");
    refused("r52", "ring", &["ring.base=0x20000000"], "needs 4 MiB in its first bank");
    refused("v8r", "ring", &[], "needs 4 MiB in its first bank");
    refused("r52", "idle-view", &[], "no time for timers");
    refused("v8r", "idle-view", &[], "no time for timers");
    refused("r52", "fixed-frames", &[], "no time for fixed frames");
    let poll = [
        "domain.0.vcpu.0.program=[\"setup\", { repeat = { times = 2, steps = [{ poll = { ports = [11], timeout = 9 } }] } }]",
    ];
    refused("r52", "thread-2022-one-pe", &poll, "no time for a poll to run out, and there is ");
    let page = ["domain.0.shared_info=0x30110000"];
    refused("r52", "thread-2022-one-pe", &page, "has a page at 0x30110000");
    refused("v8r", "thread-2022-one-pe", &page, "has a page at 0x30110000");
    let slots = ["el2_regions=20"];
    refused("r52", "thread-2022-one-pe", &slots, "the EL2 MPU has 16 regions, and the layout says 20");
    refused("v8r", "thread-2022-one-pe", &slots, "the EL2 MPU has 32 regions, and the layout says 20");
    refused("v8r", "thread-2022-one-pe", &["board=qemu-an536"], "expected board = \"fvp-baser\"");
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

/// The two domains of thread-2022 with their ids exchanged: Xen binds a channel by the domain with the higher one.
const EXCHANGED: [&str; 4] =
    ["domain.0.id=2", "domain.1.id=1", "channel.0.listener.domain=1", "channel.0.binder.domain=2"];

fn on_xen(scenario: &str, sets: &[&str]) -> Run {
    let mut args = vec!["parity", scenario, "--target", "xen"];
    for set in sets {
        args.extend(["--set", set]);
    }
    run(&args)
}

#[test]
fn guests_do_and_are_given_the_same_on_xen() {
    if !can_run_xen() {
        return;
    }
    // What each vCPU did: calls and loads, events.
    let cases: [(&str, &[&str], [&str; 2]); 3] = [
        ("cli/tests/xen-dom0.toml", &[], ["135 calls and loads, 104 events", "108 calls and loads, 102 events"]),
        ("cli/tests/xen-fifo.toml", &[], ["608 calls and loads, 601 events", "606 calls and loads, 603 events"]),
        (
            "examples/scenarios/thread-2022-one-pe.toml",
            &EXCHANGED,
            ["1003 calls and loads, 1001 events", "1003 calls and loads, 1000 events"],
        ),
    ];
    for (scenario, sets, counts) in cases {
        let run = on_xen(scenario, sets);
        assert_eq!(run.status, Some(0), "{scenario}: {}{}", run.out, run.err);
        for count in counts {
            let same = format!("{count}, the same on the host and on Xen ");
            assert!(run.out.contains(&same), "{scenario}: {}", run.out);
        }
    }
}

#[test]
fn what_guests_do_otherwise_on_xen_is_shown() {
    if !can_run_xen() {
        return;
    }
    // An address in a raw hypercall does not move along with the domain's RAM.
    let scenario = r#"
        board = "fvp-baser"
        heap = { base = 0x50000000, size = 0x10000000 }
        [[domain]]
        id = 1
        ram = [{ base = 0x30000000, size = 0x01000000 }]
        [[domain.vcpu]]
        pe = 0
        program = ["setup", { hypercall = { nr = 60, args = [0x30000040], expect = "-ENOSYS" } }]
    "#;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), scenario).unwrap();
    let run = on_xen(file.path().to_str().unwrap(), &[]);
    assert_eq!(run.status, Some(1), "{}{}", run.out, run.err);
    assert!(run.out.contains("calls and loads: line 3 differs"), "{}", run.out);
    assert!(run.out.contains("  host:  0.0 hvc 60 ram+0x40 0x0 0x0 0x0 0x0 = -38"), "{}", run.out);
    assert!(run.out.contains("  Xen:   0.0 hvc 60 0x30000040 0x0 0x0 0x0 0x0 = -38"), "{}", run.out);
    assert!(run.out.contains("# console: (XEN) Xen version "), "{}", run.out);
}

#[test]
fn what_does_not_go_onto_xen_is_refused_with_the_reason() {
    let refused = |scenario: &str, sets: &[&str], why: &str| {
        let run = on_xen(scenario, sets);
        assert_eq!(run.status, Some(2), "{scenario}: {}", run.out);
        assert!(run.err.contains(why), "{scenario}: {}", run.err);
    };
    let thread = "examples/scenarios/thread-2022-one-pe.toml";
    refused(thread, &[], "ports 10 and 11 is bound by the domain with the lower id");
    refused(thread, &["domain.0.id=4", "channel.0.binder.domain=4"], "Xen numbers domains from 1 on without a gap");
    let pool = [&EXCHANGED[..], &["placement=pool"]].concat();
    refused(thread, &pool, "expected placement = \"guest-ram\"");
    let page = [&EXCHANGED[..], &["domain.0.shared_info=0x30110000"]].concat();
    refused(thread, &page, "domU1 has a page at 0x30110000; expected one in 0x30000000-0x300fffff");
    refused("examples/scenarios/idle-view.toml", &[], "Xen has no timers");
    refused("examples/scenarios/trap-mix.toml", &[], "Xen plays no devices of a scenario's; leave sensor out");
    refused("examples/scenarios/fvp-2023.toml", &[], "its guests run without shared memory; leave ");
    refused("examples/scenarios/ring.toml", &["ring.vcpus=2", "ring.domains=2"], "node1 has 2 vCPUs; expected one");
    let faults = ["domain.0.id=2", "domain.1.id=1"];
    refused("cli/tests/board-faults.toml", &faults, "first has an EL1 MPU, and the PE has none");
}

#[test]
fn a_xen_that_is_not_there_is_named_with_the_remedy() {
    let images = tempfile::tempdir().unwrap();
    let folder = images.path().to_str().unwrap();
    let scenario = ["parity", "cli/tests/xen-fifo.toml", "--target", "xen", "--images", folder];
    let without = run(&scenario);
    assert_eq!(without.status, Some(2), "{}", without.out);
    assert!(without.err.contains("guest-aarch64.bin; build it with .ci/board"), "{}", without.err);
    std::fs::write(images.path().join("guest-aarch64.bin"), "").unwrap();
    let without = run(&scenario);
    assert_eq!(without.status, Some(2), "{}", without.out);
    assert!(without.err.contains("examples/board/on-xen.sh fetches it"), "{}", without.err);
}

#[test]
fn what_the_calibration_image_prints_is_a_profile_that_says_what_it_is() {
    static SAID: Once = Once::new();
    let remedy = "the calibration image; .ci/install installs a toolchain for it, .ci/board builds it";
    let emulator = ("qemu-system-arm", "mps3-an536");
    if !needs("the calibration image", &SAID, &["calibrate"], remedy, emulator) {
        return;
    }
    let mut command = Command::new(emulator.0);
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    command.args(["-M", emulator.1, "-cpu", "cortex-r52", "-smp", "1", "-icount", "shift=4"]);
    command.args(["-display", "none", "-monitor", "none", "-serial", "null", "-chardev", "stdio,id=out"]);
    command.args(["-semihosting-config", "enable=on,target=native,chardev=out"]);
    let done = command.args(["-kernel", "target/board/calibrate"]).output().unwrap();
    let text = String::from_utf8(done.stdout).unwrap();
    assert_eq!(done.status.code(), Some(0), "{text}");
    // An emulator that counts instructions, and says so.
    assert!(text.contains("# INSTRUCTION COUNTS, NOT A TIMING"), "{text}");
    assert!(!text.contains("provenance = \"measured"), "{text}");
    assert!(text.contains("dsb = { cycles = 1, provenance = \"counted\", source = \"64 DSBs"), "{text}");
    // HVC, and the branch of its vector.
    assert!(text.contains("exception = { cycles = 2, "), "{text}");
    assert!(text.contains("# a region added: HPRBAR, HPRLAR, DSB, ISB: 4 / 4 / 4"), "{text}");
    for n in 1..=16 {
        assert!(text.contains(&format!("# another view, regions: {n}: ")), "{n}: {text}");
    }

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &text).unwrap();
    let profile = file.path().to_str().unwrap();
    let scenario = "examples/scenarios/thread-2022.toml";
    let compared = run(&["compare", scenario, "--profile", profile, "--strategies", "pin,switch-view"]);
    assert_eq!(compared.status, Some(0), "{}", compared.err);
    assert!(compared.out.contains("Profile calibrated: MIDR 0x411fd133"), "{}", compared.out);
    let flat = compared.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("instruction counts of an emulator, not a timing"), "{}", compared.out);
    assert!(flat.contains("Assumed, not measured: kick"), "{}", compared.out);
}
