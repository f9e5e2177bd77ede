//! What a scenario's board bounds, as users see it: messages with the limit and the line, and systems up to the limit that run.

use scenario::{LoadError, Scenario};
use sim_core::hyp::strategy::Builtin;
use sim_core::outcome::{Outcome, Report};
use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// RAM in two ranges far apart, as on parts with a second memory controller high up.
const FAR: &str = r#"board = "fvp-baser"
pes = 2
memory = { base = 0, size = 0x60000000000 }
heap = { base = 0x50000000, size = 0x10000000 }
[[domain]]
id = 1
name = "low"
ram = [{ base = 0x10000000, size = 0x1000000 }]
[[domain.vcpu]]
pe = 0
program = ["setup", { wait = "l" }, { send = "l" }, { wait = "l" }]
[[domain]]
id = 2
name = "high"
ram = [{ base = 0x50000000000, size = 0x40000000 }]
[[domain.vcpu]]
pe = 1
program = ["setup", { write = { at = 0x5003ffffffc, value = 7 } }, { wait = "l" }, { read = { at = 0x5003ffffffc, expect = 7 } }, { send = "l" }]
[[channel]]
name = "l"
listener = { domain = 2, port = 10 }
binder = { domain = 1, port = 11 }
"#;

fn load(text: &str, sets: &[&str]) -> Result<Scenario, LoadError> {
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    Scenario::from_text(Path::new("board.toml"), text, &sets)
}

fn run(text: &str, sets: &[&str], strategy: &str) -> Report {
    let scenario = load(text, sets).unwrap_or_else(|error| panic!("{}", error.render(false)));
    let strategy = Builtin::from_name(strategy, scenario.settings).unwrap();
    scenario.under(&strategy).unwrap().world(strategy, 0).unwrap().run()
}

/// That the text is refused at that place, in these words.
fn refused(text: &str, sets: &[&str], at: (usize, usize), words: &[&str]) {
    let error = load(text, sets).unwrap_err();
    let shown = error.render(false);
    assert_eq!(error.position(), Some(at), "{shown}");
    for word in words {
        assert!(shown.contains(word), "no {word:?} in\n{shown}");
    }
}

/// The program on a file: exit status, standard output and standard error.
fn mpusim(text: &str, before: &[&str], after: &[&str]) -> (Option<i32>, String, String) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("board.toml");
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mpusim"));
    let output = command.args(before).arg(&file).args(after).output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), said(&output.stdout), said(&output.stderr))
}

/// Case 27: what is accepted runs, and explain says the same.
#[test]
fn memory_far_apart_works_under_every_strategy() {
    for strategy in ["pin", "map-page", "switch-view", "hybrid", "enable-mask", "ku-window", "xen-pool"] {
        let report = run(FAR, &[], strategy);
        assert_eq!((report.outcome, report.events.lost), (Outcome::Completed, 0), "{strategy}");
    }
    let asked = ["--address", "0x50000000100", "--access", "w", "--domain", "high"];
    let (code, said, _) = mpusim(FAR, &["explain"], &asked);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(mpusim(FAR, &["run"], &[]).0, Some(0));
}

/// Case 26: a layout beyond the last address is refused with the limit; one that ends there runs.
#[test]
fn a_layout_beyond_the_physical_address_size_is_refused_with_the_limit() {
    let high = |base: &str, board: &str, memory: &str| {
        FAR.replace("0x50000000000", base)
            .replace("0x5003ffffffc", &format!("{base} "))
            .replace("fvp-baser", board)
            .replace("size = 0x60000000000 }", &format!("size = {memory} }}"))
    };
    // The board's memory is the first thing that there cannot be.
    let text = high("0x1000000000000", "cortex-r82", "0x8000000000000");
    refused(
        &text,
        &[],
        (3, 10),
        &["the board's memory", "0xffffffffff", "board cortex-r82", "40 address bits", "pa_bits"],
    );
    let (code, said, told) = mpusim(&text, &["run"], &[]);
    assert_eq!((code, said.as_str()), (Some(2), ""));
    assert!(told.contains("board.toml:3:10"), "{told}");
    // With longer addresses it runs.
    assert_eq!(run(&text, &["pa_bits=52"], "map-page").outcome, Outcome::Completed);
    // RAM up to the last byte of 40 bits, and of 48.
    for (board, base, memory) in
        [("cortex-r82", "0xffc0000000", "0x10000000000"), ("fvp-baser", "0xffffc0000000", "0x1000000000000")]
    {
        assert_eq!(run(&high(base, board, memory), &[], "map-page").outcome, Outcome::Completed, "{board}");
    }
    let text = high("0xffffc0000040", "fvp-baser", "0x1000000000000");
    refused(&text, &[], (15, 8), &["RAM bank 0 of high", "0xffffffffffff", "48 address bits"]);
}

