//! What is not as recorded is reported at its line, and bad input is an error with its place.

use std::fs;
use std::path::{Path, PathBuf};

use conformance::{Mismatch, Options, Outcome, ReplayError, Setting, Summary, render, replay};
use serde_json::{Value, json};
use sim_core::hyp::strategy::Settings;
use words::Palette;

fn options(strategy: &str) -> Options {
    let strategy = scenario::strategy::parse(strategy, Settings::default()).unwrap();
    Options { setting: Setting::of(strategy), skip_unsupported: false }
}

/// A folder of its own for a test, below the target folder.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("replay").join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

fn own(name: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name);
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn write(path: &Path, lines: &[Value]) {
    let text: Vec<String> = lines.iter().map(Value::to_string).collect();
    fs::write(path, text.join("\n") + "\n").unwrap();
}

fn run(path: &Path, strategy: &str) -> Result<Summary, ReplayError> {
    replay(&[path.to_owned()], &options(strategy))
}

/// Replays `lines` under every strategy; the one mismatch they all find.
fn mismatch(name: &str, lines: &[Value]) -> Mismatch {
    let path = folder(name).join("tampered.jsonl");
    write(&path, lines);
    let found = ["map-page", "switch-view", "switch-view:lazy", "hybrid"].map(|strategy| {
        let summary = run(&path, strategy).unwrap();
        assert!(!summary.is_clean());
        assert_eq!((summary.totals.mismatches, summary.files.len()), (1, 1));
        match &summary.files[0].outcome {
            Outcome::Mismatch(mismatch) => {
                assert_eq!(summary.files[0].steps + 1, mismatch.step);
                (**mismatch).clone()
            }
            other => panic!("{strategy}: {other:?}"),
        }
    });
    assert!(found.iter().all(|mismatch| *mismatch == found[0]));
    found[0].clone()
}

/// The first step from the back, so that much went before, that `wanted` takes.
fn last(lines: &[Value], wanted: impl Fn(&Value) -> bool) -> usize {
    lines.iter().rposition(wanted).unwrap()
}

#[test]
fn a_changed_result_is_found_at_its_line() {
    let mut lines = own("core_00.jsonl");
    let at = last(&lines, |step| step["op"] == "send" && step["rc"] == 0);
    lines[at]["rc"] = json!(-22);
    let found = mismatch("rc", &lines);
    assert_eq!((found.line, found.step, found.op.as_str()), (at + 1, at, "send"));
    let [difference] = found.differences.as_slice() else { panic!("{found:?}") };
    assert_eq!((difference.field.as_str(), difference.expected.as_str(), difference.got.as_str()), ("rc", "-22", "0"));
    assert_eq!(found.last_steps.len(), 10);
    assert_eq!(found.last_steps.last(), Some(&lines[at].to_string()));
}

#[test]
fn a_changed_port_in_a_dump_is_found() {
    let mut lines = own("core_01.jsonl");
    let at = last(&lines, |step| step["op"] == "dump");
    let domain = &mut lines[at]["out"]["domains"][1];
    let (id, old) = (domain["id"].clone(), domain["chan"][0][0].clone());
    domain["chan"][0][0] = json!(99);
    let found = mismatch("dump", &lines);
    assert_eq!(found.line, at + 1);
    let fields: Vec<_> = found.differences.iter().map(|difference| difference.field.clone()).collect();
    let expected = ["99".to_owned(), old.to_string()].map(|port| format!("out.domains[id={id}].chan[port={port}]"));
    assert_eq!(fields, expected);
}

#[test]
fn an_interrupt_too_many_or_too_few_is_found() {
    let mut lines = own("core_00.jsonl");
    let at = last(&lines, |step| step.get("k").is_some());
    let kicked = lines[at]["k"].take().to_string();
    lines[at].as_object_mut().unwrap().remove("k");
    let found = mismatch("k_removed", &lines);
    assert_eq!((found.line, found.differences[0].field.as_str()), (at + 1, "k"));
    assert_eq!((found.differences[0].expected.as_str(), &found.differences[0].got), ("[]", &kicked));

    let mut lines = own("core_00.jsonl");
    let at = last(&lines, |step| step["op"] == "key_e" || step["op"] == "status");
    lines[at]["k"] = json!([[0, 0]]);
    assert_eq!(mismatch("k_added", &lines).line, at + 1);
}

#[test]
fn a_wake_up_that_is_missing_is_found() {
    let mut lines = own("2l_poll_00.jsonl");
    let at = last(&lines, |step| step.get("w").is_some());
    lines[at].as_object_mut().unwrap().remove("w");
    let found = mismatch("w", &lines);
    assert_eq!((found.line, found.differences[0].field.as_str()), (at + 1, "w"));
}

#[test]
fn a_step_left_out_is_found_later() {
    let mut lines = own("fifo_basic_00.jsonl");
    let at = lines.iter().position(|step| step["op"] == "alloc_unbound" && step["rc"] == 0).unwrap();
    lines.remove(at);
    assert!(mismatch("step", &lines).line > at);
}

