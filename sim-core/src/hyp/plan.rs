//! The region plan: what every view holds, in which slots, and whether it fits.
//!
//! Slots, from 0: the fixed regions, then the strategy's windows, then what it *keeps* in every view (pins, or the hypervisor
//! view programmed and masked off), then the *tail*, which a change of view rewrites. Fixed regions come first so that a
//! change of view never touches what runs; this is the order that Xen's MPU drafts arrived at too (regions that stay at
//! the front, regions that change at the end).

use super::boot::BootPlan;
use crate::layout::{HypDevices, Layout, Owner, PAGE_SIZE, Placement, Span};
use crate::outcome::{Refused, Shortage, ViewBudget, ViewId};
use alloc::vec::Vec;
use mpu_model::{Ap, Attrs, DefaultMap, Region, RegionWords, Shareability, Xn};

/// `MAIR_EL2` index the hypervisor uses for Normal write-back memory.
pub const ATTR_NORMAL: u8 = 0;
/// `MAIR_EL2` index the hypervisor uses for Device-nGnRE memory.
pub const ATTR_DEVICE: u8 = 1;

/// `MAIR_EL2`: Normal, inner and outer write-back; Device-nGnRE.
pub const MAIR: u64 = 0xff << (8 * ATTR_NORMAL) | 0x04 << (8 * ATTR_DEVICE);

const fn attrs(ap: Ap, xn: Xn, attr_index: u8) -> Attrs {
    Attrs { ap, xn, sh: Shareability::Inner, attr_index, ns: false }
}

/// Hypervisor code: EL2 only, read-only, executable.
pub const TEXT: Attrs = attrs(Ap::RoPrivileged, Xn::Exec, ATTR_NORMAL);
/// Hypervisor constants: EL2 only, read-only.
pub const RODATA: Attrs = attrs(Ap::RoPrivileged, Xn::Never, ATTR_NORMAL);
/// Hypervisor data, windows and other domains' memory at EL2: EL2 only, never executable.
pub const PRIVATE: Attrs = attrs(Ap::RwPrivileged, Xn::Never, ATTR_NORMAL);
/// Device frames at EL2.
pub const DEVICE: Attrs = attrs(Ap::RwPrivileged, Xn::Never, ATTR_DEVICE);
/// A guest's RAM in its own view. EL2 cannot execute it all the same: `SCTLR_EL2.WXN` is set.
pub const GUEST_RAM: Attrs = attrs(Ap::RwAll, Xn::Exec, ATTR_NORMAL);
/// Shared memory and a guest's own pool pages in its own view.
pub const GUEST_DATA: Attrs = attrs(Ap::RwAll, Xn::Never, ATTR_NORMAL);

/// What a guest can only read.
pub const GUEST_RODATA: Attrs = attrs(Ap::RoAll, Xn::Never, ATTR_NORMAL);

/// One region of a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedRegion {
    /// The region.
    pub region: Region,
    /// Its register words, so that a change of view copies words.
    pub words: RegionWords,
    /// Whose memory it covers; several where neighbours of equal rights were merged.
    pub owners: Vec<Owner>,
}

/// The tail of one view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Which.
    pub id: ViewId,
    /// Its regions in address order.
    pub regions: Vec<PlannedRegion>,
    /// How many bytes of guests EL2 can touch in the view.
    pub guest_bytes: u64,
}

impl View {
    fn new(id: ViewId, regions: Vec<PlannedRegion>, layout: &Layout) -> Self {
        let owned = layout.owners().iter().filter(|(_, owner)| of_guests(*owner));
        // A region is made of whole owned ranges, so a range is in it or not; regions are in address order.
        let holds = |address: u64| {
            let behind = regions.partition_point(|planned| planned.region.base() <= address);
            let before = behind.checked_sub(1).and_then(|at| regions.get(at));
            before.is_some_and(|planned| planned.region.contains(address))
        };
        let reached = owned.filter(|(span, _)| holds(span.base()));
        let guest_bytes = reached.map(|(span, _)| span.size()).sum();
        Self { id, regions, guest_bytes }
    }
}

/// Whether guests have something there.
const fn of_guests(owner: Owner) -> bool {
    matches!(owner, Owner::Ram(_) | Owner::Granted(_) | Owner::ReadOnly(_) | Owner::Shared(_) | Owner::Pool(Some(_)))
}

