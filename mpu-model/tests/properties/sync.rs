//! Pending writes against a replay of everything written so far.

use mpu_model::naive::{Op, Twins, outcome};
use mpu_model::{Mpu, MpuReg};
use proptest::prelude::*;

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
}
