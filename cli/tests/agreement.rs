//! The same input never yields two different statements: `run`, `compare`, `explain`, `view` and `sweep` are asked about random systems
//! under every strategy, and what they say of regions, of refusals and of what would let an access through is compared.

use analysis::comparison::Row;
use analysis::explain;
use analysis::explain::Question;
use analysis::judgement::System;
use campaign::sweep::{Axis, Cells, Grid, Value as Field, columns};
use mpu_model::{Access, AccessKind, El};
use proptest::prelude::*;
use report::{json, render};
use scenario::profile::Profile;
use scenario::{Scenario, strategy};
use serde_json::Value;
use sim_core::hyp::strategy::{Builtin, Strategy as _};
use sim_core::layout::Position;
use sim_core::outcome::{FaultKind, HypervisorFault, Outcome, Shortage, ViewId};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use words::Palette;

/// Every strategy, and forms of them that plan otherwise.
fn names() -> Vec<String> {
    let forms = ["map-page:2", "hybrid:2", "enable-mask:no-isb"].map(str::to_owned);
    strategy::COMPARED.split(',').map(str::to_owned).chain(forms).collect()
}

/// A random system.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
struct Shape {
    board: &'static str,
    regions: u8,
    pes: u64,
    placement: &'static str,
    switched: bool,
    default_map: &'static str,
    /// Per domain: banks, whether it has an EL1 MPU with two regions that overlap, whether it uses the FIFO ABI.
    domains: Vec<(u64, bool, bool)>,
    touching: bool,
    shared: bool,
    device: bool,
    timer: bool,
    heap: u64,
}

fn shapes() -> impl Strategy<Value = Shape> {
    let board = prop_oneof![3 => Just("fvp-baser"), 1 => Just("tiny"), 1 => Just("qemu-an536")];
    let placement = prop_oneof![3 => Just("guest-ram"), 1 => Just("pool"), 1 => Just("heap")];
    let default_map = prop_oneof![2 => Just("none"), 1 => Just("rw"), 1 => Just("rwx")];
    let domains = prop::collection::vec((1..=2u64, prop::bool::weighted(0.3), prop::bool::weighted(0.3)), 1..=4);
    let heap = prop_oneof![4 => Just(0x10_0000u64), 1 => Just(0x6000), 1 => Just(0x8000)];
    let board = (board, 7..=20u8, 1..=2u64, placement, any::<bool>(), default_map);
    let rest = (domains, any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), heap);
    (board, rest).prop_map(|((board, regions, pes, placement, switched, default_map), rest)| {
        let (domains, touching, shared, device, timer, heap) = rest;
        Shape { board, regions, pes, placement, switched, default_map, domains, touching, shared, device, timer, heap }
    })
}

