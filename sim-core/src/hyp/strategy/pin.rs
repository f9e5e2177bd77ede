//! `pin`: each page that a domain hands over gets a region of its own in every view that does not map it, and keeps it.
//! The shape of upstream Xen, where `map_domain_page_global` would take a region and never give it back.
//!
//! * Regions: the fixed ones, one for each page in guests' RAM that the layout knows to be handed over (P), and the
//!   largest guest's own. A page that nobody announced takes a slot that is left over, or is refused with -ENOMEM.
//! * A hypercall writes nothing. Handing a page over costs PRBAR, PRLAR, DSB, ISB on the PE that takes it; other PEs write
//!   it at their next entry to EL2, or where a hypercall of theirs goes on that had let go of the hypervisor lock. A change
//!   from the view of A to the view of B turns B's pins off and A's on: one PRENR more than without pins, and one more with
//!   slots above 31 for each of those.
//! * Exposes at EL2 the pinned pages of all other domains, all the time.
//! * Fails: refused when P does not fit; -ENOMEM where a page that was not announced finds no slot.

use super::{NoSlot, Reach, Strategy};
use crate::hyp::plan::{Needs, Plan};
use crate::hyp::view::{self, Wanted};
use crate::layout::Span;
use crate::outcome::ViewId;
use crate::platform::Platform;
use alloc::vec::Vec;
use boards::PerPe;
use mpu_model::Region;

/// One page that was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    /// What was handed over, in whole pages.
    span: Span,
    pin: view::Pin,
    /// How many structures live in it.
    uses: u32,
}

/// See the module's text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pin {
    held: Vec<Held>,
    /// Goes up with every change of `held`.
    generation: u64,
    /// The generation each PE has in its registers; `None`: no PE has any yet.
    loaded: Option<PerPe<u64>>,
}

impl Pin {
    /// Brings the PE's registers up to date.
    fn sync<P: Platform>(&mut self, cx: &mut Reach<'_, P>) -> Result<(), P::Fault> {
        let loaded = self.loaded.get_or_insert_with(|| PerPe::new(cx.plan.pes(), |_| 0));
        if core::mem::replace(&mut loaded[cx.p.pe()], self.generation) == self.generation {
            return Ok(());
        }
        let pins: Vec<view::Pin> = self.held.iter().map(|held| held.pin).collect();
        cx.view.set_pins(cx.plan, cx.p, &pins)
    }

    /// The slot planned for the page, or one that is left over.
    fn slot(&self, plan: &Plan, span: Span) -> Option<u8> {
        let planned = plan.pins().iter().position(|pin| pin.is(span));
        let others = plan.pins().len()..;
        let taken = |slot: u8| self.held.iter().any(|held| held.pin.slot == slot);
        let candidates = planned.map_or(others.start..usize::MAX, |at| at..at.saturating_add(1));
        let slots = candidates.map_while(|index| plan.pin_slot(index));
        slots.into_iter().find(|slot| !taken(*slot))
    }

    /// What of a range no other pin maps: a new domain's frame is cleared while its `shared_info` in it is pinned already.
    fn rest(&self, span: Span) -> Span {
        self.held.iter().fold(span, |rest, held| {
            let pinned = Span::new(held.pin.words.base(), held.pin.words.limit());
            let (below, above) = pinned.map_or((Some(rest), None), |pinned| rest.without(&pinned));
            above.or(below).unwrap_or(rest)
        })
    }

    fn hold(&mut self, plan: &Plan, span: Span, domain: usize) -> Result<(), NoSlot> {
        if let Some(held) = self.held.iter_mut().find(|held| held.span == span) {
            held.uses = held.uses.saturating_add(1);
            return Ok(());
        }
        let slot = self.slot(plan, span).ok_or(NoSlot)?;
        let rest = self.rest(span);
        let region = Region::new(rest.base(), rest.limit(), crate::hyp::plan::PRIVATE).map_err(|_| NoSlot)?;
        self.held.push(Held { span, pin: view::Pin { domain, slot, words: region.words() }, uses: 1 });
        self.generation = self.generation.saturating_add(1);
        Ok(())
    }
}