#[test]
fn every_address_of_a_scenario_is_held_to_the_physical_address_size() {
    let limit = "expected no address above 0xffffffffff";
    let sets = ["pa_bits=40", "memory.size=0x10000000000", "domain.0.ram=[{ base = 0x20000000, size = 0x1000000 }]"];
    let near = FAR.replace("0x50000000000", "0x5000000000").replace("0x5003ffffffc", "0x5003fffffc");
    assert_eq!(run(&near, &sets, "map-page").outcome, Outcome::Completed);
    let with = |from: &str, to: &str| {
        assert_eq!(near.matches(from).count(), 1, "{from}");
        near.replace(from, to)
    };
    let region = |size: &str| {
        let region = format!("pe = 0\nel1_mpu = [{{ base = 0, size = {size}, access = \"rw\", execute = true }}]");
        with("pe = 0", &region)
    };
    assert_eq!(run(&region("0x10000000000"), &sets, "map-page").outcome, Outcome::Completed);
    refused(&region("0x10000000040"), &sets, (11, 21), &["EL1 region 0 of vCPU 0 of low", limit]);
    let domains = "[[domain]]\nid = 1";
    let shared = "[[shared]]\nname = \"s\"\nbase = 0x10000000000\nsize = 0x40\ndomains = [1, 2]\n";
    refused(&with(domains, &format!("{shared}{domains}")), &sets, (7, 8), &["shared memory \"s\"", limit]);
    let device = shared.replace("shared", "device");
    refused(&with(domains, &format!("{device}{domains}")), &sets, (7, 8), &["emulated device \"s\"", limit]);
    for key in ["uart", "gic", "pool", "device_tree", "sections.boot_modules", "sections.shared_memory"] {
        let line = format!("{key} = {{ base = 0x10000000000, size = 0x10000 }}\nheap");
        let text = with("heap", &line).replace("pes = 2", "pes = 2\nplacement = \"pool\"");
        let error = load(&text, &sets).unwrap_err();
        assert_eq!(error.position().map(|at| at.0), Some(5), "{}", error.render(false));
        assert!(error.render(false).contains(limit), "{}", error.render(false));
    }
    let heap = with("heap = { base = 0x50000000,", "heap = { base = 0x10000000000,");
    refused(&heap, &sets, (4, 8), &["the heap", limit]);
    let image = with("heap", "image_base = 0xfffff00000\nheap");
    refused(&image, &sets, (4, 14), &["the hypervisor's", limit]);
}

