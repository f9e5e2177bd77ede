//! What each view maps, for whom, and with which rights; and how that becomes regions.

use super::planned::{Needs, PlannedPin, PlannedRegion};
use crate::layout::{HypDevices, Layout, Owner, PAGE_SIZE, Placement, Position, Span};
use alloc::vec::Vec;
use mpu_model::planner::{Cover, Mapping};
use mpu_model::{Ap, Attrs, Region, Shareability, Xn};

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
/// A device that is passed through, in its domain's view.
pub const GUEST_DEVICE: Attrs = attrs(Ap::RwAll, Xn::Never, ATTR_DEVICE);

/// What a guest can only read.
pub const GUEST_RODATA: Attrs = attrs(Ap::RoAll, Xn::Never, ATTR_NORMAL);

/// Whether guests have something there.
pub(super) const fn of_guests(owner: Owner) -> bool {
    matches!(owner, Owner::Ram(_) | Owner::Granted(_) | Owner::ReadOnly(_) | Owner::Shared(_) | Owner::Pool(Some(_)))
}

/// Bytes that some owners have: all of them, and those that each domain may touch.
pub(super) fn bytes(layout: &Layout, which: impl Fn(Owner) -> bool) -> (u64, Vec<u64>) {
    let mut all = (0u64, alloc::vec![0u64; layout.domains().len()]);
    for (span, owner) in layout.owners().iter().filter(|(_, owner)| which(*owner)) {
        all.0 = all.0.saturating_add(span.size());
        for (position, bytes) in Position::all().zip(&mut all.1) {
            if open_to(layout, position, *owner).is_some() {
                *bytes = bytes.saturating_add(span.size());
            }
        }
    }
    all
}

/// A range of a checked layout can be a region.
fn mapping(span: Span, attrs: Attrs, owner: Owner) -> Option<Mapping<Owner>> {
    Some(Mapping { region: Region::new(span.base(), span.limit(), attrs).ok()?, owner })
}

/// A mapping as a region of its own.
fn planned(Mapping { region, owner }: Mapping<Owner>) -> PlannedRegion {
    PlannedRegion { region, words: region.words(), owners: alloc::vec![owner] }
}

fn devices(layout: &Layout) -> impl Iterator<Item = Mapping<Owner>> {
    let board = layout.board();
    [(board.console.span, Owner::Uart), (board.gic.span, Owner::Gic)]
        .into_iter()
        .filter_map(|(span, owner)| mapping(span, DEVICE, owner))
}

/// Whether the heap is cut up in guests' views, because their pages are in it, and so cannot be fixed.
fn heap_is_split(layout: &Layout, needs: Needs) -> bool {
    layout.parts().placement == Placement::Heap && !needs.narrow_heap
}

/// Hypervisor text, rodata, data, heap, and its devices, each a region of its own.
pub(super) fn fixed(layout: &Layout, needs: Needs) -> Vec<PlannedRegion> {
    let image = &layout.parts().image;
    let heap = (!heap_is_split(layout, needs)).then_some((layout.heap(), PRIVATE, Owner::Heap));
    let mut regions: Vec<_> =
        [(image.text, TEXT, Owner::Text), (image.rodata, RODATA, Owner::Rodata), (image.data, PRIVATE, Owner::Data)]
            .into_iter()
            .chain(image.boot.bss.map(|bss| (bss, PRIVATE, Owner::Data)))
            .chain(heap)
            .filter_map(|(span, attrs, owner)| mapping(span, attrs, owner))
            .collect();
    if layout.parts().hyp_devices == HypDevices::Fixed {
        regions.extend(devices(layout));
    }
    regions.into_iter().map(planned).collect()
}

/// The heap and, above it, the pool, as one region.
pub(super) fn wide_heap(layout: &Layout) -> Option<PlannedRegion> {
    let top = layout.pool().map_or(layout.heap().limit(), |pool| pool.limit());
    mapping(Span::new(layout.heap().base(), top)?, PRIVATE, Owner::Heap).map(planned)
}

/// What all but its owners see of the pool, and of a heap that is not fixed.
pub(super) fn in_all_views(layout: &Layout, needs: Needs) -> Vec<Mapping<Owner>> {
    let pool = layout.pool().filter(|_| !needs.narrow_heap).and_then(|pool| mapping(pool, PRIVATE, Owner::Pool(None)));
    let heap = heap_is_split(layout, needs).then(|| mapping(layout.heap(), PRIVATE, Owner::Heap)).flatten();
    let guests = layout.owners().iter().filter(move |(_, owner)| needs.static_memory && in_static_memory(*owner));
    let guests = guests.filter_map(|(span, owner)| mapping(*span, PRIVATE, *owner));
    heap.into_iter().chain(pool).chain(guests).collect()
}

