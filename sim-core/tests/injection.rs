//! One thing goes wrong, at every place where it can: a barrier is lost, a register write is lost or late, a selection stays
//! stale, a page finds no slot. What comes of it is told as what it is, or does no harm; nothing panics, and no run that says
//! that it completed lost an event or left a guest with more than its own.
#![allow(clippy::unwrap_used, reason = "a test may stop")]

mod common;

use common::meddled::{Meddled, Meddler, Mishap};
use common::{builtin, channel, ping, pong, span, thread_2022, world};
use sim_core::hyp::strategy::Builtin;
use sim_core::layout::LayoutParts;
use sim_core::outcome::{Outcome, Report};
use sim_core::world::Config;
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
