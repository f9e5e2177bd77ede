//! Boot: from an MPU that is off to the final table, one phase after the other, as Xen's MPU port goes about it
//! (`arm64/mpu/head.S`, `mpu/setup.c`, `mpu/mm.c`; the reshuffle is from the port's patch series of January 2023).
//!
//! 1. *Early*, MPU off: text, rodata, ro-after-init with data, init text, init data with bss, and the UART if boot code
//!    prints early; every other slot is written disabled, since reset values are not to be relied on. Then the MPU is on.
//! 2. *Device tree*: a region of its own. 3. *Heap*, and the pool if placement has one. 4. *Devices*: UART and GIC.
//! 5. *After init*: device tree, init text and init data go; bss stays where it lies apart. The data region gives
//!    ro-after-init up, and only then rodata takes it, so the pair never overlaps.
//! 6. *Reshuffle*: what stays goes to the front, into the slots the plan has for it; what a view changes, to the end.
//!    Holes are closed this way, and a change of view never touches what runs.
//!
//! Guests are unpaused after that and not before ([`super::Hypervisor::unpause_guests`]): a guest's view is written into
//! slots that boot still uses. Other PEs load the final table with their MPU off.
//!
//! The sequence is decided with the plan, on a [`Mappings`] table, and carried out by the slot driver. No step overlaps two
//! regions or uncovers text, rodata or the stack of the PE that takes it. Text, rodata and data have their final slots from
//! the start; what moves is mapped in its old slot up to the one write of PRENR that maps it in the new one.

use super::plan::{DEVICE, PRIVATE, PlannedRegion, RODATA, TEXT};
use crate::layout::{HypDevices, Layout, Span};
use crate::outcome::{BootPhase, PhaseUse};
use alloc::vec::Vec;
use boards::PeId;
use mpu_model::planner::{End, MapError, Mappings, UnmapError, Update};
use mpu_model::{Attrs, Region, RegionWords};

/// Regions that boot maps at most: early ones with the UART, device tree, heap, pool, the other device; and some to spare.
const MAX_REGIONS: usize = 16;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// With the MPU off: these words into the first slots, zeros into all others; then the MPU on.
    Table(Vec<RegionWords>),
    /// What the table of mappings asks for.
    Update(Update),
    /// The idle view's own regions into the slots behind the windows.
    IdleView,
}

/// The steps of one phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase {
    /// Its steps, in order.
    pub steps: Vec<Step>,
    /// Regions it takes.
    pub used: PhaseUse,
}

/// Why boot cannot be planned: a mapping is refused for another reason than the number of regions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Clash {
    /// Mapping, resizing or moving.
    #[error(transparent)]
    Map(#[from] MapError),
    /// Unmapping.
    #[error(transparent)]
    Unmap(#[from] UnmapError),
}

/// Guests are to be unpaused before boot is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("PE {pe} has boot phase {next} before it: guests are unpaused once every PE has its final table")]
pub struct NotBooted {
    /// The first PE that is not done.
    pub pe: PeId,
    /// Its next phase.
    pub next: BootPhase,
}

/// The boot of one system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BootPlan {
    primary: Vec<Phase>,
    secondary: Vec<Phase>,
    clash: Option<(BootPhase, Clash)>,
}

impl BootPlan {
    /// Plans the boot of `layout` into `fixed` in slots 0 and on, and the regions of the idle view in `tail`.
    pub(super) fn new(layout: &Layout, fixed: &[PlannedRegion], tail: &[(u8, RegionWords)]) -> Self {
        let mut draft = Draft {
            layout,
            table: Mappings::new(u8::try_from(MAX_REGIONS).unwrap_or(u8::MAX)),
            phases: Vec::new(),
            clash: None,
        };
        draft.early();
        draft.device_tree();
        draft.heap();
        draft.devices();
        draft.after_init();
        draft.reshuffle(fixed, tail);
        Self { primary: draft.phases, secondary: alloc::vec![secondary(fixed, tail)], clash: draft.clash }
    }

