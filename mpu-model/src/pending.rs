//! Writes that are not in force yet, and accesses that cannot wait for them.

use crate::access::{Access, Denial, DenialKind, Hit, Verdict};
use crate::check::{State, judge, last_byte};
use crate::hazard::{Hazard, Missing, PendingWrite};
use crate::level::Regime;
use crate::regs::{MpuReg, PRLAR_EN, Sctlr};
use crate::rules::{Rules, SyncRule, WriteOrder};
use crate::slot::Slot;
use crate::slot_set::BEYOND_PRENR;

/// Pending writes that can be told apart. Setting up 255 regions without any barrier takes 526.
pub(crate) const CAPACITY: usize = 1024;

/// A write in the log. What it waits for is told by its place there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Entry {
    pub(crate) reg: MpuReg,
    pub(crate) slot: Option<Slot>,
    pub(crate) value: u64,
}

/// The pending writes, oldest first.
#[derive(Clone)]
pub(crate) struct Log {
    entries: [Entry; CAPACITY],
    len: usize,
    /// So many of the entries, from the oldest, have a DSB behind them.
    fenced: usize,
    /// The first write that found the log full, and whether a DSB came after the last one that did.
    lost: Option<(Entry, bool)>,
    /// Whether a selection is among the entries.
    selects: bool,
}

impl Log {
    pub(crate) const fn new() -> Self {
        let none = Entry { reg: MpuReg::Mpuir, slot: None, value: 0 };
        Self { entries: [none; CAPACITY], len: 0, fenced: 0, lost: None, selects: false }
    }

    /// Becomes what [`Log::new`] gives.
    pub(crate) const fn reset(&mut self) {
        self.len = 0;
        self.fenced = 0;
        self.lost = None;
        self.selects = false;
    }

    /// Whether both hold the same writes in the same order, waiting for the same barriers.
    pub(crate) fn same(&self, other: &Self) -> bool {
        self.entries() == other.entries() && self.fenced == other.fenced && self.lost == other.lost
    }

