//! Strategies that get it wrong are told so.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

mod common;

use common::via::{Detour, Via};
use common::{builtin, ping_pong, thread_2022};
use sim_core::hyp::plan::Needs;
use sim_core::hyp::strategy::{Reach, Strategy};
use sim_core::hyp::view::Wanted;
use sim_core::layout::Owner;
use sim_core::outcome::{FaultKind, Outcome, ViewId};
use sim_core::platform::{Platform, SysReg};
use sim_core::world::Config;

/// `map-page` whose barriers can be left out: the platform does not get to see them.
#[derive(Clone, Copy, Debug)]
struct Careless {
    dsb: bool,
    isb: bool,
}

impl<P: Platform> Detour<P> for Careless {
    fn isb(&mut self, p: &mut P) -> Result<(), P::Fault> {
        if self.isb { p.isb() } else { Ok(()) }
    }

    fn dsb(&mut self, p: &mut P) -> Result<(), P::Fault> {
        if self.dsb { p.dsb() } else { Ok(()) }
    }
}

impl Strategy for Careless {
    fn name(&self) -> &'static str {
        "careless"
    }
    fn needs(&self) -> Needs {
        Needs { windows: 1, hypervisor_view: false }
    }
    fn reach<P: Platform>(&mut self, cx: &mut Reach<'_, P>, wanted: &Wanted) -> Result<u64, P::Fault> {
        if let Some(limit) = cx.covered(wanted) {
            return Ok(limit);
        }
        let p = &mut Via { p: cx.p, detour: *self };
        Reach { plan: cx.plan, view: cx.view, p }.open_window(wanted)
    }
}

#[test]
fn a_barrier_left_out_is_a_sync_hazard() {
    for careless in [Careless { dsb: false, isb: true }, Careless { dsb: true, isb: false }] {
        let report = ping_pong(thread_2022(), careless, 5, Config::default());
        let Outcome::Hazard(Some(fault)) = &report.outcome else { panic!("{careless:?}: {:?}", report.outcome) };
        assert!(fault.fault.hazard.is_some());
        assert_eq!(report.hazards.len(), 1);
        assert_eq!(fault.owner, Owner::Ram(1));
    }
    let report = ping_pong(thread_2022(), Careless { dsb: true, isb: true }, 5, Config::default());
    assert_eq!(report.outcome, Outcome::Completed);
}

#[test]
fn isb_alone_is_enough_where_the_rule_says_so() {
    let rules = mpu_model::Rules { sync: mpu_model::SyncRule::ContextSyncOnly, ..mpu_model::Rules::default() };
    let config = Config { rules, ..Config::default() };
    let report = ping_pong(thread_2022(), Careless { dsb: false, isb: true }, 5, config);
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
    let owners: [fn(usize) -> Owner; 3] = [|_| Owner::Text, |_| Owner::Rodata, Owner::Stack];
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
    assert_eq!(fault.recursive.unwrap().syndrome.far, parts.board.uart.span.base());
    assert!(matches!(fault.view, ViewId::Guest(0)));
}
