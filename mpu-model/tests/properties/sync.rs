//! Pending writes against a replay of everything written so far.

use mpu_model::{DenialKind, Hazard, Level, Missing, Mpu, MpuReg, PendingWrite, Regime, Rules, SyncRule};
use proptest::prelude::*;

use crate::oracle::{self, Outcome, Regs};

#[derive(Debug, Clone, Copy)]
pub(crate) enum Op {
    Write(MpuReg, u64),
    Dsb,
    ContextSync,
}

/// Register writes with a bias to few slots and to the banks around 16 and 32, and barriers.
pub(crate) fn op() -> impl Strategy<Value = Op> {
    let value = || oracle::words();
    let n = 0..=16_u8;
    let select = prop_oneof![
        4 => 0..3_u64,
        2 => 15..18_u64,
        1 => 31..34_u64,
        1 => any::<u64>()
    ];
    prop_oneof![
        4 => select.prop_map(|value| Op::Write(MpuReg::Prselr, value)),
        6 => value().prop_map(|(bar, _)| Op::Write(MpuReg::Prbar, bar)),
        6 => value().prop_map(|(_, lar)| Op::Write(MpuReg::Prlar, lar)),
        2 => (prop_oneof![Just(1), Just(2), n.clone()], value())
            .prop_map(|(n, (bar, _))| Op::Write(MpuReg::PrbarN(n), bar)),
        2 => (prop_oneof![Just(1), Just(2), n], value())
            .prop_map(|(n, (_, lar))| Op::Write(MpuReg::PrlarN(n), lar)),
        2 => prop_oneof![0..8_u64, any::<u64>()].prop_map(|value| Op::Write(MpuReg::Prenr, value)),
        2 => oracle::sctlr().prop_map(|value| Op::Write(MpuReg::Sctlr, value)),
        1 => any::<u64>().prop_map(|value| Op::Write(MpuReg::Mpuir, value)),
        4 => Just(Op::Dsb),
        4 => Just(Op::ContextSync),
    ]
}

pub(crate) fn apply(mpu: &mut Mpu, op: Op) {
    match op {
        Op::Write(reg, value) => {
            let _ = mpu.write(reg, value);
        }
        Op::Dsb => mpu.dsb(),
        Op::ContextSync => mpu.context_sync(),
    }
}

/// One write as it was made, with the region its selector led to, and how far it has come.
#[derive(Debug, Clone, Copy)]
struct Made {
    reg: MpuReg,
    slot: Option<u8>,
    value: u64,
    fenced: bool,
}

/// Keeps every write that is not in force, whether it changes anything or not.
struct Replay {
    in_force: Regs,
    newest: Regs,
    made: Vec<Made>,
    /// Selections that may be in use, the one in force first and the newest last.
    selections: Vec<u8>,
    sync: SyncRule,
}

impl Replay {
    fn new(regions: u8, sync: SyncRule) -> Self {
        Self { in_force: Regs::new(regions), newest: Regs::new(regions), made: Vec::new(), selections: vec![0], sync }
    }

