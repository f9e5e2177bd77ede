//! Scenario files from hell: never a panic, never slow.

use proptest::prelude::*;
use scenario::{LoadError, Scenario};
use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// What no load may take, even on a busy machine and unoptimised.
const PATIENCE: Duration = Duration::from_secs(20);
const MIB: usize = 1 << 20;
const THREAD: &str = include_str!("../../examples/scenarios/thread-2022.toml");
const FVP: &str = include_str!("../../examples/scenarios/fvp-2023.toml");

fn load(text: &str) -> Result<Scenario, LoadError> {
    let start = Instant::now();
    let loaded = Scenario::from_text(Path::new("bad.toml"), text, &[]);
    let shown = loaded.as_ref().err().map(|error| error.render(false));
    let took = start.elapsed();
    assert!(took < PATIENCE, "took {took:?}");
    if let Some(shown) = shown {
        assert!(shown.len() < 16 << 10, "a report is for people");
    }
    loaded
}

fn domains(count: usize) -> String {
    let mut text = "vmid_bits = 16\nscheduler = \"rr\"\nheap = { base = 0x70000000, size = 0x10000000 }\n".to_owned();
    for id in 0..count {
        let base = 0x1000_0000 + id * 0x4000;
        let program = "[\"setup\", { repeat = { times = 10, steps = [{ compute = 10 }, \"yield\"] } }]";
        let ram = format!("[{{ base = {base:#x}, size = 0x4000 }}]");
        write!(text, "[[domain]]\nid = {id}\nram = {ram}\n[[domain.vcpu]]\nprogram = {program}\n").unwrap();
    }
    text
}

