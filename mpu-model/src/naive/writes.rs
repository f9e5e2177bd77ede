//! Pending writes, by replaying everything written so far.

use alloc::vec;
use alloc::vec::Vec;
use core::mem::Discriminant;

use super::regs::{Outcome, Regs};
use crate::{Access, DenialKind, Hazard, Missing, MpuReg, PendingWrite, Regime, Rules, Slot, SyncRule, WriteOrder};

/// What is done to an MPU.
#[derive(Debug, Clone, Copy)]
pub enum Op {
    /// A register is written.
    Write(MpuReg, u64),
    /// A data synchronisation barrier.
    Dsb,
    /// A context synchronisation event.
    ContextSync,
}

/// One write as it was made, with the region its selector led to, and how far it has come.
#[derive(Debug, Clone, Copy)]
struct Made {
    reg: MpuReg,
    slot: Option<Slot>,
    value: u64,
    fenced: bool,
    /// It made a difference to what had been written before.
    changes: bool,
}

/// Keeps every write that is not in force, whether it changes anything or not.
#[derive(Debug)]
pub struct Replay {
    in_force: Regs,
    /// All that was written.
    pub newest: Regs,
    made: Vec<Made>,
    /// Selections that may be in use, the one in force first and the newest last.
    selections: Vec<u8>,
    sync: SyncRule,
}

impl Replay {
    /// As after reset.
    #[must_use]
    pub fn new(regions: u8, sync: SyncRule) -> Self {
        Self { in_force: Regs::new(regions), newest: Regs::new(regions), made: Vec::new(), selections: vec![0], sync }
    }

    /// Makes `op`. For a write to a region: the slots that it may go to, the newest selection's last.
    pub fn apply(&mut self, op: Op) -> Vec<Slot> {
        match op {
            Op::Write(MpuReg::Prselr, value) => self.selections.push(value as u8),
            Op::Write(reg, value) => {
                let slots = self.slots(reg);
                let slot = slots.last().copied();
                let before = self.newest.clone();
                self.newest.write(reg, slot, value);
                let changes = self.newest != before;
                self.made.push(Made { reg, slot, value, fenced: false, changes });
                return slots;
            }
            Op::Dsb => self.made.iter_mut().for_each(|made| made.fenced = true),
            Op::ContextSync => {
                self.selections = vec![*self.selections.last().unwrap()];
                let sync = self.sync;
                for made in self.made.iter().filter(|made| made.ready(sync)) {
                    self.in_force.write(made.reg, made.slot, made.value);
                }
                self.made.retain(|made| !made.ready(sync));
            }
        }
        Vec::new()
    }

    fn slots(&self, reg: MpuReg) -> Vec<Slot> {
        let slot = |selection: u8| match reg {
            MpuReg::Prbar | MpuReg::Prlar => Some(Slot::new(selection)),
            MpuReg::PrbarN(n @ 1..=15) | MpuReg::PrlarN(n @ 1..=15) => Some(Slot::new(selection / 16 * 16 + n)),
            _ => None,
        };
        self.selections.iter().filter_map(|selection| slot(*selection)).collect()
    }

    /// The verdicts of the state in force and of each prefix, and the write at its end.
    fn verdicts(&self, rules: Rules, regime: Regime, access: Access) -> Vec<(Option<Made>, Outcome)> {
        let mut regs = self.in_force.clone();
        let mut verdicts = vec![(None, regs.judge(rules, regime, access))];
        for made in &self.made {
            regs.write(made.reg, made.slot, made.value);
            verdicts.push((Some(*made), regs.judge(rules, regime, access)));
        }
        assert_eq!(regs, self.newest, "the last prefix is the newest state");
        verdicts
    }

    /// Verdict and hazard of an access now: the first denial among all states it may see, and the first write that makes a
    /// difference.
    pub fn expected(&self, rules: Rules, regime: Regime, access: Access) -> (Outcome, Option<Hazard>) {
        let verdicts = self.verdicts(rules, regime, access);
        let before = verdicts[0].1;
        let after = verdicts.last().unwrap().1;
        let culprit = verdicts.iter().find(|(_, outcome)| class(outcome) != class(&before));
        let mut denial = verdicts.iter().map(|(_, outcome)| *outcome).find(Result::is_err);
        let mut found = culprit.map(|(made, _)| (made.unwrap(), None));
        if found.is_none()
            && rules.order == WriteOrder::EnablesFirst
            && let Some((late, early, outcome)) = self.enabled_first(rules, regime, access, before)
        {
            found = Some((late, Some(early)));
            denial = denial.or(Some(outcome).filter(Result::is_err));
        }
        let pending = |made: Made| {
            let missing = if made.ready(self.sync) { Missing::ContextSync } else { Missing::DsbThenContextSync };
            PendingWrite { reg: made.reg, slot: made.slot, value: made.value, missing }
        };
        let hazard = found.map(|(write, ahead)| Hazard {
            write: pending(write),
            ahead: ahead.map(pending),
            in_force_allows: before.is_ok(),
            newest_allows: after.is_ok(),
            overflow: false,
        });
        (denial.unwrap_or(before), hazard)
    }

    /// Tries every write that enables something with every end that the writes to other regions before it may have come to: the
    /// write that was missing, the one that was early, and what came of it.
    fn enabled_first(
        &self,
        rules: Rules,
        regime: Regime,
        access: Access,
        before: Outcome,
    ) -> Option<(Made, Made, Outcome)> {
        let made: Vec<Made> = self.made.iter().copied().filter(|made| made.changes).collect();
        for (place, early) in made.iter().enumerate().filter(|(_, made)| made.enables()) {
            let waits = |made: &Made| made.of_region() && !(early.of_region() && made.slot == early.slot);
            let mut found = None;
            for (cut, late) in made[..place].iter().enumerate().filter(|(_, made)| waits(made)) {
                let mut regs = self.in_force.clone();
                for (at, seen) in made[..=place].iter().enumerate() {
                    if at < cut || !waits(seen) {
                        regs.write(seen.reg, seen.slot, seen.value);
                    }
                }
                let outcome = regs.judge(rules, regime, access);
                if class(&outcome) != class(&before) {
                    found = Some((*late, *early, outcome));
                }
            }
            if found.is_some() {
                return found;
            }
        }
        None
    }
}

impl Made {
    fn of_region(&self) -> bool {
        !matches!(self.reg, MpuReg::Sctlr | MpuReg::Prenr)
    }

    fn enables(&self) -> bool {
        let limit = matches!(self.reg, MpuReg::Prlar | MpuReg::PrlarN(_));
        !self.of_region() || limit && self.value & 1 == 1
    }

    fn ready(&self, sync: SyncRule) -> bool {
        self.fenced || sync == SyncRule::ContextSyncOnly || self.reg == MpuReg::Sctlr
    }
}

fn class(outcome: &Outcome) -> Option<Discriminant<DenialKind>> {
    outcome.err().map(|(kind, _)| core::mem::discriminant(&kind))
}