    /// The phases of a PE: all of them on PE 0, which boots first; [`BootPhase::Secondary`] on the others.
    #[must_use]
    pub fn phases(&self, pe: PeId) -> &[Phase] {
        if pe == PeId::PRIMARY { &self.primary } else { &self.secondary }
    }

    /// What each phase of the first PE takes.
    pub fn uses(&self) -> impl Iterator<Item = PhaseUse> + '_ {
        self.primary.iter().map(|phase| phase.used)
    }

    /// The regions boot takes at its fullest, and the first phase that takes so many.
    #[must_use]
    pub fn required(&self) -> (usize, BootPhase) {
        let fuller = |most: (usize, BootPhase), used: PhaseUse| {
            if used.slots > most.0 { (used.slots, used.phase) } else { most }
        };
        self.uses().fold((0, BootPhase::Early), fuller)
    }

    /// Whether every step can be taken.
    pub fn check(&self) -> Result<(), (BootPhase, Clash)> {
        self.clash.map_or(Ok(()), Err)
    }
}

/// What another PE does.
fn secondary(fixed: &[PlannedRegion], tail: &[(u8, RegionWords)]) -> Phase {
    let mut words: Vec<_> = fixed.iter().map(|planned| planned.words).collect();
    for (slot, region) in tail {
        words.resize(words.len().max(usize::from(*slot) + 1), RegionWords::default());
        if let Some(place) = words.get_mut(usize::from(*slot)) {
            *place = *region;
        }
    }
    let enabled = words.iter().filter(|words| words.enabled()).count();
    let used = PhaseUse { phase: BootPhase::Secondary, enabled, peak: enabled, slots: words.len() };
    Phase { steps: alloc::vec![Step::Table(words)], used }
}

/// A boot that is being planned.
struct Draft<'a> {
    layout: &'a Layout,
    table: Mappings<MAX_REGIONS>,
    phases: Vec<Phase>,
    clash: Option<(BootPhase, Clash)>,
}

