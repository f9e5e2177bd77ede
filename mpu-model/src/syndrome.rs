//! What a denial becomes in `ESR_ELx` and `FAR_ELx`.
//!
//! PMSA reuses the codes of VMSA at level 0. Field layout: DDI 0600 `ESR_ELx`, as in Armv8-A.

use core::fmt;

use crate::access::{AccessKind, Denial, DenialKind, El};

/// Translation fault, level 0: no region, or several.
const FSC_TRANSLATION: u32 = 0b00_0100;
/// Permission fault, level 0.
const FSC_PERMISSION: u32 = 0b00_1100;
/// ISS bit 6 of a data abort.
const WNR: u32 = 1 << 6;
/// ISS bit 7.
const S1PTW: u32 = 1 << 7;

/// Instruction abort from a lower level; from the same level it is one more. Data aborts are four above.
const EC_INSTRUCTION_ABORT: u8 = 0x20;
const EC_DATA_ABORT: u8 = 0x24;

/// A syndrome and its fault address.
///
/// ISV is 0 always: the model does not know the instruction, so no size and no register either. Hardware sets it for
/// stage 2 data aborts of plain loads and stores. S1PTW stays 0 too, since an MPU walks no tables.
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
    pub const fn el2_own(denial: &Denial) -> Self {
        Self::new(denial, true)
    }

    /// A guest's fault at stage 2, taken to EL2: class 0x24, or 0x20 for a fetch.
    #[must_use]
    pub const fn stage2(denial: &Denial) -> Self {
        Self::new(denial, false)
    }

    /// A guest's fault at stage 1, taken to EL1: class 0x24 or 0x20 from EL0, 0x25 or 0x21 from EL1.
    #[must_use]
    pub const fn el1(denial: &Denial) -> Self {
        Self::new(denial, !matches!(denial.access.el, El::El0))
    }

    const fn new(denial: &Denial, same_level: bool) -> Self {
        let class = match denial.access.kind {
            AccessKind::Fetch => EC_INSTRUCTION_ABORT,
            AccessKind::Read | AccessKind::Write | AccessKind::Rmw => EC_DATA_ABORT,
        };
        let code = match denial.kind {
            DenialKind::Permission { .. } => FSC_PERMISSION,
            // No implementation was found that says how PMSA reports an address beyond its regions' reach. No region
            // can hold it, so it is reported as a miss.
            DenialKind::NoRegion | DenialKind::Overlap { .. } | DenialKind::AddressSize => FSC_TRANSLATION,
        };
        let write = match denial.access.kind {
            AccessKind::Write => true,
            // As a write only where a read would have gone ahead.
            AccessKind::Rmw => matches!(denial.kind, DenialKind::Permission { needs: AccessKind::Write, .. }),
            AccessKind::Read | AccessKind::Fetch => false,
        };
        Self { ec: class + same_level as u8, iss: code | if write { WNR } else { 0 }, far: denial.addr }
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
    use crate::access::{Access, Regime};

    fn denial(access: AccessKind, el: El, kind: DenialKind) -> Denial {
        let access = Access { addr: 0x4000_0ffc, size: 8, kind: access, el };
        Denial { kind, addr: 0x4000_1000, access, regime: Regime::El2 }
    }

    const fn lacks(needs: AccessKind) -> DenialKind {
        DenialKind::Permission { slot: Some(3), needs }
    }

    #[test]
    fn class_follows_level_and_kind() {
        let ec = |make: fn(&Denial) -> Syndrome, kind, el| make(&denial(kind, el, DenialKind::NoRegion)).ec;
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
        let fsc = |kind| Syndrome::stage2(&denial(AccessKind::Read, El::El1, kind)).fsc();
        assert_eq!(fsc(DenialKind::NoRegion), 0b000100);
        assert_eq!(fsc(DenialKind::Overlap { first: 0, second: 1 }), 0b000100);
        assert_eq!(fsc(DenialKind::AddressSize), 0b000100);
        assert_eq!(fsc(lacks(AccessKind::Read)), 0b001100);
    }

    #[test]
    fn write_not_read_where_a_read_would_have_gone_ahead() {
        let wnr = |access, kind| Syndrome::el2_own(&denial(access, El::El2, kind)).wnr();
        assert!(wnr(AccessKind::Write, DenialKind::NoRegion));
        assert!(wnr(AccessKind::Write, lacks(AccessKind::Write)));
        assert!(wnr(AccessKind::Rmw, lacks(AccessKind::Write)));
        assert!(!wnr(AccessKind::Rmw, lacks(AccessKind::Read)));
        assert!(!wnr(AccessKind::Rmw, DenialKind::NoRegion));
        assert!(!wnr(AccessKind::Read, lacks(AccessKind::Read)));
        assert!(!wnr(AccessKind::Fetch, lacks(AccessKind::Fetch)));
    }

    #[test]
    fn register_and_address() {
        let syndrome = Syndrome::el2_own(&denial(AccessKind::Write, El::El2, lacks(AccessKind::Write)));
        assert_eq!(syndrome.esr(), 0x9600_004c);
        assert_eq!(syndrome.far, 0x4000_1000);
        assert!(!syndrome.s1ptw());
        assert_eq!(
            syndrome.to_string(),
            "data abort from the same exception level, permission fault, level 0, ESR 0x9600004c, FAR 0x40001000"
        );
        // Fields beyond their width cannot spill into their neighbours.
        assert_eq!(Syndrome { ec: 0xff, iss: u32::MAX, far: 0 }.esr(), 0xffff_ffff);
    }
}
