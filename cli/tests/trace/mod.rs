//! `mpusim run --trace`, held against the report of the same run.

mod perfetto;

use analysis::judgement::NotSetUp;
use analysis::simulate;
use report::json;
use report::trace::{Form, Of, Trace};
use scenario::{Scenario, strategy};
use serde_json::Value;
use sim_core::outcome::{Outcome, Report};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Scenarios, shortened where they repeat themselves.
const SCENARIOS: [(&str, &[&str]); 9] = [
    ("thread-2022", &["domain.0.vcpu.0.program.2.repeat.times=20", "domain.1.vcpu.0.program.1.repeat.times=20"]),
    ("thread-2022-one-pe", &["domain.0.vcpu.0.program.2.repeat.times=20", "domain.1.vcpu.0.program.1.repeat.times=20"]),
    ("fvp-2023", &[]),
    ("uart-from-guest-context", &[]),
    ("idle-view", &[]),
    ("fifo-two-domains", &["step_limit=3000"]),
    ("fifo-migration", &[]),
    ("region-40-of-64", &[]),
    ("ring", &[]),
];
const STRATEGIES: [&str; 8] =
    ["naive", "pin", "map-page", "switch-view:lazy", "hybrid", "enable-mask", "ku-window:no-isb", "xen-pool"];

fn scenario(name: &str, sets: &[&str]) -> Scenario {
    let path = Path::new("../examples/scenarios").join(format!("{name}.toml"));
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    Scenario::load(&path, &sets).unwrap_or_else(|error| panic!("{}", error.render(false)))
}

/// A file of this process.
fn file(form: Form) -> tempfile::TempPath {
    let ending = if form == Form::Jsonl { ".jsonl" } else { ".json" };
    tempfile::Builder::new().suffix(ending).tempfile().unwrap().into_temp_path()
}

/// A run told of: its report as JSON, the report, the trace.
fn traced(scenario: &Scenario, name: &str, seed: u64, form: Form) -> Result<(String, Report, String), NotSetUp> {
    let path = file(form);
    let strategy = strategy::parse(name, scenario.settings).unwrap();
    let mut trace = Trace::open(&path, Form::of(&path).unwrap(), Of { scenario, strategy: name, seed }).unwrap();
    let (placed, report) = simulate(scenario, name, &strategy, seed, &mut trace)?;
    trace.finish(&report).unwrap();
    let told = serde_json::to_string(&json::run(&placed, name, seed, &report)).unwrap();
    Ok((told, report, std::fs::read_to_string(&path).unwrap()))
}

fn untraced(scenario: &Scenario, name: &str, seed: u64) -> String {
    let strategy = strategy::parse(name, scenario.settings).unwrap();
    let (placed, report) = simulate(scenario, name, &strategy, seed, ()).unwrap();
    serde_json::to_string(&json::run(&placed, name, seed, &report)).unwrap()
}

/// Calls `look` with every scenario under every strategy that it can be laid out for.
fn each(form: Form, mut look: impl FnMut(&str, &Report, &str)) {
    let mut looked = 0;
    for (name, sets) in SCENARIOS {
        let scenario = scenario(name, sets);
        for strategy in STRATEGIES {
            match traced(&scenario, strategy, 0, form) {
                Ok((_, report, text)) => {
                    look(&format!("{name} under {strategy}"), &report, &text);
                    looked += 1;
                }
                Err(NotSetUp::Placement { .. }) => {}
                Err(error) => panic!("{name} under {strategy}: {error}"),
            }
        }
    }
    assert!(looked > 60, "{looked}");
}

#[test]
fn a_run_is_the_same_whoever_watches_and_its_trace_the_same_each_time() {
    for (name, sets) in SCENARIOS {
        let scenario = scenario(name, sets);
        for (strategy, seed) in [("naive", 0), ("map-page", 7), ("switch-view", 0), ("pin", 1)] {
            let alone = untraced(&scenario, strategy, seed);
            for form in [Form::Jsonl, Form::Perfetto] {
                let (told, _, text) = traced(&scenario, strategy, seed, form).unwrap();
                assert_eq!(told, alone, "{name} under {strategy}");
                assert_eq!(text, traced(&scenario, strategy, seed, form).unwrap().2, "{name} under {strategy}");
            }
        }
    }
}

/// Whether the hypervisor took an exception from itself.
fn faulted(report: &Report) -> bool {
    matches!(report.outcome, Outcome::HypervisorFault(_) | Outcome::Hazard(Some(_)))
}

