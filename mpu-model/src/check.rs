//! One access judged against one state of the registers, byte by byte in effect.

use crate::PA_LIMIT;
use crate::access::{Access, Denial, DenialKind, Hit, HitBy};
use crate::level::{El, Regime};
use crate::pmsa::Pmsa;
use crate::regs::Sctlr;
use crate::rules::{Crossing, DEVICE_HALF, DefaultMap, El0WithoutM, MixedAttributes, Rights, Rules, VmWithoutM};
use crate::slot::Slot;
use crate::slot_set::SlotSet;
use crate::table::Table;

/// The lines that [`Crossing::FirstBytePerKilobyte`] speaks of.
const KILOBYTE: u64 = 1024;

/// The registers that a verdict depends on.
#[derive(Clone, PartialEq)]
pub(crate) struct State {
    pub(crate) table: Table,
    pub(crate) sctlr: Sctlr,
    pub(crate) pmsa: Pmsa,
}

impl State {
    /// `SCTLR.WXN` and, where there is one, `SCTLR.UWXN`.
    pub(crate) fn wxn(&self) -> (bool, bool) {
        (self.sctlr.wxn(), self.pmsa == Pmsa::V32 && self.sctlr.uwxn())
    }
}

/// A state, and how one kind of access is to be judged by it.
#[derive(Clone, Copy)]
struct Judge<'a> {
    state: &'a State,
    rules: Rules,
    regime: Regime,
    access: Access,
}

/// Judges `access` by `state`.
pub(crate) fn judge(state: &State, rules: Rules, regime: Regime, access: Access) -> Result<Hit, Denial> {
    let judge = Judge { state, rules, regime, access };
    let (first, last) = (access.addr, last_byte(&access));
    match rules.crossing {
        Crossing::EveryByte => judge.range(first, last),
        Crossing::FirstByte => judge.range(first, first),
        Crossing::FirstBytePerKilobyte => {
            // Single bytes are looked at, and each has one set of attributes.
            let rules = Rules { mixed: MixedAttributes::AsFirst, ..rules };
            Judge { rules, ..judge }.lines(first, last)
        }
    }
}

/// Judges the one byte of `access`, given the enabled slots that hold it.
pub(crate) fn judge_byte(
    state: &State,
    rules: Rules,
    regime: Regime,
    access: Access,
    holding: SlotSet,
) -> Result<Hit, Denial> {
    let judge = Judge { state, rules, regime, access };
    if access.addr > state.pmsa.address_limit() {
        return Err(judge.denied(DenialKind::AddressSize, access.addr));
    }
    judge
        .without_regions(access.addr)
        .unwrap_or_else(|| judge.byte(access.addr, holding))
        .map_err(|kind| judge.denied(kind, access.addr))
}

/// Judges `access` by an MPU that is off.
pub(crate) fn judge_off(pmsa: Pmsa, rules: Rules, regime: Regime, access: Access) -> Result<Hit, Denial> {
    let off = State { table: Table::new(0), sctlr: Sctlr::ZERO, pmsa };
    judge(&off, rules, regime, access)
}

/// Judges `access` where no MPU stands in its way: only the address space ends somewhere.
pub(crate) fn flat(regime: Regime, access: Access) -> Result<Hit, Denial> {
    if last_byte(&access) > PA_LIMIT {
        let addr = access.addr.max(PA_LIMIT + 1);
        return Err(Denial { kind: DenialKind::AddressSize, addr, access, regime });
    }
    Ok(Hit { by: HitBy::MpuOff, attrs: None })
}

/// The last byte of `access`; the highest address there is where it would run past it.
pub(crate) fn last_byte(access: &Access) -> u64 {
    access.addr.saturating_add(access.size.saturating_sub(1))
}

