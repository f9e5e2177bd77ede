//! The system registers of the GIC and how instructions name them (IHI 0069, chapter 12; each row gives op0, op1, `CRn`, `CRm`
//! and op2 as there).

use crate::a64::SysEncoding;

/// Which accesses a register has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// MRS and MSR.
    ReadWrite,
    /// MRS only; MSR is UNDEFINED.
    Read,
    /// MSR only; MRS is UNDEFINED.
    Write,
}

/// The lowest EL that has a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// EL1 and EL2. An EL1 access may be to the virtual form of the register, or trap.
    El1,
    /// EL2; UNDEFINED at EL1.
    El2,
}

/// The group of interrupts that a register is for: what `ICH_HCR_EL2` traps with one bit, and what decides whether EL1 has its
/// virtual form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Group 0: `HCR_EL2.FMO`, `TALL0`.
    Group0,
    /// Group 1: `HCR_EL2.IMO`, `TALL1`.
    Group1,
    /// Both: either of FMO and IMO, `TC`.
    Common,
    /// DIR: as those that both share, and `TDIR`.
    Deactivate,
    /// Generation of SGIs: traps by either of FMO and IMO, and by `TC`.
    Generate,
    /// Neither virtual nor trapped: `SRE`.
    Plain,
    /// Registers of EL2.
    Hyp,
}

/// A system register of the GIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Register {
    /// `ICC_PMR_EL1`: priority mask.
    Pmr,
    /// `ICC_IAR0_EL1`: acknowledges an interrupt of Group 0.
    Iar0,
    /// `ICC_EOIR0_EL1`: ends one.
    Eoir0,
    /// `ICC_HPPIR0_EL1`: the one that is pending with the highest priority.
    Hppir0,
    /// `ICC_BPR0_EL1`: binary point.
    Bpr0,
    /// `ICC_AP0R<n>_EL1`: active priorities.
    Ap0r(u8),
    /// `ICC_AP1R<n>_EL1`: active priorities.
    Ap1r(u8),
    /// `ICC_DIR_EL1`: deactivates an interrupt.
    Dir,
    /// `ICC_RPR_EL1`: running priority.
    Rpr,
    /// `ICC_SGI1R_EL1`: generates SGIs of Group 1.
    Sgi1r,
    /// `ICC_ASGI1R_EL1`: generates SGIs of Group 1 of the other Security state.
    Asgi1r,
    /// `ICC_SGI0R_EL1`: generates SGIs of Group 0.
    Sgi0r,
    /// `ICC_IAR1_EL1`: acknowledges an interrupt of Group 1.
    Iar1,
    /// `ICC_EOIR1_EL1`: ends one.
    Eoir1,
    /// `ICC_HPPIR1_EL1`: the one that is pending with the highest priority.
    Hppir1,
    /// `ICC_BPR1_EL1`: binary point.
    Bpr1,
    /// `ICC_CTLR_EL1`: control.
    Ctlr,
    /// `ICC_SRE_EL1`: system registers are enabled, always.
    SreEl1,
    /// `ICC_IGRPEN0_EL1`: enables Group 0.
    Igrpen0,
    /// `ICC_IGRPEN1_EL1`: enables Group 1.
    Igrpen1,
    /// `ICC_SRE_EL2`: as `ICC_SRE_EL1`.
    SreEl2,
    /// `ICH_AP0R<n>_EL2`: virtual active priorities.
    IchAp0r(u8),
    /// `ICH_AP1R<n>_EL2`: virtual active priorities.
    IchAp1r(u8),
    /// `ICH_HCR_EL2`: control of the virtual interface.
    IchHcr,
    /// `ICH_VTR_EL2`: what is implemented of it.
    IchVtr,
    /// `ICH_MISR_EL2`: reasons of the maintenance interrupt.
    IchMisr,
    /// `ICH_EISR_EL2`: list registers whose interrupt was ended.
    IchEisr,
    /// `ICH_ELRSR_EL2`: list registers that are free.
    IchElrsr,
    /// `ICH_VMCR_EL2`: the registers of the virtual interface.
    IchVmcr,
    /// `ICH_LR<n>_EL2`: a list register.
    IchLr(u8),
}

