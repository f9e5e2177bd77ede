//! What no table of spoiled lines shows: repeats, `--set`, files that are none, and whole reports.

use super::{GOOD, check, error, load};
use scenario::Scenario;
use sim_core::guest::steps::{Op, PortRef};
use std::path::Path;
use std::time::{Duration, Instant};

#[test]
fn a_channel_with_both_ends_in_one_domain_wants_the_end_named() {
    let text = GOOD.replace("listener = { domain = 2", "listener = { domain = 1");
    check(&error(&text, &[]), (17, 14), &["both ends", "link.listener or link.binder"], "both ends");
    let scenario = load(&text.replace("send = \"link\"", "send = \"link.listener\""), &[]).unwrap();
    let sent = Op::on(evtchn::op::Op::Send { port: 0 }, PortRef::Number(10));
    assert_eq!(scenario.programs[0].steps[3].op, sent);
}

#[test]
fn repeats_nest_eight_deep_and_no_deeper() {
    let nested = |depth: usize| {
        let steps = format!("{}\"yield\"{}", "{ repeat = { times = 1, steps = [".repeat(depth), "] } }".repeat(depth));
        GOOD.replace("\"setup\"", &steps)
    };
    assert!(load(&nested(8), &[]).is_ok());
    let error = error(&nested(9), &[]);
    assert_eq!(error.position(), Some((16, 5 + 8 * 33)));
    assert!(error.render(false).contains("nested more than 8 deep"), "{}", error.render(false));
    let mixed = |depth: usize| {
        let open = "{ mix = { times = 1, of = [{ steps = [".repeat(depth);
        GOOD.replace("\"setup\"", &format!("{open}\"yield\"{}", "] }] } }".repeat(depth)))
    };
    assert!(load(&mixed(8), &[]).is_ok());
    assert!(self::error(&mixed(9), &[]).render(false).contains("nested more than 8 deep"));
}

#[test]
fn sets_edit_the_file() {
    let with = |sets: &[&str]| load(GOOD, sets).unwrap_or_else(|error| panic!("{}", error.render(false)));
    assert_eq!(with(&["el2_regions=16"]).layout.board().el2_regions, 16);
    assert_eq!(with(&["el2_regions=16", "el2_regions = 17"]).layout.board().el2_regions, 17, "the last one counts");
    assert_eq!(with(&["domain.0.ram.0.size=0x1000_0000"]).layout.domains()[0].ram[0].size(), 0x1000_0000);
    assert_eq!(with(&["name=two words"]).name, "two words");
    assert_eq!(with(&["name=\"quoted\""]).name, "quoted");
    assert!(with(&["placement=pool"]).layout.pool().is_some());
    assert_eq!(with(&["heap={ base = 0x50000000, size = 0x10000000 }"]).layout.heap().size(), 0x1000_0000);
    assert_eq!(
        with(&["sections.shared_memory={base=0x40000000,size=0x1000}"])
            .layout
            .parts()
            .sections
            .shared_memory
            .unwrap()
            .size(),
        0x1000
    );
    assert_eq!(with(&["pool.base=0x7f000000", "pool.size=0x100000"]).layout.parts().pool.unwrap().size(), 0x10_0000);
    let steps = with(&["domain.1.vcpu.0.program=[\"yield\", \"halt\"]"]).steps;
    let last = steps.last().unwrap();
    assert_eq!((last.line, last.column, last.text.as_str()), (1, 35, "\"halt\""));
    assert_eq!(last.set.as_deref(), Some("domain.1.vcpu.0.program=[\"yield\", \"halt\"]"));
}

#[test]
fn a_bad_set_is_shown_as_the_argument_it_is() {
    let cases: &[(&str, (usize, usize), &[&str])] = &[
        ("placement=pol", (1, 11), &["unknown word `pol`", "did you mean `pool`?", "placement=pol"]),
        ("placment=pool", (1, 1), &["unknown key `placment`", "did you mean `placement`?"]),
        ("pes=0", (1, 5), &["pes is 0", "expected 1 to 64"]),
        ("pes=lots", (1, 5), &["\"lots\" is not a number"]),
        ("pes", (1, 1), &["without `=`", "expected key=value"]),
        ("=1", (1, 1), &["empty key"]),
        ("domain..id=1", (1, 8), &["empty key"]),
        ("domain.2.id=1", (1, 8), &["`domain` has no element 2", "2 elements, at positions 0 to 1"]),
        ("domain.first.id=1", (1, 8), &["`domain` is a list", "expected 0 to 1"]),
        ("domain.0.ram.1={}", (1, 14), &["`ram` has no element 1", "1 element, at position 0"]),
        ("pes.x=1", (1, 5), &["`pes` has no `x` in it: it is a plain integer"]),
        ("domain.0.colour=1", (1, 10), &["unknown key `colour`"]),
        ("foo.bar.baz=1", (1, 1), &["unknown key `foo`"]),
        ("pool.base=0x7f000000", (1, 1), &["missing key `size`"]),
        ("heap={ base = 1", (1, 16), &["not TOML"]),
        ("heap.size=0", (1, 11), &["the heap has size 0"]),
        ("domain.1.ram.0.base=0x50000000", (1, 1), &[]),
        ("domain.0.vcpu.0.program.1.send=\"lnik\"", (1, 32), &["unknown port `lnik`"]),
    ];
    for (set, at, words) in cases.iter().filter(|case| !case.2.is_empty()) {
        let error = error(GOOD, &["el1_regions=32", set]);
        check(&error, *at, words, set);
        assert_eq!(error.set(), Some(*set));
        assert!(error.render(false).contains(&format!("--> --set:{}:{}", at.0, at.1)), "{}", error.render(false));
        assert!(error.to_string().starts_with(&format!("--set {set}: ")), "{error}");
    }
    // The range stands in the file, and one of its numbers came from outside.
    let mixed = error(GOOD, &["heap.base=0x50000001"]);
    check(&mixed, (1, 11), &["not a multiple of 64", "heap.base=0x50000001"], "mixed");
}

