//! One thing goes wrong, at every place where it can: a barrier is lost, a register write is lost or late, a selection stays
//! stale, a page finds no slot, a kick is lost, memory runs out. What comes of it is told as what it is, or does no harm; nothing panics, and no run that says
//! that it completed lost an event or left a guest with more than its own.

use crate::common::meddled::{Meddled, Meddler, Mishap};
use crate::common::{
    PORTS, builtin, channel, domain, expecting, ping, pong, repeat, send, setup, span, step, thread_2022, world,
};
use evtchn::{DomId, Errno};
use sim_core::guest::steps::{Op, PortRef, Step};
use sim_core::hyp::lifecycle::CreateError;
use sim_core::hyp::sched::Scheduler;
use sim_core::hyp::strategy::{Builtin, Strategy};
use sim_core::layout::{Layout, LayoutParts, PeId};
use sim_core::machine::Cpu;
use sim_core::outcome::{Expected, Outcome, Report, WaitsFor};
use sim_core::world::{Config, World};
use std::collections::BTreeMap;

/// Two domains with two banks each: views of several regions.
fn banked() -> LayoutParts {
    let mut parts = thread_2022();
    for (domain, base) in parts.domains.iter_mut().zip([0x3000_0000, 0x1000_0000]) {
        domain.ram = vec![span(base, 0x10_0000), span(base + 0x20_0000, 0x10_0000)];
        domain.shared_info = Some(base + 0x1_0000);
        domain.vcpu_info = vec![base + 0x1_2000];
    }
    parts
}

fn run(parts: &LayoutParts, name: &str, meddler: &Meddler) -> Report {
    let strategy = Meddled { inner: builtin(name), meddler: meddler.clone() };
    let config = Config { channels: vec![channel()], ..Config::default() };
    world(parts.clone(), strategy, config, vec![(0, 0, ping(3)), (1, 0, pong(3))]).run()
}

/// What came of a mishap, in a word.
fn verdict(report: &Report) -> &'static str {
    match &report.outcome {
        Outcome::Completed => "harmless",
        Outcome::Hazard(_) => "hazard",
        Outcome::HypervisorFault(_) => "fault",
        Outcome::ExpectationFailed(_) => "error to the guest",
        Outcome::Deadlock(_) => "deadlock",
        Outcome::IsolationBroken(_) => "isolation",
        Outcome::Limit(_) => "limit",
        Outcome::Refused(_) => "refused",
    }
}

/// Lets each one of a kind go wrong in a run of its own, and counts what came of them.
fn tried(parts: &LayoutParts, name: &str, mishap: Mishap) -> BTreeMap<&'static str, u64> {
    let clean = Meddler::once(mishap, u64::MAX - 1);
    let report = run(parts, name, &clean);
    assert_eq!((report.outcome, report.events.delivered), (Outcome::Completed, 6), "{name} undisturbed");
    let mut verdicts = BTreeMap::new();
    for which in 0..clean.seen() {
        let meddler = Meddler::once(mishap, which);
        let report = run(parts, name, &meddler);
        let verdict = verdict(&report);
        *verdicts.entry(verdict).or_default() += 1;
        if verdict == "harmless" {
            // The isolation oracle looked on.
            assert_eq!(report.events.delivered, 6, "{name}: {mishap:?} {which}");
            assert!(report.hazards.is_empty(), "{name}: {mishap:?} {which}");
        }
    }
    verdicts
}

fn strategies() -> impl Iterator<Item = &'static str> {
    // Not run here: `naive` faults undisturbed, and no board of these tests has a default map for `background`.
    Builtin::NAMES.into_iter().filter(|name| !matches!(*name, "naive" | "background"))
}

#[test]
fn a_lost_barrier_is_told_or_was_not_needed() {
    for (parts, name) in [thread_2022(), banked()].iter().flat_map(|parts| strategies().map(move |name| (parts, name)))
    {
        for mishap in [Mishap::Dsb, Mishap::Isb] {
            let verdicts = tried(parts, name, mishap);
            // The oracle goes by what is in force at the exit: it may be the first to see a write that is not.
            let told = ["harmless", "hazard", "isolation"];
            assert!(verdicts.keys().all(|verdict| told.contains(verdict)), "{name} {mishap:?}: {verdicts:?}");
        }
    }
}

