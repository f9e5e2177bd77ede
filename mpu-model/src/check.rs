//! One access judged against one state of the registers, byte by byte in effect.

use crate::PA_LIMIT;
use crate::access::{Access, Denial, DenialKind, El, Hit, HitBy, Regime};
use crate::regs::Sctlr;
use crate::rules::{Rights, Rules, VmWithoutM};
use crate::table::{SlotSet, Table};

/// The registers that a verdict depends on.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) table: Table,
    pub(crate) sctlr: Sctlr,
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
    if first > PA_LIMIT {
        return Err(judge.denied(DenialKind::AddressSize, first));
    }
    let hit = match judge.without_regions() {
        Some(answer) => answer.map_err(|kind| judge.denied(kind, first)),
        None => judge.span(first, last.min(PA_LIMIT)),
    }?;
    // Lower bytes come first, so the top of the address space is asked about last.
    if last > PA_LIMIT { Err(judge.denied(DenialKind::AddressSize, PA_LIMIT + 1)) } else { Ok(hit) }
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
    if access.addr > PA_LIMIT {
        return Err(judge.denied(DenialKind::AddressSize, access.addr));
    }
    judge.without_regions().unwrap_or_else(|| judge.byte(holding)).map_err(|kind| judge.denied(kind, access.addr))
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

    /// The answer where no region is looked at: the MPU is off.
    fn without_regions(&self) -> Option<Result<Hit, DenialKind>> {
        if self.state.sctlr.m() {
            return None;
        }
        match (self.regime, self.rules.vm_without_m) {
            (Regime::Stage2, VmWithoutM::RegionsApply) => None,
            (Regime::Stage2, VmWithoutM::TranslationFault) => Some(Err(DenialKind::NoRegion)),
            // EL0 below a disabled EL1 MPU is disputed as well; all software seen enables that MPU before EL0 runs.
            (Regime::El2 | Regime::El1, _) => Some(Ok(Hit { by: HitBy::MpuOff, attrs: None })),
        }
    }

    /// What the background region lets this access do, if it serves it: privileged accesses of stage 1 only.
    fn background(&self) -> Option<Rights> {
        let privileged = match self.regime {
            Regime::El2 => true,
            Regime::El1 => self.access.el != El::El0,
            Regime::Stage2 => false,
        };
        if privileged && self.state.sctlr.br() { Rights::of_default_map(self.rules.default_map) } else { None }
    }

    /// Judges one byte that the enabled slots in `holding`, and no others, hold.
    fn byte(&self, holding: SlotSet) -> Result<Hit, DenialKind> {
        if let Some(slot) = holding.only() {
            return self.one(slot);
        }
        // Overlap comes before permission and background.
        if let (Some(first), Some(second)) = holding.lowest_two() {
            return Err(DenialKind::Overlap { first, second });
        }
        match self.background().ok_or(DenialKind::NoRegion)?.missing(self.access.kind) {
            Some(needs) => Err(DenialKind::Permission { slot: None, needs }),
            None => Ok(Hit { by: HitBy::Background, attrs: None }),
        }
    }

    /// Judges bytes that the region in `slot` holds alone.
    fn one(&self, slot: u8) -> Result<Hit, DenialKind> {
        let attrs = self.state.table.words(slot).attrs();
        let wxn = self.state.sctlr.wxn();
        let rights = Rights::of_region(attrs, self.regime, self.access.el, wxn, self.rules.s2_xn);
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
            for slot in touched.iter() {
                let words = self.state.table.words(slot);
                if at < words.base() {
                    next = next.min(words.base());
                } else if at <= words.limit() {
                    holding.put(slot, true);
                    next = next.min(words.limit() + 1);
                }
            }
            let hit = self.byte(holding).map_err(|kind| self.denied(kind, at))?;
            let hit = *answer.get_or_insert(hit);
            if next > last {
                return Ok(hit);
            }
            at = next;
        }
    }
}
