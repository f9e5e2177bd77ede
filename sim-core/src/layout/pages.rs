//! Where `shared_info` and `vcpu_info` go under each placement, and what the hypervisor keeps in its heap.

use super::check;
use super::error::LayoutError;
use super::parts::{LayoutParts, Owner, PAGE_SIZE, Placement};
use super::position::Position;
use alloc::vec::Vec;
use boards::Span;

/// Bytes between two `vcpu_info` in one page: 48 used, on a granule of their own.
const VCPU_INFO_STRIDE: u64 = 64;
/// Bytes from one control block to the next: 72 used, on granules of their own.
pub(super) const CONTROL_BLOCK_STRIDE: u64 = 128;

/// Where one domain's pages are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestPages {
    /// Address of `shared_info`.
    pub shared_info: u64,
    /// Whether it is there from the start; else the guest has to place it with `XENMEM_add_to_physmap`.
    pub shared_info_placed: bool,
    /// Address of each vCPU's `vcpu_info`, to be registered by the guest.
    pub vcpu_info: Vec<u64>,
    /// Under placement `pool` or `heap`: the domain's own part of it. Its last page is for event words.
    pub own_pool: Option<Span>,
    /// Under placement `pool` or `heap`: address of the control blocks.
    pub control_blocks: Option<u64>,
}

/// Whole pages, in bytes, for one thing of `stride` bytes per vCPU.
fn bytes_for(vcpus: usize, stride: u64) -> Option<u64> {
    u64::try_from(vcpus).ok()?.checked_mul(stride)?.checked_next_multiple_of(PAGE_SIZE)
}

/// A domain's part of the pool: `shared_info`, then the `vcpu_info`, the control blocks, and one page of event words.
fn pool_for(vcpus: usize) -> Option<u64> {
    let per_vcpu = bytes_for(vcpus, VCPU_INFO_STRIDE)?.checked_add(bytes_for(vcpus, CONTROL_BLOCK_STRIDE)?)?;
    per_vcpu.checked_add(2 * PAGE_SIZE)
}

/// What of the heap the hypervisor keeps for itself: a page of initial `shared_info` per domain, and the page of the dummy
/// `vcpu_info`.
fn kept(parts: &LayoutParts) -> u64 {
    u64::try_from(parts.domains.len()).unwrap_or(u64::MAX).saturating_add(1).saturating_mul(PAGE_SIZE)
}

/// The heap and the pool as they are, if the heap still has room.
pub(super) fn keep_heap(
    parts: &LayoutParts,
    heap: Span,
    pool: Option<Span>,
) -> Result<(Span, Option<Span>), LayoutError> {
    let needed = kept(parts);
    if heap.size() < needed { Err(LayoutError::HeapTooSmall { heap, needed }) } else { Ok((heap, pool)) }
}

/// The heap that is left, and the pool: as declared, or cut from the heap's top.
pub(super) fn split_heap(parts: &LayoutParts) -> Result<(Span, Option<Span>), LayoutError> {
    let heap = parts.heap;
    let kept = kept(parts);
    let too_small = |needed| LayoutError::HeapTooSmall { heap, needed };
    if parts.placement == Placement::GuestRam {
        return if heap.size() >= kept { Ok((heap, None)) } else { Err(too_small(kept)) };
    }
    let mut domains = parts.domains.iter().filter(|domain| !domain.vacant);
    let bytes = domains.try_fold(0u64, |sum, domain| sum.checked_add(pool_for(domain.vcpus.len())?));
    let needed = bytes.unwrap_or(u64::MAX).max(PAGE_SIZE);
    if let Some(pool) = parts.pool.filter(|_| parts.placement == Placement::Pool) {
        return if pool.size() < needed {
            Err(LayoutError::PoolTooSmall { pool, needed })
        } else if heap.size() < kept {
            Err(too_small(kept))
        } else {
            Ok((heap, Some(pool)))
        };
    }
    let all = needed.saturating_add(kept);
    let size = heap.size();
    if size < all {
        return Err(too_small(all));
    }
    let rest = Span::with_size(heap.base(), size - needed).ok_or(too_small(all))?;
    let pool = Span::with_size(rest.limit().saturating_add(1), needed).ok_or(too_small(all))?;
    Ok((rest, Some(pool)))
}

/// The first place of `size` bytes in the pool that none of `taken` has.
fn place(pool: Span, size: u64, taken: &[Span]) -> Option<Span> {
    let mut base = pool.base();
    loop {
        let part = Span::with_size(base, size).filter(|part| pool.covers(part))?;
        match taken.iter().find(|taken| taken.overlaps(&part)) {
            Some(taken) => base = taken.limit().checked_add(1)?,
            None => return Some(part),
        }
    }
}