#[test]
fn steps_and_questions_are_held_to_it_too() {
    let with = |step: &str| FAR.replace("{ read = { at = 0x5003ffffffc, expect = 7 } }", step);
    for (good, bad) in [
        (
            "{ read = { at = 0xfffffffffffc, expect = \"fault\" } }",
            "{ read = { at = 0xfffffffffffd, expect = \"fault\" } }",
        ),
        (
            "{ write = { at = 0xffffffffffff, width = 1, value = 1, expect = \"fault\" } }",
            "{ write = { at = 0x1000000000000, width = 1, value = 1, expect = \"fault\" } }",
        ),
        (
            "{ execute = { at = 0xfffffffffffc, expect = \"fault\" } }",
            "{ execute = { at = 0x1000000000000, expect = \"fault\" } }",
        ),
        (
            "{ expand_array = { at = 0xfffffffff000, expect = \"-ENOSYS\" } }",
            "{ expand_array = { at = 0x1000000000000 } }",
        ),
        (
            "{ init_control = { at = 0xfffffffff000, expect = \"-EINVAL\" } }",
            "{ init_control = { at = 0x1000000000000 } }",
        ),
    ] {
        assert!(load(&with(good), &[]).is_ok(), "{good}: {}", load(&with(good), &[]).unwrap_err().render(false));
        let error = load(&with(bad), &[]).unwrap_err();
        let shown = error.render(false);
        assert_eq!(error.position().map(|at| at.0), Some(18), "{shown}");
        assert!(shown.contains("board fvp-baser has no") && shown.contains("have 48 bits"), "{shown}");
        assert!(shown.contains("expected no address above 0xffffffffffff"), "{shown}");
    }
    assert_eq!(mpusim(FAR, &["explain"], &["--address", "0xfffffffffffc"]).2, "");
    let (code, _, told) = mpusim(FAR, &["explain"], &["--address", "0xfffffffffffd"]);
    assert_eq!(code, Some(2));
    let expected = "board fvp-baser has no 4 bytes at 0xfffffffffffd: its physical addresses have 48 bits; expected \
                    0xffffffffffff at the most";
    assert!(told.contains(expected), "{told}");
}

/// A Cortex-R52 has registers of 32 bits.
#[test]
fn what_no_register_holds_is_refused() {
    let of = |step: &str| {
        format!(
            "board = \"an536\"\nheap = {{ base = 0x50000000, size = 0x100000 }}\n[[domain]]\nid = 1\nram = [{{ base = \
             0x20000000, size = 0x100000 }}]\n[[domain.vcpu]]\nprogram = [\n{step}\n]\n"
        )
    };
    assert!(load(&of("{ hypercall = { nr = 0xffffffff, args = [0xffffffff] } }"), &[]).is_ok());
    for step in ["{ hypercall = { nr = 0x100000000, args = [] } }", "{ hypercall = { nr = 1, args = [0x100000000] } }"]
    {
        let error = load(&of(step), &[]).unwrap_err();
        assert_eq!(error.position().map(|at| at.0), Some(8), "{}", error.render(false));
        assert!(error.render(false).contains("0x100000000 does not fit in a register of board an536"));
        assert!(load(&of(step), &["board=fvp-baser"]).is_ok());
    }
    refused(&of("{ read = { at = 0xfffffffd } }"), &[], (8, 17), &["board an536 has no 4 bytes at 0xfffffffd"]);
}

#[test]
fn sizes_are_those_of_the_architecture() {
    for bits in ["32", "36", "40", "42", "44", "48", "52"] {
        let small = ["memory.size=0x80000000", "domain.1.ram=[{ base = 0x20000000, size = 0x1000000 }]"];
        let text = FAR.replace("0x5003ffffffc", "0x20000100");
        let sets: Vec<String> = small.iter().map(|set| (*set).to_owned()).chain([format!("pa_bits={bits}")]).collect();
        assert!(Scenario::from_text(Path::new("b.toml"), &text, &sets).is_ok(), "{bits}");
    }
    let text = |key: &str| FAR.replace("pes = 2\n", &format!("pes = 2\n{key}\n"));
    refused(&text("pa_bits = 47"), &[], (3, 11), &["pa_bits is 47", "32, 36, 40, 42, 44, 48 and 52"]);
    refused(&text("pa_bits = 256"), &[], (3, 11), &["pa_bits is 256"]);
    refused(&text("vmid_bits = 9"), &[], (3, 13), &["vmid_bits is 9", "expected 8 or 16"]);
    let of_32 = |key: &str| text(key).replace("fvp-baser", "qemu-an536");
    refused(&of_32("pa_bits = 40"), &[], (3, 11), &["pa_bits is 40", "PMSAv8-32 has addresses of 32 bits"]);
    refused(&of_32("vmid_bits = 16"), &[], (3, 13), &["vmid_bits is 16", "PMSAv8-32 has VMIDs of 8 bits"]);
}

