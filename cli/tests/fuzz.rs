//! `mpusim fuzz`: what it found stays fixed, it finds what is there, and the same seed tells the same on every machine.

use campaign::fuzz::{Bytes, Recipe, STRATEGIES, check};
use conformance::{Options, Outcome, Setting, replay};
use mpu_model::Pmsa;
use serde_json::Value;
use sim_core::hyp::strategy::Settings;
use sim_core::layout::Placement;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn holds(file: &str, strategy: &str, placement: Option<Placement>, pes: usize) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz").join(file);
    let setting = Setting::of(scenario::strategy::parse(strategy, Settings::default()).unwrap());
    let placement = placement.unwrap_or(setting.placement);
    for pmsa in [Pmsa::V64, Pmsa::V32] {
        let setting = Setting { placement, pes, pmsa, ..setting.clone() };
        let summary = replay(std::slice::from_ref(&path), &Options { setting, skip_unsupported: false }).unwrap();
        let file = &summary.files[0];
        assert!(matches!(file.outcome, Outcome::Ok), "{strategy}, {pes} PEs, {pmsa:?}: {file:#?}");
    }
}

#[test]
fn pages_of_a_pool_stay_where_they_are_when_another_domain_ends() {
    for placement in [Placement::Pool, Placement::Heap] {
        for strategy in ["map-page", "pin", "switch-view", "enable-mask", "static-map"] {
            holds("pool_pages_stay.jsonl", strategy, Some(placement), 1);
            holds("pool_pages_stay.jsonl", strategy, Some(placement), 3);
        }
    }
}

#[test]
fn a_pe_with_the_view_of_an_older_plan_makes_room_for_pins_that_moved() {
    (1..=4).for_each(|pes| holds("pins_move_on_other_pes.jsonl", "pin", None, pes));
}

#[test]
fn memory_of_a_new_domain_is_in_views_that_were_loaded_before_it() {
    for strategy in ["static-map", "map-page", "pin", "hybrid", "enable-mask"] {
        (1..=3).for_each(|pes| holds("created_memory_is_mapped.jsonl", strategy, None, pes));
    }
}

/// A folder of its own for a test, below the target folder.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz").join(name);
    let _ = std::fs::remove_dir_all(&path);
    path
}

fn mpusim(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mpusim")).args(args).output().unwrap()
}

fn fuzz(folder: &Path, args: &[&str]) -> Output {
    mpusim(&[&["fuzz", "--quiet", "-o", folder.to_str().unwrap()], args].concat())
}

#[test]
fn a_seed_tells_the_same_whatever_the_threads() {
    let folder = folder("same");
    let run = |jobs| fuzz(&folder, &["--cases", "300", "--seed", "7", "--format", "json", "--jobs", jobs]);
    let (one, two) = (run("1"), run("2"));
    assert_eq!(one.status.code(), Some(0), "{}", String::from_utf8_lossy(&one.stdout));
    assert_eq!(one.stdout, two.stdout);
    let told: Value = serde_json::from_slice(&one.stdout).unwrap();
    assert_eq!((&told["outcome"], &told["cases"], &told["failure"]), (&"clean".into(), &300.into(), &Value::Null));
    assert!(!folder.exists(), "nothing was written, so nothing is left");
    let other = fuzz(&folder, &["--cases", "300", "--seed", "8", "--format", "json"]);
    assert_ne!(other.stdout, two.stdout);
}

#[test]
fn shards_share_the_cases_out() {
    let folder = folder("shards");
    let cases = |shard: &str| {
        let told = fuzz(&folder, &["--cases", "90", "--steps", "4", "--format", "json", "--shard", shard]);
        serde_json::from_slice::<Value>(&told.stdout).unwrap()["cases"].as_u64().unwrap()
    };
    let parts: Vec<u64> = ["1/3", "2/3", "3/3"].map(cases).into();
    assert_eq!(parts.iter().sum::<u64>(), 90);
    assert!(parts.iter().all(|part| *part > 10), "{parts:?}");
}

