//! What the tests are fed with: few addresses, close together, so that most of them hit something.

use mpu_model::naive::Regs;
use mpu_model::{
    Access, AccessKind, Crossing, DefaultMap, El, El0WithoutM, Level, Mpu, MpuReg, PA_LIMIT, Regime, Rules, S2XnModel,
    Slot, SyncRule, VmWithoutM, WriteOrder,
};
use proptest::prelude::*;
use proptest::sample::select;

/// An MPU with these registers, all in force.
pub(crate) fn program(regs: &Regs, level: Level, rules: Rules) -> Mpu {
    let mut mpu = Mpu::new(level, regs.regions, rules);
    for (slot, (prbar, prlar)) in regs.slots.iter().enumerate() {
        mpu.write(MpuReg::Prselr, slot as u64).unwrap();
        mpu.context_sync();
        mpu.write(MpuReg::Prbar, *prbar).unwrap();
        mpu.write(MpuReg::Prlar, *prlar).unwrap();
        // A barrier for each, so that no number of regions fills the log.
        mpu.dsb();
        mpu.context_sync();
    }
    mpu.write(MpuReg::Sctlr, regs.sctlr).unwrap();
    mpu.context_sync();
    assert_eq!(mpu.pending().count(), 0);
    mpu
}

/// Granules in play: from 0 on, around 2 GiB, or the last ones of the address space.
const GRANULES: u64 = 8;
const HALF: u64 = 0x8000_0000 - GRANULES / 2 * 64;
const TOP: u64 = PA_LIMIT + 1 - GRANULES * 64;

pub(crate) fn address() -> impl Strategy<Value = u64> {
    let offset = prop_oneof![Just(0), Just(1), Just(60), Just(63), 0..64_u64];
    (0..=GRANULES, offset).prop_map(|(granule, offset)| granule * 64 + offset)
}

/// Raw words with borders among the granules in play. Most are enabled and most are the right way round.
pub(crate) fn words() -> impl Strategy<Value = (u64, u64)> {
    let limit = |base| prop_oneof![8 => base..GRANULES, 1 => 0..GRANULES];
    (0..GRANULES).prop_flat_map(move |base| (Just(base), limit(base))).prop_flat_map(|(base, limit)| {
        (0..64_u64, 0..16_u64, prop::bool::weighted(0.8))
            .prop_map(move |(bar, lar, en)| (base << 6 | bar, limit << 6 | lar << 1 | u64::from(en)))
    })
}

pub(crate) fn rules() -> impl Strategy<Value = Rules> {
    (
        prop_oneof![Just(SyncRule::DsbThenContextSync), Just(SyncRule::ContextSyncOnly)],
        prop_oneof![
            Just(S2XnModel::EitherBit),
            Just(S2XnModel::Xnx),
            Just(S2XnModel::Bit1Only),
            Just(S2XnModel::Bit0Only)
        ],
        prop_oneof![Just(VmWithoutM::TranslationFault), Just(VmWithoutM::RegionsApply)],
        select(&[DefaultMap::None, DefaultMap::RwNoExec, DefaultMap::Rwx, DefaultMap::Pmsav8_32][..]),
        select(&[El0WithoutM::DefaultMap, El0WithoutM::TranslationFault][..]),
        prop_oneof![
            4 => Just(Crossing::EveryByte),
            1 => Just(Crossing::FirstByte),
            1 => Just(Crossing::FirstBytePerKilobyte)
        ],
        select(&[WriteOrder::EnablesFirst, WriteOrder::Program][..]),
    )
        .prop_map(|(sync, s2_xn, vm_without_m, default_map, el0_without_m, crossing, order)| Rules {
            sync,
            order,
            s2_xn,
            vm_without_m,
            default_map,
            el0_without_m,
            crossing,
            ..Rules::default()
        })
}

/// `SCTLR` values, the MPU mostly on. `AArch64` has no `UWXN`: that bit is to change nothing.
pub(crate) fn sctlr() -> impl Strategy<Value = u64> {
    (prop::bool::weighted(0.9), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(m, br, wxn, uwxn)| {
        u64::from(m) | u64::from(br) << 17 | u64::from(wxn) << 19 | u64::from(uwxn) << 20
    })
}

/// Region counts on both sides of what the search and `PRENR` work in.
pub(crate) fn count() -> impl Strategy<Value = u8> {
    prop_oneof![1..=9_u8, 31..=33_u8, 63..=66_u8, Just(255)]
}

pub(crate) fn regs() -> impl Strategy<Value = Regs> {
    let placed = prop::collection::vec((any::<prop::sample::Index>(), words()), 0..5);
    let shift = prop_oneof![2 => Just(0), 1 => Just(HALF), 2 => Just(TOP)];
    (count(), placed, sctlr(), shift).prop_map(|(regions, placed, sctlr, shift)| {
        let mut regs = Regs { sctlr, ..Regs::new(regions) };
        for (index, (mut prbar, mut prlar)) in placed {
            (prbar, prlar) = (prbar + shift, prlar + shift);
            regs.write(MpuReg::Prbar, Some(Slot::new(index.index(regions.into()) as u8)), prbar);
            regs.write(MpuReg::Prlar, Some(Slot::new(index.index(regions.into()) as u8)), prlar & !0x20);
        }
        regs
    })
}

pub(crate) fn kind() -> impl Strategy<Value = AccessKind> {
    prop_oneof![Just(AccessKind::Read), Just(AccessKind::Write), Just(AccessKind::Fetch), Just(AccessKind::Rmw)]
}

pub(crate) fn access() -> impl Strategy<Value = Access> {
    let size = prop_oneof![Just(1), Just(4), Just(8), Just(64), 0..200_u64];
    let el = prop_oneof![Just(El::El0), Just(El::El1), Just(El::El2)];
    (address(), size, kind(), el).prop_map(|(addr, size, kind, el)| Access { addr, size, kind, el })
}

/// The same access among the last granules of the address space, or across its end.
pub(crate) fn at_top(access: Access) -> Access {
    Access { addr: access.addr + TOP, ..access }
}

/// The same access around 2 GiB, where the default map of PMSAv8-32 turns from Normal to Device memory.
pub(crate) fn at_half(access: Access) -> Access {
    Access { addr: access.addr + HALF, ..access }
}

pub(crate) fn regime() -> impl Strategy<Value = Regime> {
    prop_oneof![Just(Regime::El2), Just(Regime::Stage2), Just(Regime::El1)]
}