    /// Makes `op`. For a write to a region: the slots that it may go to, the newest selection's last.
    fn apply(&mut self, op: Op) -> Vec<u8> {
        match op {
            Op::Write(MpuReg::Prselr, value) => self.selections.push(value as u8),
            Op::Write(reg, value) => {
                let slots = self.slots(reg);
                let slot = slots.last().copied();
                self.newest.write(reg, slot, value);
                self.made.push(Made { reg, slot, value, fenced: false });
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

    fn slots(&self, reg: MpuReg) -> Vec<u8> {
        let slot = |selection: u8| match reg {
            MpuReg::Prbar | MpuReg::Prlar => Some(selection),
            MpuReg::PrbarN(n @ 1..=15) | MpuReg::PrlarN(n @ 1..=15) => Some(selection / 16 * 16 + n),
            _ => None,
        };
        self.selections.iter().filter_map(|selection| slot(*selection)).collect()
    }

    /// The verdicts of the state in force and of each prefix, and the write at its end.
    fn verdicts(&self, rules: Rules, regime: Regime, access: mpu_model::Access) -> Vec<(Option<Made>, Outcome)> {
        let mut regs = self.in_force.clone();
        let mut verdicts = vec![(None, regs.judge(rules, regime, access))];
        for made in &self.made {
            regs.write(made.reg, made.slot, made.value);
            verdicts.push((Some(*made), regs.judge(rules, regime, access)));
        }
        assert_eq!(regs, self.newest, "the last prefix is the newest state");
        verdicts
    }
}

impl Made {
    fn ready(&self, sync: SyncRule) -> bool {
        self.fenced || sync == SyncRule::ContextSyncOnly || self.reg == MpuReg::Sctlr
    }
}

fn class(outcome: &Outcome) -> Option<core::mem::Discriminant<DenialKind>> {
    outcome.err().map(|(kind, _)| core::mem::discriminant(&kind))
}

/// Verdict and hazard, stated once more: the first denial among all, and the first write that makes a difference.
fn expected(verdicts: &[(Option<Made>, Outcome)], sync: SyncRule) -> (Outcome, Option<Hazard>) {
    let before = verdicts[0].1;
    let after = verdicts.last().unwrap().1;
    let culprit = verdicts.iter().find(|(_, outcome)| class(outcome) != class(&before));
    let hazard = culprit.map(|(made, _)| {
        let made = made.unwrap();
        let missing = if made.ready(sync) { Missing::ContextSync } else { Missing::DsbThenContextSync };
        Hazard {
            write: PendingWrite { reg: made.reg, slot: made.slot, value: made.value, missing },
            in_force_allows: before.is_ok(),
            newest_allows: after.is_ok(),
            overflow: false,
        }
    });
    let denial = verdicts.iter().map(|(_, outcome)| *outcome).find(Result::is_err);
    (denial.unwrap_or(before), hazard)
}

proptest! {
    #[test]
    fn verdicts_and_hazards_as_a_replay_has_them(
        regions in oracle::count(),
        rules in oracle::rules(),
        ops in prop::collection::vec((op(), oracle::regime(), oracle::access()), 1..30),
    ) {
        let mut mpu = Mpu::new(Level::El2, regions, rules);
        let mut replay = Replay::new(regions, rules.sync);
        // On from the start: what happens while off says little.
        for op in [Op::Write(MpuReg::Sctlr, 1), Op::ContextSync] {
            apply(&mut mpu, op);
            replay.apply(op);
        }
        for (op, regime, access) in ops {
            let slots = replay.apply(op);
            match op {
                Op::Write(reg, value) => {
                    let stale = slots.iter().find(|slot| Some(*slot) != slots.last());
                    let hazard = mpu.write(reg, value).err();
                    prop_assert_eq!(hazard.map(|hazard| hazard.stale_slot), stale.copied());
                    if let Some(hazard) = hazard {
                        prop_assert_eq!((hazard.reg, Some(&hazard.new_slot)), (reg, slots.last()));
                    }
                }
                Op::Dsb | Op::ContextSync => apply(&mut mpu, op),
            }
            if mpu.pending().count() == 0 {
                oracle::ask_often(&mpu);
            }
            let (outcome, hazard) =
                expected(&replay.verdicts(rules, regime, access), rules.sync);
            let verdict = mpu.check(regime, access);
            prop_assert_eq!(oracle::outcome(&mpu, regime, access), outcome, "after {:?}", op);
            prop_assert_eq!(verdict.hazard, hazard, "after {:?}", op);

            for slot in 0..regions {
                let words = mpu.words(slot);
                prop_assert_eq!((words.prbar, words.prlar), replay.newest.slots[usize::from(slot)]);
            }
            prop_assert_eq!(mpu.read(MpuReg::Sctlr), replay.newest.sctlr);
            prop_assert_eq!(mpu.read(MpuReg::Mpuir), u64::from(regions));
        }
    }

    #[test]
    fn both_barriers_put_everything_in_force(
        regions in oracle::count(),
        rules in oracle::rules(),
        ops in prop::collection::vec(op(), 1..40),
        regime in oracle::regime(),
        access in oracle::access(),
    ) {
        let mut mpu = Mpu::new(Level::El2, regions, rules);
        let mut replay = Replay::new(regions, rules.sync);
        for op in ops {
            apply(&mut mpu, op);
            replay.apply(op);
        }
        mpu.dsb();
        mpu.context_sync();
        prop_assert_eq!(mpu.pending().count(), 0);
        prop_assert_eq!(mpu.check(regime, access).hazard, None);
        prop_assert_eq!(oracle::outcome(&mpu, regime, access), replay.newest.judge(rules, regime, access));
    }
}
