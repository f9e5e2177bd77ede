//! Transcripts of a running Xen, held against the simulated hypervisor.
//!
//! A few come with the project and are always compared. `MPUSIM_VECTORS=dir` adds all of `dir/xen-4.17` and `dir/xen-4.20`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use conformance::transcript::{Summary, Totals, render, replay};
use sim_core::hyp::strategy::Settings;
use words::Palette;

/// Every strategy that can pass.
const STRATEGIES: [&str; 5] = ["map-page", "map-page:2", "switch-view:entry", "switch-view:lazy", "hybrid"];

fn replayed(folder: &Path, strategy: &str) -> Summary {
    let strategy = scenario::strategy::parse(strategy, Settings::default()).unwrap();
    replay(&[folder.to_owned()], &strategy).unwrap_or_else(|error| panic!("{error}"))
}

fn own() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts")
}

#[test]
fn own_transcripts_differ_only_where_known() {
    for strategy in STRATEGIES {
        let summary = replayed(&own(), strategy);
        let text = render(&summary, Palette::new(false));
        assert!(summary.is_clean(), "{strategy}\n{text}");
        let expected =
            Totals { records: 1335, compared: 1244, equal: 1187, explained: 57, machine: 91, ..Totals::default() };
        assert_eq!(summary.totals, expected, "{strategy}\n{text}");
    }
}

#[test]
fn own_transcripts_stay_small() {
    let folders = fs::read_dir(own()).unwrap().map(|folder| folder.unwrap().path());
    let files = folders.flat_map(|folder| fs::read_dir(folder).unwrap());
    assert!(files.map(|file| file.unwrap().metadata().unwrap().len()).sum::<u64>() <= 150_000);
}

#[test]
fn all_transcripts_differ_only_where_known() {
    let Some(folder) = std::env::var_os("MPUSIM_VECTORS") else {
        return;
    };
    for version in ["xen-4.17", "xen-4.20"] {
        let folder = Path::new(&folder).join(version);
        if !folder.exists() {
            continue;
        }
        let summary = replayed(&folder, "map-page");
        let text = render(&summary, Palette::new(false));
        println!("{text}");
        assert!(summary.is_clean(), "{text}");
        assert_eq!(summary.totals.unreached, 0);
    }
}

/// A copy of one transcript with its lines changed, replayed.
fn edited(name: &str, edit: impl FnOnce(&mut Vec<String>)) -> Summary {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let text = fs::read_to_string(own().join("xen-4.20").join(name)).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    edit(&mut lines);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("mpusim-transcript-{}-{number}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(name), lines.join("\n")).unwrap();
    let summary = replayed(&folder, "map-page");
    fs::remove_dir_all(&folder).unwrap();
    summary
}

/// A copy of one transcript with one line changed, replayed.
fn changed(name: &str, line: usize, from: &str, to: &str) -> Summary {
    edited(name, |lines| {
        let spoilt = lines.get_mut(line - 1).unwrap();
        assert!(spoilt.contains(from), "{spoilt}");
        *spoilt = spoilt.replace(from, to);
    })
}

#[track_caller]
fn reports(summary: &Summary, line: usize, field: &str, expected: &str, got: &str) {
    assert!(!summary.is_clean());
    let [file] = summary.files.as_slice() else { panic!("{summary:?}") };
    let [found] = file.differences.as_slice() else { panic!("{:?}", file.differences) };
    let [difference] = found.differences.as_slice() else { panic!("{found:?}") };
    assert_eq!(found.line, line);
    let told = (difference.field.as_str(), difference.expected.as_str(), difference.got.as_str());
    assert_eq!(told, (field, expected, got));
    let text = render(summary, Palette::new(false));
    assert!(text.contains(&format!(":{line}: different")), "{text}");
    assert!(text.contains(&found.record), "{text}");
}

#[test]
fn a_changed_result_is_reported() {
    let summary = changed("domu-silo.jsonl", 200, r#""rc":-2"#, r#""rc":-22"#);
    reports(&summary, 200, "rc", "-22", "-2");
}

#[test]
fn a_changed_output_is_reported() {
    let summary = changed("domu-silo.jsonl", 199, r#""vcpu":1"#, r#""vcpu":0"#);
    reports(&summary, 199, "out.vcpu", "0", "1");
}

#[test]
fn a_changed_dump_is_reported() {
    let summary = changed("domu-silo.jsonl", 92, r#""evtchn_mask[62]":"0x100000000","#, "");
    reports(&summary, 92, "out.evtchn_mask[62]", "(absent)", "\"0x100000000\"");
}

#[test]
fn a_changed_result_is_reported_where_domains_could_wait_for_each_other() {
    let summary = changed("pair-dummy.jsonl", 50, r#""rc":-22"#, r#""rc":-1"#);
    reports(&summary, 50, "rc", "-1", "-22");
}

#[test]
fn a_domain_waits_for_what_another_printed_too_late() {
    let summary = edited("static-silo.jsonl", |lines| {
        // The send that the dump after it shows.
        let send = lines.remove(77);
        assert!(send.contains("send"), "{send}");
        lines.insert(81, send);
    });
    assert!(summary.is_clean(), "{}", render(&summary, Palette::new(false)));
}
