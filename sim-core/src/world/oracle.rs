//! The isolation oracle: who may touch what, byte by byte, held against what the MPUs let through.
//!
//! The truth comes from the layout alone: which ranges a domain owns or shares, and with which rights. It is kept as
//! intervals, and is exact to the byte: the granules of a region that a domain has no share in are named, and so are those
//! of its own that no region holds. What the MPUs let through comes from their registers and from their own rule book. The
//! two are compared whenever EL2 has been left and something changed, and once more in full at the end of a run. Strategies,
//! plans and the slot driver have no say in it: a mistake in any of them shows here.

use crate::layout::{Layout, LayoutParts, Owner, PassthroughDevice, SharedMemory, Span};
use crate::machine::Machine;
use crate::machine::pe::Pe;
use crate::outcome::{Breach, BreachKind};
use crate::platform::hcr;
use alloc::vec::Vec;
use boards::{PeId, PerPe};
use mpu_model::{Access, AccessKind, El, Mpu, MpuReg, Regime, RegionWords, Sctlr};

/// What a guest may do with a range: read, write, fetch.
type Rights = [bool; 3];

const KINDS: [AccessKind; 3] = [AccessKind::Read, AccessKind::Write, AccessKind::Fetch];

/// What was found at each PE when it was last looked at. An oracle is for one machine.
#[derive(Debug, Default)]
pub struct Oracle {
    seen: Option<PerPe<Seen>>,
    right: Right,
}

/// Regions by slot.
type Regions = Vec<(u8, RegionWords)>;

#[derive(Debug, Default)]
struct Seen {
    /// Changes of the registers of both MPUs by then.
    changes: Option<(u64, u64)>,
    vcpu: Option<(usize, u32)>,
    el2: Regions,
    el1: Regions,
}

/// Most views kept in [`Right`].
const KEPT: usize = 16;

/// Regions at EL2 that were found to be right, all in force: a PE goes back and forth between few.
#[derive(Debug, Default)]
struct Right {
    /// The layout that they are right by, as far as it bears on them.
    owners: Vec<(Span, Owner)>,
    shared: Vec<SharedMemory>,
    passthrough: Vec<PassthroughDevice>,
    /// Whose view it is, with which `SCTLR_EL2`.
    views: Vec<(usize, u64, Regions)>,
}

impl Right {
    /// Those of another layout are no longer.
    fn follow(&mut self, layout: &Layout) {
        let LayoutParts { shared, passthrough, .. } = layout.parts();
        if self.owners != layout.owners() || self.shared != *shared || self.passthrough != *passthrough {
            self.owners = layout.owners().to_vec();
            self.shared.clone_from(shared);
            self.passthrough.clone_from(passthrough);
            self.views.clear();
        }
    }

    fn has(&self, domain: usize, sctlr: u64, regions: &Regions) -> bool {
        self.views.iter().any(|(of, by, kept)| (*of, *by) == (domain, sctlr) && kept == regions)
    }

    fn keep(&mut self, domain: usize, sctlr: u64, regions: &Regions) {
        if self.views.len() >= KEPT {
            self.views.clear();
        }
        self.views.push((domain, sctlr, regions.clone()));
    }
}

impl Oracle {
    /// Looks at a PE that has left EL2 to `runs`, a domain by position and its vCPU; `None`: nobody runs. `again` looks even
    /// if nothing changed since.
    pub fn look(
        &mut self,
        layout: &Layout,
        machine: &Machine,
        pe: PeId,
        runs: Option<(usize, u32)>,
        again: bool,
    ) -> Option<Breach> {
        let state = machine.pe(pe);
        let place = &mut self.seen.get_or_insert_with(|| machine.pes().others(|_| Seen::default()))[pe];
        let changes = Some((state.el2.changes(), state.el1.changes()));
        if place.vcpu == runs && place.changes == changes && !again {
            return None;
        }
        place.changes = changes;
        // A region whose limit is below its base holds nothing, and would part neighbours.
        let el2 = || state.el2.enabled().filter(|(_, words)| words.base() <= words.limit());
        let el1 = || runs.into_iter().flat_map(|_| state.el1.enabled());
        let same = el2().eq(place.el2.iter().copied()) && el1().eq(place.el1.iter().copied());
        if place.vcpu == runs && same && !again {
            return None;
        }
        place.vcpu = runs;
        place.el2.clear();
        place.el2.extend(el2());
        place.el1.clear();
        place.el1.extend(el1());
        self.right.follow(layout);
        judge(layout, state, place, &mut self.right).map(|(kind, span)| {
            let (owner, _) = layout.owner(span.base());
            Breach { pe, runs: runs.map(|(domain, _)| domain), kind, span, owner }
        })
    }
}

