//! How instructions name system registers.

use crate::a64::SysEncoding;

impl SysEncoding {
    /// From the numbers in a register's name, `S<op0>_<op1>_C<CRn>_C<CRm>_<op2>`.
    #[must_use]
    pub const fn new(op0: u8, op1: u8, crn: u8, crm: u8, op2: u8) -> Self {
        let high = (op0 as u16 & 3) << 14 | (op1 as u16 & 7) << 11;
        Self(high | (crn as u16 & 15) << 7 | (crm as u16 & 15) << 3 | (op2 as u16 & 7))
    }

    /// op0.
    #[must_use]
    pub const fn op0(self) -> u8 {
        (self.0 >> 14) as u8
    }

    /// op1.
    #[must_use]
    pub const fn op1(self) -> u8 {
        (self.0 >> 11) as u8 & 7
    }

    /// `CRn`.
    #[must_use]
    pub const fn crn(self) -> u8 {
        (self.0 >> 7) as u8 & 15
    }

    /// `CRm`.
    #[must_use]
    pub const fn crm(self) -> u8 {
        (self.0 >> 3) as u8 & 15
    }

    /// op2.
    #[must_use]
    pub const fn op2(self) -> u8 {
        self.0 as u8 & 7
    }

    /// Whether it is IMPLEMENTATION DEFINED: `CRn` 11 or 15 of op0 3, and of op0 1.
    #[must_use]
    pub const fn is_implementation_defined(self) -> bool {
        matches!(self.op0(), 1 | 3) && matches!(self.crn(), 11 | 15)
    }

    /// Whether it is in the ID space, of which reads at EL0 are told with its name (`FEAT_IDST`).
    pub(crate) const fn is_identification(self) -> bool {
        self.op0() == 3 && self.crn() == 0 && (self.op1() == 0 || matches!(self.op1(), 1 | 2) && self.crm() == 0)
    }
}

impl core::fmt::Display for SysEncoding {
    /// As assemblers take it.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "S{}_{}_C{}_C{}_{}", self.op0(), self.op1(), self.crn(), self.crm(), self.op2())
    }
}