#[test]
fn the_last_number_is_a_case_and_the_emptiest_shard_comes_to_an_end() {
    let folder = folder("edges");
    let told = |args: &[&str]| -> Value {
        let run = fuzz(&folder, &[args, &["--format", "json"]].concat());
        assert_eq!(run.status.code(), Some(0), "{args:?}");
        serde_json::from_slice(&run.stdout).unwrap()
    };
    assert_eq!(told(&["--first", "18446744073709551615", "--cases", "1"])["cases"], 1);
    assert_eq!(told(&["--shard", "1/18446744073709551615", "--time", "1s"])["outcome"], "clean");
}

#[test]
fn a_strategy_that_reaches_nothing_is_found_shrunk_and_replayed() {
    let folder = folder("naive");
    let found = fuzz(&folder, &["--strategies", "naive", "--cases", "100", "--format", "json"]);
    assert_eq!(found.status.code(), Some(1));
    let told: Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!((&told["outcome"], &told["failure"]["kind"]), (&"failed".into(), &"hypervisor-fault".into()));
    assert!(told["failure"]["shrunk_to"].as_u64().unwrap() <= 4, "{told:#}");
    let command = told["failure"]["command"].as_str().unwrap();
    let replayed = mpusim(&command.split(' ').skip(1).collect::<Vec<_>>());
    let text = String::from_utf8(replayed.stdout).unwrap();
    assert_eq!(replayed.status.code(), Some(1), "{text}");
    assert!(text.contains("hypervisor fault at step"), "{text}");
}

/// A finding, as text, of a strategy that reaches nothing.
fn finding(name: &str) -> (String, String) {
    let folder = folder(name);
    let found = fuzz(&folder, &["--strategies", "naive", "--cases", "100", "--jobs", "1"]);
    assert_eq!(found.status.code(), Some(1));
    let file = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let file = file.into_iter().find(|path| path.extension().is_some_and(|end| end == "jsonl")).unwrap();
    (String::from_utf8(found.stdout).unwrap(), std::fs::read_to_string(file).unwrap())
}

#[test]
fn a_finding_is_told_first_in_words_then_its_steps_then_the_command() {
    let (text, file) = finding("words");
    let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what}: {text}"));
    assert!(at("the hypervisor takes an exception from itself") < at("steps under naive on"), "{text}");
    assert!(
        at("steps under naive on") < at("mpusim replay ") && at("mpusim replay ") < at("pairs of operation"),
        "{text}"
    );
    // Nothing that only Rust reads, and addresses as they stand elsewhere.
    assert!(!text.contains("Some(") && !text.contains("addr:") && !text.contains(" { "), "{text}");
    // The number of each step is that of the file.
    for (number, line) in file.lines().enumerate().skip(1) {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["n"], number);
        assert!(text.contains(&format!("\n{number:>4}  ")), "{text}");
        assert!(text.contains(line["op"].as_str().unwrap()), "{text}");
    }
}

#[test]
fn a_step_with_another_number_than_its_place_is_refused() {
    let (_, file) = finding("numbers");
    let path = folder("renumbered").with_extension("jsonl");
    std::fs::write(&path, file.replacen("\"n\":1", "\"n\":2", 1)).unwrap();
    let refused = mpusim(&["replay", path.to_str().unwrap()]);
    let text = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{text}");
    assert!(text.contains(":2: expected step 1: step 2"), "{text}");
}

#[test]
fn every_result_that_a_case_can_have_comes_up() {
    let folder = folder("pairs");
    let told = fuzz(&folder, &["--cases", "12000", "--seed", "3", "--format", "json"]);
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!((&told["outcome"], &told["pairs"]["missed"]), (&"clean".into(), &Value::Array(Vec::new())), "{told:#}");
    let reached = told["pairs"]["reached"].as_array().unwrap();
    let has = |operation: &str, result: &str| {
        reached.iter().any(|pair| pair["operation"] == operation && pair["result"] == result)
    };
    for (operation, result) in [
        ("reset", "ERESTART"),
        ("reset_cont", "OK"),
        ("reset_cont", "EAGAIN"),
        ("domain_kill", "ERESTART"),
        ("static_alloc_unbound", "ENOSPC"),
        ("xen_alloc_unbound", "EPERM"),
        ("add_to_physmap", "OK"),
        ("remove_from_physmap", "OK"),
    ] {
        assert!(has(operation, result), "{operation} {result}");
    }
}

