//! Which virtual machine a PE runs.

use mpu_model::{Pmsa, Vtcr};

/// The number by which a PE knows a virtual machine: `VSCTLR_EL2.VMID`, or `VSCTLR.VMID` with PMSAv8-32. Each domain has one, which
/// follows from its position in the layout; 0 is nobody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vmid(u16);

impl Vmid {
    /// The VMID of no domain.
    pub const NOBODY: Self = Self(0);

    /// The VMID of the domain at `position`; `None` if 16 bits are too few for it. That a board's may have 8 bits only, a layout's
    /// check knows: it refuses more domains than the board has VMIDs for.
    #[must_use]
    pub fn of_domain(position: usize) -> Option<Self> {
        u16::try_from(position.checked_add(1)?).ok().map(Self)
    }

    /// The position of its domain; `None` for [`Self::NOBODY`].
    #[must_use]
    pub fn domain(self) -> Option<usize> {
        usize::from(self.0).checked_sub(1)
    }

    /// What `VSCTLR_EL2` or `VSCTLR` is written with.
    #[must_use]
    pub fn to_register(self, pmsa: Pmsa) -> u64 {
        u64::from(self.0) << pmsa.vmid_shift()
    }

    /// What a PE takes `VSCTLR_EL2` or `VSCTLR` for; `vtcr` says how many bits of the former count.
    #[must_use]
    pub fn from_register(pmsa: Pmsa, vsctlr: u64, vtcr: Vtcr) -> Self {
        Self(pmsa.vmid(vsctlr, vtcr))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_has_its_vmid_and_nobody_has_0() {
        assert_eq!(Vmid::of_domain(0), Some(Vmid(1)));
        assert_eq!(Vmid::of_domain(0xfffe), Some(Vmid(0xffff)));
        assert_eq!(Vmid::of_domain(0xffff), None);
        assert_eq!(Vmid::of_domain(usize::MAX), None);
        assert_eq!(Vmid::NOBODY.domain(), None);
        for position in [0, 1, 254, 0xfffe] {
            assert_eq!(Vmid::of_domain(position).and_then(Vmid::domain), Some(position));
        }
    }

    #[test]
    fn a_register_holds_it_as_wide_as_its_architecture_has_it() {
        let long = Vtcr::ZERO.with_vs(true);
        for (pmsa, vtcr, register, read) in [
            (Pmsa::V64, long, 0x1234_0000_0000_0000, 0x1234),
            (Pmsa::V64, Vtcr::ZERO, 0x1234_0000_0000_0000, 0x34),
            (Pmsa::V32, Vtcr::ZERO, 0x1234_0000, 0x34),
        ] {
            assert_eq!(Vmid(0x1234).to_register(pmsa), register);
            assert_eq!(Vmid::from_register(pmsa, register, vtcr), Vmid(read));
        }
    }
}