/// Bytes that some owners have: all of them, and those that each domain may touch.
fn bytes(layout: &Layout, which: impl Fn(Owner) -> bool) -> (u64, Vec<u64>) {
    let mut all = (0u64, alloc::vec![0u64; layout.domains().len()]);
    for (span, owner) in layout.owners().iter().filter(|(_, owner)| which(*owner)) {
        all.0 = all.0.saturating_add(span.size());
        for (position, bytes) in all.1.iter_mut().enumerate() {
            if open_to(layout, position, *owner).is_some() {
                *bytes = bytes.saturating_add(span.size());
            }
        }
    }
    all
}

/// What a strategy needs beside the views of guests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a need of its own, and any of them go together")]
pub struct Needs {
    /// Slots for temporary mappings.
    pub windows: usize,
    /// Whether it loads the hypervisor view.
    pub hypervisor_view: bool,
    /// A slot for each page in guests' RAM that the layout knows to be handed over, kept in every view.
    pub pins: bool,
    /// Views stay programmed and are masked by PRENR: only slots 0 to 31 are used, and the hypervisor view has its own.
    pub resident: bool,
    /// The heap's region ends below the pool while guests run, and is widened over it at EL2.
    pub narrow_heap: bool,
    /// The default map of EL2 is used, so the board has to have a known one.
    pub default_map: bool,
}

/// Slots that PRENR has bits for.
const MASKED_SLOTS: u8 = 32;

/// A page that a domain hands over, known before it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedPin {
    /// Position of the domain.
    pub domain: usize,
    /// The page, cut to its owner's range.
    pub region: PlannedRegion,
    /// It holds `shared_info` from the start.
    pub from_start: bool,
}

impl PlannedPin {
    /// Whether it is for just that range.
    #[must_use]
    pub fn is(&self, span: Span) -> bool {
        let region = &self.region.region;
        (region.base(), region.limit()) == (span.base(), span.limit())
    }
}

/// The plan of one system under one strategy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    needs: Needs,
    fixed: Vec<PlannedRegion>,
    pins: Vec<PlannedPin>,
    idle: View,
    guests: Vec<View>,
    hypervisor: Option<View>,
    wide_heap: Option<PlannedRegion>,
    /// Bytes of all guests, and those that each domain may touch itself.
    guest_bytes: (u64, Vec<u64>),
    /// The same for pages in the pool or the heap alone.
    page_bytes: (u64, Vec<u64>),
    boot: BootPlan,
    el2_regions: u8,
    default_map: bool,
}

impl Plan {
    /// Plans `layout` for a strategy that needs `needs`; refused if a view or a phase of boot does not fit the board.
    pub fn new(layout: &Layout, needs: Needs) -> Result<Self, Refused> {
        let plan = Self::sketch(layout, needs);
        match plan.shortage() {
            None => Ok(plan),
            Some(shortage) => {
                let (boot, phase) = plan.boot.required();
                Err(Refused {
                    shortage,
                    required: plan.required(),
                    available: plan.available(),
                    phase: (boot > plan.views_required()).then_some(phase),
                    views: plan.budgets(),
                })
            }
        }
    }

    /// The same plan whether it fits or not: to be looked at, not run.
    #[must_use]
    pub fn sketch(layout: &Layout, needs: Needs) -> Self {
        let view = |id, regions| View::new(id, merge(regions), layout);
        let hypervisor = || view(ViewId::Hypervisor, hypervisor(layout));
        let guests = 0..layout.domains().len();
        let mut plan = Self {
            needs,
            fixed: fixed(layout, needs),
            pins: if needs.pins { pins(layout) } else { Vec::new() },
            idle: view(ViewId::Idle, in_all_views(layout, needs)),
            guests: guests.map(|domain| view(ViewId::Guest(domain), guest(layout, needs, domain))).collect(),
            hypervisor: needs.hypervisor_view.then(hypervisor),
            wide_heap: needs.narrow_heap.then(|| wide_heap(layout)).flatten(),
            guest_bytes: bytes(layout, of_guests),
            page_bytes: bytes(layout, |owner| matches!(owner, Owner::Pool(Some(_)))),
            boot: BootPlan::default(),
            el2_regions: layout.board().el2_regions,
            default_map: layout.board().default_map != DefaultMap::None,
        };
        let idle = plan.idle.regions.iter().enumerate();
        let tail: Vec<_> = idle.map(|(at, planned)| (plan.view_slot(ViewId::Idle, at), planned.words)).collect();
        plan.boot = BootPlan::new(layout, &plan.fixed, &tail);
        plan
    }