/// `count` domains that take turns on one PE.
fn domains(board: &str, count: usize) -> String {
    let mut text =
        format!("board = \"{board}\"\nscheduler = \"rr\"\nheap = {{ base = 0x50000000, size = 0x10000000 }}\n");
    for id in 0..count {
        let base = 0x2000_0000 + id * 0x4000;
        let ram = format!("[{{ base = {base:#x}, size = 0x4000 }}]");
        write!(text, "[[domain]]\nid = {id}\nram = {ram}\n[[domain.vcpu]]\nprogram = [\"setup\"]\n").unwrap();
    }
    text
}

#[test]
fn more_domains_than_vmids_are_refused_with_the_limit() {
    for board in ["qemu-an536", "an536", "fvp-baser"] {
        assert_eq!(run(&domains(board, 255), &[], "map-page").outcome, Outcome::Completed, "{board}");
        let said = format!("is one more than the 255 that board {board} has VMIDs for: 8 bits");
        refused(&domains(board, 300), &[], (3 + 255 * 5 + 1, 1), &["domain dom255", &said]);
    }
    assert_eq!(mpusim(&domains("qemu-an536", 300), &["run"], &[]).0, Some(2));
    // VMIDs of 16 bits tell them all apart.
    assert_eq!(run(&domains("fvp-baser", 300), &["vmid_bits=16"], "map-page").outcome, Outcome::Completed);
    refused(&domains("fvp-baser", 256), &[], (3 + 255 * 5 + 1, 1), &["vmid_bits = 16"]);
}

/// Two domains in each part's own memory, from a file, as a user writes it.
#[test]
fn every_part_runs_a_small_system_in_its_own_memory() {
    for (board, heap, first, second, size) in [
        ("s32z", 0x3240_0000_u64, 0x3250_0000_u64, 0x3178_0000_u64, 0x10_0000),
        ("an536", 0x5000_0000, 0x2000_0000, 0x1000_0000, 0x8_0000),
        ("rcar-s4", 0x5000_0000, 0x6000_0000, 0xeb20_0000, 0x10_0000),
        ("sr6p7", 0x6044_0000, 0x6100_0000, 0x6140_0000, 0x4_0000),
    ] {
        let text = format!(
            r#"board = "{board}"
pes = 2
heap = {{ base = {heap:#x}, size = 0x40000 }}
[[domain]]
id = 1
ram = [{{ base = {first:#x}, size = {size:#x} }}]
[[domain.vcpu]]
pe = 0
program = ["setup", {{ wait = "l" }}, {{ repeat = {{ times = 5, steps = [{{ send = "l" }}, {{ wait = "l" }}] }} }}]
[[domain]]
id = 2
ram = [{{ base = {second:#x}, size = {size:#x} }}]
[[domain.vcpu]]
pe = 1
program = ["setup", {{ repeat = {{ times = 5, steps = [{{ wait = "l" }}, {{ send = "l" }}] }} }}]
[[channel]]
name = "l"
listener = {{ domain = 2, port = 10 }}
binder = {{ domain = 1, port = 11 }}
"#
        );
        for strategy in ["map-page", "pin", "switch-view", "hybrid"] {
            let report = run(&text, &[], strategy);
            assert_eq!((report.outcome, report.events.lost), (Outcome::Completed, 0), "{board}, {strategy}");
        }
        // The FVP's addresses are nothing there.
        let error = load(&text, &["heap.base=0x8000000"]).unwrap_err().render(false);
        assert!(error.contains("is not inside the board's memory"), "{error}");
        // An access that nobody may make has Arm's status code, not QEMU's.
        let naive = run(&text, &[], "naive");
        let Outcome::HypervisorFault(fault) = naive.outcome else { panic!("{board}: {:?}", naive.outcome) };
        assert_eq!(fault.fault.syndrome.iss & 0x3f, 0b00_0100, "{board}: translation fault");
    }
}
