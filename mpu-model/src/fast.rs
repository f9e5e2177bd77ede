//! The state in force compiled for many checks: the address space cut at every border of a region, and one answer for
//! each stretch between two cuts.
//!
//! Compiling costs about as much as a hundred accesses judged by the rule book ([`crate::check::judge`]), so a state is
//! compiled once it has answered as many. What lies in one stretch that one region holds, or none and no background
//! region, is answered here; all else is left to the rule book.

use crate::access::{Access, AccessKind, Denial, DenialKind, Hit, HitBy};
use crate::attrs::Attrs;
use crate::check::{State, last_byte};
use crate::level::{El, Regime};
use crate::rules::{DefaultMap, Rights, Rules};
use crate::slot::Slot;

/// Stretches begin at address 0 and at two borders of each region; behind the last is an end. A power of two, so that an
/// index can be masked and need not be checked.
const CUTS: usize = 512;
const _: () = assert!(2 * crate::MAX_REGIONS + 2 <= CUTS && CUTS.is_power_of_two());

/// What [`Stretch::around`] looks at: guests' memory and what they share with the hypervisor comes in pages.
const PAGE: u64 = 4096;

/// The addresses from the lowest border of a region to the highest, cut into as many equal parts.
const PARTS: usize = 256;

/// Who asks, in the order of the bits of [`Answer`].
const ASKERS: [(Regime, El); 5] = [
    (Regime::El2, El::El2),
    (Regime::Stage2, El::El1),
    (Regime::Stage2, El::El0),
    (Regime::El1, El::El1),
    (Regime::El1, El::El0),
];

/// The answer that all bytes of a stretch have.
#[derive(Clone, Copy)]
struct Answer {
    /// Who may read, write and fetch: three bits for each of [`ASKERS`].
    rights: u16,
    holder: Holder,
    /// Those of the region that holds it.
    attrs: Option<Attrs>,
}

/// What holds a stretch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holder {
    /// One region.
    Slot(Slot),
    /// No region, and no background region serves anybody.
    Nobody,
    /// Several, or the background region: the rule book has to be asked.
    Book,
}

/// A compiled state.
#[derive(Clone)]
pub(crate) struct Fast {
    /// Where each stretch begins, in order, and behind the last the first address that is none.
    bases: [u64; CUTS],
    answers: [Answer; CUTS],
    /// Where the parts begin, and how many bits of an address lie below a part.
    origin: u64,
    shift: u32,
    /// The stretch that holds the first byte of each part; 0 for the first part, which takes what lies below as well.
    parts: [u16; PARTS + 1],
}

/// What holds the byte at which a sweep over the borders stands.
#[derive(Default)]
struct Holders {
    count: i32,
    /// The numbers of all their slots, exclusively ored: that of the slot where there is one.
    numbers: u8,
}

/// Where a region begins or where the first byte behind it is.
#[derive(Clone, Copy)]
struct Border {
    at: u64,
    slot: Slot,
    begins: bool,
}

impl Fast {
    /// Compiles a state; `None` where the MPU is off.
    pub(crate) fn compile(state: &State, rules: Rules) -> Option<Self> {
        if !state.sctlr.m() {
            return None;
        }
        let mut room = [Border { at: 0, slot: Slot::new(0), begins: false }; CUTS];
        let borders = borders(state, &mut room);
        let top = state.pmsa.address_limit();
        let mut fast = Self {
            bases: [top + 1; CUTS],
            answers: [BOOK; CUTS],
            origin: borders.first().map_or(0, |border| border.at),
            shift: 0,
            parts: [0; PARTS + 1],
        };
        let mut holders = Holders::default();
        let mut rest = borders.iter().peekable();
        let (mut at, mut last) = (0, 0);
        for (index, (base, answer)) in fast.bases.iter_mut().zip(&mut fast.answers).enumerate() {
            while let Some(border) = rest.next_if(|border| border.at == at) {
                holders.count += if border.begins { 1 } else { -1 };
                holders.numbers ^= border.slot.number();
            }
            (*base, *answer, last) = (at, holders.answer(state, rules), index);
            match rest.peek() {
                Some(next) if next.at <= top => at = next.at,
                _ => break,
            }
        }
        fast.cut_into_parts(last);
        Some(fast)
    }