    /// Regions that the strategy can use.
    #[must_use]
    pub fn available(&self) -> u8 {
        if self.needs.resident { self.el2_regions.min(MASKED_SLOTS) } else { self.el2_regions }
    }

    /// Why the plan cannot be run, if it cannot.
    #[must_use]
    pub fn shortage(&self) -> Option<Shortage> {
        if self.needs.default_map && !self.default_map {
            return Some(Shortage::DefaultMap);
        }
        (self.required() > usize::from(self.available())).then_some(Shortage::Regions)
    }

    /// Whether every view and every phase of boot fits the board.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.shortage().is_none()
    }

    /// How the board gets there.
    #[must_use]
    pub fn boot(&self) -> &BootPlan {
        &self.boot
    }

    /// R: the EL2 regions this plan takes at its fullest, boot included.
    #[must_use]
    pub fn required(&self) -> usize {
        self.views_required().max(self.boot.required().0)
    }

    /// The EL2 regions the views take at their fullest.
    #[must_use]
    pub fn views_required(&self) -> usize {
        self.budgets().iter().map(ViewBudget::total).max().unwrap_or(0)
    }

    /// Slots per view: idle, then the guests', then the hypervisor's.
    #[must_use]
    pub fn budgets(&self) -> Vec<ViewBudget> {
        self.views()
            .map(|view| ViewBudget {
                view: view.id,
                fixed: self.fixed.len(),
                windows: self.needs.windows,
                kept: self.kept_in(view.id).count(),
                own: view.regions.len(),
            })
            .collect()
    }

    /// Every view.
    pub fn views(&self) -> impl Iterator<Item = &View> {
        core::iter::once(&self.idle).chain(&self.guests).chain(&self.hypervisor)
    }

    /// The view of that name; the idle view stands in for one that was not planned.
    #[must_use]
    pub fn view(&self, id: ViewId) -> &View {
        let found = match id {
            ViewId::Idle => None,
            ViewId::Guest(domain) => self.guests.get(domain),
            ViewId::Hypervisor => self.hypervisor.as_ref(),
        };
        found.unwrap_or(&self.idle)
    }

    /// What the strategy asked for.
    #[must_use]
    pub fn needs(&self) -> Needs {
        self.needs
    }

    /// The pages that get a slot of their own.
    #[must_use]
    pub fn pins(&self) -> &[PlannedPin] {
        &self.pins
    }

    /// What the slots hold that the strategy keeps in every view, in order, and whether it is on in `view`.
    pub fn kept_in(&self, view: ViewId) -> impl Iterator<Item = (&PlannedRegion, bool)> {
        let pins = self.pins.iter().map(move |pin| (&pin.region, view != ViewId::Guest(pin.domain)));
        let resident = self.hypervisor.iter().filter(move |_| self.needs.resident && view != ViewId::Hypervisor);
        pins.chain(resident.flat_map(|view| view.regions.iter().map(|planned| (planned, false))))
    }

    /// Slots that are kept beside fixed regions and windows, whatever the view.
    fn kept(&self) -> usize {
        let resident = self.hypervisor.as_ref().filter(|_| self.needs.resident);
        self.pins.len() + resident.map_or(0, |view| view.regions.len())
    }

    /// The slot of the `index`-th pin: those that are planned between the windows and the tail, others behind all else.
    #[must_use]
    pub fn pin_slot(&self, index: usize) -> Option<u8> {
        let planned = self.pins.len();
        let at = if index < planned {
            self.kept_from().saturating_add(index)
        } else {
            self.required().saturating_add(index - planned)
        };
        u8::try_from(at).ok().filter(|slot| *slot < self.el2_regions)
    }

    /// The slot and words of the heap's region as far as it goes at EL2, if it is narrower while guests run.
    #[must_use]
    pub fn wide_heap(&self) -> Option<(u8, &PlannedRegion)> {
        let wide = self.wide_heap.as_ref()?;
        let at = self.fixed.iter().position(|planned| planned.region.base() == wide.region.base())?;
        Some((slot(at), wide))
    }

    /// Bytes of domains other than `home`'s that EL2 reaches in `view`, or with the default map in every view.
    #[must_use]
    pub fn foreign_bytes(&self, view: ViewId, home: usize) -> u64 {
        let (all, own) = &self.guest_bytes;
        let reached = if self.needs.default_map { *all } else { self.view(view).guest_bytes };
        // A view that a domain's memory is reached in has all of it.
        reached.saturating_sub(own.get(home).copied().unwrap_or(0))
    }

    /// Bytes in the pool or the heap that are pages of domains other than `home`.
    #[must_use]
    pub fn foreign_pages(&self, home: usize) -> u64 {
        let (all, own) = &self.page_bytes;
        all.saturating_sub(own.get(home).copied().unwrap_or(0))
    }

    /// Whether whatever is at `address` is mapped for EL2 in every view.
    #[must_use]
    pub fn in_every_view(&self, address: u64) -> bool {
        self.fixed.iter().chain(&self.idle.regions).any(|planned| planned.region.contains(address))
    }

    /// The fixed regions, in slots 0 and on.
    #[must_use]
    pub fn fixed(&self) -> &[PlannedRegion] {
        &self.fixed
    }

    /// What stands in each slot while `view` is in force, windows left out.
    pub fn slots<'a>(&'a self, view: &'a View) -> impl Iterator<Item = (u8, &'a PlannedRegion)> {
        let fixed = self.fixed.iter().enumerate().map(|(index, planned)| (slot(index), planned));
        let kept = self.kept_in(view.id).enumerate().filter(|(_, (_, on))| *on);
        let kept = kept.map(|(index, (planned, _))| (slot(self.kept_from().saturating_add(index)), planned));
        let tail = view.regions.iter().enumerate().map(|(index, planned)| (self.view_slot(view.id, index), planned));
        fixed.chain(kept).chain(tail)
    }

    /// How many windows there are.
    #[must_use]
    pub fn windows(&self) -> usize {
        self.needs.windows
    }

    /// The slot of the `index`-th window.
    #[must_use]
    pub fn window_slot(&self, index: usize) -> u8 {
        slot(self.fixed.len().saturating_add(index))
    }

    fn kept_from(&self) -> usize {
        self.fixed.len().saturating_add(self.needs.windows)
    }

    /// The slot of the `index`-th region of a view; of a resident guest view, the one it has while it is the only one.
    #[must_use]
    pub fn view_slot(&self, view: ViewId, index: usize) -> u8 {
        let kept = if self.needs.resident && view == ViewId::Hypervisor { 0 } else { self.kept() };
        slot(self.kept_from().saturating_add(kept).saturating_add(index))
    }

    /// Regions of the board's EL2 MPU.
    #[must_use]
    pub fn el2_regions(&self) -> u8 {
        self.el2_regions
    }
}

