//! Held against runs: what a fault report says of a run, `explain` must say of the same question.
#![allow(clippy::unwrap_used, reason = "a test may stop")]

use super::*;
use crate::judgement::{Other, Way};
use mpu_model::{DenialKind, Slot, Stage};
use proptest::prelude::*;
use scenario::strategy;
use sim_core::layout::Position;
use sim_core::outcome::{FaultKind, HypervisorFault, Outcome};
use sim_core::world::attempt::Through;
use std::path::Path;

fn scenario(name: &str, sets: &[&str]) -> Scenario {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/scenarios").join(name);
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    Scenario::load(&path, &sets).unwrap()
}

fn answer(scenario: &Scenario, strategy: &str, question: Question) -> Answer {
    let name = strategy;
    let strategy = strategy::parse(name, scenario.settings).unwrap();
    let system = System::new(scenario, name, &strategy).unwrap();
    assert_eq!(system.refusal(), None);
    explain(&system, &strategy, question).unwrap()
}

fn at(addr: u64, el: El, kind: AccessKind, view: ViewId) -> Question {
    Question { access: Access { addr, size: 4, kind, el }, view, vcpu: 0 }
}

/// Runs to a hypervisor fault.
fn fault(scenario: &Scenario) -> HypervisorFault {
    let strategy = strategy::parse("naive", scenario.settings).unwrap();
    match scenario.world(strategy, 0).unwrap().run().outcome {
        Outcome::HypervisorFault(fault) => *fault,
        other => panic!("{}: {other:?}", scenario.name),
    }
}

#[test]
fn an_access_to_an_emulated_device_is_carried_out_and_no_other() {
    let scenario = scenario("trap-mix.toml", &["device.0.domains=[1]"]);
    let emulated = |domain, el, kind, addr| {
        let question = Question { access: Access { addr, size: 4, kind, el }, view: ViewId::Guest(domain), vcpu: 0 };
        answer(&scenario, "map-page", question).emulated
    };
    let base = 0x9000_0000;
    assert_eq!(emulated(Position::new(0), El::El1, AccessKind::Read, base), Some(0));
    assert_eq!(emulated(Position::new(0), El::El0, AccessKind::Write, base + 0xffc), Some(0));
    assert_eq!(emulated(Position::new(1), El::El1, AccessKind::Read, base), None);
    assert_eq!(emulated(Position::new(0), El::El2, AccessKind::Read, base), None);
    assert_eq!(emulated(Position::new(0), El::El1, AccessKind::Rmw, base), None);
    assert_eq!(emulated(Position::new(0), El::El1, AccessKind::Fetch, base), None);
    assert_eq!(emulated(Position::new(0), El::El1, AccessKind::Read, base + 0xffd), None);
}

#[test]
fn says_what_the_fault_report_of_a_run_says() {
    let all = [
        ("thread-2022.toml", &[][..]),
        ("idle-view.toml", &[]),
        ("four-ring.toml", &[]),
        ("uart-from-guest-context.toml", &[]),
    ];
    for (name, sets) in all {
        let scenario = scenario(name, sets);
        let fault = fault(&scenario);
        let FaultKind::Access(denial) = fault.fault.kind else {
            panic!("{name}: {:?}", fault.fault.kind);
        };
        let found = answer(&scenario, "naive", Question { access: denial.access, view: fault.view, vcpu: 0 });
        let refusal = found.verdict.unwrap_err();
        assert_eq!((refusal.denial, refusal.syndrome, refusal.to), (denial, fault.fault.syndrome, El::El2), "{name}");
        assert_eq!(found.owner, fault.owner, "{name}");
        assert_eq!(
            found.object.map(|(area, offset)| (area.object, area.domain, offset)),
            fault.object.map(|(area, offset)| (area.object, area.domain, offset)),
            "{name}"
        );
        let slots: Vec<_> =
            found.el2.slots.iter().map(|tried| (tried.slot, tried.words, tried.owners.clone())).collect();
        let in_force: Vec<_> = fault.slots.iter().map(|line| (line.slot, line.words, line.owners.clone())).collect();
        assert_eq!(slots, in_force, "{name}");
        assert_eq!(found.el2.below.map(|near| near.slot), fault.below.map(|line| line.slot), "{name}");
        assert_eq!(found.el2.above.map(|near| near.slot), fault.above.map(|line| line.slot), "{name}");
    }
}

