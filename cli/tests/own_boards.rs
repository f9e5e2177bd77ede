//! Boards of one's own: their files and tables, what a system on one takes of regions, and what is refused.

use scenario::{BoardFile, LoadError, Scenario};
use sim_core::hyp::plan::{GUEST_DEVICE, Plan};
use sim_core::hyp::strategy::{Builtin, Strategy};
use sim_core::layout::{Board, Kind, Owner, PeId};
use sim_core::outcome::{Outcome, Report, ViewId};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const OWN: &str = include_str!("../../examples/scenarios/own-board.toml");

fn boards() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/boards")
}

fn load(text: &str, sets: &[&str]) -> Result<Scenario, LoadError> {
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    Scenario::from_text(Path::new("own.toml"), text, &sets)
}

fn good(text: &str, sets: &[&str]) -> Scenario {
    load(text, sets).unwrap_or_else(|error| panic!("{}", error.render(false)))
}

fn run(scenario: &Scenario, strategy: &str) -> Report {
    let strategy = Builtin::from_name(strategy, scenario.settings).unwrap();
    let mut placed = scenario.under(&strategy).unwrap();
    placed.config.paranoid = true;
    placed.world(strategy, 0).unwrap().run()
}

/// The program on the files of a folder: exit status, standard output, standard error.
fn mpusim(folder: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_mpusim")).current_dir(folder).args(args).output().unwrap();
    let said = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (done.status.code(), said(done.stdout), said(done.stderr))
}

/// The scenario without its board, and the board as a file has it.
fn in_two_files() -> (String, String) {
    let (before, rest) = OWN.split_once("[board]\n").unwrap();
    let (board, after) = rest.split_once("\n[[domain]]").unwrap();
    (format!("{before}[[domain]]{after}"), board.to_owned())
}

#[test]
fn every_preset_can_be_written_with_the_keys_of_a_board() {
    for name in Board::preset_names() {
        let file = BoardFile::read(&boards().join(format!("{name}.toml"))).unwrap();
        let board = file.board().unwrap_or_else(|error| panic!("{}", error.render(false)));
        assert_eq!(Some(board), Board::preset(name), "{name}");
    }
    let files = std::fs::read_dir(boards()).unwrap().count();
    assert_eq!(files, Board::preset_names().len(), "one file for each preset");
}

/// A preset's file in the place of the preset's name changes nothing.
#[test]
fn a_scenario_on_a_presets_file_is_the_scenario_on_the_preset() {
    let thread = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/scenarios/thread-2022.toml");
    let file = BoardFile::read(&boards().join("fvp-baser.toml")).unwrap();
    let named = Scenario::load(&thread, &[]).unwrap();
    let filed = Scenario::load_on(&thread, Some(&file), &[]).unwrap();
    assert_eq!(filed.layout.parts(), named.layout.parts());
    assert_eq!(filed.config.rules, named.config.rules);
    // The scenario's own keys and --set still come after it.
    assert_eq!(filed.layout.board().pes, 2);
    let set = Scenario::load_on(&thread, Some(&file), &["board.el2_regions=20".to_owned()]).unwrap();
    assert_eq!(set.layout.board().el2_regions, 20);
}

