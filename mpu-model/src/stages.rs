//! EL1 and EL0: through stage 1, then through stage 2.

use crate::access::{Access, Denial, Hit};
use crate::attrs::Shareability;
use crate::check::{flat, judge_off};
use crate::fields::Hcr;
use crate::hazard::Hazard;
use crate::level::{El, Regime};
use crate::memory::{Memory, MemoryType};
use crate::mpu::Mpu;

/// Which stage denied an access, and so which level takes the fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The EL1 MPU: the guest's own fault, taken to EL1.
    One,
    /// The EL2 MPU: taken to EL2.
    Two,
}

/// A denied access of EL1 or EL0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GuestDenial {
    /// The stage that denied it.
    pub stage: Stage,
    /// Its denial.
    pub denial: Denial,
    /// The level that takes the fault: EL1 for stage 1 (EL2 with `HCR_EL2.TGE` set), EL2 for stage 2.
    pub to: El,
}

/// An allowed access of EL1 or EL0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GuestHit {
    /// What allowed it at stage 1.
    pub stage1: Hit,
    /// What allowed it at stage 2; `None` where `HCR_EL2.VM` = 0 leaves stage 2 out.
    pub stage2: Option<Hit>,
}

impl GuestHit {
    /// The memory that the access to `addr` meets, the attributes of both stages combined; `None` where the default map of
    /// a stage says nothing of it. With `HCR_EL2.DC` set stage 1 has it as Normal, write-back, non-shareable (DDI 0487,
    /// `HCR_EL2`). The first three arguments are those of [`check_guest`].
    #[must_use]
    pub fn memory(&self, el1: Option<&Mpu>, el2: &Mpu, hcr: Hcr, addr: u64) -> Option<Memory> {
        let stage1 = if hcr.dc() {
            Memory::new(MemoryType::of_mair(0xff), Shareability::Non)
        } else {
            el1?.memory(&self.stage1, addr)?
        };
        match &self.stage2 {
            Some(hit) => Some(stage1.combine(el2.memory(hit, addr)?)),
            None => Some(stage1),
        }
    }
}

/// The answer to one access of EL1 or EL0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuestVerdict {
    /// Allowed by both stages, or the first denial.
    pub result: Result<GuestHit, GuestDenial>,
    /// The pending write on which the answer hangs, in the array of the stage that denied.
    pub hazard: Option<Hazard>,
}