    #[inline]
    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0 && self.lost.is_none()
    }

    fn entries(&self) -> &[Entry] {
        self.entries.get(..self.len).unwrap_or_default()
    }

    pub(crate) fn push(&mut self, entry: Entry) {
        if let Some(place) = self.entries.get_mut(self.len) {
            *place = entry;
            self.len += 1;
            self.selects |= entry.reg == MpuReg::Prselr;
        } else {
            let (first, _) = self.lost.unwrap_or((entry, false));
            self.lost = Some((first, false));
        }
    }

    pub(crate) fn dsb(&mut self) {
        self.fenced = self.len;
        if let Some((_, fenced)) = &mut self.lost {
            *fenced = true;
        }
    }

    /// Puts into `in_force` what a context synchronisation event may put there, and forgets it.
    pub(crate) fn context_sync(&mut self, in_force: &mut State, newest: &State, sync: SyncRule) {
        let all = sync == SyncRule::ContextSyncOnly;
        if self.lost.is_some_and(|(_, fenced)| all || fenced) {
            in_force.clone_from(newest);
            self.lost = None;
            self.len = 0;
        }
        let ready = if all { self.len } else { self.fenced };
        let mut kept = 0;
        for index in 0..self.len {
            let Some(&entry) = self.entries.get(index) else {
                break;
            };
            if index < ready || entry.needs_no_dsb() {
                in_force.apply(&entry);
            } else if let Some(place) = self.entries.get_mut(kept) {
                *place = entry;
                kept += 1;
            }
        }
        self.len = kept;
        self.fenced = 0;
        // Selections wait for nothing else.
        self.selects = false;
    }

    /// Whether [`Log::selections`] has any.
    pub(crate) const fn selects(&self) -> bool {
        self.selects
    }

    pub(crate) fn iter(&self, sync: SyncRule) -> impl Iterator<Item = PendingWrite> + '_ {
        let lost = self.lost.iter().map(move |(entry, fenced)| entry.pending(sync, *fenced));
        self.entries()
            .iter()
            .enumerate()
            .map(move |(index, entry)| entry.pending(sync, index < self.fenced))
            .chain(lost)
    }

    /// The selections that may still be in use instead of the newest, after the one in force.
    pub(crate) fn selections(&self) -> impl Iterator<Item = u8> + '_ {
        self.entries().iter().filter(|entry| entry.reg == MpuReg::Prselr).map(|entry| entry.value as u8)
    }

    /// Judges by the state in force and by each prefix of the pending writes on top of it.
    pub(crate) fn judge(
        &self,
        in_force: &State,
        newest: &State,
        rules: Rules,
        regime: Regime,
        access: Access,
    ) -> Verdict {
        let before = judge(in_force, rules, regime, access);
        if let Some((entry, fenced)) = self.lost {
            let after = judge(newest, rules, regime, access);
            let unknown = Denial { kind: DenialKind::NoRegion, addr: access.addr, access, regime };
            let hazard = Hazard {
                write: entry.pending(rules.sync, fenced),
                ahead: None,
                in_force_allows: before.is_ok(),
                newest_allows: after.is_ok(),
                overflow: true,
            };
            return Verdict { result: Err(before.err().or(after.err()).unwrap_or(unknown)), hazard: Some(hazard) };
        }
        let mut state = in_force.clone();
        let mut after = before;
        let mut denial = before.err();
        let mut changed_by = None;
        for (index, entry) in self.entries().iter().enumerate() {
            let concerned = state.concerned(entry, &access);
            state.apply(entry);
            if !(concerned || state.concerned(entry, &access)) {
                continue;
            }
            after = judge(&state, rules, regime, access);
            denial = denial.or(after.err());
            if changed_by.is_none() && kind(&after) != kind(&before) {
                changed_by = Some(entry.pending(rules.sync, index < self.fenced));
            }
        }
        let mut found = changed_by.map(|write| (write, None));
        if found.is_none() && rules.order == WriteOrder::EnablesFirst {
            let told = |index: usize, entry: &Entry| entry.pending(rules.sync, index < self.fenced);
            found = self.enabled_first(in_force, rules, regime, access, &before).map(|early| {
                denial = denial.or(early.result.err());
                (told(early.write.0, early.write.1), Some(told(early.ahead.0, early.ahead.1)))
            });
        }
        let hazard = found.map(|(write, ahead)| Hazard {
            write,
            ahead,
            in_force_allows: before.is_ok(),
            newest_allows: after.is_ok(),
            overflow: false,
        });
        Verdict { result: denial.map_or(before, Err), hazard }
    }

    /// The first write that enables something and gives another verdict than `before` where it is in force before writes
    /// to regions; of those, the last that has to be missing for it.
    fn enabled_first(
        &self,
        in_force: &State,
        rules: Rules,
        regime: Regime,
        access: Access,
        before: &Result<Hit, Denial>,
    ) -> Option<Early<'_>> {
        let entries = || self.entries().iter().enumerate();
        for (place, ahead) in entries().filter(|(_, entry)| entry.enables()) {
            let earlier = || entries().take(place);
            let waits = |entry: &Entry| entry.slot.is_some() && entry.slot != ahead.slot;
            if !earlier().any(|(_, entry)| waits(entry)) {
                continue;
            }
            let mut state = in_force.clone();
            let mut prenr = None;
            for (at, entry) in entries().take(place + 1).filter(|(_, entry)| !waits(entry)) {
                state.apply(entry);
                if entry.reg == MpuReg::Prenr {
                    prenr = Some((at, entry.value));
                }
            }
            let mut result = judge(&state, rules, regime, access);
            let mut found = None;
            for (at, entry) in earlier().filter(|(_, entry)| waits(entry)) {
                if kind(&result) != kind(before) {
                    found = Some(Early { write: (at, entry), ahead: (place, ahead), result });
                }
                let entry = match prenr {
                    Some((behind, enables)) if at < behind => entry.enabled_by(enables),
                    _ => *entry,
                };
                let concerned = state.concerned(&entry, &access);
                state.apply(&entry);
                if concerned || state.concerned(&entry, &access) {
                    result = judge(&state, rules, regime, access);
                }
            }
            if found.is_some() {
                return found;
            }
        }
        None
    }
}

