//! The fields of the registers that have fields.
//!
//! Layouts: DDI 0600 chapter G1, `PRBAR_ELx`, `PRLAR_ELx`, `SCTLR_ELx`. Bits not named are RES0 or of no concern here.
#![allow(clippy::must_use_candidate, reason = "the accessors are generated")]

use arbitrary_int::{u3, u46};

use crate::attrs::{Ap, Shareability, Xn};

/// `PRBAR_ELx`: where a region starts and who may use it.
#[bitbybit::bitfield(u64, default = 0, debug)]
#[derive(PartialEq, Eq)]
pub struct Prbar {
    /// Execute-never, bits 1:0.
    #[bits(0..=1, rw)]
    xn: Xn,
    /// Access permissions, bits 3:2.
    #[bits(2..=3, rw)]
    ap: Ap,
    /// Shareability, bits 5:4.
    #[bits(4..=5, rw)]
    sh: Shareability,
    /// Bits 51:6 of the first address.
    #[bits(6..=51, rw)]
    base: u46,
}

/// `PRLAR_ELx`: where a region ends, its memory type, and whether it counts.
#[bitbybit::bitfield(u64, default = 0, debug)]
#[derive(PartialEq, Eq)]
pub struct Prlar {
    /// Enable, bit 0.
    #[bit(0, rw)]
    en: bool,
    /// Index into `MAIR_ELx`, bits 3:1.
    #[bits(1..=3, rw)]
    attr_index: u3,
    /// Non-secure, bit 4.
    #[bit(4, rw)]
    ns: bool,
    /// Bits 51:6 of the last address; the six below read as ones.
    #[bits(6..=51, rw)]
    limit: u46,
}

/// `HCR_EL2` or `HCR`, the fields that decide how a guest's accesses are judged.
#[bitbybit::bitfield(u64, default = 0, debug)]
#[derive(PartialEq, Eq)]
pub struct Hcr {
    /// Stage 2 is on, bit 0.
    #[bit(0, rw)]
    vm: bool,
    /// Default cacheable, bit 12: stage 1 is off for guests and stage 2 on.
    #[bit(12, rw)]
    dc: bool,
    /// Trap general exceptions, bit 27: stage 1 of EL0 is off, and its exceptions go to EL2.
    #[bit(27, rw)]
    tge: bool,
}

/// `VSCTLR_EL2`: which virtual machine TLBs and upcalls belong to. It has no say in which kind of MPU or MMU EL1 has.
#[bitbybit::bitfield(u64, default = 0, debug)]
#[derive(PartialEq, Eq)]
pub struct Vsctlr {
    /// VMID, bits 63:48; in `AArch32`'s VSCTLR it is 8 bits wide and sits in 23:16.
    #[bits(48..=63, rw)]
    vmid: u16,
}

/// `VTCR_EL2`: how EL1&0 is translated.
#[bitbybit::bitfield(u64, default = 0, debug)]
#[derive(PartialEq, Eq)]
pub struct Vtcr {
    /// VMID size, bit 19: 16 bits if set.
    #[bit(19, rw)]
    vs: bool,
    /// Non-secure output addresses, bit 30.
    #[bit(30, rw)]
    nsa: bool,
    /// Memory system architecture of EL1&0, bit 31: an MMU if set, where `ID_AA64MMFR0_EL1.MSA_frac` offers one.
    #[bit(31, rw)]
    msa: bool,
}

/// `SCTLR_ELx`, the fields that an MPU looks at.
#[bitbybit::bitfield(u64, default = 0, debug)]
#[derive(PartialEq, Eq)]
pub struct Sctlr {
    /// MPU enable, bit 0.
    #[bit(0, rw)]
    m: bool,
    /// Data cache enable, bit 2. Held, not acted upon.
    #[bit(2, rw)]
    c: bool,
    /// Instruction cache enable, bit 12. Held, not acted upon.
    #[bit(12, rw)]
    i: bool,
    /// Background region enable, bit 17.
    #[bit(17, rw)]
    br: bool,
    /// Writable regions are execute-never, bit 19.
    #[bit(19, rw)]
    wxn: bool,
    /// `AArch32` at EL1 only: what EL0 may write is execute-never for EL1, bit 20.
    #[bit(20, rw)]
    uwxn: bool,
}
