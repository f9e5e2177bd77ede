//! What a send costs under each strategy, as a formula, and the same counted: over systems drawn at random.
//!
//! In slots below 32 and within one bank, with H regions in the hypervisor view, G in the sender's, p pages of the receiver
//! touched (`shared_info`, `vcpu_info`; one if they share it) and k windows:
//!
//! | strategy | PRBAR, PRLAR | PRENR | SCTLR | DSB | ISB | exposes |
//! |---|---|---|---|---|---|---|
//! | `naive`, `pin` | 0 | 0 | 0 | 0 | 0 | nothing; the pinned pages |
//! | `static-map` | 0 | 0 | 0 | 0 | 0 | all domains |
//! | `xen-pool` | 0 | 0 | 0 | 0 | 0 | the pool |
//! | `map-page` | p each | 1 + r | 0 | 1 + p + r | p + r | min(p, k) pages; r = max(0, p - k) |
//! | `switch-view` | H + G each | 2 | 0 | 4 | 3 | all domains |
//! | `hybrid` | p <= k as `map-page`, else k + H + G each | 2 | 0 | k + 4 | k + 3 | all domains |
//! | `enable-mask` | 0 | 2 | 0 | 2 | 1 | all domains |
//! | `ku-window` | 0 and 2 | 2 | 0 | 2 | 1 | the pool |
//! | `background` | 0 | 0 | 2 | 0 | 1 | all domains |

use crate::common::{channel, domain, ping, pong, setup, span, step, thread_2022, world};
use proptest::prelude::*;
use sim_core::guest::steps::{Op, Step};
use sim_core::hyp::strategy::{Builtin, Settings, When};
use sim_core::layout::LayoutParts;
use sim_core::outcome::{Counts, Report};
use sim_core::world::Config;

/// PRBAR, PRLAR, PRENR, SCTLR, DSB, ISB.
type Row = [u64; 6];

struct System {
    parts: LayoutParts,
    /// Regions of the hypervisor view, of the sender's.
    h: u64,
    g: u64,
    /// Pages of the receiver that a send touches.
    p: u64,
}

/// Two domains with some banks each, in one page or two.
fn system(banks: usize, one_page: bool) -> System {
    let mut parts = thread_2022();
    for (position, base) in [0x3000_0000, 0x1000_0000].into_iter().enumerate() {
        // Banks that do not touch, so that none are merged.
        let ram: Vec<_> = (0..banks as u64).map(|bank| span(base + bank * 0x10_0000, 0x8_0000)).collect();
        let id = parts.domains[position].id.0;
        parts.domains[position] = domain(id, &ram, &[position as u32]);
        parts.domains[position].shared_info = Some(base + 0x1_0000);
        parts.domains[position].vcpu_info = vec![base + if one_page { 0x1_0800 } else { 0x1_2000 }];
    }
    System { parts, h: 2 * banks as u64, g: banks as u64, p: if one_page { 1 } else { 2 } }
}

/// The formula of the table above.
fn formula(system: &System, name: &str, k: u64) -> Row {
    let System { h, g, p, .. } = *system;
    let map_page = || {
        let r = p.saturating_sub(k);
        [p, p, 1 + r, 0, 1 + p + r, p + r]
    };
    match name {
        "map-page" => map_page(),
        "hybrid" if p <= k => map_page(),
        "hybrid" => [k + h + g, k + h + g, 2, 0, k + 4, k + 3],
        "switch-view" => [h + g, h + g, 2, 0, 4, 3],
        "enable-mask" => [0, 0, 2, 0, 2, 1],
        "ku-window" => [0, 2, 2, 0, 2, 1],
        "background" => [0, 0, 0, 2, 0, 1],
        _ => [0; 6],
    }
}

/// Bytes of the receiver that EL2 can reach while it works for the sender.
fn exposed(system: &System, name: &str, k: u64) -> u64 {
    const PAGE: u64 = 4096;
    let System { p, .. } = *system;
    let others = system.parts.domains[1].ram.iter().map(sim_core::layout::Span::size).sum::<u64>();
    match name {
        "pin" => p * PAGE,
        "map-page" => p.min(k) * PAGE,
        "hybrid" if p <= k => p * PAGE,
        "switch-view" | "hybrid" | "enable-mask" | "background" | "static-map" => others,
        // shared_info, vcpu_info, control block, event words of the other domain.
        "ku-window" | "xen-pool" => 4 * PAGE,
        _ => 0,
    }
}

/// What each send did; all sends did the same.
fn counted(report: &Report) -> Row {
    let cost = report.traps.iter().find(|(trap, _)| trap.is_send()).unwrap().1;
    let Counts { el2, isb, dsb, .. } = cost.counts;
    [el2.prbar, el2.prlar, el2.prenr, el2.sctlr, dsb, isb].map(|total| {
        assert_eq!(total % cost.calls, 0, "the same for every call");
        total / cost.calls
    })
}

fn strategies() -> impl Strategy<Value = (&'static str, Builtin, u64)> {
    let names = Builtin::NAMES.into_iter().filter(|name| *name != "naive").collect::<Vec<_>>();
    (prop::sample::select(names), 1..=3_usize, any::<bool>()).prop_map(|(name, windows, lazy)| {
        let when = if lazy { When::Lazy } else { When::Entry };
        let strategy = Builtin::from_name(name, Settings { windows, when, ..Settings::default() }).unwrap();
        (name, strategy, windows as u64)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_send_costs_what_its_formula_says(
        (name, strategy, k) in strategies(),
        banks in 1..3_usize,
        one_page in any::<bool>(),
    ) {
        let system = system(banks, one_page);
        let config = Config { channels: vec![channel()], ..Config::default() };
        // Both have handed their pages over, and have been at EL2 since, before the first send.
        let settled = |steps: Vec<Step>| {
            let rest = [step(Op::Compute(5000)), step(Op::Yield)].into_iter().chain(steps.into_iter().skip(setup().len()));
            setup().into_iter().chain(rest).collect()
        };
        let programs = vec![(0, 0, settled(ping(10))), (1, 0, settled(pong(10)))];
        let report = world(system.parts.clone(), strategy.clone(), config, programs).run();
        prop_assert_eq!(report.events.delivered, 20, "{}: {:?}", name, report.outcome);
        prop_assert_eq!(counted(&report), formula(&system, name, k), "{}:{}", name, k);
        prop_assert_eq!(report.regions.exposed, exposed(&system, name, k), "{}:{}", name, k);
    }
}
