//! What is said of runs that end badly, of input that goes nowhere, and of names.

use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// What a run of the program said and came to.
struct Said {
    status: i32,
    out: String,
    err: String,
}

fn mpusim(folder: &Path, args: &[&str]) -> Said {
    let done = Command::new(env!("CARGO_BIN_EXE_mpusim")).current_dir(folder).args(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    Said { status: done.status.code().unwrap(), out: text(done.stdout), err: text(done.stderr) }
}

/// A folder with that scenario in it, as `s.toml`.
fn folder(scenario: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("s.toml"), scenario).unwrap();
    folder
}

fn said(scenario: &str, args: &[&str]) -> Said {
    mpusim(folder(scenario).path(), args)
}

/// Two domains on two PEs: one sends three times, far apart, on a channel to port 10 of the other, which does `steps`.
fn listener(steps: &str) -> String {
    format!(
        r#"pes = 2
heap = {{ base = 0x50000000, size = 0x10000000 }}
[[domain]]
id = 1
name = "sender"
ram = [{{ base = 0x30000000, size = 0x1000000 }}]
[[domain.vcpu]]
pe = 0
program = ["setup", {{ wait = "link" }}, {{ repeat = {{ times = 3, steps = [{{ send = "link" }}, {{ compute = 20000 }}] }} }}]
[[domain]]
id = 2
name = "listener"
ram = [{{ base = 0x20000000, size = 0x1000000 }}]
shared_info = 0x20010000
[[domain.vcpu]]
pe = 1
vcpu_info = 0x20012000
program = [{steps}]
[[channel]]
name = "link"
listener = {{ domain = 2, port = 10 }}
binder = {{ domain = 1, port = 11 }}
"#
    )
}

const NO_SELECTOR: &str = r#""map_shared_info", "register_vcpu_info", { compute = 10000 },
    { write = { at = 0x20012008, width = 8, value = 0 } }, { write = { at = 0x20012000, width = 1, value = 0 } },
    "enable_irqs", { compute = 100000 }, { wait = "link" }"#;

#[test]
fn a_deadlock_names_the_pending_port_that_nobody_looks_at() {
    let told = said(&listener(NO_SELECTOR), &["run", "s.toml"]);
    assert_eq!(told.status, 1);
    assert!(!told.out.contains("nothing is pending"), "{}", told.out);
    assert!(
        told.out
            .contains("port 10 is pending, unmasked and not selected: bit 0 of vCPU 0's evtchn_pending_sel is clear")
    );
    assert!(
        told.out.contains("2 sends to port 10 found it pending and were coalesced; `wait` counts events"),
        "{}",
        told.out
    );
    let json = said(&listener(NO_SELECTOR), &["run", "s.toml", "--format", "json"]).out;
    assert!(json.contains("port 10 is pending, unmasked and not selected"), "{json}");
}