/// Judges an access of EL1 or EL0 by both stages.
///
/// Of each byte stage 1 is asked first, and its denial wins; the lowest byte that either denies is the one reported. With
/// `HCR_EL2.DC` or `TGE` set the EL1 MPU is treated as off, whatever its `SCTLR`; without one, stage 1 allows everything in
/// the address space. Without `HCR_EL2.VM` (which DC implies) the EL2 MPU does not look at guests at all.
#[must_use]
pub fn check_guest(el1: Option<&Mpu>, el2: &Mpu, hcr: Hcr, access: Access) -> GuestVerdict {
    let to_el2 = |stage| stage == Stage::Two || hcr.tge();
    let denied = |stage, denial, hazard| GuestVerdict {
        result: Err(GuestDenial { stage, denial, to: if to_el2(stage) { El::El2 } else { El::El1 } }),
        hazard,
    };
    let (stage1, hazard) = match el1 {
        Some(mpu) if !hcr.dc() && !hcr.tge() => {
            let verdict = mpu.check(Regime::El1, access);
            (verdict.result, verdict.hazard)
        }
        // Treated as off.
        Some(mpu) => (judge_off(mpu.pmsa(), mpu.rules(), Regime::El1, access), None),
        None => (flat(Regime::El1, access), None),
    };
    let stage2_on = hcr.vm() || hcr.dc();
    let stage1 = match stage1 {
        Ok(hit) => hit,
        Err(first) => {
            // Each byte goes through both stages before the next: below the one that stage 1 denies, stage 2 may deny one.
            let below = first.addr.saturating_sub(access.addr);
            let part = Access { size: below, ..access };
            let verdict = (stage2_on && below > 0).then(|| el2.check(Regime::Stage2, part));
            return match verdict.and_then(|verdict| Some((verdict.result.err()?, verdict.hazard))) {
                Some((denial, hazard)) => denied(Stage::Two, Denial { access, ..denial }, hazard),
                None => denied(Stage::One, first, hazard),
            };
        }
    };
    if !stage2_on {
        return GuestVerdict { result: Ok(GuestHit { stage1, stage2: None }), hazard: None };
    }
    let verdict = el2.check(Regime::Stage2, access);
    match verdict.result {
        Ok(hit) => GuestVerdict { result: Ok(GuestHit { stage1, stage2: Some(hit) }), hazard: None },
        Err(denial) => denied(Stage::Two, denial, verdict.hazard),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    extern crate std;
    use super::*;
    use crate::PA_LIMIT;
    use crate::access::{AccessKind, DenialKind, HitBy};
    use crate::level::Level;
    use crate::regs::MpuReg;
    use crate::rules::Rules;
    use crate::slot::Slot;
    use std::string::{String, ToString};

    /// An MPU that is on, with one region of a page at 4 KiB that everybody may read and write, and `mair` for it.
    fn mpu(level: Level, mair: u64) -> Mpu {
        let mut mpu = Mpu::new(level, 4, Rules::default());
        for (reg, value) in [(MpuReg::Mair, mair), (MpuReg::Prbar, 0x1006), (MpuReg::Prlar, 0x1fc1), (MpuReg::Sctlr, 1)]
        {
            mpu.write(reg, value).unwrap();
        }
        mpu.dsb();
        mpu.context_sync();
        mpu
    }

    const READ: Access = Access { addr: 0x1000, size: 4, kind: AccessKind::Read, el: El::El1 };
    const VM: Hcr = Hcr::ZERO.with_vm(true);

    fn memory(el1: Option<&Mpu>, el2: &Mpu, hcr: Hcr, addr: u64) -> Option<(String, Shareability)> {
        let hit = check_guest(el1, el2, hcr, Access { addr, ..READ }).result.unwrap();
        hit.memory(el1, el2, hcr, addr).map(|memory| (memory.ty.to_string(), memory.sh))
    }

    #[test]
    fn attributes_of_both_stages_combine() {
        let (cached, uncached, device) = (mpu(Level::El1, 0xff), mpu(Level::El2, 0x44), mpu(Level::El2, 0x04));
        let known = |text: &str, sh| Some((text.into(), sh));
        let of = |el2, hcr| memory(Some(&cached), el2, hcr, 0x1000);
        assert_eq!(of(&uncached, VM), known("Normal non-cacheable", Shareability::Outer));
        assert_eq!(of(&device, VM), known("Device-nGnRE", Shareability::Outer));
        assert_eq!(of(&device, Hcr::ZERO), known("Normal write-back", Shareability::Non), "stage 1 alone");
        // DC: whatever the EL1 MPU says, which is not asked.
        let dc = Hcr::ZERO.with_dc(true);
        let (el1, el2) = (mpu(Level::El1, 0), mpu(Level::El2, 0xff));
        assert_eq!(memory(Some(&el1), &el2, dc, 0x1000), known("Normal write-back", Shareability::Non));
        assert_eq!(memory(None, &el2, dc, 0x1000), known("Normal write-back", Shareability::Non));
        assert_eq!(
            memory(None, &el2, VM, 0x1000),
            None,
            "stage 1 is off, and of PMSAv8-64's default map nothing is known"
        );
    }

    #[test]
    fn the_default_map_of_aarch32_knows_its_devices() {
        let off = |level| Mpu::new_32(level, 4, Rules::pmsav8_32());
        let (el1, el2) = (off(Level::El1), off(Level::El2));
        let of = |addr| memory(Some(&el1), &el2, Hcr::ZERO, addr).map(|(text, _)| text);
        assert_eq!(of(0x7fff_fff0), None);
        assert_eq!(of(0x8000_0000).as_deref(), Some("Device-nGnRE"));
        assert_eq!(of(0xbfff_fff0).as_deref(), Some("Device-nGnRE"));
        assert_eq!(of(0xc000_0000).as_deref(), Some("Device-nGnRnE"));
        assert_eq!(of(0xffff_fff0).as_deref(), Some("Device-nGnRnE"));
    }

    /// DC and TGE take stage 1 away, DC and VM ask stage 2.
    #[test]
    fn hcr_chooses_the_stages() {
        let (el1, el2) = (mpu(Level::El1, 0), mpu(Level::El2, 0));
        let by = |hcr, addr| {
            let result = check_guest(Some(&el1), &el2, hcr, Access { addr, ..READ }).result;
            result.map(|hit| (hit.stage1.by, hit.stage2.map(|hit| hit.by))).map_err(|at| (at.stage, at.to))
        };
        let (vm, dc, tge) = (VM, Hcr::ZERO.with_dc(true), Hcr::ZERO.with_tge(true));
        let slot = HitBy::Slot(Slot::new(0));
        assert_eq!(by(Hcr::ZERO, 0x1000), Ok((slot, None)));
        assert_eq!(by(vm, 0x1000), Ok((slot, Some(slot))));
        assert_eq!(by(dc, 0x1000), Ok((HitBy::MpuOff, Some(slot))));
        assert_eq!(by(tge, 0x1000), Ok((HitBy::MpuOff, None)));
        assert_eq!(by(Hcr::ZERO, 0x2000), Err((Stage::One, El::El1)));
        assert_eq!(by(vm, 0x2000), Err((Stage::One, El::El1)));
        assert_eq!(by(dc, 0x2000), Err((Stage::Two, El::El2)));
        assert_eq!(by(tge, 0x2000), Ok((HitBy::MpuOff, None)));
        // Without stage 1, only the end of the address space denies; with TGE, EL2 hears of it.
        assert_eq!(by(tge, PA_LIMIT + 1), Err((Stage::One, El::El2)));
        assert_eq!(by(tge, PA_LIMIT - 2), Err((Stage::One, El::El2)));
        assert_eq!(by(tge, PA_LIMIT - 3), Ok((HitBy::MpuOff, None)));
    }

    #[test]
    fn a_flat_stage_1_denies_from_the_first_byte_beyond_on() {
        let el2 = mpu(Level::El2, 0);
        let denial = |addr| {
            let denial = check_guest(None, &el2, Hcr::ZERO, Access { addr, ..READ }).result.unwrap_err().denial;
            (denial.kind, denial.addr)
        };
        assert_eq!(denial(PA_LIMIT - 1), (DenialKind::AddressSize, PA_LIMIT + 1));
        assert_eq!(denial(PA_LIMIT + 9), (DenialKind::AddressSize, PA_LIMIT + 9));
        let last = Access { addr: PA_LIMIT - 3, ..READ };
        assert!(check_guest(None, &el2, Hcr::ZERO, last).result.is_ok());
    }

    /// An EL1 MPU that is treated as off has the default map of its architecture, in both halves.
    #[test]
    fn the_default_map_holds_where_dc_or_tge_turn_stage_1_off() {
        let mut el1 = Mpu::new_32(Level::El1, 4, Rules::pmsav8_32());
        el1.write(MpuReg::Sctlr, 1).unwrap();
        el1.context_sync();
        let el2 = Mpu::new_32(Level::El2, 4, Rules::pmsav8_32());
        let fetch = |hcr, addr| {
            let access = Access { addr, kind: AccessKind::Fetch, ..READ };
            check_guest(Some(&el1), &el2, hcr, access).result.map(|_| ()).map_err(|at| (at.stage, at.denial.addr))
        };
        let (dc, tge) = (Hcr::ZERO.with_dc(true), Hcr::ZERO.with_tge(true));
        assert_eq!(fetch(tge, 0x7fff_fffc), Ok(()));
        assert_eq!(fetch(tge, 0x7fff_fffe), Err((Stage::One, 0x8000_0000)));
        assert_eq!(fetch(tge, 0x9000_0000), Err((Stage::One, 0x9000_0000)));
        assert_eq!(fetch(dc, 0x9000_0000), Err((Stage::One, 0x9000_0000)));
        assert_eq!(fetch(dc, 0x1000), Err((Stage::Two, 0x1000)), "EL2's MPU is off");
    }

    /// The guest's lower half is its own, its upper half is nobody's; stage 2 denies both.
    #[test]
    fn the_lowest_byte_that_either_stage_denies_is_told() {
        let (el1, el2) = (mpu(Level::El1, 0), Mpu::new(Level::El2, 4, Rules::default()));
        let denial = |addr| check_guest(Some(&el1), &el2, VM, Access { addr, ..READ }).result.unwrap_err();
        let across = denial(0x1ffe);
        assert_eq!((across.stage, across.denial.addr, across.denial.access.size), (Stage::Two, 0x1ffe, 4));
        let outside = denial(0x2000);
        assert_eq!((outside.stage, outside.denial.addr), (Stage::One, 0x2000));
    }

    /// Both regions end there: the byte behind them is stage 1's to deny.
    #[test]
    fn of_the_byte_that_both_stages_deny_stage_1_is_asked_first() {
        let (el1, el2) = (mpu(Level::El1, 0), mpu(Level::El2, 0));
        let denied = check_guest(Some(&el1), &el2, VM, Access { addr: 0x1ffe, ..READ }).result.unwrap_err();
        assert_eq!((denied.stage, denied.to, denied.denial.addr), (Stage::One, El::El1, 0x2000));
    }
}