#[test]
fn every_key_of_a_board_arrives() {
    let mut text = in_two_files().1;
    text.push_str(
        r#"
vmid_bits = 16
default_map = "rw"
timers = { el1_physical = 16, el1_virtual = 17, el2_physical = 18, maintenance = 19, frequency = 5, control = { base = 0xaa430000, size = 0x1000 } }
rules = { sync = "cse", write_order = "program", s2_xn = "bit-0", vm_without_m = "regions", crossing = "first-byte", mixed_attributes = "alignment-fault", el0_without_m = "fault", status_codes = "background-fault", hpfar = "always" }
"#,
    );
    let board = BoardFile::from_text(Path::new("b"), &text).board();
    let board = board.unwrap_or_else(|error| panic!("{}", error.render(false)));
    assert_eq!((board.name.as_str(), board.pes, board.el2_regions, board.el1_regions), ("two-banks", 2, 16, 16));
    assert_eq!((board.pa_bits, board.vmid_bits, board.image_base), (40, 16, 0x1000_0000));
    let memory: Vec<_> = board.memory.iter().map(|memory| (memory.name.as_str(), memory.kind)).collect();
    let kinds = [
        ("DRAM", Kind::Ram),
        ("SRAM", Kind::Ram),
        ("TCM0", Kind::Tcm { pe: PeId::PRIMARY }),
        ("peripherals", Kind::Device),
    ];
    assert_eq!(memory, kinds);
    let image = board.image;
    assert_eq!((image.text, image.rodata, image.data, image.stack), (0x40000, 0x20000, 0x20000, 0x2000));
    let uarts: Vec<_> = board.uarts().map(|uart| (uart.name.as_str(), uart.interrupt)).collect();
    assert_eq!(uarts, [("uart0", Some(37)), ("uart1", Some(38))]);
    assert_eq!(board.gic.redistributor(PeId::new(1)).unwrap().base(), 0xaf12_0000);
    let timers = board.timers;
    assert_eq!([timers.el1_physical, timers.el1_virtual, timers.el2_physical, timers.maintenance], [16, 17, 18, 19]);
    assert_eq!((timers.frequency, timers.control.unwrap().base()), (Some(5), 0xaa43_0000));
    assert_eq!(
        format!("{:?}", board.rules),
        "Rules { sync: ContextSyncOnly, order: Program, s2_xn: Bit0Only, vm_without_m: RegionsApply, default_map: RwNoExec, \
         crossing: FirstByte, mixed: AlignmentFault, el0_without_m: TranslationFault, codes: BackgroundFault, hpfar: Always }"
    );
    // A scenario on it goes by its rules unless it says otherwise.
    let (scenario, _) = in_two_files();
    let file = BoardFile::from_text(Path::new("b"), &text);
    let of = |sets: &[String]| {
        Scenario::from_text_on(Path::new("s"), &scenario, Some(&file), sets).unwrap().config.rules.sync
    };
    assert_ne!(of(&[]), of(&["sync=dsb+cse".to_owned()]));
}

/// What the example takes of the EL2 MPU, counted by hand.
#[test]
fn regions_are_those_that_were_counted_by_hand() {
    let scenario = good(OWN, &[]);
    // In every view: text, rodata, data with the stacks, the heap, the console, the GIC. The other UART and the peripherals
    // are not the hypervisor's.
    let fixed = 6;
    // RAM in the DRAM, the TCM, can0, mail. No two of them are neighbours.
    let control = 4;
    // RAM in the DRAM, RAM in the SRAM, uart1, mail; mail lies 1 MiB behind the SRAM's other part.
    let logger = 4;
    // The memory of both: two ranges in the DRAM, the TCM, one in the SRAM, and mail. No device: EL2 has no business there.
    let memory = 5;
    // Beside what is its own and mail, the other's memory: two ranges each.
    let others = 2;
    for (name, windows, hypervisor, views) in [
        ("naive", 0, None, [0, control, logger]),
        ("map-page", 1, None, [0, control, logger]),
        ("switch-view", 0, Some(memory), [0, control, logger]),
        ("static-map", 0, None, [memory, control + others, logger + others]),
    ] {
        let strategy = Builtin::from_name(name, scenario.settings).unwrap();
        let plan = Plan::new(&scenario.layout, strategy.needs()).unwrap();
        let counted: Vec<_> = plan.budgets().iter().map(|budget| (budget.view, budget.own)).collect();
        let ids = [ViewId::Idle, ViewId::Guest(0), ViewId::Guest(1)];
        let mut expected: Vec<_> = ids.into_iter().zip(views).collect();
        expected.extend(hypervisor.map(|own| (ViewId::Hypervisor, own)));
        assert_eq!(counted, expected, "{name}");
        assert!(plan.budgets().iter().all(|budget| (budget.fixed, budget.windows) == (fixed, windows)), "{name}");
        // Boot has at its fullest: text, rodata, data, init text, init data, device tree, heap, console, GIC; and ends with the
        // idle view behind the fixed regions, where that has regions of its own.
        let boot = 9.max(fixed + views[0]);
        let most = fixed + windows + views.into_iter().chain(hypervisor).max().unwrap();
        let needs = plan.region_needs();
        assert_eq!((needs.boot, needs.views, needs.needed()), (boot, most, most.max(boot)), "{name}");
        // So many will do, and one less will not.
        for (regions, runs) in [(needs.needed(), true), (needs.needed() - 1, false)] {
            let scenario = good(OWN, &[&format!("board.el2_regions={regions}")]);
            assert_eq!(Plan::new(&scenario.layout, strategy.needs()).is_ok(), runs, "{name} with {regions}");
        }
    }
    // A device is mapped with device attributes, by its own region, in its domain's view alone.
    let strategy = Builtin::from_name("map-page", scenario.settings).unwrap();
    let plan = Plan::new(&scenario.layout, strategy.needs()).unwrap();
    for (domain, base) in [(0, 0x9c01_0000), (1, 0x9d00_0000)] {
        for view in 0..2 {
            let mut regions = plan.view(ViewId::Guest(view)).regions.iter();
            let found = regions.find(|planned| planned.owners == [Owner::Passthrough(domain)]);
            let found = found.map(|planned| (planned.region.base(), planned.region.limit(), planned.region.attrs()));
            assert_eq!(found, (view == domain).then_some((base, base + 0xfff, GUEST_DEVICE)));
        }
    }
}

