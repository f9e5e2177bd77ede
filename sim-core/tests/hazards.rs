//! Strategies that get it wrong are told so.

use crate::common::meddled::{Meddled, Meddler, Mishap};
use crate::common::{builtin, channel, ping, ping_pong, pong, setup, step, thread_2022, unwatched};
use sim_core::guest::steps::Op;
use sim_core::hyp::plan::Needs;
use sim_core::hyp::strategy::{Builtin, Reach, Settings, Strategy};
use sim_core::hyp::view::Wanted;
use sim_core::layout::{Owner, PeId};
use sim_core::outcome::{FaultKind, HazardKind, HazardReport, Outcome, Report, ViewId};
use sim_core::platform::{Platform, SysReg};
use sim_core::world::Config;

/// A run under a strategy all of whose barriers of that kind get lost.
fn careless(name: &str, lost: Option<Mishap>, config: Config) -> Report {
    let meddler = lost.map_or_else(|| Meddler::once(Mishap::Dsb, u64::MAX - 1), Meddler::always);
    let strategy = Meddled { inner: builtin(name), meddler };
    // The oracle would stop the run before the access that shows the hazard.
    let config = Config { channels: vec![channel()], ..config };
    // The receiver hands its pages over while the sender computes: the next entry of the sender is its first send.
    let mut sender = setup();
    sender.push(step(Op::Compute(1000)));
    sender.extend(ping(5).split_off(sender.len() - 1));
    let mut receiver = pong(5);
    receiver.insert(0, step(Op::Compute(500)));
    unwatched(thread_2022(), strategy, config, vec![(0, 0, sender), (1, 0, receiver)]).run()
}

/// Of the hazards told, those about register writes.
fn unsynchronised(report: &Report) -> usize {
    report.hazards.iter().filter(|hazard| matches!(hazard.kind, HazardKind::Unsynchronised(..))).count()
}

#[test]
fn a_barrier_left_out_is_found_under_every_strategy() {
    for name in Builtin::NAMES.into_iter().filter(|name| *name != "naive") {
        let report = careless(name, Some(Mishap::Dsb), Config::default());
        assert!(unsynchronised(&report) > 0 && matches!(report.outcome, Outcome::Hazard(_)), "{name} without DSB");
        // Views that are loaded at exit alone are synchronised by the ERET, and need no ISB of their own.
        if !matches!(name, "xen-pool" | "static-map") {
            let report = careless(name, Some(Mishap::Isb), Config::default());
            assert!(unsynchronised(&report) > 0 && matches!(report.outcome, Outcome::Hazard(_)), "{name} without ISB");
        }
        assert_eq!(unsynchronised(&careless(name, None, Config::default())), 0, "{name}");
    }
}

#[test]
fn a_hazard_tells_the_write_and_whose_memory_it_was() {
    let report = careless("map-page", Some(Mishap::Dsb), Config::default());
    let Outcome::Hazard(Some(fault)) = &report.outcome else { panic!("{:?}", report.outcome) };
    assert!(fault.fault.hazard.is_some());
    assert!(unsynchronised(&report) > 0);
    assert!(matches!(fault.owner, Owner::Ram(_)), "{:?}", fault.owner);
}

#[test]
fn entry_without_its_barriers_is_a_hazard() {
    for name in ["enable-mask", "ku-window"] {
        let strategy = Builtin::from_name(name, Settings { entry_isb: false, ..Settings::default() }).unwrap();
        let report = ping_pong(thread_2022(), strategy, 5, Config::default());
        assert!(matches!(report.outcome, Outcome::Hazard(Some(_))), "{name}: {:?}", report.outcome);
        assert!(unsynchronised(&report) > 0, "{name}");
    }
}

#[test]
fn memory_touched_through_the_default_map_is_told() {
    let report = ping_pong(thread_2022(), builtin("background"), 5, Config::default());
    assert_eq!((report.outcome, report.events.delivered), (Outcome::Hazard(None), 10));
    let clash = |hazard: &&HazardReport| {
        let HazardKind::Attributes { before, now, .. } = hazard.kind else { return false };
        before.is_none() != now.is_none()
    };
    assert_eq!(report.hazards.iter().filter(clash).count(), report.hazards.len());
}

#[test]
fn isb_alone_is_enough_where_the_rule_says_so() {
    let rules = mpu_model::Rules { sync: mpu_model::SyncRule::ContextSyncOnly, ..mpu_model::Rules::default() };
    let config = Config { rules, ..Config::default() };
    let report = careless("map-page", Some(Mishap::Dsb), config);
    assert_eq!(report.outcome, Outcome::Completed);
}

/// A strategy that turns a slot of the hypervisor's own off at its first entry.
#[derive(Clone, Copy, Debug)]
struct Saws {
    slot: u8,
}

impl Strategy for Saws {
    fn name(&self) -> &'static str {
        "saws-off-the-branch"
    }
    fn needs(&self) -> Needs {
        Needs::default()
    }
    fn on_entry<P: Platform>(&mut self, cx: &mut Reach<'_, P>) -> Result<(), P::Fault> {
        let enabled = cx.p.read(SysReg::El2(mpu_model::MpuReg::Prenr));
        cx.p.write(SysReg::El2(mpu_model::MpuReg::Prenr), enabled & !(1 << self.slot))
    }
    fn reach<P: Platform>(&mut self, _: &mut Reach<'_, P>, wanted: &Wanted) -> Result<u64, P::Fault> {
        Ok(wanted.span.limit())
    }
}

#[test]
fn a_view_without_the_hypervisor_s_own_memory_is_a_dead_machine() {
    let owners: [fn(PeId) -> Owner; 3] = [|_| Owner::Text, |_| Owner::Rodata, Owner::Stack];
    for (slot, owner) in (0..).zip(owners) {
        let report = ping_pong(thread_2022(), Saws { slot }, 5, Config::default());
        let Outcome::HypervisorFault(fault) = &report.outcome else { panic!("{:?}", report.outcome) };
        assert!(matches!(fault.fault.kind, FaultKind::OwnImage(_)));
        assert_eq!(fault.owner, owner(fault.fault.pe));
        assert_eq!(report.console, "", "nothing can be said any more");
    }
}

#[test]
fn devices_outside_the_view_make_the_last_words_a_second_fault() {
    let mut parts = thread_2022();
    parts.hyp_devices = sim_core::layout::HypDevices::Switched;
    let report = ping_pong(parts.clone(), builtin("naive"), 5, Config::default());
    let Outcome::HypervisorFault(fault) = &report.outcome else { panic!("{:?}", report.outcome) };
    assert_eq!(fault.owner, Owner::Ram(1), "the first fault is the one reported");
    assert_eq!(fault.recursive.unwrap().syndrome.far, parts.board.console.span.base());
    assert!(matches!(fault.view, ViewId::Guest(0)));
}
