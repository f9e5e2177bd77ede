//! What a denial becomes in `ESR_ELx`, `FAR_ELx` and `HPFAR_EL2`, and in their `AArch32` forms.
//!
//! `HSR` has the layout of `ESR_EL2`; `HDFAR` and `HIFAR` are FAR. An `AArch32` EL1 has no exception class: `DFSR` and
//! `IFSR` in the long format, which R-profile uses, say the same in other places.
//!
//! PMSA reuses the codes of VMSA at level 0. Field layout: DDI 0600 `ESR_ELx`, as in Armv8-A.

use core::fmt;

use crate::access::{AccessKind, Denial, DenialKind};
use crate::level::El;
use crate::rules::{HpfarRule, Rules, StatusCodes};

/// Translation fault, level 0: no region, or several.
const FSC_TRANSLATION: u32 = 0b00_0100;
/// A miss, where [`StatusCodes::BackgroundFault`] says so.
const FSC_BACKGROUND: u32 = 0;
/// Permission fault, level 0.
const FSC_PERMISSION: u32 = 0b00_1100;
/// Alignment fault.
const FSC_ALIGNMENT: u32 = 0b10_0001;
/// ISS bit 6 of a data abort.
const WNR: u32 = 1 << 6;
/// ISS bit 24: the instruction is told in bits 23 to 14.
const ISV: u32 = 1 << 24;
/// ISS bit 7.
const S1PTW: u32 = 1 << 7;

/// Instruction abort from a lower level; from the same level it is one more. Data aborts are four above.
const EC_INSTRUCTION_ABORT: u8 = 0x20;
const EC_DATA_ABORT: u8 = 0x24;

/// A syndrome and its fault address.
///
/// ISV is 0: an access alone does not tell the instruction. Who knows that it was a plain load or store says so with
/// [`Syndrome::of_plain_access`]. S1PTW stays 0, since an MPU walks no tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Syndrome {
    /// Exception class, 6 bits.
    pub ec: u8,
    /// Instruction specific syndrome, 25 bits.
    pub iss: u32,
    /// The lowest byte that was denied: virtual, intermediate and physical address at once.
    pub far: u64,
}

impl Syndrome {
    /// EL2's own fault, taken from EL2 to EL2: class 0x25, or 0x21 for a fetch.
    #[must_use]
    pub const fn el2_own(denial: &Denial, rules: Rules) -> Self {
        Self::new(denial, true, rules)
    }

    /// A guest's fault at stage 2, taken to EL2: class 0x24, or 0x20 for a fetch.
    #[must_use]
    pub const fn stage2(denial: &Denial, rules: Rules) -> Self {
        Self::new(denial, false, rules)
    }

    /// A guest's fault at stage 1, taken to EL1: class 0x24 or 0x20 from EL0, 0x25 or 0x21 from EL1.
    #[must_use]
    pub const fn el1(denial: &Denial, rules: Rules) -> Self {
        Self::new(denial, !matches!(denial.access.el, El::El0), rules)
    }

    const fn new(denial: &Denial, same_level: bool, rules: Rules) -> Self {
        let class = match denial.access.kind {
            AccessKind::Fetch => EC_INSTRUCTION_ABORT,
            AccessKind::Read | AccessKind::Write | AccessKind::Rmw => EC_DATA_ABORT,
        };
        let code = match (denial.kind, rules.codes) {
            (DenialKind::MixedAttributes, _) => FSC_ALIGNMENT,
            (DenialKind::Permission { .. }, _) | (_, StatusCodes::AlwaysPermission) => FSC_PERMISSION,
            (DenialKind::NoRegion, StatusCodes::BackgroundFault) => FSC_BACKGROUND,
            // No implementation was found that says how PMSA reports an address beyond its regions' reach. No region
            // can hold it, so it is reported as a miss.
            (DenialKind::NoRegion | DenialKind::Overlap { .. } | DenialKind::AddressSize, _) => FSC_TRANSLATION,
        };
        let write = match denial.access.kind {
            AccessKind::Write => true,
            // As a write only where a read would have gone ahead.
            AccessKind::Rmw => matches!(denial.kind, DenialKind::Permission { needs: AccessKind::Write, .. }),
            AccessKind::Read | AccessKind::Fetch => false,
        };
        Self { ec: class + same_level as u8, iss: code | if write { WNR } else { 0 }, far: denial.addr }
    }