    /// Fills in the parts, of stretches 0 to `last`.
    fn cut_into_parts(&mut self, last: usize) {
        let length = self.base(last).saturating_sub(self.origin);
        // So that the highest border lies in the last part or below.
        self.shift = (64 - PARTS.ilog2()).saturating_sub(length.leading_zeros());
        let mut stretch = 0;
        for part in 1..=PARTS {
            let first_byte = self.origin + ((part as u64) << self.shift);
            while stretch < last && self.base(stretch + 1) <= first_byte {
                stretch += 1;
            }
            if let Some(place) = self.parts.get_mut(part) {
                *place = stretch as u16;
            }
        }
    }

    #[inline]
    #[allow(clippy::indexing_slicing, reason = "the mask keeps it inside")]
    const fn base(&self, index: usize) -> u64 {
        self.bases[index & (CUTS - 1)]
    }

    /// The index of the stretch that holds `addr`.
    #[inline]
    #[allow(clippy::indexing_slicing, reason = "there is one part more than the highest that is looked up")]
    fn find(&self, addr: u64) -> usize {
        let part = (addr.saturating_sub(self.origin) >> self.shift).min(PARTS as u64 - 1) as usize;
        let (low, high) = (usize::from(self.parts[part]), usize::from(self.parts[part + 1]));
        // Most parts hold one border or none.
        if high - low > 1 {
            return self.search(low, high, addr);
        }
        if self.base(high) <= addr { high } else { low }
    }

    /// The last stretch of `low` to `high` that begins at `addr` or before. Without a branch that hangs on what is found.
    fn search(&self, mut low: usize, high: usize, addr: u64) -> usize {
        let mut left = high - low;
        while left > 0 {
            let half = left.div_ceil(2);
            low += half * usize::from(self.base(low + half) <= addr);
            left -= half;
        }
        low
    }

    /// The stretch that holds `addr`; the last one if the address is beyond all.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "measured: see the example check_speed")]
    pub(crate) fn stretch(&self, addr: u64) -> Stretch {
        let index = self.find(addr);
        let base = self.base(index);
        #[allow(clippy::indexing_slicing, reason = "the mask keeps it inside")]
        let answer = self.answers[index & (CUTS - 1)];
        let known = answer.holder != Holder::Book;
        Stretch { base, length: if known { self.base(index + 1) - base } else { 0 }, answer }
    }
}

/// One stretch.
#[derive(Clone, Copy)]
pub(crate) struct Stretch {
    base: u64,
    /// 0 where the rule book has to be asked.
    length: u64,
    answer: Answer,
}

impl Stretch {
    /// Holds nothing.
    pub(crate) const NONE: Self = Self { base: 0, length: 0, answer: BOOK };

    /// The page or pages of an access, where one region holds all of them: found without compiling the state, at about what
    /// the rule book takes for the access alone.
    pub(crate) fn around(access: &Access, state: &State, rules: Rules) -> Option<Self> {
        let (first, last) = (access.addr & !(PAGE - 1), last_byte(access) | (PAGE - 1));
        if !state.sctlr.m() || last > state.pmsa.address_limit() {
            return None;
        }
        let slot = state.table.touching(first, last).only()?;
        let words = state.table.words(slot);
        let attrs = words.attrs();
        (words.base() <= first && last <= words.limit()).then(|| Self {
            base: first,
            length: last - first + 1,
            answer: Answer { rights: rights(state, rules, attrs), holder: Holder::Slot(slot), attrs: Some(attrs) },
        })
    }

    /// Whether all bytes of `access` lie inside.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "measured: see the example check_speed")]
    pub(crate) const fn holds(&self, access: &Access) -> bool {
        // One comparison: on which side of a stretch a random address lies cannot be foretold.
        access.addr.wrapping_sub(self.base) < self.length.saturating_sub(access.size.saturating_sub(1))
    }

    /// The answer to an access that lies inside.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "measured: see the example check_speed")]
    pub(crate) fn judge(&self, regime: Regime, access: Access) -> Result<Hit, Denial> {
        self.answer.to(regime, access)
    }
}

