#![allow(clippy::unwrap_used, reason = "a test may stop")]

use super::read::from_text;
use super::*;
use std::path::Path;

const GOOD: &str = r#"about = "mine"
[figures]
mpu_write = { cycles = 3, provenance = "measured", source = "bench" }
prenr = { cycles = 5, provenance = "measured", source = "bench" }
mpu_read = { cycles = 3, provenance = "measured", source = "bench" }
isb = { cycles = 10, provenance = "published", source = "a paper" }
dsb = { cycles = 20, provenance = "fitted", source = "a sum", range = [5, 40] }
exception = { cycles = 30, provenance = "assumed", source = "a guess" }
eret = { cycles = 25, provenance = "assumed", source = "a guess" }
el2_access = { cycles = 4, provenance = "assumed", source = "a guess" }
table_scan = { cycles = 9, provenance = "assumed", source = "a guess" }
sysreg_write = { cycles = 3, provenance = "assumed", source = "a guess" }
sysreg_read = { cycles = 3, provenance = "assumed", source = "a guess" }
kick = { cycles = 50, provenance = "assumed", source = "a guess" }
guest_action = { cycles = 2, provenance = "assumed", source = "a guess" }
"#;

fn read(text: &str) -> Result<Profile, String> {
    from_text(Path::new("mine.toml"), text).map_err(|error| format!("{error}; {}", error.help().unwrap_or_default()))
}

#[test]
fn a_file_is_read_and_a_register_s_own_figure_goes_first() {
    let profile = read(GOOD).unwrap();
    let costs = profile.costs();
    assert_eq!((costs.prselr, costs.prbar, costs.prlar, costs.prenr, costs.sctlr), (3, 3, 3, 5, 3));
    assert_eq!((costs.isb, costs.dsb, costs.kick), (10, 20, 50));
    assert_eq!(profile.name(), "mine");
    assert!(profile.leans() && profile.fit().is_none());
    let varied = profile.costs_with(Key::MpuWrite, 100);
    assert_eq!((varied.prbar, varied.prenr), (100, 5));
    let set = profile.with_figure(Key::MpuWrite, 7).costs();
    assert_eq!((set.prbar, set.prenr), (7, 5), "set by hand, it means what it means in the file");
    let each = ["prselr", "prbar", "prlar", "sctlr"]
        .map(|name| format!("{name} = {{ cycles = 3, provenance = \"measured\", source = \"bench\" }}"));
    let profile = read(
        &GOOD.replace("mpu_write = { cycles = 3, provenance = \"measured\", source = \"bench\" }", &each.join("\n")),
    );
    let set = profile.unwrap().with_figure(Key::MpuWrite, 7).costs();
    assert_eq!((set.prbar, set.prenr), (7, 7), "five of their own are set at once");
}

#[test]
fn counts_in_code_and_in_the_file_are_one() {
    assert_eq!(choose("counts").unwrap(), Profile::default());
    assert_eq!(Profile::default().costs(), Costs::COUNTS);
    assert!(!Profile::default().leans());
}

#[test]
fn every_shipped_profile_is_sound() {
    for (name, _) in SHIPPED {
        let profile = choose(name).unwrap();
        assert_eq!(profile.name(), name);
        assert!(profile.figures().iter().all(|figure| !figure.source.is_empty()));
    }
}

#[test]
fn a_fitted_sum_is_kept_whatever_the_share() {
    let profile = choose("r52-s32z").unwrap();
    for share in 0..=100 {
        let chosen = choose(&format!("r52-s32z:barrier-share={share}")).unwrap();
        assert_eq!(Some(&chosen.costs()), profile.with_barrier_share(share).map(|profile| profile.costs()).as_ref());
        let costs = chosen.costs();
        let sum = costs.prbar + costs.prlar + costs.dsb + costs.isb;
        // Each half is rounded by at most a cycle.
        assert!((581..=585).contains(&sum), "{share}: {sum}");
        assert!((562..=604).contains(&sum));
        for figure in chosen.of(Provenance::Fitted) {
            let (low, high) = figure.range.unwrap();
            assert!((low..=high).contains(&figure.cycles), "{figure:?}");
        }
    }
    let none = choose("r52-s32z:barrier-share=0").unwrap().costs();
    assert_eq!((none.dsb, none.isb), (0, 0));
    let all = choose("r52-s32z:barrier-share=100").unwrap().costs();
    assert_eq!((all.prbar, all.prenr), (0, 0));
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let cases = [
        ("isb = {", "isbb = {", "mine.toml:6:1: unknown key `isbb`; did you mean `isb`?"),
        ("isb = { cycles = 10,", "isb = { cycle = 10,", "mine.toml:6:9: unknown key `cycle`; did you mean `cycles`?"),
        ("cycles = 10,", "cycles = -1,", "mine.toml:6:18: -1 is negative"),
        ("cycles = 10,", "cycles = 1.5,", "mine.toml:6:18: wrong type: floating point `1.5`"),
        ("cycles = 10,", "cycles = 1000001,", "mine.toml:6:18: `isb` is 1000001, which is out of range"),
        ("cycles = 10,", "", "mine.toml:6:7: figure `isb` has no `cycles`"),
        ("source = \"a paper\"", "source = \"\"", "mine.toml:6:7: figure `isb` has no `source`"),
        ("\"published\"", "\"guessed\"", "mine.toml:6:35: unknown word `guessed`; known words: counted, measured,"),
        (", range = [5, 40]", "", "mine.toml:7:7: figure `dsb` has no `range`"),
        ("[5, 40]", "[5, 19]", "mine.toml:7:18: `dsb` is 20, outside its range"),
        ("[5, 40]", "[40, 5]", "mine.toml:7:76: the most of `dsb` is 5, which is out of range"),
        ("about = \"mine\"", "", "missing key `about`"),
        ("about = \"mine\"", "about = 5", "mine.toml:1:9: wrong type: integer `5`"),
        ("[figures]", "[figure]", "mine.toml:2:2: unknown key `figure`; did you mean `figures`?"),
    ];
    for (good, bad, want) in cases {
        let text = GOOD.replacen(good, bad, 1);
        assert_ne!(text, GOOD, "{good}");
        let told = read(&text).unwrap_err();
        assert!(told.contains(want), "{bad}: {told}, and not {want}");
    }
}