/// Every key of every dump counts: each, changed in a last dump, is found there.
#[test]
fn no_field_of_a_dump_goes_unseen() {
    for name in ["core_01.jsonl", "fifo_basic_00.jsonl", "directed_queues.jsonl"] {
        let lines = own(name);
        let at = last(&lines, |step| step["op"] == "dump");
        let domain = lines[at]["out"]["domains"][0].as_object().unwrap().clone();
        for key in domain.keys() {
            let mut tampered = lines[..=at].to_vec();
            tampered[at]["out"]["domains"][0][key] = json!("tampered");
            assert_eq!(mismatch("field", &tampered).line, at + 1, "{name} {key}");
        }
        for key in domain["vcpus"][0].as_object().unwrap().keys() {
            let mut tampered = lines[..=at].to_vec();
            tampered[at]["out"]["domains"][0]["vcpus"][0][key] = json!("tampered");
            assert_eq!(mismatch("field", &tampered).line, at + 1, "{name} {key}");
        }
    }
}

#[test]
fn a_mismatch_is_printed_in_full() {
    let mut lines = own("core_00.jsonl");
    let at = lines.iter().position(|step| step["op"] == "alloc_unbound" && step["rc"] == 0).unwrap();
    lines[at]["out"]["port"] = json!(7);
    let path = folder("print").join("core.jsonl");
    write(&path, &lines);
    let text = render(&run(&path, "map-page").unwrap(), Palette::new(false));
    let step = at;
    assert!(
        text.starts_with(&format!("{}:{}: mismatch at step {step}, alloc_unbound\n", path.display(), at + 1)),
        "{text}"
    );
    assert!(text.contains("\n  port is 1; the file says 7\n"), "{text}");
    // Steps have the same numbers everywhere, and no line of JSON stands in the text.
    let told = format!("\n  {step:>6}  domain {} vCPU {}: alloc_unbound ", lines[at]["d"], lines[at]["v"]);
    assert!(text.contains(&told) && text.contains("\n       1  hypervisor: key_e, gives 0\n"), "{text}");
    assert!(!text.contains('{') && !text.contains("32752"), "{text}");
    assert!(text.ends_with(&format!("\n1 file, {} steps, 1 mismatch, 0 skipped\n", at - 1)), "{text}");
}

#[test]
fn naive_faults_and_says_that_it_does_so_by_design() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/core_00.jsonl");
    let summary = run(&path, "naive").unwrap();
    assert!(!summary.is_clean());
    assert!(matches!(summary.files[0].outcome, Outcome::HypervisorFault(_)));
    let text = render(&summary, Palette::new(false));
    assert!(text.contains("hypervisor fault at step") && text.contains("faults by design"), "{text}");
}

const HEADER: &str = r#"{"v":1,"name":"x","seed":0,"features":[],"hardware_domain":0,"domains":[{"id":0,"vcpus":1,"privileged":true,"max_evtchn_port":1023,"gfn_base":262144,"nr_pages":16}]}"#;
const STEP: &str = r#"{"d":0,"v":0,"op":"bind_ipi","in":{"vcpu":0},"rc":0,"out":{"port":1}}"#;

/// Replays a file of these lines.
fn text(name: &str, lines: &[&str]) -> Result<Summary, ReplayError> {
    let path = folder(name).join("x.jsonl");
    fs::write(&path, lines.join("\n")).unwrap();
    run(&path, "map-page")
}

#[test]
fn bad_lines_are_errors_with_their_place() {
    assert!(text("good", &[HEADER, STEP]).unwrap().is_clean());
    let header = |from: &str, to: &str| HEADER.replace(from, to);
    let step = |from: &str, to: &str| STEP.replace(from, to);
    let cases: Vec<(Vec<String>, usize, &str)> = vec![
        (vec![String::new()], 1, "empty"),
        (vec!["\u{1}".into()], 1, "header"),
        (vec![HEADER.into()], 2, "there is none"),
        (vec![header("\"v\":1", "\"v\":2"), STEP.into()], 1, "version 2"),
        (vec![header("\"seed\":0,", ""), STEP.into()], 1, "seed"),
        (vec![header("\"hardware_domain\":0,", ""), STEP.into()], 1, "hardware_domain"),
        (vec![header("\"vcpus\":1", "\"vcpus\":0"), STEP.into()], 1, "1 to 128 vcpus"),
        (vec![header("\"vcpus\":1", "\"vcpus\":129"), STEP.into()], 1, "1 to 128 vcpus"),
        (vec![header("\"nr_pages\":16", "\"nr_pages\":0"), STEP.into()], 1, "frames"),
        (vec![header("262144", "18446744073709551615"), STEP.into()], 1, "frames"),
        (vec![HEADER.into(), STEP.into(), "{".into()], 3, "EOF"),
        (vec![HEADER.into(), String::new(), STEP.into()], 2, "EOF"),
        (vec![HEADER.into(), step("bind_ipi", "bind_it")], 2, "bind_it"),
        (vec![HEADER.into(), step("\"vcpu\":0", "")], 2, "vcpu"),
        (vec![HEADER.into(), step("\"vcpu\":0", "\"vcpu\":0.5")], 2, "floating point"),
        (vec![HEADER.into(), STEP.into(), step("\"d\":0", "\"d\":5")], 3, "no vcpu 0"),
        (vec![HEADER.into(), STEP.into(), step("\"d\":0", "\"d\":-1")], 3, "without a guest"),
        (
            vec![
                HEADER.into(),
                STEP.into(),
                step("bind_ipi\",\"in\":{\"vcpu\":0}", "g2_mask\",\"in\":{\"port\":4096}"),
            ],
            3,
            "4096",
        ),
        (
            vec![
                HEADER.into(),
                STEP.into(),
                step("bind_ipi\",\"in\":{\"vcpu\":0}", "gf_consume\",\"in\":{\"max\":18446744073709551615}"),
            ],
            3,
            "at most",
        ),
    ];
    for (lines, line, says) in cases {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        match text("bad", &lines) {
            Err(error @ ReplayError::Format { .. }) => {
                let text = error.to_string();
                assert!(text.contains(&format!("x.jsonl:{line}: ")) && text.contains(says), "{says}: {text}");
            }
            other => panic!("{says}: {other:?}"),
        }
    }
}