#[test]
fn the_example_runs_under_every_strategy_that_maps_something() {
    let scenario = good(OWN, &[]);
    for strategy in ["pin", "map-page", "switch-view", "hybrid", "enable-mask", "ku-window", "xen-pool", "static-map"] {
        let report = run(&scenario, strategy);
        assert_eq!((report.outcome, report.events.lost), (Outcome::Completed, 0), "{strategy}");
    }
    assert!(matches!(run(&scenario, "naive").outcome, Outcome::HypervisorFault(_)));
}

#[test]
fn one_file_or_two_are_the_same_and_reports_have_the_boards_name() {
    let folder = TempDir::new().unwrap();
    let (scenario, board) = in_two_files();
    for (name, text) in [("own-board.toml", OWN), ("s.toml", &scenario), ("b.toml", &board)] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    for command in ["run", "compare", "view"] {
        let one = mpusim(folder.path(), &[command, "own-board.toml"]);
        let two = mpusim(folder.path(), &[command, "s.toml", "--board", "b.toml"]);
        assert!(one.1.contains("two-banks"), "{}{}", one.1, one.2);
        assert_eq!((one.0, one.1.replace("own-board.toml", "s.toml"), one.2), two, "{command}");
    }
    let asked = ["--address", "0x9c010004", "--el", "1", "--access", "w"];
    let explain = [&["explain", "s.toml", "--board", "b.toml"][..], &asked].concat();
    let (status, said, told) = mpusim(folder.path(), &explain);
    assert!(status == Some(0) && said.contains("device can0"), "{said}{told}");
    let sweep = ["sweep", "s.toml", "--board", "b.toml", "--vary", "windows=1,2", "-q", "-o", "o.jsonl"];
    assert_eq!(mpusim(folder.path(), &sweep).0, Some(0));
    let rows = std::fs::read_to_string(folder.path().join("o.jsonl")).unwrap();
    assert!(rows.lines().next().unwrap().contains(r#""board":"b.toml""#), "{rows}");
    // Another board is another sweep.
    std::fs::write(folder.path().join("b.toml"), board.replace("el2_regions = 16", "el2_regions = 17")).unwrap();
    let again = [&sweep[..], &["--resume"]].concat();
    let (status, _, told) = mpusim(folder.path(), &again);
    assert!(status == Some(2) && told.contains("hash"), "{told}");
    let report = ["report", "s.toml", "--board", "b.toml", "-o", "r.html"];
    assert_eq!(mpusim(folder.path(), &report).0, Some(0));
    let page = std::fs::read_to_string(folder.path().join("r.html")).unwrap();
    assert!(page.contains("--board b.toml"), "the command that makes it again");
}

/// What is replaced in the example, by what, the text at whose place the error stands, and what is said.
type Case<'a> = (&'a str, &'a str, &'a str, &'a [&'a str]);