#[test]
fn strategies_it_names_do_let_the_run_through() {
    for name in ["thread-2022.toml", "idle-view.toml", "four-ring.toml", "uart-from-guest-context.toml"] {
        let scenario = scenario(name, &[]);
        let fault = fault(&scenario);
        let access = match fault.fault.kind {
            FaultKind::Access(denial) => denial.access,
            ref other => panic!("{name}: {other:?}"),
        };
        let found = answer(&scenario, "naive", Question { access, view: fault.view, vcpu: 0 });
        let named: Vec<&str> = found
            .changes
            .iter()
            .filter_map(|change| match change {
                Change::Way(Way { other: Other::Strategy(name), .. }) => Some(*name),
                _ => None,
            })
            .collect();
        for always in ["map-page", "switch-view", "hybrid", "enable-mask"] {
            assert!(named.contains(&always), "{name}: {named:?}");
        }
        // Those and no others come to their end.
        for other in Builtin::NAMES.into_iter().filter(|other| *other != "naive") {
            let strategy = strategy::parse(other, scenario.settings).unwrap();
            let placed = scenario.under(&strategy).unwrap();
            let ends = placed.world(strategy, 0).is_ok_and(|world| world.run().outcome == Outcome::Completed);
            assert_eq!(named.contains(&other), ends, "{other} on {name}: {named:?}");
        }
    }
}

#[test]
fn the_strategy_itself_and_other_views() {
    let scenario = scenario("thread-2022.toml", &[]);
    let asked = at(0x2001_0030, El::El2, AccessKind::Rmw, ViewId::Guest(Position::new(0)));
    let found = answer(&scenario, "map-page", asked);
    let window = Through::Window { slot: Slot::new(6), range: (0x2001_0000, 0x2001_0fff) };
    assert_eq!(found.changes.first(), Some(&Change::Reach(window)));
    assert_eq!(found.changes.get(1), Some(&Change::Views(vec![ViewId::Guest(Position::new(1))])));
    let window = found.el2.slots.iter().find(|tried| tried.slot == Slot::new(6)).unwrap();
    assert_eq!((window.how, window.decides), (How::Window, false));

    let found = answer(&scenario, "switch-view", Question { view: ViewId::Hypervisor, ..asked });
    assert!(found.verdict.is_ok());
    assert_eq!(found.changes, [Change::Views(vec![ViewId::Idle, ViewId::Guest(Position::new(0))])]);
}

#[test]
fn rights_that_would_do_are_the_nearest() {
    let scenario = scenario("thread-2022.toml", &[]);
    let rights = |addr, el, kind| {
        let found = answer(&scenario, "naive", at(addr, el, kind, ViewId::Guest(Position::new(0))));
        found.changes.into_iter().find_map(|change| match change {
            Change::Rights { slot, attrs, .. } => Some((slot, attrs.to_string())),
            _ => None,
        })
    };
    let text = |number, text: &str| Some((Slot::new(number), text.to_owned()));
    assert_eq!(rights(0x20_0000, El::El2, AccessKind::Write), text(0, "rw EL2 only, executable"));
    assert_eq!(rights(0x28_0000, El::El1, AccessKind::Read), text(1, "ro EL2, EL1 and EL0, never execute"));
    // WXN is set, so EL2 executes only what it cannot write.
    assert_eq!(rights(0x3000_0000, El::El2, AccessKind::Fetch), text(6, "ro EL2, EL1 and EL0, executable"));
    let found =
        answer(&scenario, "naive", at(0x3000_0000, El::El2, AccessKind::Fetch, ViewId::Guest(Position::new(0))));
    assert!(found.changes.contains(&Change::WxnClear));
}