#[test]
fn a_strategy_that_does_not_synchronise_is_found() {
    let folder = folder("no-isb");
    let found = fuzz(&folder, &["--strategies", "enable-mask:no-isb", "--cases", "100", "--format", "json"]);
    let told: Value = serde_json::from_slice(&found.stdout).unwrap();
    // The denying verdict counts, so the access that leans on the write faults.
    assert_eq!((&told["outcome"], &told["failure"]["kind"]), (&"failed".into(), &"hypervisor-fault".into()));
}

#[test]
fn races_that_no_strategy_suits_are_refused_however_many_are_named() {
    let races = "shared-info-raise,replace-raise";
    let refused = mpusim(&["fuzz", "--interleave", "--case", races, "--strategies", "xen-pool"]);
    let text = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{text}");
    assert!(text.contains("race shared-info-raise cannot be played under xen-pool"), "{text}");
}

/// Races, as JSON, and the exit status.
fn races(args: &[&str]) -> (Option<i32>, Value) {
    let run = mpusim(&[&["fuzz", "--interleave", "--quiet", "--format", "json"], args].concat());
    let told = serde_json::from_slice(&run.stdout);
    (run.status.code(), told.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&run.stderr))))
}

#[test]
fn races_come_out_the_same_whatever_the_threads() {
    let args = ["--case", "fifo-link,fifo-storm", "--strategies", "pin,map-page:2", "--cases", "30"];
    let (one, two) = (races(&[&args[..], &["--jobs", "1"]].concat()), races(&[&args[..], &["--jobs", "2"]].concat()));
    assert_eq!(one, two);
    let (code, told) = one;
    assert_eq!((code, &told["outcome"], &told["failure"]), (Some(0), &"clean".into(), &Value::Null));
    let rows: Vec<_> = told["cases"].as_array().unwrap().iter().map(|row| (&row["case"], &row["every"])).collect();
    let expected = [("fifo-link", true), ("fifo-link", true), ("fifo-storm", false), ("fifo-storm", false)];
    assert_eq!(
        rows,
        expected
            .map(|(case, every)| (case.into(), every.into()))
            .iter()
            .map(|(a, b)| (a, b))
            .collect::<Vec<(&Value, &Value)>>()
    );
    assert_eq!(told["cases"][2]["schedules"], 30);
    assert!(told["cases"][0]["schedules"].as_u64().unwrap() > 10);
}

#[test]
fn a_race_that_goes_wrong_is_found_and_its_token_shows_it_again() {
    // Without barriers at the entry, what the sender reaches depends on writes that are not in force.
    let (code, told) = races(&["--strategies", "enable-mask:no-isb", "--cases", "10"]);
    assert_eq!((code, &told["outcome"]), (Some(1), &"failed".into()), "{told:#}");
    let (token, kind) = (told["failure"]["token"].as_str().unwrap(), told["failure"]["kind"].as_str().unwrap());
    let again = mpusim(&["fuzz", "--replay", token, "--format", "json"]);
    assert_eq!(again.status.code(), Some(1));
    let again: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!((&again["failure"]["kind"], &again["token"]), (&kind.into(), &token.into()));
    let command = told["failure"]["command"].as_str().unwrap();
    assert_eq!(command, format!("mpusim fuzz --replay {token}"));
}

const SAMPLE: &str = "../examples/races/moving-port.toml";