/// The whole pages of what was handed over, cut to the owner's range.
fn page(wanted: &Wanted) -> Span {
    wanted.span.page_rounded().intersection(&wanted.within).unwrap_or(wanted.span)
}

impl Strategy for Pin {
    fn name(&self) -> &'static str {
        "pin"
    }

    fn needs(&self) -> Needs {
        Needs { pins: true, ..Needs::default() }
    }

    /// Pages keep their pins, in the slots that the new plan has for them; those of domains that are gone go with them.
    fn planned(&mut self, plan: &Plan) {
        let before = core::mem::take(&mut self.held);
        let at_home = |held: &Held| {
            let view = plan.view(ViewId::Guest(held.pin.domain));
            view.regions.iter().any(|planned| planned.region.contains(held.span.base()))
        };
        for held in before.into_iter().filter(at_home) {
            // As many as were there fit again: a plan that has less room is refused.
            if self.hold(plan, held.span, held.pin.domain).is_ok()
                && let Some(again) = self.held.last_mut()
            {
                again.uses = held.uses;
            }
        }
        for pin in plan.pins().iter().filter(|pin| pin.from_start) {
            let region = &pin.region.region;
            if let Some(span) = Span::new(region.base(), region.limit())
                && !self.held.iter().any(|held| held.span == span)
            {
                let _ = self.hold(plan, span, pin.domain);
            }
        }
        self.generation = self.generation.saturating_add(1);
    }

    fn on_boot<P: Platform>(&mut self, cx: &mut Reach<'_, P>) -> Result<(), P::Fault> {
        self.sync(cx)
    }

    fn on_entry<P: Platform>(&mut self, cx: &mut Reach<'_, P>) -> Result<(), P::Fault> {
        self.sync(cx)
    }

    fn on_relock<P: Platform>(&mut self, cx: &mut Reach<'_, P>) -> Result<(), P::Fault> {
        self.sync(cx)
    }

    fn room(&self, plan: &Plan) -> Result<(), NoSlot> {
        let planned = |held: &&Held| plan.pins().iter().any(|pin| pin.is(held.span));
        let others = self.held.iter().filter(|held| !planned(held)).count();
        plan.pin_slot(plan.pins().len().saturating_add(others)).map(|_| ()).ok_or(NoSlot)
    }

    fn accept<P: Platform>(
        &mut self,
        cx: &mut Reach<'_, P>,
        wanted: &Wanted,
        domain: usize,
    ) -> Result<Result<(), NoSlot>, P::Fault> {
        if cx.plan.in_every_view(wanted.span.base()) {
            return Ok(Ok(()));
        }
        match self.hold(cx.plan, page(wanted), domain) {
            Ok(()) => self.sync(cx).map(Ok),
            Err(full) => Ok(Err(full)),
        }
    }

    fn release(&mut self, wanted: &Wanted) {
        let span = page(wanted);
        let Some(at) = self.held.iter().position(|held| held.span == span) else {
            return;
        };
        let Some(held) = self.held.get_mut(at) else { return };
        held.uses = held.uses.saturating_sub(1);
        if held.uses == 0 {
            self.held.remove(at);
            self.generation = self.generation.saturating_add(1);
        }
    }

    fn reach<P: Platform>(&mut self, _: &mut Reach<'_, P>, wanted: &Wanted) -> Result<u64, P::Fault> {
        Ok(wanted.span.limit())
    }

    fn on_exit<P: Platform>(&mut self, cx: &mut Reach<'_, P>, next: ViewId) -> Result<(), P::Fault> {
        // What was let go in this entry is not to stand beside another use of its memory.
        self.sync(cx)?;
        cx.leave(next)
    }
}
