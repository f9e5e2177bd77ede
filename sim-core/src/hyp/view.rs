//! One PE's view: which regions are enabled now, and the moves between views.
//!
//! Two enabled regions never share a granule, at any step in between: what goes is disabled and synchronised before
//! what comes is written. Every move keeps the fixed regions, so the code that performs it never loses its own memory.

use super::boot::BootStep;
use super::plan::{DEVICE, MAIR, PRIVATE, Plan};
use super::registers::El2;
use crate::layout::{Position, Span};
use crate::outcome::ViewId;
use crate::platform::{Event, Platform, SysReg};
use alloc::vec::Vec;
use mpu_model::{MpuReg, Region, RegionWords, Sctlr, Slot, SlotSet, Slots};

/// Memory the hypervisor is about to touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The bytes.
    pub span: Span,
    /// The range of the owner they belong to; nothing outside is mapped along with them.
    pub within: Span,
    /// Whether it is a device.
    pub device: bool,
}

/// A temporary mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    span: Option<Span>,
    device: bool,
    last_use: u64,
}

/// A page that keeps a slot: on in every view but its domain's own, which maps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    /// Position of the domain it belongs to.
    pub domain: Position,
    /// The slot.
    pub slot: Slot,
    /// The register words.
    pub words: RegionWords,
}

/// What one PE has enabled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeView {
    slots: Slots,
    current: ViewId,
    /// Which plan it follows, counted from boot.
    plan: u64,
    /// Whose view was in force when EL2 was entered.
    home: ViewId,
    windows: Vec<Window>,
    open_windows: usize,
    uses: u64,
    pins: Vec<Pin>,
    /// The heap's region goes over the pages of guests in it.
    wide: bool,
    peak: usize,
    exposed: u64,
}

/// `SCTLR_EL2` at run time: M, C, I, WXN; BR clear, because PMSAv8-64 leaves the default map to the implementation.
#[must_use]
pub fn sctlr() -> u64 {
    Sctlr::ZERO.with_m(true).with_c(true).with_i(true).with_wxn(true).raw_value()
}