#[test]
fn stage_1_speaks_first() {
    let region =
        "el1_mpu = [{ base = 0x30000000, size = 0x1000, access = \"ro\", execute = false }]\nvcpu_info = 0x30012000";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/scenarios/thread-2022.toml");
    let text = std::fs::read_to_string(&path).unwrap().replace("vcpu_info = 0x30012000", region);
    let scenario = Scenario::from_text(&path, &text, &[]).unwrap();
    let ask = |addr, el, kind| answer(&scenario, "map-page", at(addr, el, kind, ViewId::Guest(Position::new(0))));

    let found = ask(0x3000_0000, El::El1, AccessKind::Write);
    let refusal = found.verdict.unwrap_err();
    assert_eq!((refusal.stage, refusal.to, refusal.syndrome.ec), (Stage::One, El::El1, 0x25));
    assert_eq!(refusal.denial.kind, DenialKind::Permission { slot: Some(Slot::new(0)), needs: AccessKind::Write });
    assert!(found.stage1.unwrap().slots.iter().all(|tried| tried.decides));
    assert!(found.el2.slots.iter().all(|tried| !tried.decides));
    assert!(found.changes.contains(&Change::StageOneOff));

    // Stage 1 lets EL0 read; nothing of stage 1 matters to EL2.
    assert!(ask(0x3000_0000, El::El0, AccessKind::Read).verdict.is_ok());
    let found = ask(0x3000_0000, El::El2, AccessKind::Write);
    assert!(found.verdict.is_ok() && found.stage1.is_none());

    // Both stages refuse: the first is heard.
    let found = ask(0x2000_0000, El::El0, AccessKind::Read);
    let refusal = found.verdict.unwrap_err();
    assert_eq!((refusal.stage, refusal.syndrome.ec, refusal.to), (Stage::One, 0x24, El::El1));
    assert!(!found.changes.contains(&Change::StageOneOff), "stage 2 would refuse it");
}

/// FreeRTOS-Kernel pull request 81: a task's stack has a region of its own inside the privileged data's.
#[test]
fn two_slots_that_overlap_are_told_apart() {
    let path = Path::new("overlap.toml");
    let text = r#"
board = "fvp-baser"
heap = { base = 0x50000000, size = 0x10000000 }
[[domain]]
id = 1
name = "rtos"
ram = [{ base = 0x30000000, size = 0x1000000 }]
[[domain.vcpu]]
pe = 0
el1_mpu = [
  { base = 0x30000000, size = 0x100000, access = "ro", execute = true },
  { base = 0x30100000, size = 0x100000, access = "rw-el1", execute = false },
  { base = 0x30104000, size = 0x400, access = "rw", execute = false },
]
"#;
    let scenario = Scenario::from_text(path, text, &[]).unwrap();
    let asked = at(0x3010_4100, El::El1, AccessKind::Write, ViewId::Guest(Position::new(0)));
    let found = answer(&scenario, "map-page", asked);
    let to =
        |slot, beside, to| Change::Reshaped { stage: Stage::One, slot: Slot::new(slot), beside: Slot::new(beside), to };
    let expected = [
        to(1, 2, Reshaped::Split(0x3010_3fff, 0x3010_4400)),
        to(1, 2, Reshaped::Ends(0x3010_3fff)),
        to(1, 2, Reshaped::Begins(0x3010_4400)),
        to(1, 2, Reshaped::Off),
        to(2, 1, Reshaped::Off),
        Change::StageOneOff,
    ];
    assert_eq!(found.changes, expected);
    // The kernel's data is EL1's alone: with slot 2 off, EL0 would get nowhere.
    let found = answer(&scenario, "map-page", Question { access: Access { el: El::El0, ..asked.access }, ..asked });
    assert!(!found.changes.contains(&to(2, 1, Reshaped::Off)), "{:?}", found.changes);
    let found =
        answer(&scenario, "map-page", at(0x3010_0000, El::El0, AccessKind::Read, ViewId::Guest(Position::new(0))));
    assert_eq!(found.verdict.unwrap_err().stage, Stage::One);
    assert!(
        answer(&scenario, "map-page", at(0x3010_0000, El::El1, AccessKind::Write, ViewId::Guest(Position::new(0))))
            .succeeds()
    );
}

