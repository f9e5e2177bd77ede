//! Strategies whose work goes wrong on its way to the machine, once or always.
#![allow(clippy::redundant_closure_for_method_calls, reason = "the methods as they are do not take any lifetime")]

use super::via::{Detour, Via};
use mpu_model::MpuReg;
use sim_core::hyp::plan::{Needs, Plan};
use sim_core::hyp::strategy::{Builtin, NoSlot, Reach, Strategy};
use sim_core::hyp::view::Wanted;
use sim_core::layout::{Placement, Position};
use sim_core::outcome::ViewId;
use sim_core::platform::{Platform, SysReg};
use std::cell::RefCell;
use std::rc::Rc;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mishap {
    /// A DSB is lost.
    Dsb,
    /// An ISB is lost.
    Isb,
    /// A write to PRBAR, PRLAR or PRENR is lost.
    Region,
    /// Such a write comes only behind the next barrier.
    LateRegion,
    /// A write to PRSELR is lost, so that the selection stays what it was.
    Selection,
    /// A page that is handed over finds no slot.
    NoSlot,
}

impl Mishap {
    pub(crate) const ALL: [Self; 6] =
        [Self::Dsb, Self::Isb, Self::Region, Self::LateRegion, Self::Selection, Self::NoSlot];
}

/// Which of them, of those that are counted.
#[derive(Debug)]
struct State {
    mishap: Mishap,
    /// The one that goes wrong, from 0; `None`: all.
    which: Option<u64>,
    seen: u64,
    late: Option<(SysReg, u64)>,
}

/// What stands between a strategy and the platform.
#[derive(Clone, Debug)]
pub(crate) struct Meddler(Rc<RefCell<State>>);

impl Meddler {
    /// Lets every one go wrong.
    pub(crate) fn always(mishap: Mishap) -> Self {
        Self(Rc::new(RefCell::new(State { mishap, which: None, seen: 0, late: None })))
    }

    /// Lets the one of that number go wrong.
    pub(crate) fn once(mishap: Mishap, which: u64) -> Self {
        Self(Rc::new(RefCell::new(State { mishap, which: Some(which), seen: 0, late: None })))
    }

    /// How many could have gone wrong.
    pub(crate) fn seen(&self) -> u64 {
        self.0.borrow().seen
    }

    fn hits(&self, kind: Mishap) -> bool {
        let mut state = self.0.borrow_mut();
        if state.mishap != kind {
            return false;
        }
        state.seen += 1;
        state.which.is_none_or(|which| which + 1 == state.seen)
    }

    fn catch_up<P: Platform>(&self, p: &mut P) -> Result<(), P::Fault> {
        let late = self.0.borrow_mut().late.take();
        late.map_or(Ok(()), |(reg, value)| p.write(reg, value))
    }
}

impl<P: Platform> Detour<P> for Meddler {
    fn write(&mut self, p: &mut P, reg: SysReg, value: u64) -> Result<(), P::Fault> {
        let region = !matches!(reg, SysReg::El2(MpuReg::Sctlr | MpuReg::Mair | MpuReg::Mair1 | MpuReg::Mpuir));
        match reg {
            SysReg::El2(MpuReg::Prselr) if self.hits(Mishap::Selection) => Ok(()),
            SysReg::El2(MpuReg::Prselr) => p.write(reg, value),
            SysReg::El2(_) if region && self.hits(Mishap::Region) => Ok(()),
            SysReg::El2(_) if region && self.hits(Mishap::LateRegion) => {
                self.0.borrow_mut().late = Some((reg, value));
                Ok(())
            }
            _ => p.write(reg, value),
        }
    }

    fn isb(&mut self, p: &mut P) -> Result<(), P::Fault> {
        if !self.hits(Mishap::Isb) {
            p.isb()?;
        }
        self.catch_up(p)
    }

    fn dsb(&mut self, p: &mut P) -> Result<(), P::Fault> {
        if !self.hits(Mishap::Dsb) {
            p.dsb()?;
        }
        self.catch_up(p)
    }
}

/// A strategy with somebody who meddles with it.
#[derive(Clone, Debug)]
pub(crate) struct Meddled {
    pub(crate) inner: Builtin,
    pub(crate) meddler: Meddler,
}

impl Meddled {
    fn with<P: Platform, T>(
        &mut self,
        reach: &mut Reach<'_, P>,
        work: impl FnOnce(&mut Builtin, &mut Reach<'_, Via<'_, P, Meddler>>) -> T,
    ) -> T {
        let p = &mut Via { p: reach.p, detour: self.meddler.clone() };
        work(&mut self.inner, &mut Reach { plan: reach.plan, view: reach.view, p })
    }
}

impl Strategy for Meddled {
    fn name(&self) -> &'static str {
        "meddled"
    }
    fn needs(&self) -> Needs {
        self.inner.needs()
    }
    fn placement(&self) -> Option<Placement> {
        self.inner.placement()
    }
    fn planned(&mut self, plan: &Plan) {
        self.inner.planned(plan);
    }
    fn on_boot<P: Platform>(&mut self, reach: &mut Reach<'_, P>) -> Result<(), P::Fault> {
        self.with(reach, |inner, reach| inner.on_boot(reach))
    }
    fn on_entry<P: Platform>(&mut self, reach: &mut Reach<'_, P>) -> Result<(), P::Fault> {
        self.with(reach, |inner, reach| inner.on_entry(reach))
    }
    fn room(&self, plan: &Plan) -> Result<(), NoSlot> {
        self.inner.room(plan)
    }
    fn accept<P: Platform>(
        &mut self,
        reach: &mut Reach<'_, P>,
        wanted: &Wanted,
        domain: Position,
    ) -> Result<Result<(), NoSlot>, P::Fault> {
        if self.meddler.hits(Mishap::NoSlot) {
            return Ok(Err(NoSlot));
        }
        self.with(reach, |inner, reach| inner.accept(reach, wanted, domain))
    }
    fn release(&mut self, wanted: &Wanted) {
        self.inner.release(wanted);
    }
    fn reach<P: Platform>(&mut self, reach: &mut Reach<'_, P>, wanted: &Wanted) -> Result<u64, P::Fault> {
        self.with(reach, |inner, reach| inner.reach(reach, wanted))
    }
    fn on_exit<P: Platform>(&mut self, reach: &mut Reach<'_, P>, next: ViewId) -> Result<(), P::Fault> {
        self.with(reach, |inner, reach| inner.on_exit(reach, next))
    }
}