impl Answer {
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "measured: see the example check_speed")]
    fn to(self, regime: Regime, access: Access) -> Result<Hit, Denial> {
        let rights = self.rights >> bits_below(regime, access.el) & 0b111;
        let needs = needs(access.kind);
        let kind = match self.holder {
            Holder::Slot(slot) if rights & needs == needs => {
                return Ok(Hit { by: HitBy::Slot(slot), attrs: self.attrs });
            }
            Holder::Slot(slot) => {
                let needs = match access.kind {
                    AccessKind::Rmw if rights & READ == 0 => AccessKind::Read,
                    AccessKind::Rmw => AccessKind::Write,
                    kind => kind,
                };
                DenialKind::Permission { slot: Some(slot), needs }
            }
            Holder::Nobody | Holder::Book => DenialKind::NoRegion,
        };
        Err(Denial { kind, addr: access.addr, access, regime })
    }
}

/// Of a stretch that is left to the rule book.
const BOOK: Answer = Answer { rights: 0, holder: Holder::Book, attrs: None };

impl Holders {
    fn answer(&self, state: &State, rules: Rules) -> Answer {
        match self.count {
            0 if !state.sctlr.br() || rules.default_map == DefaultMap::None => {
                Answer { holder: Holder::Nobody, ..BOOK }
            }
            1 => {
                let slot = Slot::new(self.numbers);
                let attrs = state.table.words(slot).attrs();
                let rights = rights(state, rules, attrs);
                Answer { rights, holder: Holder::Slot(slot), attrs: Some(attrs) }
            }
            _ => BOOK,
        }
    }
}

/// The borders of all enabled regions, in order of addresses. Regions whose limit is below their base have none.
fn borders<'a>(state: &State, room: &'a mut [Border; CUTS]) -> &'a [Border] {
    let regions = state.table.enabled().iter().map(|slot| (slot, state.table.words(slot)));
    let ends = regions.filter(|(_, words)| words.base() <= words.limit()).flat_map(|(slot, words)| {
        let end = words.limit() + 1;
        [Border { at: words.base(), slot, begins: true }, Border { at: end, slot, begins: false }]
    });
    let mut count = 0;
    for (place, border) in room.iter_mut().zip(ends) {
        *place = border;
        count += 1;
    }
    let borders = room.get_mut(..count).unwrap_or_default();
    borders.sort_unstable_by_key(|border| border.at);
    borders
}

const READ: u16 = 0b001;
const WRITE: u16 = 0b010;
const FETCH: u16 = 0b100;

const fn needs(kind: AccessKind) -> u16 {
    match kind {
        AccessKind::Read => READ,
        AccessKind::Write => WRITE,
        AccessKind::Fetch => FETCH,
        AccessKind::Rmw => READ | WRITE,
    }
}

/// How many bits of an [`Answer`] are below those of who asks.
#[inline]
const fn bits_below(regime: Regime, el: El) -> u32 {
    match (regime, el) {
        (Regime::El2, _) => 0,
        (Regime::Stage2, El::El1 | El::El2) => 3,
        (Regime::Stage2, El::El0) => 6,
        (Regime::El1, El::El1 | El::El2) => 9,
        (Regime::El1, El::El0) => 12,
    }
}

