//! The page of a report: what is on it, and what is refused.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

const RING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/scenarios/ring.toml");
const THREAD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/scenarios/thread-2022.toml");

fn mpusim(arguments: &[&str]) -> (i32, String) {
    let Output { status, stdout, stderr } =
        Command::new(env!("CARGO_BIN_EXE_mpusim")).args(arguments).output().unwrap();
    (status.code().unwrap(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

fn sweep(folder: &TempDir, name: &str, arguments: &[&str]) -> PathBuf {
    let path = folder.path().join(name);
    let head = ["sweep", RING, "--quiet", "--set", "ring.rounds=3", "-o", path.to_str().unwrap()];
    assert_eq!(mpusim(&[head.as_slice(), arguments].concat()), (0, String::new()));
    path
}

fn report(files: &[&Path], more: &[&str], folder: &TempDir) -> (i32, String, String) {
    let page = folder.path().join("page.html");
    let files: Vec<&str> = files.iter().map(|path| path.to_str().unwrap()).collect();
    let (code, said) = mpusim(&[&["report"], files.as_slice(), &["-o", page.to_str().unwrap()], more].concat());
    (code, said, fs::read_to_string(page).unwrap_or_default())
}

/// The numbers of a chart's table, row by row, from its title on.
fn table(page: &str, title: &str) -> Vec<Vec<String>> {
    let from = page.find(&format!("<h4>{title}</h4>")).unwrap();
    let body = page[from..].split("<tbody>").nth(1).unwrap().split("</tbody>").next().unwrap();
    let cells = |row: &str| row.split("<td>").skip(1).map(|cell| cell.split("</td>").next().unwrap().into()).collect();
    body.split("<tr>").skip(1).map(cells).collect()
}

#[test]
fn charts_hold_what_the_sweep_found() {
    let folder = TempDir::new().unwrap();
    let arguments = ["--vary", "ring.domains=2..6:2", "--strategies", "naive,map-page,switch-view"];
    for name in ["ring.csv", "ring.jsonl"] {
        let file = sweep(&folder, name, &arguments);
        let (code, said, page) = report(&[&file], &[], &folder);
        assert_eq!(code, 0, "{said}");
        assert!(said.starts_with("4 charts and 0 region maps in "), "{said}");
        let rows = table(&page, "Cost of a send");
        assert_eq!(rows.len(), 3);
        // Two domains: 28 and 25 cycles, as the comparison of such systems has them.
        assert_eq!(rows[0], ["2", "hypervisor-fault", "28", "25"]);
        let regions = table(&page, "EL2 regions needed");
        // Boot takes 9, views 7, 8 and 8 of two domains; of six 12 under switch-view.
        assert_eq!(regions[0][1..], ["9", "9", "9"].map(str::to_owned), "{regions:?}");
        assert_eq!(regions[2][1..], ["9", "9", "12"].map(str::to_owned), "{regions:?}");
        let even = table(&page, "Break-even of map-page against switching the view");
        // Both have seven barriers, so what those cost decides nothing: 28 against 25 cycles for two domains, 28 against 29 for four.
        assert_eq!(even.len(), 21);
        assert!(even.iter().all(|row| row[1] == "4"), "{even:?} {rows:?}");
        assert!(page.contains(&format!("-o {name}</code>")), "the command names the file");
    }
}

#[test]
fn a_page_needs_nothing_else_and_is_the_same_each_time() {
    let folder = TempDir::new().unwrap();
    let file = sweep(&folder, "ring.csv", &["--vary", "ring.domains=2,3", "--strategies", "map-page"]);
    let files = [file.as_path(), Path::new(THREAD)];
    let (_, _, first) = report(&files, &[], &folder);
    let (_, _, second) = report(&files, &[], &folder);
    assert_eq!(first, second);
    for outside in ["href=\"http", "src=", "url(h", "@import", "<script", "<link"] {
        let found = first.matches(outside).count();
        assert_eq!(found, 0, "{outside}");
    }
    let ids: Vec<&str> = first.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    let mut unique = ids.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(ids.len(), unique.len(), "every id is there once");
}

#[test]
fn names_cannot_break_the_page() {
    let folder = TempDir::new().unwrap();
    let more = ["--set", "name=</svg><script>alert(1)</script>", "--strategies", "map-page"];
    let (code, said, page) = report(&[Path::new(THREAD)], &more, &folder);
    assert_eq!(code, 0, "{said}");
    assert!(!page.contains("<script>"));
}

#[test]
fn means_are_compared_as_they_are_and_not_as_they_are_rounded() {
    let folder = TempDir::new().unwrap();
    // Two in a thousand sends write something under pin: it is dearer from the start, not from where that shows in hundredths.
    let (_, _, page) = report(&[Path::new(THREAD)], &["--strategies", "pin,xen-pool"], &folder);
    assert!(page.contains("No two strategies change places between 0 and 10,000 cycles."));
    let (_, _, page) = report(
        &[Path::new(THREAD)],
        &["--strategies", "pin,enable-mask", "--profile", "counts:exception=9000"],
        &folder,
    );
    assert!(page.contains("No two strategies change places"), "what both do decides nothing");
}

#[test]
fn what_cannot_be_drawn_is_refused() {
    let folder = TempDir::new().unwrap();
    let words = sweep(&folder, "words.csv", &["--vary", "board=tiny,fvp-baser", "--strategies", "map-page"]);
    let many = sweep(
        &folder,
        "many.csv",
        &["--vary", "ring.domains=2,3", "--vary", "ring.base=0x10000000..0x10001f40:200", "--strategies", "naive"],
    );
    let cut = folder.path().join("cut.csv");
    let text = fs::read_to_string(&many).unwrap();
    fs::write(&cut, &text[..text.len() - 4]).unwrap();
    let empty = folder.path().join("empty.jsonl");
    fs::write(&empty, "").unwrap();
    let other = folder.path().join("other.csv");
    fs::write(&other, "a,b\n1,2\n").unwrap();
    let wide = folder.path().join("wide.csv");
    fs::write(&wide, format!("{text}1,2,3\n")).unwrap();
    let missing = folder.path().join("missing.csv");
    let cases: [(&Path, &[&str], &str); 12] = [
        (&words, &[], "no number is varied"),
        (&words, &["--x", "board"], "--x board: expected a varied key whose values are numbers; none is"),
        (&words, &["--where", "board"], "--where board: expected KEY=VALUE"),
        (&words, &["--where", "boat=tiny"], "varies board, strategy, seed"),
        (&words, &["--where", "board=tin"], "there are fvp-baser, tiny"),
        (&many, &["--set", "pes=1"], "--set has nothing to act on: no file is a scenario"),
        (Path::new(THREAD), &["--x", "pes"], "--x has nothing to act on: no file is a sweep's"),
        (&cut, &[], "the last row is not whole"),
        (&empty, &[], "empty.jsonl:1: expected the first line of a file of `mpusim sweep`"),
        (&other, &[], "other.csv:1: expected the first line"),
        (&wide, &[], "values, found 3"),
        (&missing, &[], "missing.csv cannot be read"),
    ];
    for (file, more, expected) in cases {
        let (code, said, page) = report(&[file], more, &folder);
        assert_eq!((code, page.as_str()), (2, ""), "{said}");
        assert!(said.contains(expected), "{said} has no {expected:?}");
    }
    let (code, said, _) = report(&[&many], &[], &folder);
    assert_eq!(code, 2);
    assert!(said.contains("sets of charts, more than 24: pick values of ring.base with --where KEY=VALUE"), "{said}");
    let (code, said) = mpusim(&["report", THREAD, "-o", folder.path().to_str().unwrap()]);
    assert!(code == 2 && said.contains("it is a directory"), "{said}");
    let (code, said) = mpusim(&["report", THREAD, "--strategies", "map-page", "-o", "/dev/full"]);
    assert!(code == 2 && said.contains("cannot be written to /dev/full"), "{said}");
    let (code, said) = mpusim(&["report", "notes.txt", "-o", "-"]);
    assert!(code == 2 && said.contains("notes.txt: expected a scenario (.toml) or a file of `mpusim sweep`"), "{said}");
}