#[test]
fn a_lost_late_or_misdirected_register_write_is_told() {
    let mut all: BTreeMap<&str, u64> = BTreeMap::new();
    for (parts, name) in [thread_2022(), banked()].iter().flat_map(|parts| strategies().map(move |name| (parts, name)))
    {
        for mishap in [Mishap::Region, Mishap::LateRegion, Mishap::Selection] {
            let verdicts = tried(parts, name, mishap);
            let silent = ["refused", "limit"];
            assert!(!verdicts.keys().any(|verdict| silent.contains(verdict)), "{name} {mishap:?}: {verdicts:?}");
            for (verdict, times) in verdicts {
                *all.entry(verdict).or_default() += times;
            }
        }
    }
    assert!(all.contains_key("fault") && all.contains_key("isolation"), "each kind of harm is there: {all:?}");
}

#[test]
fn a_page_without_a_slot_is_an_error_to_its_guest_and_changes_nothing_else() {
    for name in strategies() {
        let verdicts = tried(&thread_2022(), name, Mishap::NoSlot);
        assert!(verdicts.keys().all(|verdict| *verdict == "error to the guest"), "{name}: {verdicts:?}");
        let pages = verdicts.values().sum::<u64>();
        // shared_info and vcpu_info of two domains, where guests hand them over; only vcpu_info elsewhere.
        assert!(matches!(pages, 2 | 4), "{name}: {pages}");
    }
}

#[test]
fn every_kind_is_tried() {
    let tried = |mishap| {
        strategies()
            .map(|name| {
                let meddler = Meddler::once(mishap, u64::MAX - 1);
                run(&banked(), name, &meddler);
                meddler.seen()
            })
            .sum::<u64>()
    };
    for mishap in Mishap::ALL {
        // Views of few regions need no other bank of PRSELR.
        assert!(tried(mishap) > 0 || mishap == Mishap::Selection, "{mishap:?}");
    }
}

/// Runs with the kick of that number lost. Both sides wait for each event as an interrupt.
fn without_kick(name: &str, which: Option<u64>) -> Report {
    let config = Config { channels: vec![channel()], ..Config::default() };
    let mut world = world(thread_2022(), builtin(name), config, vec![(0, 0, ping(3)), (1, 0, pong(3))]);
    if let Some(which) = which {
        world.machine.lose_kick(which);
    }
    world.run()
}

#[test]
fn a_lost_kick_is_told_by_who_waits_or_made_up_for_by_the_next_entry() {
    let mut all: BTreeMap<&str, u64> = BTreeMap::new();
    for name in strategies() {
        let clean = without_kick(name, None);
        assert_eq!((clean.outcome, clean.events.delivered), (Outcome::Completed, 6), "{name} undisturbed");
        assert!(clean.counts.kicks > 0, "{name}: there is something to lose");
        for which in 0..clean.counts.kicks {
            let report = without_kick(name, Some(which));
            match &report.outcome {
                // One could run and does not, since nobody told its PE; the other waits for its answer, or is done.
                Outcome::Deadlock(waiters) => {
                    let turns = waiters.iter().filter(|waiter| waiter.waits_for == WaitsFor::Turn).count();
                    assert_eq!(turns, 1, "{name} {which}: {waiters:?}");
                    assert!(report.events.delivered < 6, "{name} {which}");
                }
                Outcome::Completed => assert_eq!(report.events.delivered, 6, "{name} {which}"),
                other => panic!("{name} {which}: {other:?}"),
            }
            assert!(report.hazards.is_empty(), "{name} {which}");
            *all.entry(verdict(&report)).or_default() += 1;
        }
    }
    assert!(all.contains_key("deadlock"), "{all:?}");
}

/// A guest that hands over all that one can, goes on without what it does not get, and sends.
fn hands_over_all(answers: [Expected; 4]) -> Vec<Step> {
    let asked = [Op::MapSharedInfo, Op::RegisterVcpuInfo, Op::InitControl { at: None }, Op::ExpandArray { at: None }];
    let mut steps: Vec<Step> = asked.into_iter().zip(answers).map(|(op, answer)| expecting(op, answer)).collect();
    steps.push(repeat(3, [send(PortRef::Number(PORTS.1)), Op::Compute(1000)]));
    steps
}