/// The pages of every domain. Where the pool was there `before`, with those parts and pages, who stays in it stays where it is.
pub(super) fn assign(
    parts: &LayoutParts,
    pool: Option<Span>,
    before: Option<(&LayoutParts, &[GuestPages])>,
) -> Result<Vec<GuestPages>, LayoutError> {
    let stays = |position: Position| {
        let (before, pages) = before?;
        let same = before.domain(position) == parts.domain(position);
        pages.get(position.get()).filter(|pages| same && pages.own_pool.is_some())
    };
    let mut taken: Vec<Span> = parts.positions().filter_map(|at| stays(at)?.own_pool).collect();
    let mut all = Vec::with_capacity(parts.domains.len());
    for (position, domain) in Position::all().zip(&parts.domains) {
        let vcpus = domain.vcpus.len();
        let no_room = || LayoutError::NoRoomForPages { item: check::domain_item(parts, position) };
        if domain.vacant {
            all.push(GuestPages {
                shared_info: 0,
                shared_info_placed: false,
                vcpu_info: Vec::new(),
                own_pool: None,
                control_blocks: None,
            });
            continue;
        }
        let strided = |base: u64| -> Option<Vec<u64>> {
            (0..vcpus).map(|vcpu| base.checked_add(u64::try_from(vcpu).ok()?.checked_mul(VCPU_INFO_STRIDE)?)).collect()
        };
        if let Some(pages) = stays(position) {
            all.push(pages.clone());
            continue;
        }
        if let Some(pool) = pool {
            let size = pool_for(vcpus).ok_or_else(no_room)?;
            let own = place(pool, size, &taken).ok_or(LayoutError::PoolTooSmall { pool, needed: size })?;
            taken.push(own);
            let infos = own.base().saturating_add(PAGE_SIZE);
            all.push(GuestPages {
                shared_info: own.base(),
                shared_info_placed: true,
                vcpu_info: strided(infos).ok_or_else(no_room)?,
                own_pool: Some(own),
                control_blocks: bytes_for(vcpus, VCPU_INFO_STRIDE).and_then(|bytes| infos.checked_add(bytes)),
            });
            continue;
        }
        let frame = domain.shared_info_frame.map(|frame| frame.base());
        let named = domain.vcpu_info.len() >= vcpus && (frame.is_some() || domain.shared_info.is_some());
        let picked = if named { None } else { pick(parts, position) };
        let (page, infos) = match picked {
            Some((page, infos)) => (page, strided(infos).ok_or_else(no_room)?),
            None if named => (0, Vec::new()),
            None => return Err(no_room()),
        };
        let vcpu_info =
            (0..vcpus).filter_map(|vcpu| domain.vcpu_info.get(vcpu).or_else(|| infos.get(vcpu)).copied()).collect();
        all.push(GuestPages {
            shared_info: frame.or(domain.shared_info).unwrap_or(page),
            shared_info_placed: frame.is_some(),
            vcpu_info,
            own_pool: None,
            control_blocks: None,
        });
    }
    Ok(all)
}

/// Pages in the first RAM bank that every PE reaches: room for the guest's scratch memory first, as much per vCPU as a
/// `vcpu_info` takes; then `shared_info`; then `vcpu_info`.
fn pick(parts: &LayoutParts, position: Position) -> Option<(u64, u64)> {
    let domain = parts.domain(position)?;
    let bank = domain.ram.iter().find(|bank| parts.board.reached_by_every_pe(bank).is_some())?;
    let first = bank.base().checked_next_multiple_of(PAGE_SIZE)?;
    let bytes = bytes_for(domain.vcpus.len(), VCPU_INFO_STRIDE)?;
    let page = first.checked_add(bytes)?;
    let infos = page.checked_add(PAGE_SIZE)?;
    bank.contains(infos.checked_add(bytes)?.checked_sub(1)?).then_some((page, infos))
}

/// Marks whose part of the pool is whose.
pub(super) fn mark_pool(pool: Span, pages: &[GuestPages], owners: &mut Vec<(Span, Owner)>) {
    owners.retain(|(span, _)| *span != pool);
    let own = Position::all().zip(pages).filter_map(|(at, pages)| Some((pages.own_pool?, Owner::Pool(Some(at)))));
    let mut own: Vec<(Span, Owner)> = own.collect();
    own.sort_by_key(|(span, _)| *span);
    let mut rest = Some(pool);
    for (span, owner) in own {
        let (below, above) = rest.map_or((None, None), |rest| rest.without(&span));
        owners.extend(below.map(|below| (below, Owner::Pool(None))));
        owners.push((span, owner));
        rest = above;
    }
    owners.extend(rest.map(|rest| (rest, Owner::Pool(None))));
    owners.sort_by_key(|(span, _)| *span);
}