const BAD: &[Case<'_>] = &[
    // Ranges of one board.
    (
        "base = 0x80000000, size = 0x00400000",
        "base = 0x1ffff000, size = 0x2000",
        "0x1ffff000",
        &["DRAM", "SRAM", "overlap"],
    ),
    ("base = 0xaf000000", "base = 0x9d000000", "0x9d000000, size = 0x200000", &["the GIC", "\"uart1\"", "overlap"]),
    ("base = 0x9c000000, size", "base = 0xe0008000, size", "0xe0008000", &["TCM0", "peripherals", "overlap"]),
    // Beyond the last address, and PEs that are not there.
    (
        "base = 0xe0000000, size = 0x00010000 },\n",
        "base = 0x10000000000, size = 0x10000 },\n",
        "0x10000000000",
        &["TCM0", "ends above 0xffffffffff", "expected no address above 0xffffffffff", "pa_bits"],
    ),
    (
        "kind = \"tcm\", pe = 0",
        "kind = \"tcm\", pe = 2",
        "2, base",
        &["the TCM of PE 2", "the board has 2", "expected 0 to 1"],
    ),
    ("kind = \"tcm\", pe = 0", "kind = \"tcm\"", "\"tcm\"", &["missing key `pe`", "TCM0"]),
    ("name = \"DRAM\", kind", "pe = 1, name = \"DRAM\", kind", "1, name", &["is of a PE, and no TCM"]),
    // Keys.
    ("pmsa = \"pmsav8-64\"\n", "", "[board]", &["missing key `pmsa`"]),
    (
        ", redistributors = ",
        ", redistributor = ",
        "redistributor =",
        &["unknown key `redistributor`", "did you mean `redistributors`"],
    ),
    ("kind = \"device\"", "kind = \"devices\"", "\"devices\"", &["unknown word `devices`", "did you mean `device`"]),
    ("pa_bits = 40", "pa_bits = 41", "41", &["pa_bits is 41", "no such size"]),
    ("stack = 0x2000", "stack = 0x2001", "0x2001", &["stack is 0x2001", "expected a multiple of 64"]),
    ("el2_regions = 16", "el2_regions = 256", "256", &["el2_regions is 256", "expected 1 to 255"]),
    // Memory of domains.
    (
        "pe = 0\nprogram",
        "pe = 1\nprogram",
        "{ base = 0xe0000000, size = 0x00010000 }]",
        &["RAM bank 1 of control", "the TCM of PE 0", "vCPU 0 of control is on PE 1"],
    ),
    (
        "base = 0x16000000",
        "base = 0x9c000000",
        "{ base = 0x9c000000, size = 0x01000000 }",
        &["RAM bank 0 of logger", "is not inside the board's memory (0x10000000-0x1fffffff, 0x80000000-0x803fffff and"],
    ),
    (
        "base = 0x80300000\nsize",
        "base = 0xe0000000\nsize",
        "0xe0000000\nsize",
        &["mail", "TCM of PE 0", "vCPU 0 of logger is on PE 1"],
    ),
    (
        "heap = { base = 0x18000000, size = 0x01000000 }",
        "heap = { base = 0xe0000000, size = 0x10000 }",
        "{ base = 0xe0000000, size = 0x10000 }",
        &["the heap", "is not inside the board's memory (0x10000000-0x1fffffff and 0x80000000-0x803fffff)"],
    ),
    (
        "name = \"control\"\n",
        "name = \"control\"\nshared_info = 0xe0001000\n",
        "0xe0001000\n",
        &["is in the TCM of one PE"],
    ),
    // Devices.
    (
        "base = 0x9d000000\nsize",
        "base = 0x9c010000\nsize",
        "0x9c010000\nsize = 0x1000\npassthrough = true\ndomains = [2]",
        &["\"can0\"", "\"uart1\"", "overlap"],
    ),
    (
        "domains = [1]\n",
        "domains = [1, 2]\n",
        "[1, 2]\n\n[[device]]",
        &["passed through to 2 domains", "shared = true"],
    ),
    (
        "base = 0x9c010000\nsize",
        "base = 0xb0000000\nsize",
        "0xb0000000\nsize",
        &["is not device memory of board two-banks", "kind \"device\""],
    ),
    ("base = 0x9c010000\nsize", "base = 0x9c090000\nsize", "0x9c090000\nsize", &["the UART", "can0", "overlap"]),
    ("domains = [1]\n", "domains = [1]\nconsole = 0\n", "0\n\n[[device]]", &["passed through", "console"]),
    (
        "passthrough = true\ndomains = [1]\n",
        "shared = true\ndomains = [1]\n",
        "true\ndomains = [1]",
        &["emulated device `can0`", "shared"],
    ),
];