#[test]
fn memory_that_runs_out_at_any_request_is_an_error_to_its_guest_and_the_rest_goes_on() {
    for name in strategies() {
        // Where the layout has placed `shared_info`, it is not handed over.
        let placed = builtin(name).placement().is_some_and(|needed| needed != thread_2022().placement);
        let requests: u64 = if placed { 3 } else { 4 };
        for which in 0..=requests {
            let mut answers = [Expected::Rc(0); 4];
            let at = usize::try_from(which).unwrap() + usize::from(placed);
            if let Some(answer) = answers.get_mut(at) {
                *answer = Expected::Rc(Errno::ENOMEM.rc());
            }
            if at == 2 {
                // Without a control block it is two-level still, and there is no array to expand.
                answers[3] = Expected::Rc(Errno::EOPNOTSUPP.rc());
            }
            let meddler = Meddler::once(Mishap::NoSlot, which);
            let strategy = Meddled { inner: builtin(name), meddler: meddler.clone() };
            // The other guest's requests come later than all of these.
            let mut late = vec![step(Op::Compute(1_000_000))];
            late.extend(setup());
            late.push(step(Op::Wait(PortRef::Number(PORTS.0))));
            let config = Config { channels: vec![channel()], ..Config::default() };
            let programs = vec![(0, 0, late), (1, 0, hands_over_all(answers))];
            let report = world(thread_2022(), strategy, config, programs).run();
            assert!(meddler.seen() > which, "{name}: there is such a request");
            assert!(report.hazards.is_empty(), "{name}: {which}");
            if which < requests {
                assert_eq!(report.outcome, Outcome::Completed, "{name}: request {which} of {requests}");
            } else {
                assert_eq!(verdict(&report), "error to the guest", "{name}: the other guest's");
            }
        }
    }
}

#[test]
fn a_domain_for_which_there_is_no_room_is_refused_whole_at_every_number_of_regions() {
    let mut outcomes: BTreeMap<&str, u64> = BTreeMap::new();
    for (name, regions) in strategies().flat_map(|name| (8..=32).map(move |regions| (name, regions))) {
        let mut parts = thread_2022();
        parts.board.el2_regions = regions;
        let strategy = builtin(name);
        if strategy.placement().is_some() {
            // Such a strategy reaches no RAM at EL2, which clearing a new domain takes.
            continue;
        }
        let Ok(layout) = Layout::new(parts) else { continue };
        let scheduler = Scheduler::RoundRobin { quantum: u64::MAX };
        let config = Config { scheduler, channels: vec![channel()], ..Config::default() };
        let Ok(mut world) = World::new(layout, strategy, config) else {
            *outcomes.entry("refused before it runs").or_default() += 1;
            continue;
        };
        // Three banks apart: a view of three regions.
        let banks = [0x1000_0000, 0x1010_0000, 0x1020_0000].map(|base| span(base, 0x1_0000));
        let before = (world.hyp.vcpus().count(), world.hyp.layout().parts().clone());
        let regions_before: Vec<_> = world.machine.pe(PeId::PRIMARY).el2.enabled().collect();
        let made = world
            .hyp
            .create_domain(&mut Cpu { machine: &mut world.machine, pe: PeId::PRIMARY }, domain(3, &banks, &[0]));
        match made {
            Ok(Ok(_)) => *outcomes.entry("created").or_default() += 1,
            Ok(Err(error)) => {
                assert!(
                    matches!(error, CreateError::Refused(_) | CreateError::Tables(Errno::ENOMEM)),
                    "{name}: {error}"
                );
                let after = (world.hyp.vcpus().count(), world.hyp.layout().parts().clone());
                assert_eq!(before, after, "{name} with {regions} regions: nothing has changed");
                assert_eq!(
                    regions_before,
                    world.machine.pe(PeId::PRIMARY).el2.enabled().collect::<Vec<_>>(),
                    "{name}, {regions}"
                );
                assert!(world.hyp.channels.lookup(DomId(3)).is_none());
                *outcomes.entry("refused").or_default() += 1;
            }
            Err(fault) => panic!("{name} with {regions} regions: {fault:?}, {:?}", world.machine.faults()),
        }
    }
    assert_eq!(outcomes.keys().copied().collect::<Vec<_>>(), ["created", "refused", "refused before it runs"]);
}