impl PeView {
    /// The view of a PE whose MPU is off.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        Self {
            slots: Slots::of(plan.pmsa(), plan.el2_regions()),
            current: ViewId::Idle,
            plan: 0,
            home: ViewId::Idle,
            windows: alloc::vec![Window { span: None, device: false, last_use: 0 }; plan.windows()],
            open_windows: 0,
            uses: 0,
            pins: Vec::new(),
            wide: false,
            peak: 0,
            exposed: 0,
        }
    }

    /// Takes one step of boot.
    pub fn boot<P: Platform>(&mut self, plan: &Plan, p: &mut P, step: &BootStep) -> Result<(), P::Fault> {
        match step {
            BootStep::Table(words) => {
                for slot in Slot::all(self.slots.regions()) {
                    let words = words.get(slot.index()).copied().unwrap_or_default();
                    self.slots.write(&mut El2(p), slot, words)?;
                }
                p.write(SysReg::El2(MpuReg::Mair), MAIR)?;
                p.dsb()?;
                p.isb()?;
                p.write(SysReg::El2(MpuReg::Sctlr), sctlr())?;
                Self::finish(p, false)?;
            }
            BootStep::Update(update) => self.slots.apply(&mut El2(p), *update)?,
            BootStep::IdleView => {
                self.write_tail(plan, ViewId::Idle, p)?;
                Self::finish(p, false)?;
            }
        }
        self.note(plan, p);
        Ok(())
    }

    /// The view in force, windows aside.
    #[must_use]
    pub fn current(&self) -> ViewId {
        self.current
    }

    /// The number of the plan that is followed.
    pub(super) fn plan(&self) -> u64 {
        self.plan
    }

    /// How many windows are open.
    #[must_use]
    pub fn open_windows(&self) -> usize {
        self.open_windows
    }

    /// The slots enabled as of the last write.
    #[must_use]
    pub fn enabled(&self) -> SlotSet {
        self.slots.enabled()
    }

    /// The most slots that were enabled at once.
    #[must_use]
    pub fn peak(&self) -> usize {
        self.peak
    }

    /// The most bytes of other domains that EL2 could reach at once while it worked for a domain.
    #[must_use]
    pub fn exposed(&self) -> u64 {
        self.exposed
    }

    /// Keeps account of what is enabled, and tells it.
    fn note<P: Platform>(&mut self, plan: &Plan, p: &mut P) {
        self.tell(p);
        let enabled = self.slots.enabled();
        self.peak = self.peak.max(enabled.len());
        let ViewId::Guest(home) = self.home else {
            return;
        };
        let windows = self.windows.iter().filter(|window| !window.device).filter_map(|window| window.span);
        let pins = self.pins.iter().filter(|pin| enabled.contains(pin.slot));
        let pins = pins.map(|pin| pin.words.limit().wrapping_sub(pin.words.base()).wrapping_add(1));
        let temporary: u64 = windows.map(|span| span.size()).chain(pins).sum();
        let heap = if self.wide { plan.foreign_pages(home) } else { 0 };
        let standing = plan.foreign_bytes(self.current, home).saturating_add(heap);
        self.exposed = self.exposed.max(standing.saturating_add(temporary));
    }

    fn tell<P: Platform>(&self, p: &mut P) {
        p.event(Event::Regions { view: self.current, enabled: self.slots.enabled().len() });
    }

    /// If the first byte of `wanted` is in an enabled region: the last of its bytes that the same region covers.
    pub fn covered<P: Platform>(&mut self, plan: &Plan, p: &mut P, wanted: &Wanted) -> Option<u64> {
        p.event(Event::TableScan);
        let first = wanted.span.base();
        self.uses += 1;
        for window in &mut self.windows {
            if let Some(span) = window.span.filter(|span| span.contains(first)) {
                window.last_use = self.uses;
                return Some(span.limit().min(wanted.span.limit()));
            }
        }
        let standing = plan.view(self.current).regions.iter().chain(plan.fixed());
        standing
            .map(|planned| &planned.region)
            .find(|region| region.contains(first))
            .map(|region| region.limit().min(wanted.span.limit()))
    }

    /// What a temporary mapping for `wanted` may cover: its pages, cut to the owner's range and to the gap between the
    /// regions enabled now. Call it only when the first byte is not covered.
    fn mappable(&self, plan: &Plan, wanted: &Wanted) -> Span {
        let first = wanted.span.base();
        let pages = wanted.span.page_rounded();
        let mut cut = pages.intersection(&wanted.within).unwrap_or(wanted.span);
        let standing = plan.view(self.current).regions.iter().chain(plan.fixed());
        let spans = standing.filter_map(|planned| Span::new(planned.region.base(), planned.region.limit()));
        for span in spans.chain(self.windows.iter().filter_map(|window| window.span)) {
            let (below, above) = cut.without(&span);
            cut = [below, above].into_iter().flatten().find(|part| part.contains(first)).unwrap_or(cut);
        }
        cut
    }

    /// Maps the pages of `wanted` through a window, the least recently used if none is free. Gives the last byte of
    /// `wanted` that can be reached through it.
    pub fn open_window<P: Platform>(&mut self, plan: &Plan, p: &mut P, wanted: &Wanted) -> Result<u64, P::Fault> {
        let Some(index) = self.pick_window() else {
            return Ok(wanted.span.limit());
        };
        let slot = plan.window_slot(index);
        if self.windows.get(index).is_some_and(|window| window.span.is_some()) {
            // The old limit must not stand beside the new base, nor the old base beside the new limit: off first.
            let mut set = SlotSet::default();
            set.insert(slot);
            self.forget_window(index);
            self.slots.disable(&mut El2(p), &set)?;
            p.dsb()?;
            p.isb()?;
        }
        let span = self.mappable(plan, wanted);
        let attrs = if wanted.device { DEVICE } else { PRIVATE };
        let Ok(region) = Region::new(span.base(), span.limit(), attrs) else {
            return Ok(wanted.span.limit());
        };
        self.slots.write(&mut El2(p), slot, region.words())?;
        p.dsb()?;
        p.isb()?;
        self.uses += 1;
        if let Some(window) = self.windows.get_mut(index) {
            *window = Window { span: Some(span), device: wanted.device, last_use: self.uses };
            self.open_windows += 1;
        }
        self.note(plan, p);
        Ok(span.limit().min(wanted.span.limit()))
    }

    fn pick_window(&self) -> Option<usize> {
        let free = self.windows.iter().position(|window| window.span.is_none());
        let oldest = || self.windows.iter().enumerate().min_by_key(|(_, window)| window.last_use).map(|(at, _)| at);
        free.or_else(oldest)
    }

    fn forget_window(&mut self, index: usize) {
        if let Some(window) = self.windows.get_mut(index)
            && window.span.take().is_some()
        {
            self.open_windows -= 1;
        }
    }

    /// The slots of open windows; forgets them.
    fn take_windows(&mut self, plan: &Plan) -> SlotSet {
        let mut set = SlotSet::default();
        for index in 0..self.windows.len() {
            if self.windows.get(index).is_some_and(|window| window.span.is_some()) {
                set.insert(plan.window_slot(index));
                self.forget_window(index);
            }
        }
        set
    }

    /// Loads another view: windows and the old view's regions off, barrier, the new view's regions on, barrier. Nothing
    /// where the view is in force already and no window is open. The last `ISB` is left out where the caller's ERET
    /// follows (`eret`): an exception return synchronises too.
    pub fn load<P: Platform>(&mut self, plan: &Plan, p: &mut P, next: ViewId, eret: bool) -> Result<(), P::Fault> {
        let windows = self.take_windows(plan);
        if next == self.current {
            if windows.is_empty() {
                return Ok(());
            }
            self.slots.disable(&mut El2(p), &windows)?;
            self.tell(p);
            return Self::finish(p, eret);
        }
        // All that is not fixed goes, whichever plan it came by; but for pins that the new view has too.
        let enabled = self.slots.enabled();
        let pins = self.pins_in(next);
        let mut off = SlotSet::default();
        off.extend(plan.window_slot(0).and_above(self.slots.regions()).filter(|slot| enabled.contains(*slot)));
        let off = off.minus(&pins);
        self.slots.disable(&mut El2(p), &off)?;
        let come = pins.minus(&enabled);
        let nothing_comes = plan.view(next).regions.is_empty() && come.is_empty();
        if !off.is_empty() && !nothing_comes {
            p.dsb()?;
            p.isb()?;
        }
        self.write_tail(plan, next, p)?;
        self.turn_on(&come, p)?;
        self.note(plan, p);
        if off.is_empty() && nothing_comes { Ok(()) } else { Self::finish(p, eret) }
    }

    /// Follows another plan: what stands by the old one goes, in whatever slots, and the same view comes by the new one. Pins
    /// come with whoever keeps them. Views that stay programmed are for the strategy to renew, which knows where they are.
    pub fn follow<P: Platform>(&mut self, plan: &Plan, number: u64, p: &mut P) -> Result<(), P::Fault> {
        if core::mem::replace(&mut self.plan, number) == number || plan.resident() {
            return Ok(());
        }
        self.take_windows(plan);
        self.pins.clear();
        let mut off = SlotSet::default();
        let enabled = self.slots.enabled();
        off.extend(plan.window_slot(0).and_above(self.slots.regions()).filter(|slot| enabled.contains(*slot)));
        if off.is_empty() && plan.view(self.current).regions.is_empty() {
            return Ok(());
        }
        self.slots.disable(&mut El2(p), &off)?;
        if self.wide {
            // Pages of the view that comes lie in the part by which the heap's region was widened.
            self.move_heap(plan, p, false)?;
        }
        p.dsb()?;
        p.isb()?;
        self.write_tail(plan, self.current, p)?;
        self.note(plan, p);
        Self::finish(p, false)
    }

    fn finish<P: Platform>(p: &mut P, eret: bool) -> Result<(), P::Fault> {
        p.dsb()?;
        if eret { Ok(()) } else { p.isb() }
    }

    fn write_tail<P: Platform>(&mut self, plan: &Plan, next: ViewId, p: &mut P) -> Result<(), P::Fault> {
        for (index, planned) in plan.view(next).regions.iter().enumerate() {
            self.slots.write(&mut El2(p), plan.view_slot(next, index), planned.words)?;
        }
        self.current = next;
        Ok(())
    }

    /// Notes that EL2 is being left for `next`: whom it works for from here on.
    pub(super) fn leaves_for(&mut self, next: ViewId) {
        self.home = next;
    }

    /// The slots of pins that are on in `view`.
    fn pins_in(&self, view: ViewId) -> SlotSet {
        let mut set = SlotSet::default();
        set.extend(self.pins.iter().filter(|pin| view != ViewId::Guest(pin.domain)).map(|pin| pin.slot));
        set
    }

    /// Turns slots of pins on.
    fn turn_on<P: Platform>(&mut self, slots: &SlotSet, p: &mut P) -> Result<(), P::Fault> {
        let pins = &self.pins;
        let words = |slot| pins.iter().find(|pin| pin.slot == slot).map(|pin| pin.words).unwrap_or_default();
        self.slots.set_enabled(&mut El2(p), &self.slots.enabled().union(slots), words)
    }

    /// Makes `pins` the pinned pages of this PE: what went or moved is turned off, barrier, what came is written, and turned
    /// on where the view in force does not map it; barrier.
    pub fn set_pins<P: Platform>(&mut self, plan: &Plan, p: &mut P, pins: &[Pin]) -> Result<(), P::Fault> {
        let mut off = SlotSet::default();
        off.extend(self.pins.iter().filter(|pin| !pins.contains(pin)).map(|pin| pin.slot));
        let enabled = self.slots.enabled();
        self.slots.disable(&mut El2(p), &off)?;
        let fresh: Vec<Pin> = pins.iter().filter(|pin| !self.pins.contains(pin)).copied().collect();
        let went = self.slots.enabled() != enabled;
        if went && !fresh.is_empty() {
            p.dsb()?;
            p.isb()?;
        }
        self.pins.clear();
        self.pins.extend_from_slice(pins);
        for pin in &fresh {
            let on = self.current != ViewId::Guest(pin.domain);
            let words = if on { pin.words } else { pin.words.disabled() };
            self.slots.write(&mut El2(p), pin.slot, words)?;
        }
        self.note(plan, p);
        if went || !fresh.is_empty() { Self::finish(p, false) } else { Ok(()) }
    }

    /// Writes a region into a slot that is off and leaves it off.
    pub fn stage<P: Platform>(&mut self, p: &mut P, slot: Slot, words: RegionWords) -> Result<(), P::Fault> {
        self.slots.stage(&mut El2(p), slot, words)
    }

    /// Puts another view in force whose regions stand in `on` already, with one write of PRENR. No barrier.
    pub fn mask<P: Platform>(&mut self, plan: &Plan, p: &mut P, on: &SlotSet, view: ViewId) -> Result<(), P::Fault> {
        self.slots.set_enabled(&mut El2(p), on, |_| RegionWords::default())?;
        self.current = view;
        self.note(plan, p);
        Ok(())
    }

    /// Lends EL2 the default map, or takes it back: `SCTLR_EL2.BR`. No barrier.
    pub fn background<P: Platform>(&mut self, p: &mut P, on: bool) -> Result<(), P::Fault> {
        p.write(SysReg::El2(MpuReg::Sctlr), Sctlr::new_with_raw_value(sctlr()).with_br(on).raw_value())
    }

    /// Moves the end of the heap's region, to the top of the pool or back below it. No barrier.
    pub fn move_heap<P: Platform>(&mut self, plan: &Plan, p: &mut P, wide: bool) -> Result<(), P::Fault> {
        let Some((slot, planned)) = plan.wide_heap() else {
            return Ok(());
        };
        let narrow = plan.fixed().get(slot.index()).map(|narrow| narrow.words);
        let words = if wide { planned.words } else { narrow.unwrap_or(planned.words) };
        self.slots.move_limit(&mut El2(p), slot, words)?;
        self.wide = wide;
        self.note(plan, p);
        Ok(())
    }
}