/// A plan fits the board, so its slots fit a byte.
fn slot(index: usize) -> u8 {
    u8::try_from(index).unwrap_or(u8::MAX)
}

fn planned(span: Span, attrs: Attrs, owner: Owner) -> Option<PlannedRegion> {
    let region = Region::new(span.base(), span.limit(), attrs).ok()?;
    Some(PlannedRegion { region, words: region.words(), owners: alloc::vec![owner] })
}

fn devices(layout: &Layout) -> impl Iterator<Item = PlannedRegion> {
    let board = layout.board();
    [(&board.uart, Owner::Uart), (&board.gic, Owner::Gic)]
        .into_iter()
        .filter_map(|(device, owner)| planned(device.span, DEVICE, owner))
}

/// Whether the heap is cut up in guests' views, because their pages are in it, and so cannot be fixed.
fn heap_is_split(layout: &Layout, needs: Needs) -> bool {
    layout.parts().placement == Placement::Heap && !needs.narrow_heap
}

fn fixed(layout: &Layout, needs: Needs) -> Vec<PlannedRegion> {
    let image = &layout.parts().image;
    let heap = (!heap_is_split(layout, needs)).then_some((layout.heap(), PRIVATE, Owner::Heap));
    let mut regions: Vec<_> =
        [(image.text, TEXT, Owner::Text), (image.rodata, RODATA, Owner::Rodata), (image.data, PRIVATE, Owner::Data)]
            .into_iter()
            .chain(image.boot.bss.map(|bss| (bss, PRIVATE, Owner::Data)))
            .chain(heap)
            .filter_map(|(span, attrs, owner)| planned(span, attrs, owner))
            .collect();
    if layout.parts().hyp_devices == HypDevices::Fixed {
        regions.extend(devices(layout));
    }
    regions
}

/// The heap and, above it, the pool, as one region.
fn wide_heap(layout: &Layout) -> Option<PlannedRegion> {
    let top = layout.pool().map_or(layout.heap().limit(), |pool| pool.limit());
    planned(Span::new(layout.heap().base(), top)?, PRIVATE, Owner::Heap)
}

