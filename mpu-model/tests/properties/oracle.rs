//! One byte at a time, from raw words, with nothing shared with the crate but the types of its answers. And what the
//! tests are fed with: few addresses, close together, so that most of them hit something.

use mpu_model::{
    Access, AccessKind, Crossing, DefaultMap, DenialKind, El, El0WithoutM, HitBy, Level, Mpu, MpuReg, PA_LIMIT, Regime,
    Rules, S2XnModel, SyncRule, VmWithoutM,
};
use proptest::prelude::*;
use proptest::sample::select;

/// The registers of one MPU, as raw words.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Regs {
    pub(crate) regions: u8,
    pub(crate) slots: Vec<(u64, u64)>,
    pub(crate) sctlr: u64,
}

pub(crate) type Outcome = Result<HitBy, (DenialKind, u64)>;

impl Regs {
    pub(crate) fn new(regions: u8) -> Self {
        Self { regions, slots: vec![(0, 0); regions.into()], sctlr: 0 }
    }

    pub(crate) fn judge(&self, rules: Rules, regime: Regime, access: Access) -> Outcome {
        let mut first = None;
        let judged = |offset: &u64| match rules.crossing {
            Crossing::EveryByte => true,
            Crossing::FirstByte => *offset == 0,
            Crossing::FirstBytePerKilobyte => *offset == 0 || (access.addr + *offset).is_multiple_of(1024),
        };
        for offset in (0..access.size.max(1)).filter(judged) {
            let hit = match access.addr.checked_add(offset) {
                Some(addr) => self.byte(rules, regime, access, addr).map_err(|kind| (kind, addr))?,
                None => panic!("bytes before the wrap are denied"),
            };
            first = first.or(Some(hit));
        }
        Ok(first.unwrap())
    }

    fn byte(&self, rules: Rules, regime: Regime, access: Access, addr: u64) -> Result<HitBy, DenialKind> {
        if addr > PA_LIMIT {
            return Err(DenialKind::AddressSize);
        }
        let on = self.sctlr & 1 == 1;
        let background = self.sctlr >> 17 & 1 == 1;
        let wxn = self.sctlr >> 19 & 1 == 1;
        if !on {
            if regime == Regime::El1 && access.el == El::El0 && rules.el0_without_m == El0WithoutM::TranslationFault {
                return Err(DenialKind::NoRegion);
            }
            if regime != Regime::Stage2 {
                let fetch = access.kind == AccessKind::Fetch;
                if fetch && rules.default_map == DefaultMap::Pmsav8_32 && addr >= 0x8000_0000 {
                    return Err(DenialKind::Permission { slot: None, needs: AccessKind::Fetch });
                }
                return Ok(HitBy::MpuOff);
            }
            if rules.vm_without_m == VmWithoutM::TranslationFault {
                return Err(DenialKind::NoRegion);
            }
        }
        let mut hits = Vec::new();
        for (slot, (prbar, prlar)) in self.slots.iter().enumerate() {
            let base = prbar >> 6 << 6;
            let limit = prlar >> 6 << 6 | 63;
            if prlar & 1 == 1 && base <= addr && addr <= limit {
                hits.push(slot as u8);
            }
        }
        if hits.len() > 1 {
            return Err(DenialKind::Overlap { first: hits[0], second: hits[1] });
        }
        let (read, write, fetch, by);
        if hits.is_empty() {
            let privileged = regime == Regime::El2 || regime == Regime::El1 && access.el != El::El0;
            if !privileged || !background || rules.default_map == DefaultMap::None {
                return Err(DenialKind::NoRegion);
            }
            let executable = match rules.default_map {
                DefaultMap::Pmsav8_32 => addr < 0x8000_0000,
                map => map == DefaultMap::Rwx,
            };
            (read, write, fetch) = (true, true, executable);
            by = HitBy::Background;
        } else {
            by = HitBy::Slot(hits[0]);
            let prbar = self.slots[usize::from(hits[0])].0;
            let (xn0, xn1, ap0, ap1) = (prbar & 1 != 0, prbar & 2 != 0, prbar & 4 != 0, prbar & 8 != 0);
            let outsider = regime == Regime::Stage2 || regime == Regime::El1 && access.el == El::El0;
            read = !outsider || ap0;
            write = read && !ap1;
            let never = if regime == Regime::Stage2 {
                match (rules.s2_xn, access.el) {
                    (S2XnModel::Bit1Only, _) => xn1,
                    (S2XnModel::Bit0Only, _) => xn0,
                    (S2XnModel::Xnx, El::El0) => matches!((xn1, xn0), (true, _)),
                    (S2XnModel::Xnx, _) => matches!((xn1, xn0), (false, true) | (true, false)),
                }
            } else {
                xn1 || write && wxn
            };
            fetch = read && !never;
        }
        let slot = hits.first().copied();
        let lacks = |needs| Err(DenialKind::Permission { slot, needs });
        match access.kind {
            AccessKind::Read | AccessKind::Rmw if !read => lacks(AccessKind::Read),
            AccessKind::Write | AccessKind::Rmw if !write => lacks(AccessKind::Write),
            AccessKind::Fetch if !fetch => lacks(AccessKind::Fetch),
            _ => Ok(by),
        }
    }

