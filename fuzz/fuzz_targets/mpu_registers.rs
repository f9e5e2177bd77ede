//! Any writes to the registers of an MPU, with barriers where they fall, against the naive check: every verdict, every hazard,
//! every register read back.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use mpu_model::naive::{Op, Twins};
use mpu_model::{
    Access, AccessKind, Crossing, DefaultMap, El, El0WithoutM, MpuReg, PA_LIMIT, Regime, Rules, S2XnModel, SyncRule,
    VmWithoutM, WriteOrder,
};

/// A granule and an offset in it, near one of the places where something changes; or any address.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Place {
    Low(u8, u8),
    /// Around 2 GiB, where the default map of PMSAv8-32 turns.
    Half(u8, u8),
    /// At the end of the address space.
    Top(u8, u8),
    Raw(u64),
}

impl Place {
    fn address(self) -> u64 {
        let at = |granule: u8, offset: u8| u64::from(granule % 16) * 64 + u64::from(offset % 64);
        match self {
            Self::Low(granule, offset) => at(granule, offset),
            Self::Half(granule, offset) => 0x8000_0000 - 512 + at(granule, offset),
            Self::Top(granule, offset) => PA_LIMIT - 1023 + at(granule, offset),
            Self::Raw(address) => address,
        }
    }
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Action {
    Prselr(u8),
    /// Base and the attribute bits, or limit, index and enable.
    Prbar(Place),
    Prlar(Place),
    PrbarN(u8, Place),
    PrlarN(u8, Place),
    Prenr(u32),
    /// `M`, `BR`, `WXN`.
    Sctlr(u8),
    Raw(u8, u64),
    Dsb,
    ContextSync,
    Ask {
        regime: u8,
        el: u8,
        kind: u8,
        size: u8,
        place: Place,
    },
    AskWide {
        size: u16,
        place: Place,
    },
}

#[derive(Arbitrary, Debug)]
struct Input {
    regions: u8,
    rules: u16,
    actions: Vec<Action>,
}

fn rules(mut bits: u16) -> Rules {
    let mut pick = |n: u16| {
        let at = bits % n;
        bits /= n;
        at
    };
    Rules {
        sync: if pick(2) == 0 { SyncRule::DsbThenContextSync } else { SyncRule::ContextSyncOnly },
        order: if pick(2) == 0 { WriteOrder::EnablesFirst } else { WriteOrder::Program },
        s2_xn: [S2XnModel::EitherBit, S2XnModel::Xnx, S2XnModel::Bit1Only, S2XnModel::Bit0Only][usize::from(pick(4))],
        vm_without_m: if pick(2) == 0 { VmWithoutM::TranslationFault } else { VmWithoutM::RegionsApply },
        default_map: [DefaultMap::None, DefaultMap::RwNoExec, DefaultMap::Rwx, DefaultMap::Pmsav8_32]
            [usize::from(pick(4))],
        el0_without_m: if pick(2) == 0 { El0WithoutM::DefaultMap } else { El0WithoutM::TranslationFault },
        crossing: [Crossing::EveryByte, Crossing::FirstByte, Crossing::FirstBytePerKilobyte][usize::from(pick(3))],
        ..Rules::default()
    }
}

fn write(action: Action) -> Option<(MpuReg, u64)> {
    Some(match action {
        Action::Prselr(slot) => (MpuReg::Prselr, slot.into()),
        Action::Prbar(place) => (MpuReg::Prbar, place.address()),
        // Enabled and not reserved, more often than not.
        Action::Prlar(place) => (MpuReg::Prlar, place.address() & !0x20),
        Action::PrbarN(n, place) => (MpuReg::PrbarN(n % 17), place.address()),
        Action::PrlarN(n, place) => (MpuReg::PrlarN(n % 17), place.address() & !0x20),
        Action::Prenr(enables) => (MpuReg::Prenr, enables.into()),
        Action::Sctlr(bits) => {
            let [m, br, wxn] = [0, 1, 2].map(|bit| u64::from(bits >> bit & 1));
            (MpuReg::Sctlr, m | br << 17 | wxn << 19)
        }
        Action::Raw(reg, value) => {
            let regs = [MpuReg::Prselr, MpuReg::Prbar, MpuReg::Prlar, MpuReg::Prenr, MpuReg::Sctlr, MpuReg::Mpuir];
            (regs[usize::from(reg) % regs.len()], value)
        }
        _ => return None,
    })
}

fuzz_target!(|case: Input| {
    let regions = case.regions.max(1);
    let mut twins = Twins::new(regions, rules(case.rules));
    // Writes since barriers that put them in force under any reading, and what the naive check may look at before it takes a
    // second: for each byte, each region after each write that waits, and for each pair of them of which the later may come first.
    let (mut waiting, mut ordered, mut looks) = (0, false, 50_000_000u64);
    // The log of pending writes holds more than this.
    for action in case.actions.into_iter().take(400) {
        let size = match action {
            Action::Ask { size, .. } => u64::from(size),
            Action::AskWide { size, .. } => u64::from(size),
            _ => 0,
        };
        let states = (waiting + 1) * (waiting + 2) / 2;
        let Some(left) = looks.checked_sub(states * (size * u64::from(regions) + waiting)) else {
            continue;
        };
        looks = left;
        match action {
            Action::Dsb => {
                twins.apply(Op::Dsb);
                ordered = true;
            }
            Action::ContextSync => {
                twins.apply(Op::ContextSync);
                waiting *= u64::from(!ordered);
            }
            Action::Ask { regime, el, kind, size, place } => {
                let regime = [Regime::El2, Regime::Stage2, Regime::El1][usize::from(regime) % 3];
                let el = [El::El0, El::El1, El::El2][usize::from(el) % 3];
                let kinds = [AccessKind::Read, AccessKind::Write, AccessKind::Fetch, AccessKind::Rmw];
                let kind = kinds[usize::from(kind) % kinds.len()];
                twins.ask(regime, Access { addr: place.address(), size: size.into(), kind, el });
            }
            Action::AskWide { size, place } => {
                let access = Access { addr: place.address(), size: size.into(), kind: AccessKind::Read, el: El::El1 };
                twins.ask(Regime::Stage2, access);
            }
            _ => {
                if let Some((reg, value)) = write(action) {
                    twins.apply(Op::Write(reg, value));
                    waiting += 1;
                    ordered = false;
                }
            }
        }
    }
    twins.read();
});