#[test]
fn places_in_the_file_stay_right_after_a_set() {
    let text = GOOD.replace("pe = 1", "pe = 7");
    let error = error(&text, &["el2_regions=16", "name=\"x\""]);
    assert_eq!((error.position(), error.set()), (Some((27, 6)), None));
    assert!(error.to_string().starts_with("bad.toml:27:6: "), "{error}");
}

#[test]
fn files_that_are_not_scenarios() {
    let cases: &[(&str, (usize, usize), &str)] = &[
        ("", (1, 1), "missing key `heap`"),
        ("# only a comment\n", (1, 1), "missing key `heap`"),
        ("\0\0\0", (1, 1), "NUL byte: this is not a text file"),
        ("name = \"a\0b\"", (1, 10), "NUL byte"),
        ("heap = {", (1, 9), ""),
        ("heap = 1 2", (1, 8), "must be quoted"),
        ("= 1", (1, 1), ""),
        ("ö = 1", (1, 1), ""),
        ("a = 'x\n", (1, 7), ""),
    ];
    for (text, at, word) in cases {
        check(&error(text, &[]), *at, &[word], text);
    }
}

#[test]
fn files_that_cannot_be_read() {
    let dir = std::env::temp_dir().join(format!("mpusim-scenario-errors-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let fails = |path: &Path, words: &str| {
        let error = Scenario::load(path, &[]).unwrap_err();
        assert_eq!(error.position(), None);
        assert!(error.render(false).contains(words), "{}", error.render(false));
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    };
    fails(&dir.join("missing.toml"), "cannot be read: ");
    fails(&dir, "is a directory");
    let latin = dir.join("latin.toml");
    std::fs::write(&latin, b"name = \"x\"\n# caf\xe9\n").unwrap();
    fails(&latin, "not UTF-8: byte 0xe9 in line 2, at offset 16");
    let huge = dir.join("huge.toml");
    std::fs::File::create(&huge).unwrap().set_len(100 << 20).unwrap();
    let start = Instant::now();
    fails(&huge, "larger than 3 MiB");
    assert!(start.elapsed() < Duration::from_secs(1), "the file's size is known without reading it");
    #[cfg(target_os = "linux")]
    fails(Path::new("/dev/zero"), "larger than 3 MiB");
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn the_report_shows_line_caret_and_remedy() {
    insta::assert_snapshot!(error(&GOOD.replace("pe = 1", "pe = 2"), &[]).render(false), @r"
    error: vCPU 0 of dom2 is on PE 2, and the board has 2
      --> bad.toml:27:6
       |
    27 | pe = 2
       |      ^ no such PE
       |
    help: say pes = 3, or move the vCPU
    ");
    insta::assert_snapshot!(error(GOOD, &["placement=pol"]).render(false), @r"
    error: unknown word `pol`
     --> --set:1:11
      |
    1 | placement=pol
      |           ^^^ this word is not known here
      |
    help: did you mean `pool`? Known words: guest-ram, pool, heap
    ");
    insta::assert_snapshot!(error(&GOOD.replace("base = 0x50000000", "base = 0x30000000"), &[]).render(false), @r"
    error: RAM bank 0 of left (0x30000000-0x3fffffff) and the heap (0x30000000-0x4fffffff) overlap
     --> bad.toml:4:8
      |
    4 | heap = { base = 0x30000000, size = 0x20000000 }
      |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ the heap is 0x30000000-0x4fffffff
      |
     ::: bad.toml:9:8
      |
    9 | ram = [{ base = 0x30000000, size = 0x10000000 }]
      |        ---------------------------------------- RAM bank 0 of left is 0x30000000-0x3fffffff
      |
    help: give each its own addresses
    ");
    let coloured = error(GOOD, &["placement=pol"]).render(true);
    assert!(coloured.contains("\u{1b}["), "{coloured}");
}