    /// The same, of a load or store of one register of `size` bytes without writeback: as a stage 2 data abort it has ISV
    /// set and SAS filled. SRT and SF, which name the register, stay 0. Other sizes and other aborts are left as they are.
    #[must_use]
    pub const fn of_plain_access(self, size: u64) -> Self {
        if self.ec != EC_DATA_ABORT || !matches!(size, 1 | 2 | 4 | 8) {
            return self;
        }
        let sas = size.trailing_zeros() << 22;
        Self { iss: self.iss | ISV | sas, ..self }
    }

    /// `HPFAR_EL2` of a fault of a lower level's access taken to EL2 (`HPFAR` in `AArch32`): the page of the address in bits 4
    /// and up; `None` where it is UNKNOWN, as after an alignment fault or an external abort ([`HpfarRule`]).
    #[must_use]
    pub const fn hpfar(&self, rules: Rules) -> Option<u64> {
        let filled = match self.iss & 0x3f {
            FSC_TRANSLATION | FSC_BACKGROUND => true,
            FSC_PERMISSION => matches!(rules.hpfar, HpfarRule::Always),
            _ => false,
        };
        if filled { Some(self.far >> 12 << 4) } else { None }
    }

    /// `DFSR` or `IFSR` of a fault taken to an `AArch32` EL1, long format: LPAE bit 9, `WnR` bit 11, status in bits 5:0.
    #[must_use]
    pub const fn fsr(&self) -> u32 {
        let wnr = if self.wnr() { 1 << 11 } else { 0 };
        1 << 9 | wnr | self.iss & 0x3f
    }

    /// The register: EC in bits 31:26, IL (32-bit instruction) set, ISS in bits 24:0.
    #[must_use]
    pub const fn esr(&self) -> u64 {
        ((self.ec as u64 & 0x3f) << 26) | 1 << 25 | (self.iss as u64 & 0x01ff_ffff)
    }

    /// The fault status code, DFSC or IFSC, 6 bits.
    #[must_use]
    pub const fn fsc(&self) -> u8 {
        (self.iss & 0x3f) as u8
    }

    /// Write, not read. Meaningful for data aborts.
    #[must_use]
    pub const fn wnr(&self) -> bool {
        self.iss & WNR != 0
    }

    /// Raised by a stage 1 table walk.
    #[must_use]
    pub const fn s1ptw(&self) -> bool {
        self.iss & S1PTW != 0
    }

    /// The exception class in words.
    #[must_use]
    pub const fn ec_name(&self) -> &'static str {
        match self.ec {
            0x20 => "instruction abort from a lower exception level",
            0x21 => "instruction abort from the same exception level",
            0x24 => "data abort from a lower exception level",
            0x25 => "data abort from the same exception level",
            _ => "not a memory abort",
        }
    }

    /// The fault status code in words.
    #[must_use]
    pub const fn fsc_name(&self) -> &'static str {
        match self.fsc() {
            0b00_0100 => "translation fault, level 0",
            0b00_1100 => "permission fault, level 0",
            0b01_0000 => "synchronous external abort",
            0b10_0001 => "alignment fault",
            _ => "not a fault that an MPU raises",
        }
    }
}

impl fmt::Display for Syndrome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}, ESR {:#010x}, FAR {:#x}", self.ec_name(), self.fsc_name(), self.esr(), self.far)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::*;
    use crate::access::Access;
    use crate::level::Regime;
    use crate::slot::Slot;