/// op0, op1, `CRn`, `CRm` and op2 as in bits 20:5 of MRS and MSR.
const fn encoding(op0: u16, op1: u16, crn: u16, crm: u16, op2: u16) -> SysEncoding {
    SysEncoding(op0 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2)
}

/// A row: the register, its encoding, who has it, and what may be done with it.
type Row = (Register, SysEncoding, Owner, Rights, Class);

/// Every register but those that are numbered.
const ROWS: [Row; 25] = {
    use Owner::{El1, El2};
    use Rights::{Read, ReadWrite, Write};
    [
        (Register::Pmr, encoding(3, 0, 4, 6, 0), El1, ReadWrite, Class::Common),
        (Register::Iar0, encoding(3, 0, 12, 8, 0), El1, Read, Class::Group0),
        (Register::Eoir0, encoding(3, 0, 12, 8, 1), El1, Write, Class::Group0),
        (Register::Hppir0, encoding(3, 0, 12, 8, 2), El1, Read, Class::Group0),
        (Register::Bpr0, encoding(3, 0, 12, 8, 3), El1, ReadWrite, Class::Group0),
        (Register::Dir, encoding(3, 0, 12, 11, 1), El1, Write, Class::Deactivate),
        (Register::Rpr, encoding(3, 0, 12, 11, 3), El1, Read, Class::Common),
        (Register::Sgi1r, encoding(3, 0, 12, 11, 5), El1, Write, Class::Generate),
        (Register::Asgi1r, encoding(3, 0, 12, 11, 6), El1, Write, Class::Generate),
        (Register::Sgi0r, encoding(3, 0, 12, 11, 7), El1, Write, Class::Generate),
        (Register::Iar1, encoding(3, 0, 12, 12, 0), El1, Read, Class::Group1),
        (Register::Eoir1, encoding(3, 0, 12, 12, 1), El1, Write, Class::Group1),
        (Register::Hppir1, encoding(3, 0, 12, 12, 2), El1, Read, Class::Group1),
        (Register::Bpr1, encoding(3, 0, 12, 12, 3), El1, ReadWrite, Class::Group1),
        (Register::Ctlr, encoding(3, 0, 12, 12, 4), El1, ReadWrite, Class::Common),
        (Register::SreEl1, encoding(3, 0, 12, 12, 5), El1, ReadWrite, Class::Plain),
        (Register::Igrpen0, encoding(3, 0, 12, 12, 6), El1, ReadWrite, Class::Group0),
        (Register::Igrpen1, encoding(3, 0, 12, 12, 7), El1, ReadWrite, Class::Group1),
        (Register::SreEl2, encoding(3, 4, 12, 9, 5), El2, ReadWrite, Class::Hyp),
        (Register::IchHcr, encoding(3, 4, 12, 11, 0), El2, ReadWrite, Class::Hyp),
        (Register::IchVtr, encoding(3, 4, 12, 11, 1), El2, Read, Class::Hyp),
        (Register::IchMisr, encoding(3, 4, 12, 11, 2), El2, Read, Class::Hyp),
        (Register::IchEisr, encoding(3, 4, 12, 11, 3), El2, Read, Class::Hyp),
        (Register::IchElrsr, encoding(3, 4, 12, 11, 5), El2, Read, Class::Hyp),
        (Register::IchVmcr, encoding(3, 4, 12, 11, 7), El2, ReadWrite, Class::Hyp),
    ]
};

/// Numbered registers: what makes one of its number, the row of the first, and how many there are.
type Family = (fn(u8) -> Register, Row, u16);

/// The first register of each family of numbered ones, and how many encodings it has: `CRm` and op2 count on as one number.
const FAMILIES: [Family; 5] = {
    use Owner::{El1, El2};
    use Rights::ReadWrite;
    [
        (Register::Ap0r, (Register::Ap0r(0), encoding(3, 0, 12, 8, 4), El1, ReadWrite, Class::Group0), 4),
        (Register::Ap1r, (Register::Ap1r(0), encoding(3, 0, 12, 9, 0), El1, ReadWrite, Class::Group1), 4),
        (Register::IchAp0r, (Register::IchAp0r(0), encoding(3, 4, 12, 8, 0), El2, ReadWrite, Class::Hyp), 4),
        (Register::IchAp1r, (Register::IchAp1r(0), encoding(3, 4, 12, 9, 0), El2, ReadWrite, Class::Hyp), 4),
        (Register::IchLr, (Register::IchLr(0), encoding(3, 4, 12, 12, 0), El2, ReadWrite, Class::Hyp), 16),
    ]
};