impl Judge<'_> {
    const fn denied(&self, kind: DenialKind, addr: u64) -> Denial {
        Denial { kind, addr, access: self.access, regime: self.regime }
    }

    /// Whether two parts of the access meet memory of different kinds, and that faults. What tells memory apart is `AttrIndx` and
    /// SH of its region, or the half of the default map that it lies in.
    fn mixed(&self, (one, at_one): (Hit, u64), (two, at_two): (Hit, u64)) -> bool {
        let halves = self.rules.default_map == DefaultMap::Pmsav8_32;
        let met = |hit: Hit, at: u64| match hit.attrs {
            Some(attrs) => (Some((attrs.attr_index, attrs.sh)), false),
            None => (None, halves && at >= DEVICE_HALF),
        };
        self.rules.mixed == MixedAttributes::AlignmentFault && met(one, at_one) != met(two, at_two)
    }

    /// Judges the bytes `first` to `last`, and what of them lies beyond the address space.
    fn range(&self, first: u64, last: u64) -> Result<Hit, Denial> {
        let top = self.state.pmsa.address_limit();
        if first > top {
            return Err(self.denied(DenialKind::AddressSize, first));
        }
        let hit = match self.without_regions(first) {
            Some(answer) => {
                let hit = answer.map_err(|kind| self.denied(kind, first))?;
                // What holds for the first byte holds for all, but that one default map has two halves.
                let halves = first < DEVICE_HALF && DEVICE_HALF <= last;
                match halves.then(|| self.without_regions(DEVICE_HALF)) {
                    Some(Some(Err(kind))) => return Err(self.denied(kind, DEVICE_HALF)),
                    Some(Some(Ok(above))) if self.mixed((hit, first), (above, DEVICE_HALF)) => {
                        return Err(self.denied(DenialKind::MixedAttributes, first));
                    }
                    _ => hit,
                }
            }
            None => self.span(first, last.min(top))?,
        };
        // Lower bytes come first, so the top of the address space is asked about last.
        if last > top { Err(self.denied(DenialKind::AddressSize, top + 1)) } else { Ok(hit) }
    }

    /// Judges the byte `first`, and the first of each kilobyte behind it up to `last`.
    fn lines(&self, first: u64, last: u64) -> Result<Hit, Denial> {
        let hit = self.range(first, first)?;
        let mut at = first;
        // From a byte that is denied on to the next line: as many steps at most as there are borders, however many lines.
        while let Err(denial) = self.range(at, last) {
            at = denial.addr.next_multiple_of(KILOBYTE);
            if at > last {
                break;
            }
            self.range(at, at)?;
        }
        Ok(hit)
    }

    /// The answer where no region is looked at: the MPU is off.
    fn without_regions(&self, addr: u64) -> Option<Result<Hit, DenialKind>> {
        if self.state.sctlr.m() {
            return None;
        }
        match (self.regime, self.rules.vm_without_m) {
            (Regime::Stage2, VmWithoutM::RegionsApply) => None,
            (Regime::Stage2, VmWithoutM::TranslationFault) => Some(Err(DenialKind::NoRegion)),
            (Regime::El1, _)
                if self.access.el == El::El0 && self.rules.el0_without_m == El0WithoutM::TranslationFault =>
            {
                Some(Err(DenialKind::NoRegion))
            }
            (Regime::El2 | Regime::El1, _) => {
                // A default map that the architecture fixes holds here too; of any other nothing is known.
                let fixed = Some(self.rules.default_map).filter(|map| *map == DefaultMap::Pmsav8_32);
                let rights = fixed.and_then(|map| Rights::of_default_map(map, addr));
                let needs = rights.and_then(|rights| rights.missing(self.access.kind));
                Some(match needs {
                    Some(needs) => Err(DenialKind::Permission { slot: None, needs }),
                    None => Ok(Hit { by: HitBy::MpuOff, attrs: None }),
                })
            }
        }
    }

    /// What the background region lets this access do, if it serves it: privileged accesses of stage 1 only.
    fn background(&self, addr: u64) -> Option<Rights> {
        let privileged = match self.regime {
            Regime::El2 => true,
            Regime::El1 => self.access.el != El::El0,
            Regime::Stage2 => false,
        };
        if privileged && self.state.sctlr.br() { Rights::of_default_map(self.rules.default_map, addr) } else { None }
    }

    /// Judges the byte at `addr`, which the enabled slots in `holding`, and no others, hold.
    fn byte(&self, addr: u64, holding: SlotSet) -> Result<Hit, DenialKind> {
        if let Some(slot) = holding.only() {
            return self.one(slot);
        }
        // Overlap comes before permission and background.
        if let (Some(first), Some(second)) = holding.lowest_two() {
            return Err(DenialKind::Overlap { first, second });
        }
        match self.background(addr).ok_or(DenialKind::NoRegion)?.missing(self.access.kind) {
            Some(needs) => Err(DenialKind::Permission { slot: None, needs }),
            None => Ok(Hit { by: HitBy::Background, attrs: None }),
        }
    }

    /// Judges bytes that the region in `slot` holds alone.
    fn one(&self, slot: Slot) -> Result<Hit, DenialKind> {
        let attrs = self.state.table.words(slot).attrs();
        let rights = Rights::of_region(attrs, self.regime, self.access.el, self.state.wxn(), self.rules.s2_xn);
        match rights.missing(self.access.kind) {
            Some(needs) => Err(DenialKind::Permission { slot: Some(slot), needs }),
            None => Ok(Hit { by: HitBy::Slot(slot), attrs: Some(attrs) }),
        }
    }

    /// Judges the bytes `first` to `last`. Nearly every access meets one region and lies in it.
    fn span(&self, first: u64, last: u64) -> Result<Hit, Denial> {
        let touched = self.state.table.touching(first, last);
        if let Some(slot) = touched.only() {
            let words = self.state.table.words(slot);
            if words.base() <= first && last <= words.limit() {
                return self.one(slot).map_err(|kind| self.denied(kind, first));
            }
        }
        self.walk(first, last, touched)
    }

    /// Judges a span that borders cross: once for each stretch between two borders, lowest first.
    fn walk(&self, first: u64, last: u64, touched: SlotSet) -> Result<Hit, Denial> {
        let mut answer = None;
        let mut at = first;
        loop {
            let mut holding = SlotSet::default();
            let mut next = last + 1;
            if self.rules.default_map == DefaultMap::Pmsav8_32 && at < DEVICE_HALF {
                next = next.min(DEVICE_HALF);
            }
            for slot in touched.iter() {
                let words = self.state.table.words(slot);
                if at < words.base() {
                    next = next.min(words.base());
                } else if at <= words.limit() {
                    holding.put(slot, true);
                    next = next.min(words.limit() + 1);
                }
            }
            let part = self.byte(at, holding).map_err(|kind| self.denied(kind, at))?;
            let hit = *answer.get_or_insert(part);
            if self.mixed((hit, first), (part, at)) {
                return Err(self.denied(DenialKind::MixedAttributes, first));
            }
            if next > last {
                return Ok(hit);
            }
            at = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::AccessKind;

    /// Found by a property test: one line after the other, this took days.
    #[test]
    fn the_largest_access_is_judged_by_kilobytes_at_once() {
        let state = State { table: Table::new(1), sctlr: Sctlr::ZERO, pmsa: Pmsa::V64 };
        let rules = Rules { crossing: Crossing::FirstBytePerKilobyte, ..Rules::default() };
        let access = Access { addr: 1, size: u64::MAX, kind: AccessKind::Read, el: El::El2 };
        let denial = Denial { kind: DenialKind::AddressSize, addr: PA_LIMIT + 1, access, regime: Regime::El2 };
        assert_eq!(judge(&state, rules, Regime::El2, access), Err(denial));
    }

    #[test]
    fn by_kilobytes_only_the_first_byte_of_each_counts() {
        let mut table = Table::new(3);
        // All of the first KiB but its last granule; the second; the third but its first granule.
        for (slot, base, limit) in [(0, 0, 0x380), (1, 0x400, 0x7c0), (2, 0x840, 0xbc0)] {
            table.set_prbar(Slot::new(slot), base);
            table.set_prlar(Slot::new(slot), limit | 1);
        }
        let state = State { table, sctlr: Sctlr::ZERO.with_m(true), pmsa: Pmsa::V64 };
        let rules = Rules { crossing: Crossing::FirstBytePerKilobyte, ..Rules::default() };
        let denied = |addr, size| {
            let access = Access { addr, size, kind: AccessKind::Read, el: El::El2 };
            judge(&state, rules, Regime::El2, access).err().map(|denial| denial.addr)
        };
        assert_eq!(denied(0x3b0, 0x20), None);
        assert_eq!(denied(0x3b0, 0x450), None, "to the last byte of the second");
        assert_eq!(denied(0x3b0, 0x451), Some(0x800));
        assert_eq!(denied(0x3c0, 1), Some(0x3c0));
    }

    /// Found by a property test: only the first byte was looked at while the MPU was off.
    #[test]
    fn the_default_map_is_asked_about_both_of_its_halves() {
        let access = Access { addr: 0x7fff_fffe, size: 4, kind: AccessKind::Fetch, el: El::El1 };
        let kind = DenialKind::Permission { slot: None, needs: AccessKind::Fetch };
        let denial = Denial { kind, addr: 0x8000_0000, access, regime: Regime::El1 };
        let off = |access| judge_off(Pmsa::V32, Rules::pmsav8_32(), Regime::El1, access);
        let sctlr = Sctlr::ZERO.with_m(true).with_br(true);
        let state = State { table: Table::new(1), sctlr, pmsa: Pmsa::V32 };
        let background = |access| judge(&state, Rules::pmsav8_32(), Regime::El1, access);
        for answer in [&off as &dyn Fn(_) -> _, &background] {
            assert_eq!(answer(access), Err(denial));
            assert!(answer(Access { size: 2, ..access }).is_ok());
            assert!(answer(Access { kind: AccessKind::Read, ..access }).is_ok());
        }
    }

    #[test]
    fn uwxn_is_a_bit_of_aarch32_alone() {
        let executes = |pmsa, uwxn| {
            let mut table = Table::new(1);
            // Read-write for all, executable.
            table.set_prbar(Slot::new(0), 0b01 << 2);
            table.set_prlar(Slot::new(0), 1);
            let state = State { table, sctlr: Sctlr::ZERO.with_m(true).with_uwxn(uwxn), pmsa };
            let access = Access { addr: 0, size: 4, kind: AccessKind::Fetch, el: El::El1 };
            judge(&state, Rules::default(), Regime::El1, access).is_ok()
        };
        assert!(executes(Pmsa::V32, false) && executes(Pmsa::V64, false) && executes(Pmsa::V64, true));
        assert!(!executes(Pmsa::V32, true));
    }

    /// What a probe asks at the very end.
    #[test]
    fn the_last_byte_is_a_byte() {
        let state = State { table: Table::new(1), sctlr: Sctlr::ZERO, pmsa: Pmsa::V64 };
        let byte = |addr| {
            let access = Access { addr, size: 1, kind: AccessKind::Read, el: El::El2 };
            judge_byte(&state, Rules::default(), Regime::El2, access, SlotSet::default()).is_ok()
        };
        assert!(byte(PA_LIMIT) && !byte(PA_LIMIT + 1));
    }
}