impl Shape {
    fn text(&self) -> String {
        let Self { board, regions, pes, placement, switched, default_map, domains, .. } = self;
        let devices = if *switched { "switched" } else { "fixed" };
        let base = if *board == "qemu-an536" { 0x2000_0000u64 } else { 0x1000_0000 };
        let mut text = format!(
            "board = \"{board}\"\nel2_regions = {regions}\npes = {pes}\nscheduler = \"rr\"\nquantum = 10000\n\
             placement = \"{placement}\"\nhyp_devices = \"{devices}\"\n\
             heap = {{ base = {:#x}, size = {:#x} }}\n",
            base + 0x0800_0000,
            self.heap,
        );
        if *board != "qemu-an536" {
            let _ = writeln!(text, "default_map = \"{default_map}\"");
        }
        let count = domains.len() as u64;
        let mut at = base;
        for (number, (banks, overlap, fifo)) in (1u64..).zip(domains) {
            let mut ram = Vec::new();
            for _ in 0..*banks {
                ram.push(format!("{{ base = {at:#x}, size = 0x100000 }}"));
                at += if self.touching { 0x10_0000 } else { 0x20_0000 };
            }
            let _ = writeln!(text, "[[domain]]\nid = {number}\nname = \"d{number}\"\nram = [{}]", ram.join(", "));
            let _ = writeln!(text, "[[domain.vcpu]]\npe = {}", number % pes);
            let start = if *fifo {
                r#""map_shared_info", "register_vcpu_info", { init_control = {} }, { expand_array = {} }, "enable_irqs""#
            } else {
                r#""setup""#
            };
            let mut steps = vec![start.to_owned()];
            if count > 1 {
                // The binder finds its port pending; who listens is sent to.
                steps.push(format!("{{ wait = \"c{number}\" }}"));
                let before = if number == 1 { count } else { number - 1 };
                let (send, wait) = (format!("{{ send = \"c{number}\" }}"), format!("{{ wait = \"c{before}\" }}"));
                steps.extend(if number == 1 { [send, wait] } else { [wait, send] });
            }
            steps.push("{ console = \"done\\n\" }".into());
            let _ = writeln!(text, "program = [{}]", steps.join(", "));
            if *overlap {
                let first = at - if self.touching { 0x10_0000 } else { 0x20_0000 };
                let _ = writeln!(
                    text,
                    "[[domain.vcpu]]\npe = {}\nel1_mpu = [{{ base = {first:#x}, size = 0x8000, access = \"ro-el1\", \
                     execute = true }}, {{ base = {:#x}, size = 0x1000, access = \"rw\", execute = false }}]",
                    number % pes,
                    first + 0x4000,
                );
            }
        }
        if count > 1 {
            for number in 1..=count {
                let next = number % count + 1;
                let _ = writeln!(
                    text,
                    "[[channel]]\nname = \"c{number}\"\nbinder = {{ domain = {number}, port = 20 }}\n\
                     listener = {{ domain = {next}, port = 21 }}",
                );
            }
        }
        if self.shared && count > 1 {
            let _ = writeln!(
                text,
                "[[shared]]\nname = \"ring\"\nbase = {:#x}, size = 0x1000, domains = [1, 2]",
                base + 0x0700_0000
            );
            text = text.replace(", size = 0x1000, domains", "\nsize = 0x1000\ndomains");
        }
        if self.device {
            // In a gap between banks if there are any, so that no gap that is proposed to be closed may hold it.
            let place = if self.touching { base + 0x0600_0000 } else { base + 0x18_0000 };
            let _ = writeln!(text, "[[device]]\nname = \"dev\"\nbase = {place:#x}\nsize = 0x1000\ndomains = [1]");
        }
        if self.timer {
            text.push_str("[[timer]]\npe = 0\nat = 50000\ndomain = 1\nvcpu = 0\nvirq = \"timer\"\n");
        }
        text
    }
}

/// What is said of one strategy.
struct Said {
    name: String,
    row: Row,
    run: Value,
}

fn number(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap()).unwrap()
}

fn form(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap()
}

/// The access that ended a run.
fn fault(row: &Row) -> Option<&HypervisorFault> {
    match &row.report()?.outcome {
        Outcome::HypervisorFault(fault) => Some(fault),
        _ => None,
    }
}