impl Register {
    /// The register that an encoding names, if it is one of the GIC. Which of the numbered ones exist, a [`super::Gic`] knows.
    #[must_use]
    pub fn at(encoding: SysEncoding) -> Option<Self> {
        let plain = ROWS.iter().find(|row| row.1 == encoding).map(|row| row.0);
        plain.or_else(|| {
            FAMILIES.iter().find_map(|(register, first, count)| {
                let n = encoding.0.checked_sub(first.1.0).filter(|n| n < count)?;
                Some(register(n as u8))
            })
        })
    }

    /// Every register that an encoding may name, in the order of the encodings of each kind.
    pub fn all() -> impl Iterator<Item = Self> {
        let numbered = FAMILIES.iter().flat_map(|&(register, _, count)| (0..count).map(move |n| register(n as u8)));
        ROWS.iter().map(|row| row.0).chain(numbered)
    }

    fn row(self) -> (SysEncoding, Owner, Rights, Class) {
        let numbered = |family: usize, n: u8| {
            FAMILIES.get(family).map(|(_, (_, first, owner, rights, class), count)| {
                (SysEncoding(first.0 + (u16::from(n) & (count - 1))), *owner, *rights, *class)
            })
        };
        let found = match self {
            Self::Ap0r(n) => numbered(0, n),
            Self::Ap1r(n) => numbered(1, n),
            Self::IchAp0r(n) => numbered(2, n),
            Self::IchAp1r(n) => numbered(3, n),
            Self::IchLr(n) => numbered(4, n),
            _ => ROWS
                .iter()
                .find(|row| row.0 == self)
                .map(|&(_, encoding, owner, rights, class)| (encoding, owner, rights, class)),
        };
        found.unwrap_or((SysEncoding(0), Owner::El2, Rights::Read, Class::Hyp))
    }

    /// How MRS and MSR name it.
    #[must_use]
    pub fn encoding(self) -> SysEncoding {
        self.row().0
    }

    /// The lowest EL that has it.
    #[must_use]
    pub fn owner(self) -> Owner {
        self.row().1
    }

    /// Which accesses it has.
    #[must_use]
    pub fn rights(self) -> Rights {
        self.row().2
    }

    pub(crate) fn class(self) -> Class {
        self.row().3
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_register_has_an_encoding_of_its_own() {
        let encodings: BTreeSet<SysEncoding> = Register::all().map(Register::encoding).collect();
        assert_eq!(encodings.len(), 25 + 4 * 4 + 16);
        for register in Register::all() {
            assert_eq!(Register::at(register.encoding()), Some(register));
        }
        assert_eq!(Register::at(encoding(3, 0, 12, 11, 2)), None);
        assert_eq!(Register::at(SysEncoding(0)), None);
    }

    #[test]
    fn encodings_are_those_of_the_manual() {
        // MRS X0, ICC_IAR1_EL1 is 0xd538cc00, MSR ICC_EOIR1_EL1, X0 is 0xd518cc20: bits 20:5 name the register.
        assert_eq!(Register::at(SysEncoding((0xd538_cc00_u32 >> 5) as u16)), Some(Register::Iar1));
        assert_eq!(Register::at(SysEncoding((0xd518_cc20_u32 >> 5) as u16)), Some(Register::Eoir1));
        // MSR ICH_LR9_EL2, X0 is 0xd51ccd20.
        assert_eq!(Register::at(SysEncoding((0xd51c_cd20_u32 >> 5) as u16)), Some(Register::IchLr(9)));
    }

    #[test]
    fn the_registers_of_el2_say_so() {
        for register in Register::all() {
            let of_el2 = (register.encoding().0 >> 11) & 7 == 4;
            assert_eq!(register.owner() == Owner::El2, of_el2, "{register:?}");
            assert_eq!(register.class() == Class::Hyp, of_el2, "{register:?}");
        }
    }
}