fn lines(text: &str) -> Vec<Value> {
    assert!(text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn lines_add_up_to_the_report() {
    each(Form::Jsonl, |run, report, text| {
        let all = lines(text);
        let count = |wanted: &dyn Fn(&Value) -> bool| all.iter().filter(|line| wanted(line)).count() as u64;
        let what = |name: &'static str| move |line: &Value| line["what"] == name;
        let from = |name: &'static str| move |line: &Value| line["what"] == "handled" && line["from"] == name;
        let events = &report.events;
        assert_eq!(count(&what("send")), events.sent, "{run}");
        assert_eq!(count(&|line| line["what"] == "send" && line["fate"] == "coalesced"), events.coalesced, "{run}");
        assert_eq!(count(&from("send")), events.delivered, "{run}");
        assert_eq!(count(&what("raise")), events.raised, "{run}");
        assert_eq!(count(&from("hypervisor")), events.raised_delivered, "{run}");
        assert_eq!(count(&what("hazard")), report.hazards.len() as u64, "{run}");
        assert_eq!(count(&what("kick")), report.counts.kicks, "{run}");
        let calls: u64 = report.traps.values().map(|cost| cost.calls).sum();
        let stopped = u64::from(faulted(report));
        assert_eq!(count(&what("fault")), stopped, "{run}");
        // The entry that faults is in no book, and a fault before the first guest ran has none.
        assert!((calls..=calls + stopped).contains(&count(&what("enter"))), "{run}");
        if report.outcome == Outcome::Completed {
            assert_eq!(count(&what("handler-begin")), count(&what("handler-end")), "{run}");
        }
        let locked = all.iter().filter(|line| line["what"] == "lock");
        let locked = locked.map(|line| line["until"].as_u64().unwrap() - line["at"].as_u64().unwrap());
        assert_eq!(locked.sum::<u64>(), report.lock_wait, "{run}");
        let console: Vec<&str> =
            all.iter().filter_map(|line| line["text"].as_str().filter(|_| line["what"] == "console")).collect();
        assert_eq!(console.concat(), report.console, "{run}");
        let latencies = all.iter().filter(|line| line["from"] == "send");
        let latencies = latencies.map(|line| line["at"].as_u64().unwrap() - line["since"].as_u64().unwrap());
        assert_eq!(latencies.max(), report.send_to_upcall().max(), "{run}");
        let (first, last) = (&all[0], &all[all.len() - 1]);
        assert_eq!((first["trace"].as_u64(), last["what"].as_str()), (Some(1), Some("end")), "{run}");
        assert_eq!(last["at"].as_u64(), Some(report.cycles), "{run}");
    });
}

#[test]
fn of_one_pe_times_never_go_back() {
    each(Form::Jsonl, |run, report, text| {
        let mut clocks: BTreeMap<u64, u64> = BTreeMap::new();
        for line in lines(text).iter().filter(|line| line["pe"].is_u64()) {
            let clock = clocks.entry(line["pe"].as_u64().unwrap()).or_default();
            let at = line["at"].as_u64().unwrap();
            assert!(at >= *clock && at <= report.cycles, "{run}: {line} after {clock}");
            *clock = at;
        }
    });
}

/// `TRYCMD=overwrite` writes it anew, as it does with sessions.
#[test]
fn the_head_of_a_trace_is_as_shown() {
    let golden = Path::new("tests/cmd/trace-head.jsonl");
    let (_, _, text) = traced(&scenario("thread-2022-one-pe", &[]), "map-page", 0, Form::Jsonl).unwrap();
    let head: String = text.lines().take(40).flat_map(|line| [line, "\n"]).collect();
    let head = head.replace("../examples/", "examples/");
    if std::env::var_os("TRYCMD").is_some_and(|value| value == "overwrite") {
        std::fs::write(golden, &head).unwrap();
    }
    assert_eq!(head, std::fs::read_to_string(golden).unwrap());
}

#[test]
fn a_full_disk_is_an_error() {
    let full = Path::new("/dev/full");
    if !full.exists() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for form in [Form::Jsonl, Form::Perfetto] {
        let link: PathBuf = folder.path().join(if form == Form::Jsonl { "full.jsonl" } else { "full.json" });
        #[cfg(unix)]
        std::os::unix::fs::symlink(full, &link).unwrap();
        let scenario = scenario("idle-view", &[]);
        let mut trace = Trace::open(&link, form, Of { scenario: &scenario, strategy: "naive", seed: 0 }).unwrap();
        let strategy = strategy::parse("naive", scenario.settings).unwrap();
        let (_, report) = simulate(&scenario, "naive", &strategy, 0, &mut trace).unwrap();
        let said = trace.finish(&report).unwrap_err().to_string();
        assert!(said.contains("full.json") && said.contains("No space left on device"), "{said}");
    }
}
