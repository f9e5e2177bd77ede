//! What a terminal or a page would obey is shown and never sent, by any command, on any stream, into any file.

use std::path::Path;
use std::process::Command;

/// A title for the terminal, a cleared screen, and whatever else a terminal obeys: C0, DEL, C1, both kinds of bidirectional
/// controls, separators.
const EVIL: &str =
    "a\u{1b}]0;owned\u{7}\u{1b}[2Jb\u{8}\u{b}\u{d}\u{7f}\u{9b}31m\u{85}\u{202e}\u{2066}\u{2028}\u{2029}|<b>&\"z";

/// The same in a string of TOML.
fn toml() -> String {
    EVIL.chars().map(|char| format!("\\U{:08x}", u32::from(char))).collect::<Vec<_>>().concat()
}

/// As raw as TOML and JSON take it: what is above C0 needs no escape there.
const RAW: &str = "r\u{9b}31m\u{85}\u{202e}\u{2066}\u{2028}z";

fn obeyed(char: char) -> bool {
    let code = u32::from(char);
    (code < 0x20 && char != '\n')
        || (0x7f..=0x9f).contains(&code)
        || (0x2028..=0x202e).contains(&code)
        || (0x2066..=0x2069).contains(&code)
}

fn clean(what: &str, bytes: &[u8], styles: bool) {
    let mut text = String::from_utf8(bytes.to_vec()).unwrap_or_else(|_| panic!("{what}: not UTF-8"));
    if styles {
        let parts = text.split("\u{1b}[").enumerate().map(|(at, part)| {
            let style = part
                .split_once('m')
                .filter(|(style, _)| style.chars().all(|char| char == ';' || char.is_ascii_digit()));
            match style {
                _ if at == 0 => part.to_owned(),
                Some((_, rest)) => rest.to_owned(),
                None => format!("\u{1b}[{part}"),
            }
        });
        text = parts.collect();
    }
    if let Some((at, char)) = text.char_indices().find(|(_, char)| obeyed(*char)) {
        let near: String = text.chars().skip(text[..at].chars().count().saturating_sub(40)).take(80).collect();
        panic!("{what}: {char:?} at byte {at}: {near:?}");
    }
}

fn scenario() -> String {
    format!(
        r#"# {RAW}
description = "{0}\nsecond line"
pes = 2
heap = {{ base = 0x50000000, size = 0x10000000 }}
[[domain]]
id = 1
ram = [{{ base = 0x30000000, size = 0x1000000 }}]
[[domain.vcpu]]
pe = 0
program = ["setup", {{ console = "{0}{RAW}" }}, {{ wait = "link" }}, {{ send = "link" }}]
[[domain]]
id = 2
ram = [{{ base = 0x20000000, size = 0x1000000 }}]
[[domain.vcpu]]
pe = 1
program = ["setup", {{ wait = "link" }}, {{ console = "{RAW}" }}, {{ hypercall = {{ nr = 99, args = [1], expect = 0 }} }}]
[[channel]]
name = "link"
listener = {{ domain = 2, port = 10 }}
binder = {{ domain = 1, port = 11 }}
"#,
        toml()
    )
}