    fn denial(access: AccessKind, el: El, kind: DenialKind) -> Denial {
        let access = Access { addr: 0x4000_0ffc, size: 8, kind: access, el };
        Denial { kind, addr: 0x4000_1000, access, regime: Regime::El2 }
    }

    const fn lacks(needs: AccessKind) -> DenialKind {
        DenialKind::Permission { slot: Some(Slot::new(3)), needs }
    }

    #[test]
    fn class_follows_level_and_kind() {
        let ec = |make: fn(&Denial, Rules) -> Syndrome, kind, el| {
            make(&denial(kind, el, DenialKind::NoRegion), Rules::default()).ec
        };
        assert_eq!(ec(Syndrome::el2_own, AccessKind::Read, El::El2), 0x25);
        assert_eq!(ec(Syndrome::el2_own, AccessKind::Fetch, El::El2), 0x21);
        assert_eq!(ec(Syndrome::stage2, AccessKind::Rmw, El::El1), 0x24);
        assert_eq!(ec(Syndrome::stage2, AccessKind::Fetch, El::El0), 0x20);
        assert_eq!(ec(Syndrome::el1, AccessKind::Write, El::El1), 0x25);
        assert_eq!(ec(Syndrome::el1, AccessKind::Write, El::El0), 0x24);
        assert_eq!(ec(Syndrome::el1, AccessKind::Fetch, El::El1), 0x21);
        assert_eq!(ec(Syndrome::el1, AccessKind::Fetch, El::El0), 0x20);
    }

    #[test]
    fn status_code_tells_a_miss_from_a_refusal() {
        let fsc = |kind| Syndrome::stage2(&denial(AccessKind::Read, El::El1, kind), Rules::default()).fsc();
        assert_eq!(fsc(DenialKind::NoRegion), 0b000100);
        assert_eq!(fsc(DenialKind::Overlap { first: Slot::new(0), second: Slot::new(1) }), 0b000100);
        assert_eq!(fsc(DenialKind::AddressSize), 0b000100);
        assert_eq!(fsc(lacks(AccessKind::Read)), 0b001100);
    }

    #[test]
    fn write_not_read_where_a_read_would_have_gone_ahead() {
        let wnr = |access, kind| Syndrome::el2_own(&denial(access, El::El2, kind), Rules::default()).wnr();
        assert!(wnr(AccessKind::Write, DenialKind::NoRegion));
        assert!(wnr(AccessKind::Write, lacks(AccessKind::Write)));
        assert!(wnr(AccessKind::Rmw, lacks(AccessKind::Write)));
        assert!(!wnr(AccessKind::Rmw, lacks(AccessKind::Read)));
        assert!(!wnr(AccessKind::Rmw, DenialKind::NoRegion));
        assert!(!wnr(AccessKind::Read, lacks(AccessKind::Read)));
        assert!(!wnr(AccessKind::Fetch, lacks(AccessKind::Fetch)));
    }

    #[test]
    fn the_switch_chooses_the_code() {
        let fsc = |codes, kind| {
            let rules = Rules { codes, ..Rules::default() };
            Syndrome::stage2(&denial(AccessKind::Read, El::El1, kind), rules).fsc()
        };
        let overlap = DenialKind::Overlap { first: Slot::new(0), second: Slot::new(1) };
        let row = |codes| [DenialKind::NoRegion, overlap, lacks(AccessKind::Read)].map(|kind| fsc(codes, kind));
        assert_eq!(row(StatusCodes::Arm), [0x04, 0x04, 0x0c]);
        assert_eq!(row(StatusCodes::BackgroundFault), [0x00, 0x04, 0x0c]);
        assert_eq!(row(StatusCodes::AlwaysPermission), [0x0c, 0x0c, 0x0c]);
    }

