//! One byte at a time, from raw words.

use alloc::vec;
use alloc::vec::Vec;

use crate::{
    Access, AccessKind, Crossing, DefaultMap, DenialKind, El, El0WithoutM, HitBy, MpuReg, PA_LIMIT, Regime, Rules,
    S2XnModel, Slot, VmWithoutM,
};

/// The registers of one MPU, as raw words.
#[derive(Debug, Clone, PartialEq)]
pub struct Regs {
    /// How many regions there are.
    pub regions: u8,
    /// `PRBAR` and `PRLAR` of each.
    pub slots: Vec<(u64, u64)>,
    /// `SCTLR`.
    pub sctlr: u64,
}

/// By what an access is let through, or why not and at which address.
pub type Outcome = Result<HitBy, (DenialKind, u64)>;

impl Regs {
    /// As after reset.
    #[must_use]
    pub fn new(regions: u8) -> Self {
        Self { regions, slots: vec![(0, 0); regions.into()], sctlr: 0 }
    }

    /// Whether the access is let through.
    pub fn judge(&self, rules: Rules, regime: Regime, access: Access) -> Outcome {
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
        for (slot, (prbar, prlar)) in Slot::all(self.regions).zip(&self.slots) {
            let base = prbar >> 6 << 6;
            let limit = prlar >> 6 << 6 | 63;
            if prlar & 1 == 1 && base <= addr && addr <= limit {
                hits.push(slot);
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
            let prbar = self.slots[hits[0].index()].0;
            let (xn0, xn1, ap0, ap1) = (prbar & 1 != 0, prbar & 2 != 0, prbar & 4 != 0, prbar & 8 != 0);
            let outsider = regime == Regime::Stage2 || regime == Regime::El1 && access.el == El::El0;
            read = !outsider || ap0;
            write = read && !ap1;
            let never = if regime == Regime::Stage2 {
                match (rules.s2_xn, access.el) {
                    (S2XnModel::EitherBit, _) => prbar & 3 != 0,
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
    pub fn write(&mut self, reg: MpuReg, slot: Option<Slot>, value: u64) {
        let slot = slot.filter(|slot| slot.is_within(self.regions)).map(Slot::index);
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