/// A file of a race's own, in a folder of the test's own.
fn race_file(name: &str, text: &str) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("races");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_race_of_a_file_is_played_in_every_order_and_its_token_again() {
    let (code, told) = races(&["--race", SAMPLE, "--strategies", "pin,map-page"]);
    assert_eq!((code, &told["outcome"]), (Some(0), &"clean".into()), "{told:#}");
    let rows = told["cases"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    for row in rows {
        assert_eq!((&row["case"], &row["every"]), (&"moving-port".into(), &true.into()));
        assert!(row["schedules"].as_u64().unwrap() > 5, "{row}");
    }
    // Without barriers at its entry, a strategy goes wrong, and the command has the file.
    let (code, told) = races(&["--race", SAMPLE, "--strategies", "enable-mask:no-isb"]);
    assert_eq!((code, &told["outcome"]), (Some(1), &"failed".into()), "{told:#}");
    let command = told["failure"]["command"].as_str().unwrap();
    assert!(command.ends_with(&format!(" --race {SAMPLE}")), "{command}");
    let again = mpusim(&command.split(' ').skip(1).collect::<Vec<_>>());
    assert_eq!(again.status.code(), Some(1), "{}", String::from_utf8_lossy(&again.stderr));
}

#[test]
fn a_race_of_a_file_that_is_none_is_refused_with_its_line() {
    let file = |pe: &str| {
        format!(
            "setup = [\n  {{ pe = 1, do = [\"two_level\"] }},\n  {{ pe = 0, do = [{{ channel = \"link\", to = 1 }}] }},\n]\n\
             [pe.0]\ndo = [{{ send = \"link\" }}]\n{pe}"
        )
    };
    for (number, (text, line, says)) in [
        ("[pe.0]\ndo = [wait]\n".to_owned(), 2, ""),
        (file("[pe.1]\ndo = [{ sent = \"link\" }]\n"), 8, "there is no step \"sent\""),
        (file("[pe.1]\ndo = [{ close = \"lnk\" }]\n"), 8, "domain 2, on PE 1, has no port \"lnk\""),
        (file("[pe.1]\ndo = [{ close = 99999 }]\n"), 8, "expected port, from 0 to 1023"),
        (file("[pe.1]\ndo = [{ bind_vcpu = \"link\" }]\n"), 8, "`bind_vcpu` lacks `vcpu`"),
        (file("[pe.1]\ndo = [{ close = \"link\", now = 1 }]\n"), 8, "there is no key of `close` \"now\""),
        (file("[pe.1]\ndo = [7]\n"), 8, "expected a step: a word or a table"),
        (file("[pe.4]\ndo = [\"wait\"]\n"), 7, "expected [pe.0] to [pe.3]"),
        (file("[pe.3]\ndo = [{ kill = 2 }, \"wait\"]\n"), 8, "does a toolstack's or Xen's work and a guest's"),
        (file("[pe.3]\ndo = [{ kill = 3 }]\n"), 8, "expected domain, from 0 to 2"),
        (file("[pe.1]\ninterrupts = 1\n"), 8, "expected true or false"),
        (
            "setup = [{ pe = 1, do = [{ channel = \"a\", to = 2 }] }]\n".to_owned(),
            1,
            "PE 2 runs the same domain as PE 1",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let path = race_file(&format!("wrong-{number}.toml"), &text);
        let run = mpusim(&["fuzz", "--interleave", "--race", &path]);
        let told = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(2), "{told}");
        assert!(told.contains(&format!("{path}:{line}:")) && told.contains(says), "{text}\n{told}");
    }
    let lone = race_file("lone.toml", "[pe.0]\ndo = [{ send = 1 }]\n");
    for (args, says) in [
        (&["--interleave", "--race", &lone][..], "a race takes two PEs that do something"),
        (&["--interleave", "--race", "no-such.toml"], "no-such.toml"),
        (&["--interleave", "--race", SAMPLE, "--case", "storm"], "there is no race \"storm\"; there are moving-port"),
        (&["--replay", "storm/pin/", "--race", SAMPLE], "there is no race \"storm\""),
        (&["--race", SAMPLE], "--interleave"),
    ] {
        let run = mpusim(&[&["fuzz"], args].concat());
        let told = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(2), "{args:?}: {told}");
        assert!(told.contains(says), "{args:?}: {told}");
    }
}