#[test]
fn a_deadlock_tells_why_each_pending_port_is_not_seen() {
    let masked =
        r#""setup", { mask = "link" }, { compute = 100000 }, { repeat = { times = 9, steps = [{ wait = "link" }] } }"#;
    let fifo = r#""map_shared_info", "register_vcpu_info", { init_control = { at = 0x20014000 } },
        { expand_array = { at = 0x20016000 } }, { compute = 100000 }, "#;
    let unlinked = format!(
        r#"{fifo} {{ write = {{ at = 0x20016028, width = 4, value = 0x80000000 }} }},
        {{ write = {{ at = 0x20014000, width = 4, value = 0 }} }}, {{ write = {{ at = 0x20012000, width = 1, value = 0 }} }},
        "enable_irqs", {{ wait = "link" }}"#
    );
    let not_ready = format!(
        r#"{fifo} {{ write = {{ at = 0x20014000, width = 4, value = 0 }} }},
        {{ write = {{ at = 0x20012000, width = 1, value = 0 }} }}, "enable_irqs", {{ wait = "link" }}"#
    );
    // Set by the guest itself, so no upcall comes with it.
    let no_upcall = r#""setup", { compute = 100000 }, { write = { at = 0x20010030, width = 8, value = 0x400 } },
        { write = { at = 0x20012008, width = 8, value = 1 } }, { repeat = { times = 9, steps = [{ wait = "link" }] } }"#;
    let told_is_off = r#""map_shared_info", "register_vcpu_info", "halt"]
[[domain.vcpu]]
pe = 2
vcpu_info = 0x20013000
program = ["register_vcpu_info", "enable_irqs", { compute = 100000 }, { wait = "link" }"#;
    let no_page = r#""map_shared_info", "register_vcpu_info", { init_control = { at = 0x20014000 } }, "enable_irqs", { wait = "link" }"#;
    let counts = r#""setup", { compute = 1 }, { wait = "link" }, { wait = "link" }, { wait = "link" }, { wait = "link" }, { wait = "link" }"#;
    for (steps, expected) in [
        (masked, "port 10 is pending and masked"),
        (&unlinked, "port 10 is pending, unmasked and not linked: it is on no queue"),
        (&not_ready, "port 10 is pending, unmasked and linked, and vCPU 0's control block has no queue ready"),
        (no_upcall, "vCPU 0's evtchn_upcall_pending is 0"),
        (told_is_off, "vCPU 0 does not take the event interrupt: it is off,"),
        (no_page, "an event of port 10 waits for the page with its event word"),
        (counts, "port 10 is not pending"),
    ] {
        let told = said(&listener(steps), &["run", "s.toml", "--set", "pes=3"]);
        assert!(told.out.contains("deadlock") && told.out.contains(expected), "{expected}: {}", told.out);
    }
}

const SILENT: &str = r#"heap = { base = 0x50000000, size = 0x10000000 }
[[domain]]
id = 1
ram = [{ base = 0x30000000, size = 0x1000000 }]
[[domain.vcpu]]
program = ["setup", { compute = 10 }]
"#;

#[test]
fn where_nothing_is_sent_nothing_is_ranked() {
    let told = said(SILENT, &["compare", "s.toml"]);
    assert!(told.out.contains("Nothing was sent: there is no ranking."), "{}", told.out);
    assert!(!told.out.contains("Ranking by"), "{}", told.out);
    let json = said(SILENT, &["compare", "s.toml", "--format", "json"]).out;
    assert!(json.contains("\"unranked\": \"nothing-sent\", \"ranking\": [],"), "{json}");
    let folder = folder(SILENT);
    assert_eq!(mpusim(folder.path(), &["report", "s.toml", "-o", "page.html"]).status, 0);
    let page = std::fs::read_to_string(folder.path().join("page.html")).unwrap();
    assert!(page.contains("Nothing was sent: there is no ranking."));
}

#[test]
fn the_end_of_time_is_told_as_that() {
    let both = r#"scheduler = "rr"
heap = { base = 0x50000000, size = 0x10000000 }
[[domain]]
id = 1
ram = [{ base = 0x30000000, size = 0x1000000 }]
[[domain.vcpu]]
program = ["setup", { wait = "link" }, { send = "link" }, { compute = "0x8000000000000000" }, { send = "link" }]
[[domain]]
id = 2
ram = [{ base = 0x20000000, size = 0x1000000 }]
[[domain.vcpu]]
program = ["setup", { wait = "link" }, { compute = "0x8000000000000000" }, { wait = "link" }]
[[channel]]
name = "link"
listener = { domain = 2, port = 10 }
binder = { domain = 1, port = 11 }
"#;
    let told = said(both, &["run", "s.toml"]);
    assert_eq!(told.status, 1);
    assert!(told.out.contains("limit simulated time is at its end, cycle 2^64 - 1"), "{}", told.out);
    assert!(!told.out.contains("no guest ever acts"), "{}", told.out);
}

#[test]
fn parity_does_not_advise_what_the_file_says() {
    for target in ["r52", "v8r"] {
        let told = said(&listener(r#""setup", { wait = "link" }"#), &["parity", "s.toml", "--target", target]);
        assert_eq!(told.status, 2);
        assert!(told.err.contains("it has one PE, and the scenario 2, listener vCPU 0 on PE 1"), "{}", told.err);
        assert!(!told.err.contains("say pes"), "{}", told.err);
        // One that says nothing of PEs is not sent to say so.
        let silent = listener(r#""setup""#).replace("pes = 2\n", "");
        let told = said(&silent, &["parity", "s.toml", "--target", target]);
        assert!(told.status == 2 && !told.err.is_empty(), "{}", told.err);
        // A mistake of the file's own is told at its place.
        let wrong = said(&listener(r#""nothing""#), &["parity", "s.toml", "--target", target]);
        assert!(wrong.status == 2 && wrong.err.contains("s.toml:18"), "{}", wrong.err);
    }
}

#[test]
fn a_guest_has_the_control_block_whose_answer_could_not_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let steps = r#"{"v":1,"name":"answer","seed":0,"features":["bad_arg_out"],"hardware_domain":0,"domains":[{"id":0,"vcpus":1,"privileged":true,"max_evtchn_port":1023,"gfn_base":262144,"nr_pages":16}]}
{"d":0,"v":0,"op":"init_control","in":{"control_gfn":262145,"offset":0,"vcpu":0,"bad_arg":"out"},"rc":-14,"out":{}}
{"d":0,"v":0,"op":"gf_take_ready","in":{},"rc":0,"out":{"ready":0}}
"#;
    std::fs::write(folder.path().join("v.jsonl"), steps).unwrap();
    let told = mpusim(folder.path(), &["replay", "v.jsonl"]);
    assert_eq!((told.status, told.out.as_str()), (0, "1 file, 2 steps, 0 mismatches, 0 skipped"));
}

#[test]
fn a_size_is_the_same_words_in_every_report() {
    // 16 MiB and a granule.
    let odd =
        listener(r#""setup", { wait = "link" }"#).replace("size = 0x1000000 }]\nshared", "size = 0x1001000 }]\nshared");
    for args in [&["run", "s.toml"][..], &["view", "s.toml"]] {
        let told = said(&odd, args);
        assert!(told.out.contains("16.0 MiB") && !told.out.contains("16388 KiB"), "{args:?}: {}", told.out);
    }
}

#[test]
fn misspelt_names_are_met_with_the_near_one() {
    let folder = folder(SILENT);
    for (args, near) in [
        (&["run", "s.toml", "--strategy", "mappage"][..], "did you mean `map-page`?"),
        (&["compare", "s.toml", "--strategies", "pin,hybird"], "did you mean `hybrid`?"),
        (&["sweep", "s.toml", "--strategies", "nave", "-o", "o.csv"], "did you mean `naive`?"),
        (&["sweep", "s.toml", "--vary", "strategy=swich-view:lazy", "-o", "o.csv"], "did you mean `switch-view`?"),
        (&["fuzz", "--strategies", "pim"], "did you mean `pin`?"),
        (&["run", "s.toml", "--profile", "count"], "did you mean `counts`?"),
        (&["view", "s.toml", "--domain", "dom2"], "did you mean `dom1`?"),
        (&["run", "s.toml", "--set", "board=fvp-base"], "did you mean `fvp-baser`?"),
        (&["run", "s.toml", "--set", "placement=pol"], "did you mean `pool`?"),
    ] {
        let told = mpusim(folder.path(), args);
        assert!(told.status == 2 && told.err.contains(near), "{args:?}: {}", told.err);
    }
}

#[test]
fn nesting_without_end_is_told_in_words() {
    const LEVELS: usize = 20_000;
    let (lists, tables) = ("[".repeat(LEVELS), "{a=".repeat(LEVELS));
    let key = vec!["a"; LEVELS].join(".");
    let deep = "are nested too deep: more than 80 levels";
    let files = [
        (format!("x = {lists}{}\n{SILENT}", "]".repeat(LEVELS)), "s.toml:1:"),
        (format!("\nx = {tables}1{}\n{SILENT}", "}".repeat(LEVELS)), "s.toml:2:"),
        (format!("x = {lists}\n{SILENT}"), "s.toml:1:"),
        (format!("{SILENT}[{key}]\n"), "s.toml:7:"),
        (format!("{key} = 1\n{SILENT}"), "s.toml:1:"),
    ];
    for (text, place) in &files {
        let told = said(text, &["run", "s.toml"]);
        assert!(told.status == 2 && told.err.contains(deep) && told.err.contains(place), "{place}: {}", told.err);
        let profile = said(text, &["run", "s.toml", "--profile", "./s.toml"]);
        assert!(profile.status == 2 && profile.err.contains(deep), "{}", profile.err);
    }
    for set in [format!("description={lists}{}", "]".repeat(LEVELS)), format!("image.{key}=1")] {
        let told = said(SILENT, &["run", "s.toml", "--set", &set]);
        assert!(told.status == 2 && told.err.contains(deep), "{}", told.err);
    }
    let header = r#"{"v":1,"name":"deep","seed":0,"features":[],"hardware_domain":null,"domains":[{"id":1,"vcpus":1,"privileged":false,"max_evtchn_port":1023,"gfn_base":262144,"nr_pages":16}]}"#;
    let objects = format!("{}1{}", r#"{"a":"#.repeat(LEVELS), "}".repeat(LEVELS));
    let step = format!(r#"{{"d":1,"v":0,"op":"status","in":{objects},"rc":0,"out":{{}}}}"#);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("v.jsonl"), format!("{header}\n{step}\n")).unwrap();
    let told = mpusim(folder.path(), &["replay", "v.jsonl"]);
    let words = "v.jsonl:2: expected a step: arrays and objects are nested too deep, more than 127 levels";
    assert!(told.status == 2 && told.err.contains(words), "{}", told.err);
}

#[test]
fn names_that_do_not_show_as_one_line_are_refused_at_their_line() {
    let with = |kind: &str, name: &str| match kind {
        "scenario" => (format!("name = {name}\n{SILENT}"), 1),
        "domain" => (SILENT.replace("id = 1", &format!("id = 1\nname = {name}")), 4),
        "shared" => {
            (format!("{SILENT}[[shared]]\nname = {name}\nbase = 0x40000000\nsize = 0x1000\ndomains = [1]\n"), 8)
        }
        _ => (format!("{SILENT}[[device]]\nname = {name}\nbase = 0x60000000\nsize = 0x1000\ndomains = [1]\n"), 8),
    };
    for kind in ["scenario", "domain", "shared", "device"] {
        for (name, what) in [
            (r#""""#, "the name is empty"),
            (r#""  ""#, "the name is empty"),
            (r#""a\nb""#, "the name has a line end in it"),
            (r#""a\u2028b""#, "the name has a line end in it"),
            (r#""a\u001b[31m""#, "not printed: U+001B"),
            (r#""a\u009b""#, "not printed: U+009B"),
            (r#""a\u007f""#, "not printed: U+007F"),
            (r#""a\u202eb""#, "not printed: U+202E"),
        ] {
            let (text, line) = with(kind, name);
            let told = said(&text, &["view", "s.toml"]);
            let place = format!("s.toml:{line}:");
            assert!(
                told.status == 2 && told.err.contains(what) && told.err.contains(&place),
                "{kind} {name}: {}",
                told.err
            );
        }
        let (text, _) = with(kind, r#""grüße | <漢字> & co.""#);
        assert_eq!(said(&text, &["view", "s.toml"]).status, 0, "{kind}");
    }
}

#[test]
fn the_readmes_name_every_feature_of_their_crates() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut seen = 0;
    for name in ["mpu-model", "evtchn", "sim-core/boards", "sim-core", "cli"] {
        let read = |file| std::fs::read_to_string(root.join(name).join(file)).unwrap();
        let (manifest, readme): (toml::Table, String) =
            (toml::from_str(&read("Cargo.toml")).unwrap(), read("README.md"));
        let features = manifest.get("features").and_then(toml::Value::as_table).into_iter().flatten();
        for (feature, _) in features.filter(|(feature, _)| *feature != "default") {
            assert!(readme.contains(&format!("* `{feature}`")), "{name}: {feature}");
            seen += 1;
        }
    }
    assert!(seen >= 9, "{seen} features");
}