/// What `run` says, against a row of `compare`, `view`, and a cell of `sweep`.
fn numbers_agree(
    scenario: &Scenario,
    said: &Said,
    table: &str,
    csv: &BTreeMap<String, String>,
    cell: &[(String, Field)],
) {
    let Said { name, row, run } = said;
    let found =
        |wanted: &str| cell.iter().find(|(column, _)| column == wanted).map(|(_, value)| value.clone()).unwrap();
    let outcome = run["outcome"].as_str().unwrap();
    assert_eq!(csv["outcome"], outcome, "{name}");
    assert_eq!(found("outcome"), Field::Text(outcome.into()), "{name}");
    let line = table.lines().find(|line| line.split_whitespace().next() == Some(name)).unwrap();
    let parsed = strategy::parse(name, scenario.settings).unwrap();
    let Some(report) = row.report() else {
        assert_eq!(outcome, "refused");
        let why = System::new(scenario, name, &parsed).unwrap_err().to_string();
        assert_eq!(run["detail"][0], why, "{name}");
        assert!(csv["failure"].contains(&why) && csv["regions_required"].is_empty(), "{name}: {csv:?}");
        assert_eq!((found("regions_required"), &run["regions"]), (Field::Absent, &Value::Null));
        let told = table.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.contains(&why.split_whitespace().collect::<Vec<_>>().join(" ")), "{name}: {why}\n{table}");
        return;
    };
    let regions = &run["regions"];
    let (needed, available, total) =
        (number(&regions["required"]), number(&regions["available"]), number(&regions["el2_total"]));
    assert_eq!(needed, number(&regions["boot_required"]).max(number(&regions["views_required"])));
    let views = regions["views"].as_array().unwrap().iter().map(|view| number(&view["total"]));
    assert_eq!(views.max().unwrap(), number(&regions["views_required"]), "{name}");
    assert_eq!(
        (&csv["regions_required"], &csv["regions_available"]),
        (&needed.to_string(), &total.to_string()),
        "{name}"
    );
    assert_eq!(found("regions_required"), Field::Number(needed as u64), "{name}");
    assert_eq!(found("regions_available"), Field::Number(total as u64), "{name}");
    assert!(line.contains(&format!(" {needed}/{available} ")), "{name}: {line}");
    let system = System::new(scenario, name, &parsed).unwrap();
    let view = form(&json::view(&system, name, None));
    for key in ["required", "available", "el2_total", "boot_required", "views_required"] {
        assert_eq!(view[key], regions[key], "{name}: {key}");
    }
    assert_eq!(view["fits"], outcome != "refused", "{name}");
    let count = words::regions_of(&report.regions.needs);
    let palette = Palette::new(false);
    let told = render::run::run(&row.scenario, name, 0, report, palette);
    assert!(told.contains(&format!("{count} needed")), "{name}: {count}\n{told}");
    let told = render::view::view(&system, name, None, palette);
    assert!(told.contains(&format!("needs {count}")), "{name}: {count}\n{told}");
    if let Some(refused) = system.refusal() {
        let why = refused.to_string();
        assert!(told.contains(&why), "{name}: {told}");
        let short = refused.shortage == Shortage::Regions;
        assert_eq!(told.contains("does not fit"), short, "{name}: {told}");
        assert!(!short || needed > available, "{name}: {told}");
        assert_eq!((&run["detail"][0], &view["refused"]), (&Value::from(why.clone()), &Value::from(why.clone())));
        let explained = form(&json::refused(&system, name, &refused));
        for key in ["required", "available", "el2_total"] {
            assert_eq!(explained[key], regions[key], "{name}: {key}");
        }
        assert_eq!(explained["reason"], why.as_str());
        assert!(csv["failure"].contains(&why), "{name}");
    }
}

/// R: refused with one region less, not with as many.
fn r_is_what_is_needed(text: &str, said: &Said) {
    let Some(report) = said.row.report() else { return };
    let needed = report.regions.needs.needed();
    let refused = |regions: usize| {
        let set = format!("el2_regions={regions}");
        let scenario = Scenario::from_text(Path::new("random.toml"), text, &[set]).unwrap();
        let parsed = strategy::parse(&said.name, scenario.settings).unwrap();
        let (_, report) = analysis::simulate(&scenario, &said.name, &parsed, 0, ()).unwrap();
        matches!(report.outcome, Outcome::Refused(_))
    };
    let map =
        said.name == "background" && said.run["detail"][0].as_str().is_some_and(|why| why.contains("default map"));
    let limited = said.name.starts_with("enable-mask") && needed > 32;
    assert!(refused(needed - 1), "{} runs on {} regions", said.name, needed - 1);
    assert_eq!(refused(needed), map || limited, "{} on {needed} regions", said.name);
}

