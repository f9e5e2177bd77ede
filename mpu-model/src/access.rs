//! What is asked of an MPU and what it answers.

use core::fmt;

use crate::attrs::Attrs;
use crate::hazard::Hazard;
use crate::level::{El, Regime};
use crate::slot::Slot;

/// What the access does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AccessKind {
    /// Data read.
    Read,
    /// Data write.
    Write,
    /// Instruction fetch.
    Fetch,
    /// Atomic read-modify-write: needs both rights.
    Rmw,
}

impl fmt::Display for AccessKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Fetch => "fetch",
            Self::Rmw => "rmw",
        })
    }
}

/// One access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Access {
    /// First byte.
    pub addr: u64,
    /// Bytes, at least 1; 0 is taken as 1. Each byte is judged.
    pub size: u64,
    /// What is done.
    pub kind: AccessKind,
    /// Who does it. [`Regime::El2`] takes it to be EL2 whatever is said here; the other two take EL2 as EL1.
    pub el: El,
}

/// What an allowed access was allowed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HitBy {
    /// The region in this slot.
    Slot(Slot),
    /// The background region.
    Background,
    /// Nothing: the MPU is off.
    MpuOff,
}

/// An allowed access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hit {
    /// What allowed the first byte.
    pub by: HitBy,
    /// The attributes of the first byte; none where no region gave any.
    pub attrs: Option<Attrs>,
}

/// Why an access is denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DenialKind {
    /// No enabled region holds the byte, and no background region serves the access.
    NoRegion,
    /// At least two enabled regions hold the byte; the two lowest slots are named.
    Overlap {
        /// The lowest slot.
        first: Slot,
        /// The next.
        second: Slot,
    },
    /// One region, or the background region, holds the byte and withholds a right.
    Permission {
        /// The slot; `None` for the background region.
        slot: Option<Slot>,
        /// The right that lacks: `Read`, `Write` or `Fetch`. For a read-modify-write, `Write` means that a read alone
        /// would have been allowed.
        needs: AccessKind,
    },
    /// Its parts may all be accessed, but with different attributes, and [`crate::MixedAttributes`] says that this faults.
    MixedAttributes,
    /// The byte is beyond [`crate::PA_LIMIT`], or beyond what 64 bits can name. Denied even with the MPU off.
    AddressSize,
}

impl fmt::Display for DenialKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRegion => f.write_str("no enabled region holds the address"),
            Self::Overlap { first, second } => write!(f, "enabled regions {first} and {second} both hold the address"),
            Self::Permission { slot: Some(slot), needs } => write!(f, "region {slot} does not grant {needs}"),
            Self::Permission { slot: None, needs } => {
                write!(f, "the background region does not grant {needs}")
            }
            Self::MixedAttributes => f.write_str("its parts lie in regions with different attributes"),
            Self::AddressSize => f.write_str("the address is beyond the 52-bit address space"),
        }
    }
}

/// A denied access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Denial {
    /// Why.
    pub kind: DenialKind,
    /// The lowest byte that is denied: what FAR will hold.
    pub addr: u64,
    /// The access as asked.
    pub access: Access,
    /// Under which reading.
    pub regime: Regime,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Access { addr, size, kind, el } = self.access;
        write!(f, "{el} {kind} of {size} bytes at {addr:#x} denied at {:#x}: {}", self.addr, self.kind)
    }
}

/// The answer to one access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Allowed, or why not.
    pub result: Result<Hit, Denial>,
    /// The pending write on which the answer hangs. Wherever there is one, `result` is a denial.
    pub hazard: Option<Hazard>,
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    #[test]
    fn a_denial_says_who_did_what_and_why_not() {
        let access = Access { addr: 0x1ffc, size: 8, kind: AccessKind::Rmw, el: El::El1 };
        let denial = |kind| Denial { kind, addr: 0x2000, access, regime: Regime::Stage2 }.to_string();
        let permission = |slot, needs| denial(DenialKind::Permission { slot, needs });
        let said = "EL1 rmw of 8 bytes at 0x1ffc denied at 0x2000: ";
        for (denial, why) in [
            (denial(DenialKind::NoRegion), "no enabled region holds the address"),
            (
                denial(DenialKind::Overlap { first: Slot::new(2), second: Slot::new(7) }),
                "enabled regions 2 and 7 both hold the address",
            ),
            (permission(Some(Slot::new(3)), AccessKind::Write), "region 3 does not grant write"),
            (permission(None, AccessKind::Fetch), "the background region does not grant fetch"),
            (denial(DenialKind::MixedAttributes), "its parts lie in regions with different attributes"),
            (denial(DenialKind::AddressSize), "the address is beyond the 52-bit address space"),
        ] {
            assert_eq!(denial.strip_prefix(said), Some(why));
        }
        assert_eq!([El::El0, El::El2].map(|el| el.to_string()), ["EL0", "EL2"]);
        assert_eq!(AccessKind::Read.to_string(), "read");
    }
}
