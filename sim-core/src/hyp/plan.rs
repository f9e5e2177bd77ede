//! The region plan: what every view holds, in which slots, and whether it fits.
//!
//! Slots, from 0: the fixed regions, then the strategy's windows, then the *tail*, which a change of view rewrites.
//! Fixed regions come first so that a change of view never touches what runs; this is the order that Xen's MPU drafts
//! arrived at too (regions that stay at the front, regions that change at the end).

use super::boot::BootPlan;
use crate::layout::{HypDevices, Layout, Owner, Span};
use crate::outcome::{Refused, ViewBudget, ViewId};
use alloc::vec::Vec;
use mpu_model::{Ap, Attrs, Region, RegionWords, Shareability, Xn};

/// `MAIR_EL2` index the hypervisor uses for Normal write-back memory.
pub const ATTR_NORMAL: u8 = 0;
/// `MAIR_EL2` index the hypervisor uses for Device-nGnRE memory.
pub const ATTR_DEVICE: u8 = 1;

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
}

impl View {
    /// How many bytes of guests EL2 can touch in the view.
    #[must_use]
    pub fn guest_bytes(&self, layout: &Layout) -> u64 {
        let of_guests = |owner: &Owner| {
            matches!(
                owner,
                Owner::Ram(_) | Owner::Granted(_) | Owner::ReadOnly(_) | Owner::Shared(_) | Owner::Pool(Some(_))
            )
        };
        let owned = layout.owners().iter().filter(|(_, owner)| of_guests(owner));
        // A region is made of whole owned ranges, so a range is in it or not.
        let reached = owned.filter(|(span, _)| self.regions.iter().any(|planned| planned.region.contains(span.base())));
        reached.map(|(span, _)| span.size()).sum()
    }
}

/// What a strategy needs beside the views of guests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Slots for temporary mappings.
    pub windows: usize,
    /// Whether it loads the hypervisor view.
    pub hypervisor_view: bool,
}

/// The plan of one system under one strategy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    fixed: Vec<PlannedRegion>,
    windows: usize,
    idle: View,
    guests: Vec<View>,
    hypervisor: Option<View>,
    boot: BootPlan,
    el2_regions: u8,
}

impl Plan {
    /// Plans `layout` for a strategy that needs `needs`; refused if a view or a phase of boot does not fit the board.
    pub fn new(layout: &Layout, needs: Needs) -> Result<Self, Refused> {
        let plan = Self::sketch(layout, needs);
        if plan.fits() {
            return Ok(plan);
        }
        let (boot, phase) = plan.boot.required();
        Err(Refused {
            required: plan.required(),
            available: plan.el2_regions,
            phase: (boot > plan.views_required()).then_some(phase),
            views: plan.budgets(),
        })
    }

    /// The same plan whether it fits or not: to be looked at, not run.
    #[must_use]
    pub fn sketch(layout: &Layout, needs: Needs) -> Self {
        let fixed = fixed(layout);
        let idle = View { id: ViewId::Idle, regions: merge(shared_by_all(layout)) };
        let first = fixed.len().saturating_add(needs.windows);
        let tail: Vec<_> = (first..).map(slot).zip(idle.regions.iter().map(|planned| planned.words)).collect();
        Self {
            boot: BootPlan::new(layout, &fixed, &tail),
            fixed,
            windows: needs.windows,
            idle,
            guests: (0..layout.domains().len()).map(|domain| guest(layout, domain)).collect(),
            hypervisor: needs.hypervisor_view.then(|| hypervisor(layout)),
            el2_regions: layout.board().el2_regions,
        }
    }

    /// Whether every view and every phase of boot fits the board.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.required() <= usize::from(self.el2_regions)
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
                windows: self.windows,
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

    /// The fixed regions, in slots 0 and on.
    #[must_use]
    pub fn fixed(&self) -> &[PlannedRegion] {
        &self.fixed
    }

    /// What stands in each slot while `view` is in force, windows left out.
    pub fn slots<'a>(&'a self, view: &'a View) -> impl Iterator<Item = (u8, &'a PlannedRegion)> {
        let tail = view.regions.iter().enumerate().map(|(index, planned)| (self.tail_slot(index), planned));
        self.fixed.iter().enumerate().map(|(index, planned)| (slot(index), planned)).chain(tail)
    }

    /// How many windows there are.
    #[must_use]
    pub fn windows(&self) -> usize {
        self.windows
    }

    /// The slot of the `index`-th window.
    #[must_use]
    pub fn window_slot(&self, index: usize) -> u8 {
        slot(self.fixed.len().saturating_add(index))
    }

    /// The slot of the `index`-th region of a view.
    #[must_use]
    pub fn tail_slot(&self, index: usize) -> u8 {
        slot(self.fixed.len().saturating_add(self.windows).saturating_add(index))
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

fn fixed(layout: &Layout) -> Vec<PlannedRegion> {
    let image = &layout.parts().image;
    let mut regions: Vec<_> =
        [(image.text, TEXT, Owner::Text), (image.rodata, RODATA, Owner::Rodata), (image.data, PRIVATE, Owner::Data)]
            .into_iter()
            .chain(image.boot.bss.map(|bss| (bss, PRIVATE, Owner::Data)))
            .chain([(layout.heap(), PRIVATE, Owner::Heap)])
            .filter_map(|(span, attrs, owner)| planned(span, attrs, owner))
            .collect();
    if layout.parts().hyp_devices == HypDevices::Fixed {
        regions.extend(devices(layout));
    }
    regions
}

/// The pool as everybody but its owners sees it.
fn shared_by_all(layout: &Layout) -> Vec<PlannedRegion> {
    layout.pool().and_then(|pool| planned(pool, PRIVATE, Owner::Pool(None))).into_iter().collect()
}

fn guest(layout: &Layout, domain: usize) -> View {
    let mut regions = Vec::new();
    for (span, owner) in layout.owners() {
        let open = match owner {
            Owner::Ram(of) if *of == domain => Some(GUEST_RAM),
            Owner::Granted(of) if *of == domain => Some(GUEST_DATA),
            Owner::ReadOnly(of) if *of == domain => Some(GUEST_RODATA),
            Owner::Shared(index) => {
                layout.parts().shared.get(*index).filter(|shared| shared.domains.contains(&domain)).map(|_| GUEST_DATA)
            }
            Owner::Pool(of) => Some(if *of == Some(domain) { GUEST_DATA } else { PRIVATE }),
            _ => None,
        };
        regions.extend(open.and_then(|attrs| planned(*span, attrs, *owner)));
    }
    View { id: ViewId::Guest(domain), regions: merge(regions) }
}

fn hypervisor(layout: &Layout) -> View {
    let mut regions: Vec<_> = layout
        .owners()
        .iter()
        .filter(|(_, owner)| {
            matches!(owner, Owner::Ram(_) | Owner::Granted(_) | Owner::ReadOnly(_) | Owner::Shared(_) | Owner::Pool(_))
        })
        .filter_map(|(span, owner)| planned(*span, PRIVATE, *owner))
        .collect();
    if layout.parts().hyp_devices == HypDevices::Switched {
        regions.extend(devices(layout));
        regions.sort_by_key(|planned| planned.region.base());
    }
    View { id: ViewId::Hypervisor, regions: merge(regions) }
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
