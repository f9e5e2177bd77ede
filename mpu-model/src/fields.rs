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
}