/// What `run` advises where a run faulted is what `explain` advises about the same access, and it is true.
fn advice_agrees(scenario: &Scenario, said: &Said, all: &[Said]) {
    let Some(fault) = fault(&said.row) else { return };
    let remedies = said.run["fault"]["remedies"].as_array().unwrap();
    let FaultKind::Access(denial) = &fault.fault.kind else {
        assert!(remedies.is_empty());
        return;
    };
    let parsed = strategy::parse(&said.name, scenario.settings).unwrap();
    let system = System::new(scenario, &said.name, &parsed).unwrap();
    let question = Question { access: denial.access, view: fault.view, vcpu: 0 };
    let answer = explain::explain(&system, &parsed, question).unwrap();
    assert!(answer.verdict.is_err(), "{}: explain allows what faulted", said.name);
    let explained = form(&json::explain(&system.scenario, &said.name, &answer));
    let changes = explained["changes"].as_array().unwrap();
    let ways: Vec<&Value> = changes
        .iter()
        .filter(|change| ["strategy", "placement", "hyp-devices"].contains(&change["kind"].as_str().unwrap()))
        .collect();
    assert_eq!(ways, remedies.iter().collect::<Vec<_>>(), "{}", said.name);
    let palette = Palette::new(false);
    let crash = render::run::run(&said.row.scenario, &said.name, 0, said.row.report().unwrap(), palette);
    let told = render::explain::explain(&system.scenario, &said.name, &answer, palette);
    let lines = |text: &str| -> Vec<String> {
        let ways = text.lines().map(str::trim).filter(|line| line.starts_with("--strat") || line.starts_with("--set"));
        ways.map(str::to_owned).collect()
    };
    assert_eq!(lines(&crash), lines(&told), "{}", said.name);
    assert_eq!(lines(&crash).len(), remedies.len());
    // Each advised strategy has the numbers that its own run has, and does get past the access; each that comes to its end
    // is advised.
    let advised = |name: &str| remedies.iter().find(|way| way["kind"] == "strategy" && way["name"] == name);
    for other in all.iter().filter(|other| Builtin::NAMES.contains(&other.name.as_str())) {
        if other.name == parsed.name() {
            continue;
        }
        let way = advised(&other.name);
        if let Some(way) = way {
            for key in ["required", "available", "boot_required", "views_required"] {
                assert_eq!(way[key], other.run["regions"][key], "{} advises {}: {key}", said.name, other.name);
            }
            assert_eq!(way["fits"], other.run["outcome"] != "refused");
            let same = self::fault(&other.row).is_some_and(|met| {
                matches!(met.fault.kind, FaultKind::Access(_)) && met.object.is_some() && met.object == fault.object
            });
            assert!(!same, "{} advises {}, which faults on the same object", said.name, other.name);
        }
        let ends = other.run["outcome"] == "completed";
        assert!(!ends || way.is_some(), "{} does not advise {}, which completes: {crash}", said.name, other.name);
    }
}

/// What is told apart of two EL1 regions that overlap lets the access through.
fn overlaps_are_told_apart(scenario: &Scenario) {
    let name = "map-page";
    let parsed = strategy::parse(name, scenario.settings).unwrap();
    let system = System::new(scenario, name, &parsed).unwrap();
    if system.refusal().is_some() {
        return;
    }
    for (position, domain) in
        Position::all().zip(scenario.layout.domains()).filter(|(_, domain)| domain.vcpus.len() > 1)
    {
        let addr = domain.vcpus[1].el1_regions[1].base() + 0x40;
        let access = Access { addr, size: 4, kind: AccessKind::Read, el: El::El1 };
        let question = Question { access, view: ViewId::Guest(position), vcpu: 1 };
        let answer = explain::explain(&system, &parsed, question).unwrap();
        let explained = form(&json::explain(&system.scenario, name, &answer));
        assert_eq!(explained["fault"]["kind"], "overlap");
        let changes = explained["changes"].as_array().unwrap();
        let apart: Vec<_> =
            changes.iter().filter(|change| change["kind"] == "overlap").map(|change| &change["to"]).collect();
        assert_eq!(apart, ["split", "ends", "begins", "off", "off"], "{explained}");
    }
}