/// Line and column, from 1.
fn position(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..at];
    (before.matches('\n').count() + 1, at - before.rfind('\n').map_or(0, |end| end + 1) + 1)
}

#[test]
fn bad_boards_are_refused_with_the_place_and_what_was_expected() {
    let mut wrong = Vec::new();
    for (from, to, place, words) in BAD {
        assert_eq!(OWN.matches(from).count(), 1, "{from:?} must stand in the example once");
        let text = OWN.replace(from, to);
        let Err(error) = load(&text, &[]) else { panic!("this was taken for good: {to}") };
        let shown = error.render(false);
        let places: Vec<_> = text.match_indices(place).map(|(at, _)| position(&text, at)).collect();
        if !error.position().is_some_and(|at| places.contains(&at)) {
            wrong.push(format!("{to}: at {:?}, not one of {places:?}:\n{shown}", error.position()));
        }
        wrong.extend(words.iter().filter(|word| !shown.contains(*word)).map(|word| format!("no {word:?} in\n{shown}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    // Two domains that share a device on purpose.
    let shared = OWN.replace("domains = [1]\n", "domains = [1, 2]\nshared = true\n");
    let shared = shared
        .replace("{ read = { at = 0x9c010000, expect = \"stage-2\" } }", "{ read = { at = 0x9c010000, expect = 0 } }");
    assert_eq!(run(&good(&shared, &[]), "map-page").outcome, Outcome::Completed);
}

#[test]
fn the_program_says_which_file_and_line_and_leaves_with_2() {
    let folder = TempDir::new().unwrap();
    let (scenario, board) = in_two_files();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("s.toml", &scenario);
    for (from, to, line, said) in [
        ("pa_bits = 40", "pa_bit = 40", 6, "unknown key `pa_bit`"),
        ("name = \"two-banks\"\n", "", 1, "missing key `name`"),
        ("base = 0x80000000, size", "base = 0x10000000, size", 9, "overlap"),
        ("pe = 0, base", "pe = 7, base", 10, "is the TCM of PE 7"),
        ("base = 0x9c000000, size", "base = \"0xffff_ffff_f000\", size", 11, "ends above 0xffffffffff"),
        ("el2_regions = 16", "el2_regions = ", 4, "el2_regions"),
    ] {
        assert!(board.contains(from), "{from}");
        write("b.toml", &board.replace(from, to));
        let (status, out, told) = mpusim(folder.path(), &["run", "s.toml", "--board", "b.toml"]);
        assert_eq!((status, out.as_str()), (Some(2), ""), "{told}");
        assert!(told.contains(&format!("b.toml:{line}:")) && told.contains(said), "{to}:\n{told}");
        write("own.toml", &OWN.replace(from, to));
        let (status, out, told) = mpusim(folder.path(), &["run", "own.toml"]);
        assert_eq!((status, out.as_str()), (Some(2), ""), "{told}");
        assert!(told.contains("own.toml:") && (told.contains(said) || told.contains("missing key")), "{to}:\n{told}");
    }
    let (status, _, told) = mpusim(folder.path(), &["run", "s.toml", "--board", "none.toml"]);
    assert!(status == Some(2) && told.contains("none.toml") && told.contains("cannot be read"), "{told}");
    // An error of the scenario itself on a board of its own file is the scenario's.
    write("b.toml", &board);
    write("s.toml", &scenario.replace("id = 2", "id = 1"));
    let (status, _, told) = mpusim(folder.path(), &["run", "s.toml", "--board", "b.toml"]);
    assert!(status == Some(2) && told.contains("s.toml:") && !told.contains("b.toml"), "{told}");
}