#[test]
fn domains_that_cannot_be_built_are_errors() {
    let twice = HEADER.replace(
        "\"domains\":[",
        "\"domains\":[{\"id\":0,\"vcpus\":1,\"privileged\":true,\"max_evtchn_port\":1,\"gfn_base\":1,\"nr_pages\":1},",
    );
    assert!(matches!(text("twice", &[&twice, STEP]), Err(ReplayError::Setup { .. })));
    let overlapping = twice.replacen("\"id\":0", "\"id\":1", 1).replace("262144", "1");
    assert!(matches!(text("overlap", &[&overlapping, STEP]), Err(ReplayError::Setup { .. })));
    let reserved = HEADER.replace("\"id\":0", "\"id\":32752");
    assert!(matches!(text("reserved", &[&reserved, STEP]), Err(ReplayError::Setup { .. })));
}

#[test]
fn what_is_not_supported_is_an_error_or_skipped() {
    let header = HEADER.replace("\"features\":[]", "\"features\":[\"time_travel\"]");
    let path = folder("feature").join("x.jsonl");
    fs::write(&path, format!("{header}\n{STEP}\n")).unwrap();
    let refused = replay(std::slice::from_ref(&path), &options("map-page"));
    assert!(matches!(refused, Err(ReplayError::Unsupported { line: 1, .. })), "{refused:?}");
    let skipped = replay(&[path], &Options { skip_unsupported: true, ..options("map-page") }).unwrap();
    assert_eq!((skipped.totals.skipped, skipped.totals.steps, skipped.is_clean()), (1, 0, true));
}

#[test]
fn folders_are_searched_for_vectors_and_nothing_else() {
    let root = folder("tree");
    let nothing = replay(std::slice::from_ref(&root), &options("map-page"));
    assert!(matches!(nothing, Err(ReplayError::NoVectors { .. })), "{nothing:?}");
    fs::create_dir_all(root.join("b/c")).unwrap();
    let vector = format!("{HEADER}\n{STEP}\n");
    for name in ["b/c/2.jsonl", "a.jsonl", "b/1.jsonl"] {
        fs::write(root.join(name), &vector).unwrap();
    }
    fs::write(root.join("mpu.jsonl"), "{\"v\":1,\"what\":\"else\"}\n").unwrap();
    fs::write(root.join("notes.txt"), "not json").unwrap();
    let summary = replay(std::slice::from_ref(&root), &options("map-page")).unwrap();
    let names: Vec<_> =
        summary.files.iter().map(|file| file.path.strip_prefix(&root).unwrap().display().to_string()).collect();
    assert_eq!(names, ["a.jsonl", "b/1.jsonl", "b/c/2.jsonl"]);
    assert_eq!((summary.totals.files, summary.totals.others), (3, 1));
    // Named by itself, such a file is a mistake; and a spoilt header in a folder is not passed over.
    assert!(matches!(
        replay(&[root.join("mpu.jsonl")], &options("map-page")),
        Err(ReplayError::Format { line: 1, .. })
    ));
    fs::write(root.join("spoilt.jsonl"), "{\"v\":1,\"dom").unwrap();
    assert!(matches!(
        replay(std::slice::from_ref(&root), &options("map-page")),
        Err(ReplayError::Format { line: 1, .. })
    ));
    assert!(matches!(replay(&[root.join("gone")], &options("map-page")), Err(ReplayError::Io { .. })));
    assert!(matches!(replay(&[], &options("map-page")), Err(ReplayError::NoPaths)));
}

#[test]
fn bytes_that_are_no_text_are_an_error_at_their_line() {
    let path = folder("bytes").join("x.jsonl");
    fs::write(&path, [HEADER.as_bytes(), b"\n", &[0xff]].concat()).unwrap();
    assert!(matches!(run(&path, "map-page"), Err(ReplayError::Format { line: 2, .. })));
}