fn judge(layout: &Layout, state: &Pe, seen: &Seen, right: &mut Right) -> Option<(BreachKind, Span)> {
    let everything = Span::new(0, mpu_model::PA_LIMIT)?;
    let sctlr = state.el2.read(MpuReg::Sctlr);
    let known = seen.vcpu.is_some_and(|(domain, _)| right.has(domain, sctlr, &seen.el2));
    let mut ordered = Regions::new();
    if !known {
        ordered.clone_from(&seen.el2);
        ordered.sort_by_key(|(_, words)| words.base());
    }
    if let Some(overlap) = ordered.windows(2).find_map(shared) {
        return Some((BreachKind::Overlap, overlap));
    }
    let Some((domain, vcpu)) = seen.vcpu else {
        // Nobody runs: whatever is open stands there for whoever comes next.
        let open = open(&ordered).next();
        return open.map(|span| (BreachKind::Exposed, span));
    };
    if !Sctlr::new_with_raw_value(sctlr).m() || state.hcr() & hcr::VM == 0 {
        return Some((BreachKind::Off, everything));
    }
    if state.el2.pending().next().is_some() {
        // What follows is said of the newest values; hardware may still go by others.
        return Some((BreachKind::NotInForce, everything));
    }
    if !known {
        let exposed = || open(&ordered).find_map(|region| beyond(layout, &state.el2, domain, region));
        let withheld = || truth(layout, domain).find_map(|(span, _)| missing(&ordered, span));
        let wrong = exposed().or_else(|| withheld().map(|span| (BreachKind::Withheld, span)));
        if wrong.is_some() {
            return wrong;
        }
        right.keep(domain, sctlr, &seen.el2);
    }
    let planned = &layout.domains().get(domain)?.vcpus.get(usize::try_from(vcpu).ok()?)?.el1_regions;
    let words = || seen.el1.iter().map(|(_, words)| *words);
    let same = words().eq(planned.iter().map(mpu_model::Region::words));
    let stage_one = Sctlr::new_with_raw_value(state.el1.read(MpuReg::Sctlr)).m();
    let in_force = state.el1.pending().next().is_none();
    (!same || stage_one == planned.is_empty() || !in_force).then_some((BreachKind::StageOne, everything))
}

/// The bytes that two neighbours in order of base share.
fn shared(pair: &[(u8, RegionWords)]) -> Option<Span> {
    let [(_, low), (_, high)] = pair else {
        return None;
    };
    Span::new(high.base(), low.limit().min(high.limit()))
}

/// The ranges that are open to guests.
fn open(regions: &[(u8, RegionWords)]) -> impl Iterator<Item = Span> {
    let lower = regions.iter().filter(|(_, words)| words.attrs().ap.lower());
    lower.filter_map(|(_, words)| Span::new(words.base(), words.limit()))
}

/// What `domain` may do where `owner` is at home.
fn rights(layout: &Layout, domain: usize, owner: Owner) -> Option<Rights> {
    let shares = |index: usize| layout.parts().shared.get(index).is_some_and(|shared| shared.domains.contains(&domain));
    match owner {
        Owner::Ram(of) if of == domain => Some([true; 3]),
        Owner::ReadOnly(of) if of == domain => Some([true, false, false]),
        Owner::Granted(of) | Owner::Pool(Some(of)) if of == domain => Some([true, true, false]),
        Owner::Shared(index) if shares(index) => Some([true, true, false]),
        Owner::Passthrough(index) => {
            let device = layout.parts().passthrough.get(index)?;
            device.domains.contains(&domain).then_some([true, true, false])
        }
        _ => None,
    }
}

/// Every range that `domain` may touch.
fn truth(layout: &Layout, domain: usize) -> impl Iterator<Item = (Span, Rights)> {
    layout.owners().iter().filter_map(move |(span, owner)| Some((*span, rights(layout, domain, *owner)?)))
}

/// The first part of `region` that is open to `domain` and must not be, or not so.
fn beyond(layout: &Layout, mpu: &Mpu, domain: usize, region: Span) -> Option<(BreachKind, Span)> {
    let mut at = region.base();
    for (span, owner) in layout.owners().iter().filter(|(span, _)| span.overlaps(&region)) {
        let part = span.intersection(&region)?;
        if let Some(gap) = part.base().checked_sub(1).and_then(|last| Span::new(at, last)) {
            return Some((BreachKind::Exposed, gap));
        }
        let Some(rights) = rights(layout, domain, *owner) else {
            return Some((BreachKind::Exposed, part));
        };
        if granted(mpu, part.base()) != rights {
            return Some((BreachKind::Rights, part));
        }
        at = part.limit() + 1;
    }
    Span::new(at, region.limit()).map(|gap| (BreachKind::Exposed, gap))
}

/// What the MPU grants a guest at `addr`.
fn granted(mpu: &Mpu, addr: u64) -> Rights {
    KINDS.map(|kind| {
        let size = if kind == AccessKind::Fetch { 4 } else { 1 };
        mpu.check(Regime::Stage2, Access { addr, size, kind, el: El::El1 }).result.is_ok()
    })
}

/// The first part of `span` that is not open to guests. `regions` is in order of base.
fn missing(regions: &[(u8, RegionWords)], span: Span) -> Option<Span> {
    let mut at = span.base();
    for part in open(regions).filter_map(|region| region.intersection(&span)) {
        if let Some(hole) = part.base().checked_sub(1).and_then(|last| Span::new(at, last)) {
            return Some(hole);
        }
        at = part.limit().checked_add(1)?;
    }
    Span::new(at, span.limit())
}
