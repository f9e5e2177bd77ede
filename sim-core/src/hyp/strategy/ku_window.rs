//! `ku-window`: shared pages live in the heap, and the heap's region ends below them while guests run. `L4Re`'s way with
//! kernel-user memory.
//!
//! * Stands on placement `heap`. Regions: the fixed ones (the heap among them, narrow), and the largest guest's own, its
//!   pages in the heap among those.
//! * Entry: the guest's pages masked off (PRENR), the heap widened over all shared pages (PRLAR), DSB, ISB. Exit: the heap
//!   narrowed (PRLAR), the guest's pages on (PRENR), DSB, and the ERET synchronises. From the idle view, which has none of
//!   them, the PRENR falls away.
//! * `entry_isb = false` leaves the barriers at entry out, as is done in the field: what EL2 then touches of the shared
//!   pages is a hazard.
//! * Exposes at EL2 the shared pages of all domains, from entry to exit, and no other memory.
//! * Fails with an EL2 data abort at an access to other domains' memory outside the heap.

use super::{Reach, Strategy};
use crate::hyp::plan::Needs;
use crate::hyp::view::Wanted;
use crate::layout::{Owner, Placement};
use crate::outcome::ViewId;
use crate::platform::Platform;
use mpu_model::SlotSet;

/// See the module's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KuWindow {
    /// Whether entry synchronises before EL2 goes on.
    pub entry_isb: bool,
}

/// The slots in which a view has pages of the heap open to its guest.
fn pages<P>(reach: &Reach<'_, P>, view: ViewId) -> SlotSet {
    let mut set = SlotSet::default();
    let regions = reach.plan.view(view).regions.iter().enumerate();
    let pages = regions.filter(|(_, planned)| planned.owners.iter().any(|owner| matches!(owner, Owner::Pool(_))));
    set.extend(pages.map(|(index, _)| reach.plan.view_slot(view, index)));
    set
}

impl Strategy for KuWindow {
    fn name(&self) -> &'static str {
        "ku-window"
    }

    fn needs(&self) -> Needs {
        Needs { narrow_heap: true, ..Needs::default() }
    }

    fn placement(&self) -> Option<Placement> {
        Some(Placement::Heap)
    }

    fn on_entry<P: Platform>(&mut self, reach: &mut Reach<'_, P>) -> Result<(), P::Fault> {
        let view = reach.view.current();
        let on = reach.view.enabled().minus(&pages(reach, view));
        reach.view.mask(reach.plan, reach.p, &on, view)?;
        reach.view.move_heap(reach.plan, reach.p, true)?;
        if self.entry_isb {
            reach.p.dsb()?;
            reach.p.isb()?;
        }
        Ok(())
    }

    fn reach<P: Platform>(&mut self, _: &mut Reach<'_, P>, wanted: &Wanted) -> Result<u64, P::Fault> {
        Ok(wanted.span.limit())
    }

    fn on_exit<P: Platform>(&mut self, reach: &mut Reach<'_, P>, next: ViewId) -> Result<(), P::Fault> {
        reach.view.move_heap(reach.plan, reach.p, false)?;
        if next != reach.view.current() {
            return reach.leave(next);
        }
        let on = reach.view.enabled().union(&pages(reach, next));
        reach.leave_by_mask(&on, next)
    }
}