#[test]
fn a_slot_that_holds_a_pin_is_no_window() {
    let scenario = scenario("thread-2022.toml", &[]);
    let found = answer(&scenario, "pin", at(0x2001_0030, El::El2, AccessKind::Rmw, ViewId::Guest(Position::new(0))));
    let off: Vec<_> = found.el2.slots.iter().filter(|tried| !tried.words.enabled()).collect();
    assert_eq!(off.len(), 2);
    assert!(off.iter().all(|tried| tried.how == How::Off && tried.owners == [Owner::Ram(Position::new(0))]));
}

#[test]
fn where_nothing_answers_no_strategy_is_advised() {
    let scenario = scenario("thread-2022.toml", &["memory={ base = 0x100000, size = 0x7ff00000 }"]);
    let asked = at(0x1000, El::El2, AccessKind::Write, ViewId::Guest(Position::new(0)));
    let found = answer(&scenario, "map-page", asked);
    assert!(!found.answers && found.changes.is_empty());
}

#[test]
fn bytes_across_a_border() {
    let scenario = scenario("thread-2022.toml", &[]);
    let ask = |addr| {
        let question = at(addr, El::El2, AccessKind::Read, ViewId::Idle);
        answer(&scenario, "naive", Question { access: Access { size: 8, ..question.access }, ..question })
    };
    let parts = |found: &Answer| {
        let parts = found.el2.slots.iter().filter(|tried| matches!(tried.how, How::Part(..)));
        parts.map(|tried| (tried.slot.number(), tried.decides)).collect::<Vec<_>>()
    };
    let found = ask(0x27_fffc);
    assert!(found.verdict.is_ok());
    assert_eq!(parts(&found), [(0, true), (1, true)]);
    let found = ask(0x30_7ffc);
    assert_eq!((found.address(), found.owner), (0x30_8000, Owner::Nobody));
    assert_eq!(parts(&found), [(2, false)]);
    assert_eq!(found.el2.below.map(|near| (near.slot, near.distance)), Some((Slot::new(2), 0)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_question_has_an_answer_that_agrees_with_itself(
        addr in prop_oneof![any::<u64>(), 0x1f_ff00..0x31_0000u64, 0x1000_0000..0x7000_0000u64],
        size in prop_oneof![1..64u64, 1..(1u64 << 52)],
        kind in prop_oneof![Just(AccessKind::Read), Just(AccessKind::Write), Just(AccessKind::Fetch), Just(AccessKind::Rmw)],
        el in prop_oneof![Just(El::El0), Just(El::El1), Just(El::El2)],
        domain in (0..4usize).prop_map(Position::new),
    ) {
        let scenario = scenario("four-ring.toml", &[]);
        let question = Question { access: Access { addr, size, kind, el }, view: ViewId::Guest(domain), vcpu: 0 };
        let found = answer(&scenario, "hybrid", question);
        let deciding = found.el2.slots.iter().filter(|tried| tried.decides);
        let held: u64 = deciding.map(|tried| match tried.how {
            How::All => size,
            How::Part(first, last) => last - first + 1,
            How::Window | How::Off | How::Below(_) | How::Above(_) => 0,
        }).sum();
        match found.verdict {
            Ok(_) => prop_assert_eq!(held, size, "what decides holds every byte once"),
            Err(refusal) => {
                let at = found.address();
                prop_assert!(at >= addr);
                let holds = found.el2.slots.iter().any(|tried| tried.words.enabled() && (tried.words.base()..=tried.words.limit()).contains(&at));
                prop_assert_eq!(matches!(refusal.denial.kind, DenialKind::Permission { .. }), holds);
            }
        }
    }
}
