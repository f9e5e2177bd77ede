//! Pending writes against a replay of everything written so far.

use mpu_model::naive::{Op, Twins, outcome};
use mpu_model::{Level, Mpu, MpuReg, Pmsa, Rules, WriteOrder};
use proptest::prelude::*;
use std::mem::discriminant;

use super::oracle;

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

proptest! {
    #[test]
    fn verdicts_and_hazards_as_a_replay_has_them(
        regions in oracle::count(),
        rules in oracle::rules(),
        ops in prop::collection::vec((op(), oracle::regime(), oracle::access()), 1..30),
    ) {
        let mut twins = Twins::new(regions, rules);
        // On from the start: what happens while off says little.
        for op in [Op::Write(MpuReg::Sctlr, 1), Op::ContextSync] {
            twins.apply(op);
        }
        for (op, regime, access) in ops {
            twins.apply(op);
            twins.ask(regime, access);
            twins.read();
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
        let mut twins = Twins::new(regions, rules);
        for op in ops {
            twins.apply(op);
        }
        let Twins { mut mpu, replay, .. } = twins;
        mpu.dsb();
        mpu.context_sync();
        prop_assert_eq!(mpu.pending().count(), 0);
        prop_assert_eq!(mpu.check(regime, access).hazard, None);
        prop_assert_eq!(outcome(&mpu, regime, access), replay.newest.judge(rules, regime, access));
    }

    /// The hazards once more, without anything pending: each order in which the writes may come into force is played on an MPU of
    /// its own, with both barriers behind every write.
    #[test]
    fn a_hazard_is_an_order_that_gives_another_answer(
        wide in any::<bool>(),
        rules in oracle::rules(),
        base in prop::collection::vec(direct(), 0..8),
        late in prop::collection::vec(direct(), 1..8),
        regime in oracle::regime(),
        accesses in prop::collection::vec(oracle::access(), 8),
    ) {
        let pmsa = if wide { Pmsa::V64 } else { Pmsa::V32 };
        let mut mpu = Mpu::new(Level::El2, 5, rules);
        mpu.reset(pmsa, 5, rules);
        settle(&mut mpu, &base);
        let mut pending = mpu.clone();
        // Those that change nothing are in force already.
        let late: Vec<_> = late.into_iter().filter(|(reg, value)| {
            let before = pending.changes();
            let _ = pending.write(*reg, *value);
            pending.changes() != before
        }).collect();
        let orders: Vec<_> = orders(&late, rules).into_iter().map(|order| {
            let mut mpu = mpu.clone();
            settle(&mut mpu, &order);
            mpu
        }).collect();
        for access in accesses {
            let answer = |mpu: &Mpu| mpu.check(regime, access).result.map(|_| ()).map_err(|denial| discriminant(&denial.kind));
            let verdict = pending.check(regime, access);
            let other = orders.iter().any(|order| answer(order) != answer(&mpu));
            prop_assert_eq!(verdict.hazard.is_some(), other, "{:?}", verdict);
            prop_assert_eq!(verdict.result.is_err(), orders.iter().any(|order| answer(order).is_err()));
        }
    }
}

/// A write that needs no selection: four regions, all of them at once, or the control register.
fn direct() -> impl Strategy<Value = (MpuReg, u64)> {
    prop_oneof![
        3 => (1..=4_u8, oracle::words()).prop_map(|(n, (bar, _))| (MpuReg::PrbarN(n), bar)),
        4 => (1..=4_u8, oracle::words()).prop_map(|(n, (_, lar))| (MpuReg::PrlarN(n), lar)),
        1 => (0..32_u64).prop_map(|enables| (MpuReg::Prenr, enables)),
        1 => oracle::sctlr().prop_map(|value| (MpuReg::Sctlr, value)),
    ]
}

/// Makes writes, each with its barriers.
fn settle(mpu: &mut Mpu, writes: &[(MpuReg, u64)]) {
    for (reg, value) in writes {
        mpu.write(*reg, *value).unwrap();
        mpu.dsb();
        mpu.context_sync();
    }
}

/// What may be in force of `writes`, as [`WriteOrder`] tells it.
fn orders(writes: &[(MpuReg, u64)], rules: Rules) -> Vec<Vec<(MpuReg, u64)>> {
    let mut orders: Vec<_> = (0..=writes.len()).map(|end| writes[..end].to_vec()).collect();
    if rules.order == WriteOrder::Program {
        return orders;
    }
    let region = |reg: MpuReg| match reg {
        MpuReg::PrbarN(n) | MpuReg::PrlarN(n) => Some(n),
        _ => None,
    };
    for (end, (reg, value)) in writes.iter().enumerate() {
        if matches!(reg, MpuReg::PrbarN(_)) || matches!(reg, MpuReg::PrlarN(_)) && value & 1 == 0 {
            continue;
        }
        for cut in 0..end {
            let mut order = writes[..cut].to_vec();
            let behind = writes[cut..=end].iter();
            order.extend(behind.filter(|(other, _)| region(*other).is_none() || region(*other) == region(*reg)));
            orders.push(order);
        }
    }
    orders
}
