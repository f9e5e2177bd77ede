//! The places where a vcpu's `vcpu_info` may be.

use crate::abi::shared_info;

/// Where a vcpu's `vcpu_info` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VcpuInfoPlace<A> {
    /// Where the guest asked for.
    Registered(A),
    /// At the start of `shared_info`, whose area this is.
    Legacy(A),
    /// In the hypervisor's dummy, shared by all such vcpus of all domains.
    Dummy(A),
}

impl<A: Copy> VcpuInfoPlace<A> {
    /// The area; the structure is at its start in each case.
    #[inline]
    pub const fn area(self) -> A {
        match self {
            Self::Registered(area) | Self::Legacy(area) | Self::Dummy(area) => area,
        }
    }

    /// Has the guest registered it?
    pub const fn is_registered(self) -> bool {
        matches!(self, Self::Registered(_))
    }
}

// What makes `area()` right for the legacy place.
const _: () = assert!(shared_info::VCPU_INFO == 0);