#[test]
fn all_missing_figures_are_listed() {
    let dropped = |line: &&str| ["mpu_write", "isb", "kick"].iter().any(|key| line.starts_with(key));
    let lines: Vec<&str> = GOOD.lines().filter(|line| !dropped(line)).collect();
    let text = lines.join("\n");
    let told = read(&text).unwrap_err();
    assert!(told.contains("mine.toml:2:1: missing figures: mpu_write, isb, kick"), "{told}");
    assert!(told.contains("prselr, prbar, prlar, prenr and sctlr together do for mpu_write"), "{told}");
}

#[test]
fn a_fit_must_be_possible_and_used() {
    let fit = "[fit]\nwhat = \"a switch\"\nsource = \"x\"\ncycles = 100\nrange = [90, 110]\nmpu_writes = 2\nbarriers = 2\nbarrier_share = 50\n";
    let told = read(&format!("{GOOD}{fit}")).unwrap();
    assert_eq!(told.costs().dsb, 20, "a figure with cycles of its own keeps them");
    let fitted = GOOD.replace(
        "dsb = { cycles = 20, provenance = \"fitted\", source = \"a sum\", range = [5, 40] }",
        "dsb = { provenance = \"fitted\" }",
    );
    assert_eq!(read(&format!("{fitted}{fit}")).unwrap().costs().dsb, 25);
    assert!(read(&fitted).unwrap_err().contains("has no `cycles`"));
    for (good, bad, want) in [
        ("cycles = 100", "cycles = 120", "`cycles` is 120, which is out of range"),
        ("barrier_share = 50", "barrier_share = 101", "`barrier_share` (percent) is 101, which is out of range"),
        ("barriers = 2", "barriers = 0", "`barriers` is 0, which is out of range"),
        ("mpu_writes = 2\n", "", "missing key `mpu_writes`"),
    ] {
        let told = read(&format!("{fitted}{}", fit.replace(good, bad))).unwrap_err();
        assert!(told.contains(want), "{bad}: {told}");
    }
    let unused = read(&format!("{}{fit}", GOOD.replace("\"fitted\"", "\"measured\""))).unwrap_err();
    assert!(unused.contains("no figure is fitted to `[fit]`"), "{unused}");
}

#[test]
fn names_with_and_without_settings() {
    let costs = |text: &str| choose(text).map(|profile| profile.costs()).map_err(|error| error.to_string());
    assert_eq!(costs("counts:dsb=212").map(|costs| (costs.dsb, costs.isb)), Ok((212, 1)));
    assert_eq!(costs("counts:dsb=2,mpu_write=3").map(|costs| (costs.dsb, costs.prenr)), Ok((2, 3)));
    let set = choose("r52-s32z:barrier-share=60,isb=9").unwrap();
    assert_eq!((set.name(), set.fit()), ("r52-s32z:barrier-share=60,isb=9", None));
    for (text, want) in [
        ("cuonts", "there is no profile \"cuonts\"; did you mean `counts`? there are counts, r52-s32z, r82-assumed"),
        ("", "there is no profile \"\""),
        ("counts:barrier-share=60", "it has no sum"),
        ("r52-s32z:isb=9,barrier-share=60", "a part of it is set"),
        ("r52-s32z:barrier-share=101", "expected a percentage from 0 to 100"),
        ("r52-s32z:barrier-share=x", "expected a percentage from 0 to 100"),
        ("counts:dsb=1000001", "expected cycles from 0 to 1000000"),
        ("counts:dbs=1", "expected barrier-share or a figure: mpu_write, prselr,"),
        ("counts:60", "expected NAME=CYCLES"),
        ("no-such.toml", "no-such.toml: cannot be read"),
        ("no-such.toml:isb=2", "no-such.toml: cannot be read"),
    ] {
        let told = costs(text).unwrap_err();
        assert!(told.contains(want), "{text}: {told}");
    }
}
