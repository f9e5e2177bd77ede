//! `enable-mask`: all views stay programmed, and one write of PRENR changes from one to another. Bao's way.
//!
//! * Regions: slots 0 to 31 only, which PRENR has bits for: the fixed ones, the hypervisor view's (H), and the largest
//!   guest's own (G). Guests' views are programmed when they are first entered and stay in the slots that are left; when
//!   there are none, the view that was left longest ago makes room.
//! * Entry: PRENR, DSB, ISB. Exit to a view that is programmed: PRENR, DSB, and the ERET synchronises. Exit to one that is
//!   not: PRBAR and PRLAR for each of its regions, masked off, before that.
//! * `entry_isb = false` leaves the barriers at entry out, as is done in the field: what EL2 then touches outside the
//!   fixed regions is a hazard.
//! * Exposes at EL2 all memory of all domains, from entry to exit.
//! * Fails: never after planning.

use super::{Reach, Strategy};
use crate::hyp::plan::{Needs, Plan};
use crate::hyp::view::Wanted;
use crate::outcome::ViewId;
use crate::platform::Platform;
use alloc::vec::Vec;
use boards::PerPe;
use mpu_model::SlotSet;

/// A guest's view, or the idle view, as it is programmed on a PE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Programmed {
    view: ViewId,
    slots: SlotSet,
    last_use: u64,
}

/// What is programmed on a PE.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Residents {
    /// The plan that all of it follows; 0: none yet.
    plan: u64,
    /// Fixed regions, always on.
    fixed: SlotSet,
    hypervisor: SlotSet,
    views: Vec<Programmed>,
    uses: u64,
}

/// See the module's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnableMask {
    /// Whether entry synchronises before EL2 goes on.
    pub entry_isb: bool,
    plan: u64,
    /// What is programmed on each PE; `None`: nothing yet.
    residents: Option<PerPe<Residents>>,
}

impl EnableMask {
    /// With nothing programmed.
    #[must_use]
    pub const fn new(entry_isb: bool) -> Self {
        Self { entry_isb, plan: 0, residents: None }
    }

    /// Works with what is programmed on the PE, the hypervisor view there as the plan has it.
    fn with_residents<P: Platform, T>(
        &mut self,
        cx: &mut Reach<'_, P>,
        work: impl FnOnce(&mut Residents, &mut Reach<'_, P>) -> Result<T, P::Fault>,
    ) -> Result<T, P::Fault> {
        let residents = self.residents.get_or_insert_with(|| PerPe::new(cx.plan.pes(), |_| Residents::default()));
        let residents = &mut residents[cx.p.pe()];
        residents.follow(self.plan, cx)?;
        work(residents, cx)
    }
}

impl Residents {
    /// Starts anew after a change of plan: everything but the fixed regions off, the hypervisor view programmed.
    fn follow<P: Platform>(&mut self, plan: u64, cx: &mut Reach<'_, P>) -> Result<(), P::Fault> {
        if core::mem::replace(&mut self.plan, plan) == plan {
            return Ok(());
        }
        self.views.clear();
        self.fixed = SlotSet::default();
        self.fixed.extend((0..).zip(cx.plan.fixed()).map(|(slot, _)| slot));
        if cx.view.enabled() != self.fixed {
            cx.view.mask(cx.plan, cx.p, &self.fixed, ViewId::Idle)?;
            cx.p.dsb()?;
            cx.p.isb()?;
        }
        self.hypervisor = SlotSet::default();
        for (index, planned) in cx.plan.view(ViewId::Hypervisor).regions.iter().enumerate() {
            let slot = cx.plan.view_slot(ViewId::Hypervisor, index);
            cx.view.stage(cx.p, slot, planned.words)?;
            self.hypervisor.insert(slot);
        }
        Ok(())
    }

    /// The slots of `view`, which is programmed if it was not.
    fn slots<P: Platform>(&mut self, cx: &mut Reach<'_, P>, view: ViewId) -> Result<SlotSet, P::Fault> {
        self.uses = self.uses.saturating_add(1);
        let last_use = self.uses;
        if let Some(found) = self.views.iter_mut().find(|programmed| programmed.view == view) {
            found.last_use = last_use;
            return Ok(found.slots);
        }
        let wanted = cx.plan.view(view).regions.len();
        let mut free = self.free(cx.plan);
        while free.len() < wanted {
            // A plan is refused if the largest view does not fit alone.
            let Some(oldest) = (0..self.views.len()).min_by_key(|at| self.views.get(*at).map(|view| view.last_use))
            else {
                break;
            };
            free = free.union(&self.views.swap_remove(oldest).slots);
        }
        let mut slots = SlotSet::default();
        for (slot, planned) in free.iter().zip(&cx.plan.view(view).regions) {
            cx.view.stage(cx.p, slot, planned.words)?;
            slots.insert(slot);
        }
        self.views.push(Programmed { view, slots, last_use });
        Ok(slots)
    }

    /// Slots in which nothing is programmed.
    fn free(&self, plan: &Plan) -> SlotSet {
        let mut all = SlotSet::default();
        all.extend(0..plan.available());
        let taken = self.fixed.union(&self.hypervisor);
        self.views.iter().fold(all.minus(&taken), |free, view| free.minus(&view.slots))
    }
}

impl Strategy for EnableMask {
    fn name(&self) -> &'static str {
        "enable-mask"
    }

    fn needs(&self) -> Needs {
        Needs { hypervisor_view: true, resident: true, ..Needs::default() }
    }

    fn planned(&mut self, _: &Plan) {
        self.plan = self.plan.saturating_add(1);
    }

    fn on_boot<P: Platform>(&mut self, cx: &mut Reach<'_, P>) -> Result<(), P::Fault> {
        let on =
            self.with_residents(cx, |residents, cx| Ok(residents.slots(cx, ViewId::Idle)?.union(&residents.fixed)))?;
        cx.view.mask(cx.plan, cx.p, &on, ViewId::Idle)?;
        cx.p.dsb()?;
        cx.p.isb()
    }

    fn on_entry<P: Platform>(&mut self, cx: &mut Reach<'_, P>) -> Result<(), P::Fault> {
        let on = self.with_residents(cx, |residents, _| Ok(residents.fixed.union(&residents.hypervisor)))?;
        cx.view.mask(cx.plan, cx.p, &on, ViewId::Hypervisor)?;
        if self.entry_isb {
            cx.p.dsb()?;
            cx.p.isb()?;
        }
        Ok(())
    }

    fn reach<P: Platform>(&mut self, _: &mut Reach<'_, P>, wanted: &Wanted) -> Result<u64, P::Fault> {
        Ok(wanted.span.limit())
    }

    fn on_exit<P: Platform>(&mut self, cx: &mut Reach<'_, P>, next: ViewId) -> Result<(), P::Fault> {
        let on = self.with_residents(cx, |residents, cx| Ok(residents.slots(cx, next)?.union(&residents.fixed)))?;
        cx.leave_by_mask(&on, next)
    }
}