#[test]
fn a_thousand_domains_load_in_no_time() {
    let text = domains(1000);
    let start = Instant::now();
    let scenario = load(&text).unwrap_or_else(|error| panic!("{}", error.render(false)));
    let took = start.elapsed();
    assert_eq!((scenario.layout.domains().len(), scenario.steps.len()), (1000, 4000));
    // 0.3 s is the promise for optimised builds; the rest is for builds that are not, and for busy machines.
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[test]
fn four_thousand_and_ninety_six_domains_are_the_most() {
    assert_eq!(load(&domains(4096)).unwrap().programs.len(), 4096);
    let error = load(&domains(4097)).unwrap_err();
    assert_eq!(error.position(), Some((3 + 4096 * 5 + 1, 1)));
    assert!(error.render(false).contains("4097 domains are more than 4096"), "{}", error.render(false));
}

#[test]
fn the_largest_numbers_are_numbers() {
    let text = THREAD.replace("times = 1000", "times = 18446744073709551615");
    assert!(load(&text).is_ok());
    let text = THREAD.replace("times = 1000", "times = \"0xffff_ffff_ffff_ffff\"");
    let scenario = load(&text).unwrap();
    let shown = format!("{:?}", scenario.programs[0].steps);
    assert!(shown.contains(&format!("times: {}", u64::MAX)), "{shown}");
    assert!(load(&THREAD.replace("times = 1000", "times = 18446744073709551616")).is_err());
}

#[test]
fn an_endless_program_ends_at_the_limit() {
    use sim_core::hyp::strategy::Builtin;
    use sim_core::outcome::{Limit, Outcome};
    let text = THREAD.replace("times = 1000", "times = 18446744073709551615");
    let scenario = load(&format!("step_limit = 5000\n{text}")).unwrap();
    let strategy = Builtin::from_name("map-page", scenario.settings).unwrap();
    assert_eq!(scenario.world(strategy, 0).unwrap().run().outcome, Outcome::Limit(Limit::Steps(5000)));
}

#[test]
fn deep_nesting_is_refused() {
    for (open, close) in [("[", "]"), ("{ a = ", " }"), ("{ repeat = { times = 1, steps = [", "] } }")] {
        for depth in [100, 10_000, 60_000] {
            let text = format!("heap = {}1{}", open.repeat(depth), close.repeat(depth));
            let error = load(&text).unwrap_err();
            assert_eq!(error.position().unwrap().0, 1, "{open} {depth}");
        }
    }
    for depth in [100, 100_000] {
        for text in [format!("{}a = 1", "a.".repeat(depth)), format!("[{}a]", "a.".repeat(depth))] {
            load(&text).unwrap_err();
        }
    }
}

#[test]
fn megabytes_of_garbage_are_refused_quickly() {
    let pieces = [
        "[",
        "]",
        "{",
        "a.",
        "a",
        "\"",
        "'",
        "\n",
        " ",
        "#",
        "=",
        "a=",
        "a=1\n",
        "a=[",
        "[[domain]]\n",
        "[a]\n",
        "ö",
        "\u{1}",
        "\\",
        "1",
        "-",
        "[[domain]]\nid=1\n",
        "x = \"y\"\n",
    ];
    for piece in pieces {
        load(&piece.repeat(4 * MIB / piece.len())).unwrap_err();
        let behind =
            format!("heap = {{ base = 0x50000000, size = 0x1000 }}\nname = {}", piece.repeat(MIB / piece.len()));
        load(&behind).unwrap_err();
    }
    // A key of megabytes that is not known, and a name of megabytes that is not a name.
    load(&format!("{} = 1", "a".repeat(4 * MIB))).unwrap_err();
    load(&THREAD.replace("name = \"link\"", &format!("name = \"{}\"", "ö".repeat(MIB)))).unwrap_err();
}

#[test]
fn programs_of_megabytes_in_one_line_load() {
    let steps = "{ compute = 1 }, ".repeat(100_000);
    let scenario = load(&THREAD.replacen("\"setup\",", &format!("\"setup\", {steps}"), 1)).unwrap();
    assert_eq!(scenario.steps[100_000].column, 5 + 9 + 17 * 99_999);
    let bad = load(&THREAD.replacen("\"setup\",", &format!("\"setup\", {steps} \"stup\","), 1)).unwrap_err();
    assert_eq!(bad.position().map(|at| at.1), Some(5 + 9 + 17 * 100_000 + 1));
    // Non-ASCII text before it must not make each column a walk along the line.
    let greetings = "{ console = \"ö\" }, ".repeat(100_000);
    let scenario = load(&THREAD.replacen("\"setup\",", &format!("\"setup\", {greetings}"), 1)).unwrap();
    assert_eq!(scenario.steps[100_000].column, 5 + 9 + 19 * 99_999);
}

#[test]
fn more_than_three_megabytes_are_refused_as_text_too() {
    let error = load(&"#".repeat(3 * MIB + 1)).unwrap_err();
    assert!(error.to_string().contains("larger than 3 MiB"), "{error}");
    load(&"#".repeat(3 * MIB)).unwrap_err();
}

/// A scenario with some bytes replaced, and pieces moved around.
fn mangled() -> impl Strategy<Value = String> {
    let edit = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), "[ -~\n\u{0}ö]{0,3}");
    let words = prop::sample::select(vec![
        "-1",
        "0",
        "18446744073709551615",
        "[]",
        "{}",
        "\"\"",
        "true",
        "0x7fffffff",
        "1e9",
        "\"x\"",
    ]);
    (prop::bool::ANY, prop::collection::vec(edit, 0..6), prop::option::of((any::<prop::sample::Index>(), words)))
        .prop_map(|(thread, edits, word)| {
            let mut text: Vec<char> = if thread { THREAD } else { FVP }.chars().collect();
            for (at, len, with) in edits {
                let at = at.index(text.len());
                let end = (at + len.index(8)).min(text.len());
                text.splice(at..end, with.chars());
            }
            let mut text: String = text.into_iter().collect();
            if let Some((line, word)) = word {
                let equals: Vec<usize> = text.match_indices("= ").map(|(at, _)| at + 2).collect();
                if !equals.is_empty() {
                    let at = equals[line.index(equals.len())];
                    let end = text[at..].find([',', '\n', '}']).map_or(text.len(), |end| at + end);
                    text.replace_range(at..end, word);
                }
            }
            text
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(text in mangled()) {
        match load(&text) {
            Ok(scenario) => {
                for step in &scenario.steps {
                    prop_assert!(step.line >= 1 && step.line <= text.lines().count().max(1));
                }
            }
            Err(error) => {
                let (line, column) = error.position().unwrap_or((1, 1));
                prop_assert!(line <= text.split('\n').count(), "{error}");
                let width = text.split('\n').nth(line - 1).unwrap().chars().count();
                prop_assert!(column <= width + 1, "{error}");
                assert!(!error.render(true).is_empty());
            }
        }
    }

    #[test]
    fn no_set_panics(set in "[a-z0-9_.]{0,30}=[ -~]{0,20}|[ -~ö]{0,30}|(heap|domain|timer|sections|domain\\.[01](\\.(ram|vcpu|id)){0,1}(\\.[01]){0,1}(\\.(program|size))?)=[ -~]{0,20}") {
        let sets = [set];
        if let Err(error) = Scenario::from_text(Path::new("x.toml"), THREAD, &sets) {
            assert!(!error.render(false).is_empty());
        }
    }
}