    /// A register write to the region, or of the register, that it names.
    pub(crate) fn write(&mut self, reg: MpuReg, slot: Option<u8>, value: u64) {
        let slot = slot.filter(|slot| *slot < self.regions).map(usize::from);
        match (reg, slot) {
            (MpuReg::Sctlr, _) => self.sctlr = value,
            (MpuReg::Prenr, _) => {
                for (slot, (_, prlar)) in self.slots.iter_mut().enumerate().take(32) {
                    *prlar = *prlar >> 1 << 1 | value >> slot & 1;
                }
            }
            (MpuReg::Prbar | MpuReg::PrbarN(_), Some(slot)) => {
                self.slots[slot].0 = value & 0x000f_ffff_ffff_ffff;
            }
            (MpuReg::Prlar | MpuReg::PrlarN(_), Some(slot)) => {
                self.slots[slot].1 = value & 0x000f_ffff_ffff_ffdf;
            }
            _ => {}
        }
    }
}

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

/// Asks until the state in force is worth compiling.
pub(crate) fn ask_often(mpu: &Mpu) {
    for _ in 0..=100 {
        let _ = mpu.check(Regime::El2, Access { addr: 0, size: 1, kind: AccessKind::Read, el: El::El2 });
    }
}

/// The model's answer in the oracle's form.
pub(crate) fn outcome(mpu: &Mpu, regime: Regime, access: Access) -> Outcome {
    let verdict = mpu.check(regime, access);
    if let Err(denial) = verdict.result {
        assert_eq!((denial.access, denial.regime), (access, regime));
    }
    verdict.result.map(|hit| hit.by).map_err(|denial| (denial.kind, denial.addr))
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
        prop_oneof![Just(S2XnModel::Xnx), Just(S2XnModel::Bit1Only), Just(S2XnModel::Bit0Only)],
        prop_oneof![Just(VmWithoutM::TranslationFault), Just(VmWithoutM::RegionsApply)],
        select(&[DefaultMap::None, DefaultMap::RwNoExec, DefaultMap::Rwx, DefaultMap::Pmsav8_32][..]),
        select(&[El0WithoutM::DefaultMap, El0WithoutM::TranslationFault][..]),
        prop_oneof![
            4 => Just(Crossing::EveryByte),
            1 => Just(Crossing::FirstByte),
            1 => Just(Crossing::FirstBytePerKilobyte)
        ],
    )
        .prop_map(|(sync, s2_xn, vm_without_m, default_map, el0_without_m, crossing)| Rules {
            sync,
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
            regs.write(MpuReg::Prbar, Some(index.index(regions.into()) as u8), prbar);
            regs.write(MpuReg::Prlar, Some(index.index(regions.into()) as u8), prlar & !0x20);
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