    #[test]
    fn the_forms_of_aarch32_and_of_stage_2() {
        let rules = Rules::default();
        let miss = denial(AccessKind::Write, El::El1, DenialKind::NoRegion);
        let stage2 = Syndrome::stage2(&miss, rules);
        assert_eq!(stage2.of_plain_access(2).esr(), 0x9340_0044);
        assert_eq!(stage2.of_plain_access(3), stage2, "no such load");
        assert_eq!(Syndrome::el2_own(&miss, rules).of_plain_access(2).esr(), 0x9600_0044, "its own abort has no ISV");
        assert_eq!(stage2.hpfar(rules), Some(0x40_0010));
        let lacks = denial(AccessKind::Write, El::El1, lacks(AccessKind::Write));
        assert_eq!(Syndrome::stage2(&lacks, rules).hpfar(rules), None);
        assert_eq!(Syndrome::stage2(&lacks, rules).hpfar(Rules::qemu_an536()), Some(0x40_0010));
        assert_eq!(Syndrome::el1(&lacks, rules).fsr(), 0xa0c);
        let read = denial(AccessKind::Read, El::El1, DenialKind::NoRegion);
        assert_eq!(Syndrome::el1(&read, rules).fsr(), 0x204);
    }

    /// DDI 0487 section D24.2.76: neither is a translation, access flag or address size fault.
    #[test]
    fn neither_an_alignment_fault_nor_an_external_abort_fills_hpfar() {
        let external = 0b01_0000;
        for rules in [Rules::default(), Rules::qemu_an536()] {
            let mixed = denial(AccessKind::Read, El::El1, DenialKind::MixedAttributes);
            let alignment = Syndrome::stage2(&mixed, rules);
            assert_eq!((alignment.fsc(), alignment.hpfar(rules)), (0b10_0001, None));
            assert_eq!(Syndrome { iss: external, ..alignment }.hpfar(rules), None);
        }
        let beyond = denial(AccessKind::Read, El::El1, DenialKind::AddressSize);
        assert_eq!(Syndrome::stage2(&beyond, Rules::default()).hpfar(Rules::default()), Some(0x40_0010));
    }

    #[test]
    fn classes_and_status_codes_have_names() {
        let named = |ec, iss| {
            let syndrome = Syndrome { ec, iss, far: 0 };
            (syndrome.ec_name(), syndrome.fsc_name())
        };
        assert_eq!(named(0x20, 0).0, "instruction abort from a lower exception level");
        assert_eq!(named(0x21, 0).0, "instruction abort from the same exception level");
        assert_eq!(named(0x24, 0).0, "data abort from a lower exception level");
        assert_eq!(named(0x25, 0).0, "data abort from the same exception level");
        assert_eq!(named(0x24, 0b00_0100).1, "translation fault, level 0");
        assert_eq!(named(0x24, 0b00_1100).1, "permission fault, level 0");
        assert_eq!(named(0x24, 0b01_0000).1, "synchronous external abort");
        assert_eq!(named(0x24, 0b10_0001).1, "alignment fault");
        assert_eq!(named(0x16, 0b00_0101), ("not a memory abort", "not a fault that an MPU raises"));
    }

    #[test]
    fn register_and_address() {
        let syndrome =
            Syndrome::el2_own(&denial(AccessKind::Write, El::El2, lacks(AccessKind::Write)), Rules::default());
        assert_eq!(syndrome.esr(), 0x9600_004c);
        assert_eq!(syndrome.far, 0x4000_1000);
        assert!(!syndrome.s1ptw());
        assert!(Syndrome { iss: 1 << 7, ..syndrome }.s1ptw());
        assert_eq!(
            syndrome.to_string(),
            "data abort from the same exception level, permission fault, level 0, ESR 0x9600004c, FAR 0x40001000"
        );
        // Fields beyond their width cannot spill into their neighbours.
        assert_eq!(Syndrome { ec: 0xff, iss: u32::MAX, far: 0 }.esr(), 0xffff_ffff);
    }
}
