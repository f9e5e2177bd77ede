//! What a region grants, and as what kind of memory: AP, XN, SH, `AttrIndx`, NS.

use core::fmt;

use crate::level::Level;

/// Access permissions, `PRBAR.AP`.
///
/// *Privileged* is the level the MPU belongs to: EL2 for the EL2 MPU, EL1 for the EL1 MPU. The upper bit takes writes
/// away, the lower one lets the levels below in. At stage 2, EL1 and EL0 are not told apart.
#[bitbybit::bitenum(u2, exhaustive = true)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[derive(Debug, PartialEq, Eq, Hash)]
pub enum Ap {
    /// 0b00: read-write at the MPU's own level, nothing below.
    RwPrivileged = 0b00,
    /// 0b01: read-write at the MPU's own level and below.
    RwAll = 0b01,
    /// 0b10: read-only at the MPU's own level, nothing below.
    RoPrivileged = 0b10,
    /// 0b11: read-only at the MPU's own level and below.
    RoAll = 0b11,
}

impl Ap {
    /// Whether levels below the MPU's own may use the region at all: bit 0 of AP.
    #[must_use]
    pub const fn lower(self) -> bool {
        matches!(self, Self::RwAll | Self::RoAll)
    }

    /// Whether those who may use the region may write it: bit 1 of AP clear.
    #[must_use]
    pub const fn writable(self) -> bool {
        matches!(self, Self::RwPrivileged | Self::RwAll)
    }
}

/// Shareability, `PRBAR.SH`.
#[bitbybit::bitenum(u2, exhaustive = true)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[derive(Debug, PartialEq, Eq, Hash)]
pub enum Shareability {
    /// 0b00: non-shareable.
    Non = 0b00,
    /// 0b01: reserved encoding, kept so that a register reads back as written.
    Reserved = 0b01,
    /// 0b10: outer shareable.
    Outer = 0b10,
    /// 0b11: inner shareable.
    Inner = 0b11,
}

/// Execute-never, the two bits of `PRBAR.XN`.
///
/// Bit 1 decides at EL2 and at EL1 stage 1. What bit 0 means at stage 2 is disputed, see [`crate::S2XnModel`]; all
/// readings agree that 0b00 lets everyone execute, and software writes 0b10 where nobody may.
#[bitbybit::bitenum(u2, exhaustive = true)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[derive(Debug, PartialEq, Eq, Hash)]
pub enum Xn {
    /// 0b00: may be executed.
    Exec = 0b00,
    /// 0b01: only bit 0 set; at stage 2 under `FEAT_XNX` EL0 may execute and EL1 may not.
    Bits01 = 0b01,
    /// 0b10: never executed.
    Never = 0b10,
    /// 0b11: both bits set; at stage 2 under `FEAT_XNX` EL1 may execute and EL0 may not.
    Bits11 = 0b11,
}

impl Xn {
    /// Bit 0 of the field.
    #[must_use]
    pub const fn bit0(self) -> bool {
        matches!(self, Self::Bits01 | Self::Bits11)
    }

    /// Bit 1 of the field.
    #[must_use]
    pub const fn bit1(self) -> bool {
        matches!(self, Self::Never | Self::Bits11)
    }
}

/// The attributes of a region.
///
/// Prints as the EL2 MPU reads it (`rw EL2 only, never execute`); the alternate form `{:#}` adds shareability,
/// attribute index and NS. [`Attrs::at`] prints for either level.
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Attrs {
    /// Who may read and write.
    pub ap: Ap,
    /// Who may not execute.
    pub xn: Xn,
    /// Shareability of the memory.
    pub sh: Shareability,
    /// Which of the eight bytes of `MAIR_ELx` gives the memory type, 0 to 7. Only the low three bits are used.
    pub attr_index: u8,
    /// `PRLAR.NS`: output addresses are Non-secure.
    pub ns: bool,
}

impl Attrs {
    /// The same attributes, printed with the names of the levels that `level`'s MPU serves.
    #[must_use]
    pub const fn at(self, level: Level) -> AttrsAt {
        AttrsAt { attrs: self, level }
    }

    /// With the bits that no register holds taken off, so that a round trip through the words compares equal.
    pub(crate) const fn canonical(self) -> Self {
        Self { attr_index: self.attr_index & 7, ..self }
    }
}

impl fmt::Display for Attrs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.at(Level::El2).fmt(f)
    }
}

/// [`Attrs`] ready to print for one level's MPU; made by [`Attrs::at`].
#[derive(Debug, Clone, Copy)]
pub struct AttrsAt {
    attrs: Attrs,
    level: Level,
}

impl fmt::Display for AttrsAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Attrs { ap, xn, sh, attr_index, ns } = self.attrs;
        let rights = if ap.writable() { "rw" } else { "ro" };
        let who = match (self.level, ap.lower()) {
            (Level::El2, false) => "EL2 only",
            (Level::El2, true) => "EL2, EL1 and EL0",
            (Level::El1, false) => "EL1 only",
            (Level::El1, true) => "EL1 and EL0",
        };
        let execute = match xn {
            Xn::Exec => "executable",
            Xn::Bits01 => "XN=0b01",
            Xn::Never => "never execute",
            Xn::Bits11 => "XN=0b11",
        };
        write!(f, "{rights} {who}, {execute}")?;
        if f.alternate() {
            let sh = match sh {
                Shareability::Non => "non-shareable",
                Shareability::Reserved => "SH reserved",
                Shareability::Outer => "outer shareable",
                Shareability::Inner => "inner shareable",
            };
            write!(f, ", {sh}, attribute {}{}", attr_index & 7, if ns { ", non-secure" } else { "" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::*;

    const TEXT: Attrs = Attrs { ap: Ap::RwPrivileged, xn: Xn::Never, sh: Shareability::Inner, attr_index: 9, ns: true };

    #[test]
    fn prints_for_either_level() {
        assert_eq!(TEXT.to_string(), "rw EL2 only, never execute");
        assert_eq!(TEXT.at(Level::El1).to_string(), "rw EL1 only, never execute");
        let open = Attrs { ap: Ap::RoAll, xn: Xn::Exec, ..TEXT };
        assert_eq!(open.to_string(), "ro EL2, EL1 and EL0, executable");
        assert_eq!(open.at(Level::El1).to_string(), "ro EL1 and EL0, executable");
    }

    #[test]
    fn alternate_form_names_the_memory() {
        assert_eq!(std::format!("{TEXT:#}"), "rw EL2 only, never execute, inner shareable, attribute 1, non-secure");
        for (sh, said) in [
            (Shareability::Non, "non-shareable"),
            (Shareability::Reserved, "SH reserved"),
            (Shareability::Outer, "outer shareable"),
        ] {
            let secure = Attrs { xn: Xn::Bits01, sh, ns: false, ..TEXT };
            assert_eq!(std::format!("{secure:#}"), std::format!("rw EL2 only, XN=0b01, {said}, attribute 1"));
        }
    }

    #[test]
    fn ap_bits_mean_what_the_encoding_says() {
        for (raw, lower, writable) in
            [(0b00, false, true), (0b01, true, true), (0b10, false, false), (0b11, true, false)]
        {
            let ap = Ap::new_with_raw_value(arbitrary_int::u2::new(raw));
            assert_eq!((ap.lower(), ap.writable()), (lower, writable), "AP {raw:#b}");
        }
    }
}