fn agree(shape: &Shape) {
    let text = shape.text();
    let path = Path::new("random.toml");
    let scenario = match Scenario::from_text(path, &text, &[]) {
        Ok(scenario) => scenario,
        // A heap too small for what the hypervisor itself keeps there: bad input for every strategy.
        Err(error) => {
            assert!(shape.heap < 0x10_0000, "{}\n{text}", error.render(false));
            return;
        }
    };
    overlaps_are_told_apart(&scenario);
    let names = names();
    let mut all = Vec::new();
    for name in &names {
        let parsed = strategy::parse(name, scenario.settings).unwrap();
        let row = Row::run(&scenario, name, &parsed, 0).unwrap_or_else(|error| panic!("{name}: {error}\n{text}"));
        let run = match analysis::simulate(&scenario, name, &parsed, 0, ()) {
            Ok((placed, report)) => form(&json::run(&placed, name, 0, &report)),
            Err(why) => form(&json::not_set_up(&scenario, name, 0, &why)),
        };
        all.push(Said { name: name.clone(), row, run });
    }
    let rows: Vec<Row> = all.iter().map(|said| said.row.clone()).collect();
    let compared = form(&json::comparison(&scenario, 0, &rows));
    let table = render::compare::compare(&scenario, 0, &rows, Palette::new(false));
    let csv = render::compare::csv(&scenario, 0, &rows).unwrap();
    let records: Vec<BTreeMap<String, String>> =
        csv::Reader::from_reader(csv.as_bytes()).deserialize().map(Result::unwrap).collect();
    let grid = Grid::new(vec![Axis::strategies(&names).unwrap()]).unwrap();
    let profile = Profile::default();
    let cells = Cells { path, text: &text, board: None, sets: &[], profile: &profile, grid: &grid };
    for (at, said) in all.iter().enumerate() {
        assert_eq!(compared["runs"][at], said.run, "{}", said.name);
        let cell = cells.one(at as u64, &campaign::sweep::simulate);
        let cell: Vec<_> = columns(&grid).into_iter().skip(1).zip(cell.values).collect();
        numbers_agree(&scenario, said, &table, &records[at], &cell);
        r_is_what_is_needed(&text, said);
        advice_agrees(&scenario, said, &all);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn run_compare_explain_view_and_sweep_say_the_same(shape in shapes()) {
        agree(&shape);
    }
}

const THREAD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/scenarios/thread-2022.toml");

/// Exit status, and both streams.
fn mpusim(arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_mpusim")).args(arguments).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

/// The lines of a text that begin so, without it.
fn lines<'a>(text: &'a str, start: &'a str) -> Vec<&'a str> {
    text.lines().filter_map(|line| line.trim().strip_prefix(start)).collect()
}

#[test]
fn a_strategy_that_cannot_be_set_up_is_a_row() {
    // Room for what the hypervisor keeps there, none for a page of each domain.
    let small = ["--set", "heap.size=0x8000"];
    let (code, told) = mpusim(&["compare", THREAD, small[0], small[1]]);
    assert_eq!(code, 0, "{told}");
    for name in ["ku-window", "xen-pool"] {
        let row = told.lines().find(|line| line.starts_with(name)).unwrap();
        assert_eq!(row.split_whitespace().nth(1), Some("refused"), "{told}");
    }
    assert!(told.contains("keeps shared_info and vcpu_info elsewhere"), "{told}");
    assert!(told.lines().any(|line| line.starts_with("map-page") && line.contains("completed")), "{told}");
    let folder = tempfile::TempDir::new().unwrap();
    let (page, rows) = (folder.path().join("page.html"), folder.path().join("rows.csv"));
    let (code, told) = mpusim(&["report", THREAD, small[0], small[1], "-o", page.to_str().unwrap()]);
    assert_eq!(code, 0, "{told}");
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("<td>ku-window</td><td>refused</td>"), "the row is on the page");
    let sweep = ["sweep", THREAD, small[0], small[1], "--quiet", "-o", rows.to_str().unwrap()];
    let (code, told) = mpusim(&sweep);
    assert_eq!(code, 0, "{told}");
    let rows = std::fs::read_to_string(rows).unwrap();
    assert!(rows.contains("ku-window,0,refused,"), "{rows}");
    // What no strategy can be set up on is bad input.
    let bad = ["--set", "pes=1", "--set", "domain.1.vcpu.0.pe=0", "--set", "scheduler=null"];
    let (code, told) = mpusim(&[["compare", THREAD].as_slice(), bad.as_slice()].concat());
    assert_eq!(code, 2, "{told}");
}

#[test]
fn every_strategy_is_run_by_default() {
    let (code, table) = mpusim(&["compare", THREAD]);
    assert_eq!(code, 0);
    for name in Builtin::NAMES {
        assert!(table.lines().any(|line| line.split_whitespace().next() == Some(name)), "{name}\n{table}");
    }
    let (_, rows) = mpusim(&["sweep", THREAD, "--quiet", "-o", "-"]);
    let found = Builtin::NAMES.iter().filter(|name| rows.lines().any(|line| line.split(',').nth(1) == Some(name)));
    assert_eq!(found.count(), Builtin::NAMES.len(), "{rows}");
}

#[test]
fn explain_names_every_way_that_run_names() {
    let asked = ["--address", "0x20010030", "--access", "rmw"];
    let (_, crash) = mpusim(&["run", THREAD, "--strategy", "naive"]);
    let (code, told) = mpusim(&[["explain", THREAD, "--strategy", "naive"].as_slice(), &asked].concat());
    assert_eq!(code, 1);
    let named = lines(&told, "--strategy ");
    assert_eq!(lines(&crash, "--strategy "), named);
    for name in ["static-map", "ku-window", "xen-pool", "map-page", "pin"] {
        assert!(named.iter().any(|line| line.starts_with(name)), "{name}: {told}");
    }
    assert_eq!(lines(&told, "--set placement=").len(), 2, "{told}");
    // Under map-page too, and a pin is no window.
    let (_, told) = mpusim(&[["explain", THREAD].as_slice(), &asked].concat());
    assert!(lines(&told, "--strategy ").iter().any(|line| line.starts_with("static-map")), "{told}");
    let (_, told) = mpusim(&["explain", THREAD, "--strategy", "pin", "--address", "0x20010030"]);
    assert!(!told.contains("a window"), "{told}");
}

#[test]
fn one_number_is_needed_wherever_it_is_told() {
    let (_, table) = mpusim(&["compare", THREAD, "--strategies", "switch-view"]);
    assert!(table.contains(" 9/32 "), "{table}");
    let (_, told) = mpusim(&["run", THREAD, "--strategy", "switch-view"]);
    assert!(told.contains("9 of 32 EL2 regions needed (boot 9 in phase devices, views 7)"), "{told}");
    let (_, told) = mpusim(&["view", THREAD, "--strategy", "switch-view"]);
    assert!(told.contains("needs 9 of 32 EL2 regions (boot 9 in phase devices, views 7): fits"), "{told}");
    let (_, told) = mpusim(&["run", THREAD, "--strategy", "naive"]);
    let line = lines(&told, "--strategy switch-view").concat();
    assert!(line.contains("9 of 32 EL2 regions needed"), "{told}");
}

#[test]
fn a_refusal_gives_its_own_reason() {
    let (code, told) = mpusim(&["view", THREAD, "--strategy", "background"]);
    assert_eq!(code, 1);
    assert!(!told.contains("does not fit") && told.contains("the board declares no default map"), "{told}");
    let folder = tempfile::TempDir::new().unwrap();
    let page = folder.path().join("page.html");
    let arguments = ["report", THREAD, "--strategies", "background", "-o", page.to_str().unwrap()];
    assert_eq!(mpusim(&arguments).0, 0);
    let page = std::fs::read_to_string(page).unwrap();
    assert!(!page.contains("does not fit") && page.contains("the board declares no default map"));
}

#[test]
fn no_strategy_is_advised_where_nothing_answers() {
    // Behind the board's memory, and no device.
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("far.toml");
    let text = "board = \"fvp-baser\"\nheap = { base = 0x50000000, size = 0x10000000 }\n[[domain]]\nid = 1\nname = \"d1\"\n\
                ram = [{ base = 0x30000000, size = 0x1000000 }]\n[[domain.vcpu]]\npe = 0\n";
    std::fs::write(&file, text).unwrap();
    let (code, told) = mpusim(&["explain", file.to_str().unwrap(), "--address", "0x80001000", "--access", "w"]);
    assert_eq!(code, 1);
    assert!(told.contains("nothing answers at that address"), "{told}");
    assert_eq!(lines(&told, "--strategy "), Vec::<&str>::new(), "{told}");
}