#[test]
fn races_of_one_kind_are_had_by_its_name() {
    let (code, told) = races(&["--case", "preempted-reset", "--strategies", "pin"]);
    assert_eq!((code, &told["outcome"]), (Some(0), &"clean".into()), "{told:#}");
    let rows = told["cases"].as_array().unwrap();
    assert!(rows.len() > 20 && rows.iter().all(|row| row["case"].as_str().unwrap().contains("preempted-reset-")));
    // What no strategy notices is played under few of them unless they are named.
    let (_, told) = races(&["--case", "fifo-set-priority-raise,init-control-raise"]);
    let of = |case: &str| told["cases"].as_array().unwrap().iter().filter(|row| row["case"] == case).count();
    assert_eq!((of("fifo-set-priority-raise"), of("init-control-raise") > 8), (2, true), "{told:#}");
}

#[test]
fn a_token_that_is_none_is_refused_with_a_reason() {
    for (args, says) in [
        (&["--replay", "fifo-link"][..], "expected CASE/STRATEGY/PICKS"),
        (&["--replay", "fifo-link/pin/0a"], "'a' at pick 2 is no PE"),
        (&["--replay", "fifo-link/pin/03"], "PE 3 cannot go; expected one of [0, 1]"),
        (&["--replay", "reopen-raise/pin/0200000000"], "and there are 10; the token is of another case"),
        (&["--replay", "no-such/pin/0"], "there is no race \"no-such\"; there are fifo-link,"),
        (&["--replay", "fifo-link/none/0"], "none"),
        (&["--replay", "replace-raise/xen-pool/0"], "cannot be played under xen-pool"),
        (&["--replay", "fifo-link/pin/", "--seed", "2"], "cannot be used with"),
        (&["--case", "fifo-link"], "--interleave"),
        (&["--interleave", "--case", "fifo"], "there is no race \"fifo\""),
        (
            &["--interleave", "--case", "shared-info-raise", "--strategies", "xen-pool"],
            "cannot be played under xen-pool",
        ),
        (&["--interleave", "--steps", "3"], "cannot be used with"),
        (&["--interleave", "--strategies", "pins"], "pins"),
    ] {
        let run = mpusim(&[&["fuzz"], args].concat());
        let text = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(2), "{args:?}: {text}");
        assert!(text.contains(says), "{args:?}: {text}");
        assert!(run.stdout.is_empty());
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_a_reason() {
    let folder = folder("refused");
    for (args, says) in [
        (&["--cases", "0"][..], "0 is not in 1.."),
        (&["--cases", "99999999999999999999999"], "number too large"),
        (&["--cases", "18446744073709551615", "--first", "2"], "beyond 2^64"),
        (&["--time", "10"], "expected a time such as 60s"),
        (&["--time", "0s"], "expected a time such as 60s"),
        (&["--time", "99999999999999999999h"], "expected a time such as 60s"),
        (&["--time", "5s", "--cases", "5"], "cannot be used with"),
        (&["--jobs", "0"], "--jobs"),
        (&["--steps", "0"], "0 is not in 1..=4096"),
        (&["--shard", "3/2"], "expected i/n"),
        (&["--strategies", "map-pages"], "there is no strategy \"map-pages\""),
        (&["--strategies", ""], "there is no strategy \"\""),
    ] {
        let refused = fuzz(&folder, args);
        let text = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(2), "{args:?}: {text}");
        assert!(text.contains(says), "{args:?}: {text}");
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let refused = fuzz(&file, &["--cases", "1"]);
    let text = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(text.contains("Cargo.toml") && text.contains("expected -o FOLDER"), "{text}");
}

#[test]
fn bytes_of_an_engine_make_cases_too() {
    let (first, others) = STRATEGIES.split_first().unwrap();
    let recipe = Recipe::new(first, others, 40).unwrap();
    for byte in 0..=255u8 {
        let bytes: Vec<u8> =
            (0..400u32).map(|at| (at.wrapping_mul(at) as u8).wrapping_mul(byte | 1).rotate_left(3)).collect();
        assert_eq!(check(&mut Bytes(&bytes), &recipe), None, "{byte}");
    }
    assert_eq!(check(&mut Bytes(&[]), &recipe), None);
}