#[test]
fn no_command_sends_what_a_terminal_obeys() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    // A file name holds all but a slash; the last part is the scenario's name.
    let file = format!("{EVIL}.toml");
    let (sweep, lines, page) = (format!("{EVIL}.csv"), format!("{EVIL}.jsonl"), format!("{EVIL}.html"));
    let (svg, trace, events) = (format!("{EVIL}.svg"), format!("{EVIL}.json"), format!("{EVIL}-trace.jsonl"));
    put(&file, &scenario());
    put("fits.toml", &scenario().replace("expect = 0", "expect = \"-ENOSYS\""));
    put("wrong.toml", &scenario().replace("pes = 2", &format!("\"{RAW}\" = \"{RAW}\"")));
    put("refused.toml", &format!("name = \"{RAW}\"\n{}", scenario()));
    let profile = format!("name = \"x\"\nabout = \"{}\"\n[figures]\n\"{RAW}\" = 1\n", toml());
    put("profile.toml", &profile);
    let name = serde_json::to_string(EVIL).unwrap();
    let header = format!(
        r#"{{"v":1,"name":{name},"seed":0,"features":[],"hardware_domain":null,"domains":[{{"id":1,"vcpus":1,"privileged":false,"max_evtchn_port":1023,"gfn_base":262144,"nr_pages":16}}]}}"#
    );
    let step = format!(r#"{{"d":1,"v":0,"op":"close","in":{{"port":3}},"rc":0,"out":{{"{RAW}":"{RAW}"}}}}"#);
    let vector = format!("{EVIL}-vector.jsonl");
    put(&vector, &format!("{header}\n{step}\n"));
    put("bad.jsonl", &format!("{header}\n{}\n", step.replace("close", RAW)));
    put("transcript.jsonl", &format!("{step}\n"));
    let set = format!("description={EVIL}");
    let unknown = format!("{EVIL}={EVIL}");
    let vary = format!("description={EVIL},x");
    let file = file.as_str();
    let calls: Vec<Vec<&str>> = vec![
        vec!["run", file],
        vec!["run", file, "--format", "json"],
        vec!["run", file, "--trace", &trace],
        vec!["run", file, "--trace", &events, "-vv"],
        vec!["run", file, "--set", &set],
        vec!["run", file, "--set", &unknown],
        vec!["run", file, "--strategy", EVIL],
        vec!["run", file, "--profile", EVIL],
        vec!["run", file, "--profile", "./profile.toml"],
        vec!["run", file, "--seed", EVIL],
        vec!["run", "wrong.toml"],
        vec!["run", "refused.toml"],
        vec!["run", EVIL],
        vec!["compare", file],
        vec!["compare", file, "--format", "json"],
        vec!["compare", file, "--format", "csv"],
        vec!["compare", file, "--format", "markdown"],
        vec!["view", file, "--svg", &svg],
        vec!["view", file, "--format", "json"],
        vec!["view", file, "--domain", EVIL],
        vec!["explain", file, "--address", "0x20000000"],
        vec!["explain", file, "--address", "0x20000000", "--format", "json"],
        vec!["sweep", file, "--vary", &vary, "--strategies", "pin", "-o", &sweep, "--set", "windows=2"],
        vec!["sweep", file, "--vary", &vary, "--strategies", "pin", "-o", &lines],
        vec!["sweep", file, "--vary", &vary, "--strategies", "pin", "-o", "-"],
        vec!["sweep", file, "--vary", "el2_regions=16,24", "--strategies", "pin", "-o", "regions.csv"],
        vec!["sweep", file, "--vary", EVIL, "-o", "other.csv"],
        vec!["sweep", file, "--vary", "el2_regions=16,24", "-o", EVIL],
        vec!["report", "regions.csv", file, "-o", &page],
        vec!["report", &sweep, "-o", &page],
        vec!["report", EVIL, "-o", &page],
        vec!["parity", file, "--target", "r52"],
        vec!["replay", &vector],
        vec!["replay", &vector, "--format", "json"],
        vec!["replay", "bad.jsonl"],
        vec!["replay", "--xen-transcript", "transcript.jsonl"],
        vec!["replay", EVIL],
        vec!["fuzz", "--strategies", EVIL],
        vec!["fuzz", "--interleave", "--case", EVIL],
        vec!["fuzz", "--replay", EVIL],
        vec![EVIL],
    ];
    let inputs: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    for call in &calls {
        for color in ["never", "always"] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_mpusim"));
            command.current_dir(folder.path()).args(["--color", color]).args(call);
            let done = command.output().unwrap();
            let styles = color == "always";
            clean(&format!("{call:?} on standard output"), &done.stdout, styles);
            clean(&format!("{call:?} on standard error"), &done.stderr, styles);
            assert!(!done.stdout.is_empty() || !done.stderr.is_empty() || call[0] == "sweep", "{call:?} says nothing");
        }
    }
    let mut made = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        if !inputs.contains(&entry.file_name()) {
            clean(&format!("file {:?}", entry.file_name()), &std::fs::read(entry.path()).unwrap(), false);
            made += 1;
        }
    }
    assert!(made >= 6, "{made} files were made");
    let out = |args: &[&str]| {
        let done = Command::new(env!("CARGO_BIN_EXE_mpusim")).current_dir(folder.path()).args(args).output().unwrap();
        String::from_utf8(done.stdout).unwrap()
    };
    assert!(out(&["run", "fits.toml"]).contains("\\u{1b}]0;owned\\u{7}\\u{1b}[2Jb"), "it is shown");
    assert!(Path::new(&folder.path().join(&page)).exists());
    let table = out(&["compare", file, "--format", "markdown"]);
    let bars: Vec<usize> = table.lines().map(|line| line.replace("\\|", "").matches('|').count()).collect();
    assert!(bars.windows(2).all(|pair| pair[0] == pair[1]), "{bars:?}: a name ends a cell");
}