/// Whether it lies in what a system sets aside for domains. Pages in the pool or the heap lie in the hypervisor's own.
const fn in_static_memory(owner: Owner) -> bool {
    of_guests(owner) && !matches!(owner, Owner::Pool(_))
}

/// The attributes under which a guest may touch what `owner` has, if it may.
fn open_to(layout: &Layout, domain: Position, owner: Owner) -> Option<Attrs> {
    let shares = |index: usize| layout.parts().shared.get(index).is_some_and(|shared| shared.domains.contains(&domain));
    match owner {
        Owner::Ram(of) if of == domain => Some(GUEST_RAM),
        Owner::Granted(of) | Owner::Pool(Some(of)) if of == domain => Some(GUEST_DATA),
        Owner::ReadOnly(of) if of == domain => Some(GUEST_RODATA),
        Owner::Shared(index) if shares(index) => Some(GUEST_DATA),
        Owner::Passthrough(index) => {
            let device = layout.parts().passthrough.get(index)?;
            device.domains.contains(&domain).then_some(GUEST_DEVICE)
        }
        _ => None,
    }
}

/// A guest's view: what it may touch, and what EL2 has beside that in every view.
pub(super) fn guest(layout: &Layout, needs: Needs, domain: Position) -> Vec<Mapping<Owner>> {
    let mut regions = Vec::new();
    for (span, owner) in layout.owners() {
        let attrs = open_to(layout, domain, *owner).or(match owner {
            Owner::Pool(_) if !needs.narrow_heap => Some(PRIVATE),
            Owner::Heap if heap_is_split(layout, needs) => Some(PRIVATE),
            owner if needs.static_memory && in_static_memory(*owner) => Some(PRIVATE),
            _ => None,
        });
        regions.extend(attrs.and_then(|attrs| mapping(*span, attrs, *owner)));
    }
    regions
}

/// The hypervisor view: the memory of all guests, for EL2 alone.
pub(super) fn hypervisor(layout: &Layout) -> Vec<Mapping<Owner>> {
    let heap = |owner| owner == Owner::Heap && layout.parts().placement == Placement::Heap;
    let mut regions: Vec<_> = layout
        .owners()
        .iter()
        .filter(|(_, owner)| of_guests(*owner) || *owner == Owner::Pool(None) || heap(*owner))
        .filter_map(|(span, owner)| mapping(*span, PRIVATE, *owner))
        .collect();
    if layout.parts().hyp_devices == HypDevices::Switched {
        regions.extend(devices(layout));
    }
    regions
}

/// The pages in guests' RAM that `shared_info` and `vcpu_info` are to live in, each once, in order of domain.
pub(super) fn pins(layout: &Layout) -> Vec<PlannedPin> {
    let mut all: Vec<PlannedPin> = Vec::new();
    for domain in layout.positions() {
        let Some(pages) = layout.pages(domain) else { continue };
        let shared_info = (pages.shared_info, pages.shared_info_placed);
        for (address, from_start) in pages.vcpu_info.iter().map(|at| (*at, false)).chain([shared_info]) {
            let (owner, within) = layout.owner(address);
            let in_ram = matches!(owner, Owner::Ram(of) | Owner::Granted(of) if of == domain);
            let page = within.filter(|_| in_ram).and_then(|within| {
                let page = Span::with_size(address / PAGE_SIZE * PAGE_SIZE, PAGE_SIZE)?;
                mapping(page.intersection(&within)?, PRIVATE, owner).map(planned)
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

/// The fewest regions that map `wanted`, in address order: neighbours of equal rights become one. With `pages_apart`, none of
/// them is a page of the pool or the heap beside something else: such pages come and go while the rest stays.
pub(super) fn merge(wanted: &[Mapping<Owner>], pages_apart: bool) -> Vec<PlannedRegion> {
    if !pages_apart {
        return merged(wanted);
    }
    let (pages, rest): (Vec<_>, Vec<_>) = wanted.iter().partition(|wanted| matches!(wanted.owner, Owner::Pool(_)));
    let mut regions = merged(&pages);
    regions.extend(merged(&rest));
    regions.sort_by_key(|planned| planned.region.base());
    regions
}

fn merged(wanted: &[Mapping<Owner>]) -> Vec<PlannedRegion> {
    let mut room = wanted.repeat(Cover::<Owner>::room(1));
    let mut cover = Cover::new(&mut room);
    // There is room for each.
    let _ = cover.draw_all(wanted.iter().copied());
    let region = |run: mpu_model::planner::Run<'_, Owner>| PlannedRegion {
        region: run.region,
        words: run.region.words(),
        owners: run.strips.iter().map(|strip| strip.owner).collect(),
    };
    cover.runs().map(region).collect()
}