/// What all but its owners see of the pool, and of a heap that is not fixed.
fn in_all_views(layout: &Layout, needs: Needs) -> Vec<PlannedRegion> {
    let pool = layout.pool().filter(|_| !needs.narrow_heap).and_then(|pool| planned(pool, PRIVATE, Owner::Pool(None)));
    split_heap(layout, needs).into_iter().chain(pool).collect()
}

fn split_heap(layout: &Layout, needs: Needs) -> Option<PlannedRegion> {
    planned(layout.heap(), PRIVATE, Owner::Heap).filter(|_| heap_is_split(layout, needs))
}

/// The attributes under which a guest may touch what `owner` has, if it may.
fn open_to(layout: &Layout, domain: usize, owner: Owner) -> Option<Attrs> {
    let shares = |index: usize| layout.parts().shared.get(index).is_some_and(|shared| shared.domains.contains(&domain));
    match owner {
        Owner::Ram(of) if of == domain => Some(GUEST_RAM),
        Owner::Granted(of) | Owner::Pool(Some(of)) if of == domain => Some(GUEST_DATA),
        Owner::ReadOnly(of) if of == domain => Some(GUEST_RODATA),
        Owner::Shared(index) if shares(index) => Some(GUEST_DATA),
        _ => None,
    }
}

fn guest(layout: &Layout, needs: Needs, domain: usize) -> Vec<PlannedRegion> {
    let mut regions = Vec::new();
    for (span, owner) in layout.owners() {
        let attrs = open_to(layout, domain, *owner).or(match owner {
            Owner::Pool(_) if !needs.narrow_heap => Some(PRIVATE),
            Owner::Heap if heap_is_split(layout, needs) => Some(PRIVATE),
            _ => None,
        });
        regions.extend(attrs.and_then(|attrs| planned(*span, attrs, *owner)));
    }
    regions
}

fn hypervisor(layout: &Layout) -> Vec<PlannedRegion> {
    let heap = |owner| owner == Owner::Heap && layout.parts().placement == Placement::Heap;
    let mut regions: Vec<_> = layout
        .owners()
        .iter()
        .filter(|(_, owner)| of_guests(*owner) || *owner == Owner::Pool(None) || heap(*owner))
        .filter_map(|(span, owner)| planned(*span, PRIVATE, *owner))
        .collect();
    if layout.parts().hyp_devices == HypDevices::Switched {
        regions.extend(devices(layout));
        regions.sort_by_key(|planned| planned.region.base());
    }
    regions
}

/// The pages in guests' RAM that `shared_info` and `vcpu_info` are to live in, each once, in order of domain.
fn pins(layout: &Layout) -> Vec<PlannedPin> {
    let mut all: Vec<PlannedPin> = Vec::new();
    for domain in 0..layout.domains().len() {
        let Some(pages) = layout.pages(domain) else { continue };
        let shared_info = (pages.shared_info, pages.shared_info_placed);
        for (address, from_start) in pages.vcpu_info.iter().map(|at| (*at, false)).chain([shared_info]) {
            let (owner, within) = layout.owner(address);
            let in_ram = matches!(owner, Owner::Ram(of) | Owner::Granted(of) if of == domain);
            let page = within.filter(|_| in_ram).and_then(|within| {
                let page = Span::with_size(address / PAGE_SIZE * PAGE_SIZE, PAGE_SIZE)?;
                planned(page.intersection(&within)?, PRIVATE, owner)
            });
            let Some(region) = page else { continue };
            match all.iter_mut().find(|pin| pin.region == region) {
                Some(pin) => pin.from_start |= from_start,
                None => all.push(PlannedPin { domain, region, from_start }),
            }
        }
    }
    all
}

/// Neighbours of equal rights become one region. `regions` is in address order.
fn merge(regions: Vec<PlannedRegion>) -> Vec<PlannedRegion> {
    let mut merged: Vec<PlannedRegion> = Vec::with_capacity(regions.len());
    for next in regions {
        if let Some(last) = merged.last_mut()
            && last.region.attrs() == next.region.attrs()
            && last.region.limit().checked_add(1) == Some(next.region.base())
            && let Ok(region) = Region::new(last.region.base(), next.region.limit(), next.region.attrs())
        {
            last.region = region;
            last.words = region.words();
            last.owners.extend(next.owners);
        } else {
            merged.push(next);
        }
    }
    merged
}