/// The bits of an [`Answer`] for a region.
fn rights(state: &State, rules: Rules, attrs: Attrs) -> u16 {
    let one = |bits, (regime, el)| {
        let rights = Rights::of_region(attrs, regime, el, state.wxn(), rules.s2_xn);
        let granted = [AccessKind::Read, AccessKind::Write, AccessKind::Fetch]
            .into_iter()
            .filter(|kind| rights.missing(*kind).is_none());
        bits | granted.map(needs).fold(0, |bits, bit| bits | bit) << bits_below(regime, el)
    };
    ASKERS.into_iter().fold(0, one)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    extern crate std;

    use super::*;
    use crate::check::judge;
    use crate::pmsa::Pmsa;
    use crate::regs::Sctlr;
    use crate::rules::{Crossing, El0WithoutM, MixedAttributes, S2XnModel, VmWithoutM};
    use crate::table::Table;
    use proptest::prelude::*;
    use proptest::sample::{Index, select};
    use std::vec::Vec;

    impl core::fmt::Debug for State {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            let enabled = self.table.enabled().iter().map(|slot| (slot, self.table.words(slot)));
            let enabled: Vec<_> = enabled.collect();
            write!(f, "{:?} {:?} {} regions {enabled:#x?}", self.pmsa, self.sctlr, self.table.regions())
        }
    }

    /// Slot, first and last granule, the low bits of both words.
    type Words = (u8, u64, u64, u64, u64);

    /// Regions in a space of 64, or 4,096 times as many granules; a few may be reversed, or overlap.
    fn words() -> impl Strategy<Value = Vec<Words>> {
        let one = |granules: u64| {
            let length = prop_oneof![4 => 0..granules / 16, 1 => 0..granules];
            (any::<u8>(), 0..granules, length, any::<bool>(), 0..64_u64, 0..32_u64).prop_map(
                |(slot, base, length, reversed, bar, lar)| {
                    let limit = if reversed && length == 0 { base.saturating_sub(1) } else { base + length };
                    (slot, base, limit, bar, lar)
                },
            )
        };
        prop_oneof![
            prop::collection::vec(one(64), 0..8),
            prop::collection::vec(one(64 << 12), 0..8),
            prop::collection::vec(one(64 << 12), 100..300),
        ]
    }

    fn state() -> impl Strategy<Value = State> {
        let bits = [any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()];
        let pmsa = select(std::vec![Pmsa::V64, Pmsa::V32]);
        (words(), 1..=255_u8, bits, pmsa, any::<bool>()).prop_map(|(words, regions, [m, br, wxn, uwxn], pmsa, top)| {
            let mut table = Table::new(regions);
            let shift = if top { pmsa.address_limit() + 1 - (64 << 18) } else { 0 };
            for (slot, base, limit, bar, lar) in words {
                let slot = Slot::new(slot % regions);
                table.set_prbar(slot, ((base << 6) + shift) | bar);
                // Most are on.
                let on = u64::from(lar != 0);
                table.set_prlar(slot, ((limit << 6) + shift).min(pmsa.address_limit() & !0x3f) | lar & 0x1e | on);
            }
            let sctlr = Sctlr::ZERO.with_m(m || br || wxn).with_br(br && m).with_wxn(wxn).with_uwxn(uwxn);
            State { table, sctlr, pmsa }
        })
    }

    fn rules() -> impl Strategy<Value = Rules> {
        let maps = [DefaultMap::None, DefaultMap::RwNoExec, DefaultMap::Rwx, DefaultMap::Pmsav8_32];
        let crossings = [Crossing::EveryByte, Crossing::FirstByte, Crossing::FirstBytePerKilobyte];
        (
            select(std::vec![S2XnModel::EitherBit, S2XnModel::Xnx, S2XnModel::Bit1Only, S2XnModel::Bit0Only]),
            select(std::vec![VmWithoutM::TranslationFault, VmWithoutM::RegionsApply]),
            select(maps.to_vec()),
            select(crossings.to_vec()),
            select(std::vec![El0WithoutM::DefaultMap, El0WithoutM::TranslationFault]),
            select(std::vec![MixedAttributes::AsFirst, MixedAttributes::AlignmentFault]),
        )
            .prop_map(|(s2_xn, vm_without_m, default_map, crossing, el0_without_m, mixed)| Rules {
                s2_xn,
                vm_without_m,
                default_map,
                crossing,
                mixed,
                el0_without_m,
                ..Rules::default()
            })
    }

    /// Close to a border of a region, or anywhere.
    fn accesses() -> impl Strategy<Value = Vec<(Index, bool, i64, Regime, Access)>> {
        let size = prop_oneof![4 => Just(1_u64), 2 => 0..9_u64, 1 => 0..5000_u64, 1 => any::<u64>()];
        let kinds = [AccessKind::Read, AccessKind::Write, AccessKind::Fetch, AccessKind::Rmw];
        let away = prop_oneof![6 => -3..4_i64, 2 => -5000..5000_i64, 1 => any::<i64>()];
        let regime = select(std::vec![Regime::El2, Regime::Stage2, Regime::El1]);
        let el = select(std::vec![El::El0, El::El1, El::El2]);
        let access = (size, select(kinds.to_vec()), el);
        let one = (any::<Index>(), any::<bool>(), away, regime, access);
        let one = one.prop_map(|(region, end, away, regime, (size, kind, el))| {
            (region, end, away, regime, Access { addr: 0, size, kind, el })
        });
        prop::collection::vec(one, 64)
    }

    proptest! {
        #[test]
        fn what_is_answered_is_what_the_rule_book_says(state in state(), rules in rules(), accesses in accesses()) {
            let fast = Fast::compile(&state, rules);
            prop_assert_eq!(fast.is_some(), state.sctlr.m());
            for (region, end, away, regime, access) in accesses {
                let words = state.table.words(Slot::new(region.index(state.table.regions().into()) as u8));
                let border = if end { words.limit() + 1 } else { words.base() };
                let access = Access { addr: border.wrapping_add_signed(away), ..access };
                let book = judge(&state, rules, regime, access);
                if let Some(around) = Stretch::around(&access, &state, rules) {
                    prop_assert!(around.holds(&access));
                    prop_assert_eq!(around.judge(regime, access), book);
                    let other = Access { addr: around.base + away.unsigned_abs() % around.length, size: 1, ..access };
                    prop_assert_eq!(around.judge(regime, other), judge(&state, rules, regime, other));
                }
                let Some(fast) = &fast else {
                    continue;
                };
                let stretch = fast.stretch(access.addr);
                if stretch.holds(&access) {
                    prop_assert_eq!(stretch.judge(regime, access), book);
                } else if access.size <= 1 {
                    // Nothing that one region decides, or none, is left to the rule book.
                    let left = match book {
                        Ok(hit) => hit.by == HitBy::Background,
                        Err(Denial { kind: DenialKind::Permission { slot, .. }, .. }) => slot.is_none(),
                        Err(Denial { kind: DenialKind::NoRegion, .. }) => state.sctlr.br(),
                        Err(Denial { kind: DenialKind::Overlap { .. } | DenialKind::AddressSize, .. }) => true,
                        Err(Denial { kind: DenialKind::MixedAttributes, .. }) => false,
                    };
                    prop_assert!(left, "{:?}", book);
                }
            }
        }

        #[test]
        fn the_stretch_found_is_the_one_that_holds_the_address(state in state(), addr in any::<u64>(), at in any::<Index>()) {
            let sctlr = state.sctlr.with_m(true);
            let fast = Fast::compile(&State { sctlr, ..state }, Rules::default()).unwrap();
            let end = fast.bases.iter().position(|base| *base == *fast.bases.last().unwrap()).unwrap();
            let near = fast.base(at.index(end)).wrapping_add(addr % 128).wrapping_sub(64);
            for addr in [addr, near] {
                let plain = fast.bases.iter().take(end).rposition(|base| *base <= addr).unwrap();
                prop_assert_eq!(fast.find(addr), plain);
            }
        }
    }

    /// 255 regions with gaps between them fill the room to the last place but one.
    #[test]
    fn the_most_borders_there_can_be() {
        let mut table = Table::new(255);
        for (slot, place) in Slot::all(255).zip(1..) {
            table.set_prbar(slot, place * 0x1000);
            table.set_prlar(slot, (place * 0x1000) | 1);
        }
        let state = State { table, sctlr: Sctlr::ZERO.with_m(true), pmsa: Pmsa::V64 };
        let fast = Fast::compile(&state, Rules::default()).unwrap();
        assert_eq!(fast.find(255 * 0x1000), 509);
        assert_eq!((fast.find(crate::PA_LIMIT), fast.base(511)), (510, crate::PA_LIMIT + 1));

        // All but one crowded into two parts.
        let mut table = state.table;
        for (slot, place) in Slot::new(1).and_above(255).zip(1..) {
            table.set_prbar(slot, (1 << 40) + place * 128);
            table.set_prlar(slot, ((1 << 40) + place * 128) | 1);
        }
        let fast = Fast::compile(&State { table, ..state }, Rules::default()).unwrap();
        let found = |addr| fast.find(addr);
        assert_eq!([0, 0x1000, crate::PA_LIMIT].map(found), [0, 1, 510]);
        assert_eq!([1, 100, 254].map(|slot| found((1 << 40) + slot * 128)), [3, 201, 509]);
    }
}