/// A verdict that a write gives which is in force before others: places in the log and the writes there.
struct Early<'a> {
    /// The last write that is missing.
    write: (usize, &'a Entry),
    /// The one that came first.
    ahead: (usize, &'a Entry),
    result: Result<Hit, Denial>,
}

/// What must differ for a pending write to be a hazard: allowed or not, and the kind of denial, whichever the slots.
fn kind<T>(result: &Result<T, Denial>) -> Option<core::mem::Discriminant<DenialKind>> {
    result.as_ref().err().map(|denial| core::mem::discriminant(&denial.kind))
}

impl Entry {
    /// Ordinary system registers wait for a context synchronisation event only.
    const fn needs_no_dsb(&self) -> bool {
        matches!(self.reg, MpuReg::Prselr | MpuReg::Sctlr)
    }

    /// Whether it may switch something on: `SCTLR`, `PRENR`, and a `PRLAR` with EN set.
    const fn enables(&self) -> bool {
        match self.reg {
            MpuReg::Sctlr | MpuReg::Prenr => true,
            MpuReg::Prlar | MpuReg::PrlarN(_) => self.value & PRLAR_EN != 0,
            _ => false,
        }
    }

    /// The same write with a later one of `PRENR` on top of it, which has the last word about EN of slots 0 to 31.
    fn enabled_by(&self, prenr: u64) -> Self {
        match (self.reg, self.slot) {
            (MpuReg::Prlar | MpuReg::PrlarN(_), Some(slot)) if slot < BEYOND_PRENR => {
                Self { value: self.value & !PRLAR_EN | prenr >> slot.number() & PRLAR_EN, ..*self }
            }
            _ => *self,
        }
    }

    fn pending(&self, sync: SyncRule, fenced: bool) -> PendingWrite {
        let no_dsb = fenced || self.needs_no_dsb() || sync == SyncRule::ContextSyncOnly;
        let missing = if no_dsb { Missing::ContextSync } else { Missing::DsbThenContextSync };
        PendingWrite { reg: self.reg, slot: self.slot, value: self.value, missing }
    }
}

impl State {
    /// Makes the write. `PRSELR` is no part of the state that accesses are judged by.
    pub(crate) fn apply(&mut self, entry: &Entry) {
        match (entry.reg, entry.slot) {
            (MpuReg::Prenr, _) => self.table.set_prenr(entry.value),
            (MpuReg::Sctlr, _) => self.sctlr = Sctlr::new_with_raw_value(entry.value),
            (MpuReg::Prbar | MpuReg::PrbarN(_), Some(slot)) => {
                self.table.set_prbar(slot, self.pmsa.widen_prbar(entry.value));
            }
            (MpuReg::Prlar | MpuReg::PrlarN(_), Some(slot)) => {
                self.table.set_prlar(slot, self.pmsa.widen_prlar(entry.value));
            }
            _ => {}
        }
    }

    /// Whether what `entry` writes can bear on `access` as this state stands. A write that does so neither before nor
    /// after it is made leaves the verdict as it is.
    fn concerned(&self, entry: &Entry, access: &Access) -> bool {
        match (entry.reg, entry.slot) {
            (MpuReg::Prselr, _) => false,
            (MpuReg::Prenr | MpuReg::Sctlr, _) => true,
            (_, Some(slot)) => {
                let last = last_byte(access).min(crate::PA_LIMIT);
                self.table.enabled().contains(slot) && self.table.slot_touches(slot, access.addr, last)
            }
            (_, None) => false,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;
    use crate::access::AccessKind;
    use crate::level::{El, Level};
    use crate::mpu::Mpu;

    #[test]
    fn a_dsb_counts_for_the_writes_before_it() {
        let mut mpu = Mpu::new(Level::El2, 4, Rules::default());
        mpu.write(MpuReg::Prbar, 0x1000).unwrap();
        mpu.dsb();
        mpu.write(MpuReg::Prlar, 0x1fc1).unwrap();
        let missing = mpu.pending().map(|write| (write.reg, write.missing));
        assert!(missing.eq([(MpuReg::Prbar, Missing::ContextSync), (MpuReg::Prlar, Missing::DsbThenContextSync)]));
    }

    /// What the last of more writes than are kept leaves behind, after an ISB alone.
    #[test]
    fn without_a_dsb_lost_writes_come_into_force_only_where_none_is_needed() {
        for (sync, lost) in [(SyncRule::DsbThenContextSync, true), (SyncRule::ContextSyncOnly, false)] {
            let mut mpu = Mpu::new(Level::El2, 4, Rules { sync, ..Rules::default() });
            for write in 1..=CAPACITY as u64 + 1 {
                mpu.write(MpuReg::Prbar, write << 12).unwrap();
            }
            let access = Access { addr: 0, size: 1, kind: AccessKind::Read, el: El::El2 };
            assert!(mpu.check(Regime::El2, access).hazard.unwrap().overflow);
            mpu.context_sync();
            assert_eq!(mpu.pending().next().is_some(), lost, "{sync:?}");
            mpu.dsb();
            mpu.context_sync();
            assert_eq!(mpu.pending().next(), None);
        }
    }
}
