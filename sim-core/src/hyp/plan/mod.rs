//! The region plan: what every view holds, in which slots, and whether it fits.
//!
//! Slots, from 0: the fixed regions, then the strategy's windows, then what it *keeps* in every view (pins, or the hypervisor
//! view programmed and masked off), then the *tail*, which a change of view rewrites. Fixed regions come first so that a
//! change of view never touches what runs; this is the order that Xen's MPU drafts arrived at too (regions that stay at
//! the front, regions that change at the end).

mod planned;
mod regions;

pub use planned::{Needs, PlannedPin, PlannedRegion};
pub use regions::{
    ATTR_DEVICE, ATTR_NORMAL, DEVICE, GUEST_DATA, GUEST_DEVICE, GUEST_RAM, GUEST_RODATA, MAIR, PRIVATE, RODATA, TEXT,
};

use super::boot::BootPlan;
use crate::layout::{Layout, Owner, Span};
use crate::outcome::{Refused, RegionNeeds, Shortage, SmallestChange, ViewBudget, ViewId};
use alloc::vec::Vec;
use mpu_model::planner::{Cover, Demand, Gaps, Mapping, Refusal};
use mpu_model::{DefaultMap, Pmsa, Region};
use regions::{bytes, fixed, guest, hypervisor, in_all_views, merge, of_guests, pins, wide_heap};

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

/// Slots that PRENR has bits for.
const MASKED_SLOTS: u8 = 32;

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
    pmsa: Pmsa,
    pes: usize,
    el2_regions: u8,
    default_map: bool,
}

impl Plan {
    /// Plans `layout` for a strategy that needs `needs`; refused if a view or a phase of boot does not fit the board.
    pub fn new(layout: &Layout, needs: Needs) -> Result<Self, Refused> {
        let plan = Self::sketch(layout, needs);
        plan.refusal(layout).map_or(Ok(plan), Err)
    }

    /// The same plan whether it fits or not: to be looked at, not run.
    #[must_use]
    pub fn sketch(layout: &Layout, needs: Needs) -> Self {
        let view = |id, wanted: Vec<_>| View::new(id, merge(&wanted, needs.narrow_heap), layout);
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
            pmsa: layout.board().pmsa,
            pes: layout.board().pes,
            el2_regions: layout.board().el2_regions,
            default_map: layout.board().rules.default_map != DefaultMap::None,
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
        (!self.region_needs().met()).then_some(Shortage::Regions)
    }

    /// Why `layout`, which this is the plan of, cannot be run, with what would help; `None` if it can.
    #[must_use]
    pub fn refusal(&self, layout: &Layout) -> Option<Refused> {
        let needs = self.region_needs();
        let views = |shortage| shortage == Shortage::Regions && needs.deciding_phase().is_none();
        self.shortage().map(|shortage| Refused {
            shortage,
            needs,
            change: if views(shortage) { self.smallest_change(layout) } else { SmallestChange::default() },
            views: self.budgets(),
        })
    }

    /// What would make views fit that do not, short of another board.
    fn smallest_change(&self, layout: &Layout) -> SmallestChange {
        let mapping = |planned: &PlannedRegion| Mapping { region: planned.region, owner: () };
        let mut rooms: Vec<Vec<_>> = Vec::new();
        // The hypervisor view that stays programmed has slots of its own in every other view.
        let resident = |view: &&View| self.needs.resident && view.id == ViewId::Hypervisor;
        let views = self.views().filter(|view| !resident(view)).map(|view| &view.regions);
        let wanted: Vec<Vec<_>> =
            core::iter::once(&self.fixed).chain(views).map(|regions| regions.iter().map(mapping).collect()).collect();
        rooms.extend(wanted.iter().map(|regions| regions.repeat(Cover::<()>::room(1))));
        let mut covers: Vec<Cover<'_, ()>> = rooms.iter_mut().map(|room| Cover::new(room)).collect();
        for (cover, regions) in covers.iter_mut().zip(&wanted) {
            // There is room for each.
            let _ = cover.draw_all(regions.iter().copied());
        }
        let Some((fixed, views)) = covers.split_first() else {
            return SmallestChange::default();
        };
        // Whatever has an owner, mapped by this strategy or not: a device that was mapped along would be open to a guest, and
        // an emulated one works by not being mapped.
        let owned: Vec<_> = layout.owners().iter().filter_map(|(span, _)| claimed_range(*span)).collect();
        let mut room = owned.repeat(Cover::<()>::room(1));
        let mut claimed = Cover::new(&mut room);
        let _ = claimed.draw_all(owned.iter().copied());
        let windows = self.needs.windows.saturating_add(self.kept());
        match (Demand { available: self.available(), fixed, windows, views, claimed: &claimed }).check() {
            Err(Refusal::Short(short)) => SmallestChange {
                fewer_windows: short.fewer_windows.filter(|fewer| *fewer < self.needs.windows),
                close_gaps: short.close_gaps.map(|Gaps { count, bytes }| (count, bytes)),
            },
            _ => SmallestChange::default(),
        }
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

    /// The EL2 regions this plan needs, and those there are.
    #[must_use]
    pub fn region_needs(&self) -> RegionNeeds {
        let (boot, phase) = self.boot.required();
        let views = self.budgets().iter().map(ViewBudget::total).max().unwrap_or(0);
        RegionNeeds { boot, phase, views, available: self.available(), total: self.el2_regions }
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
            self.region_needs().needed().saturating_add(index - planned)
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

    /// Which registers the board's MPUs have.
    #[must_use]
    pub fn pmsa(&self) -> Pmsa {
        self.pmsa
    }

    /// Whether views stay programmed and are masked.
    #[must_use]
    pub const fn resident(&self) -> bool {
        self.needs.resident
    }

    /// How many PEs the board has.
    #[must_use]
    pub const fn pes(&self) -> usize {
        self.pes
    }

    /// Regions of the board's EL2 MPU.
    #[must_use]
    pub fn el2_regions(&self) -> u8 {
        self.el2_regions
    }
}

/// A range that somebody has, for a cover in which rights do not matter.
fn claimed_range(span: Span) -> Option<Mapping<()>> {
    Some(Mapping { region: Region::new(span.base(), span.limit(), PRIVATE).ok()?, owner: () })
}

/// A plan fits the board, so its slots fit a byte.
fn slot(index: usize) -> u8 {
    u8::try_from(index).unwrap_or(u8::MAX)
}