impl Draft<'_> {
    fn early(&mut self) {
        self.begin(BootPhase::Early);
        let image = &self.layout.parts().image;
        let boot = &image.boot;
        for (slot, (span, attrs)) in
            (0..).zip([(image.text, TEXT), (self.constants(), RODATA), (self.variables(), PRIVATE)])
        {
            let fixed = |draft: &mut Self, region| draft.table.fix(slot, region);
            self.with_region(span, attrs, fixed);
        }
        self.map(boot.init_text, TEXT);
        self.map(self.init_data(), PRIVATE);
        if boot.early_uart {
            self.map(self.layout.board().console.span, DEVICE);
        }
        // Nothing is watched while the MPU is off: the whole table is one step.
        let words = self.table.iter().map(|(_, region, _)| region.words()).collect();
        if let Some(phase) = self.phases.last_mut() {
            phase.steps = alloc::vec![Step::Table(words)];
        }
    }

    fn device_tree(&mut self) {
        self.begin(BootPhase::DeviceTree);
        self.map(self.layout.parts().image.boot.device_tree, RODATA);
    }

    fn heap(&mut self) {
        self.begin(BootPhase::Heap);
        self.map(self.layout.heap(), PRIVATE);
        if let Some(pool) = self.layout.pool() {
            self.map(pool, PRIVATE);
        }
    }

    fn devices(&mut self) {
        self.begin(BootPhase::Devices);
        let board = self.layout.board();
        // The early UART is mapped already: this is a second reference, for the driver.
        self.map(board.console.span, DEVICE);
        self.map(board.gic.span, DEVICE);
    }

    fn after_init(&mut self) {
        self.begin(BootPhase::AfterInit);
        let image = &self.layout.parts().image;
        let boot = &image.boot;
        self.unmap(boot.device_tree);
        if boot.early_uart {
            self.unmap(self.layout.board().console.span);
        }
        if boot.ro_after_init.is_some() {
            self.resize(self.variables(), End::Base(image.data.base()));
            self.resize(self.constants(), End::Limit(image.rodata.limit()));
        }
        self.unmap(boot.init_text);
        match boot.bss {
            Some(bss) => self.resize(self.init_data(), End::Base(bss.base())),
            None => self.unmap(boot.init_data),
        }
    }

    fn reshuffle(&mut self, fixed: &[PlannedRegion], tail: &[(u8, RegionWords)]) {
        self.begin(BootPhase::Reshuffle);
        if let Some(pool) = self.layout.pool() {
            self.unmap(pool);
        }
        // A heap that guests' views cut up is one of the regions that change.
        let heap = self.layout.heap();
        if !fixed.iter().any(|planned| planned.region.base() == heap.base()) {
            self.unmap(heap);
        }
        if self.layout.parts().hyp_devices == HypDevices::Switched {
            self.unmap(self.layout.board().console.span);
            self.unmap(self.layout.board().gic.span);
        }
        for (slot, planned) in (0..).zip(fixed) {
            let moved = self.table.move_to(planned.region.base(), planned.region.limit(), slot);
            self.step(moved);
        }
        let slots = tail.iter().map(|(slot, _)| usize::from(*slot) + 1).max().unwrap_or(0);
        self.note(tail.len(), slots);
        if let Some(phase) = self.phases.last_mut() {
            phase.steps.extend((!tail.is_empty()).then_some(Step::IdleView));
            phase.used.enabled += tail.len();
        }
    }

    /// Rodata while ro-after-init is not part of it.
    fn constants(&self) -> Span {
        let image = &self.layout.parts().image;
        image.boot.ro_after_init.and_then(|tail| image.rodata.without(&tail).0).unwrap_or(image.rodata)
    }

    /// Data while ro-after-init is part of it.
    fn variables(&self) -> Span {
        let image = &self.layout.parts().image;
        let both = image.boot.ro_after_init.and_then(|tail| Span::new(tail.base(), image.data.limit()));
        both.unwrap_or(image.data)
    }

    /// Init data, and bss where it lies apart.
    fn init_data(&self) -> Span {
        let boot = &self.layout.parts().image.boot;
        boot.bss.and_then(|bss| Span::new(boot.init_data.base(), bss.limit())).unwrap_or(boot.init_data)
    }

    fn begin(&mut self, phase: BootPhase) {
        self.phases.push(Phase { steps: Vec::new(), used: PhaseUse { phase, enabled: 0, peak: 0, slots: 0 } });
        self.note(0, 0);
    }

    fn map(&mut self, span: Span, attrs: Attrs) {
        self.with_region(span, attrs, |draft, region| draft.table.map(region));
    }

    /// Regions of a checked layout can be described.
    fn with_region(
        &mut self,
        span: Span,
        attrs: Attrs,
        put: impl FnOnce(&mut Self, Region) -> Result<Update, MapError>,
    ) {
        if let Ok(region) = Region::new(span.base(), span.limit(), attrs) {
            let update = put(self, region);
            self.step(update);
        }
    }

    fn unmap(&mut self, span: Span) {
        let update = self.table.unmap(span.base(), span.limit());
        self.step(update);
    }

    fn resize(&mut self, span: Span, end: End) {
        let update = self.table.resize(span.base(), span.limit(), end);
        self.step(update);
    }

    fn step(&mut self, update: Result<Update, impl Into<Clash>>) {
        match update {
            Ok(Update::Nothing { .. }) => {}
            Ok(update) => {
                if let Some(phase) = self.phases.last_mut() {
                    phase.steps.push(Step::Update(update));
                }
                self.note(0, 0);
            }
            Err(clash) => {
                let phase = self.phases.last().map_or(BootPhase::Early, |phase| phase.used.phase);
                self.clash = self.clash.or(Some((phase, clash.into())));
            }
        }
    }

    /// Books what the phase takes by now; `more` regions up to slot `slots` are on beside those of the table.
    fn note(&mut self, more: usize, slots: usize) {
        let enabled = self.table.used();
        let highest = self.table.iter().map(|(slot, ..)| usize::from(slot) + 1).max().unwrap_or(0);
        if let Some(Phase { used, .. }) = self.phases.last_mut() {
            used.enabled = enabled;
            used.peak = used.peak.max(enabled + more);
            used.slots = used.slots.max(highest).max(slots);
        }
    }
}
