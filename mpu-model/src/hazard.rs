//! What an access or a write meets that does not wait for the barriers of writes before it.

use core::fmt;

use crate::regs::MpuReg;
use crate::slot::Slot;

/// What a pending write still waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Missing {
    /// A DSB, and a context synchronisation event after it.
    DsbThenContextSync,
    /// A context synchronisation event: ISB, exception entry or ERET.
    ContextSync,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::DsbThenContextSync => "DSB and then ISB",
            Self::ContextSync => "ISB",
        })
    }
}

/// A register write that is not in force yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PendingWrite {
    /// The register as written.
    pub reg: MpuReg,
    /// The region it went to; none for registers that belong to no region.
    pub slot: Option<Slot>,
    /// The value as written.
    pub value: u64,
    /// The barrier that it waits for.
    pub missing: Missing,
}

/// An access whose verdict depends on whether pending writes are seen already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hazard {
    /// The first pending write that changes the verdict, were all writes up to it in force. With [`Hazard::ahead`], the last
    /// write to a region without which the verdict is another. Where more writes are pending than the log holds, the
    /// first that it had no room for.
    pub write: PendingWrite,
    /// The write that enables something and may be in force before [`Hazard::write`], though it was made later
    /// ([`crate::WriteOrder::EnablesFirst`]). None where the order in which the writes were made is hazard enough.
    pub ahead: Option<PendingWrite>,
    /// Whether the state in force, without any pending write, allows the access.
    pub in_force_allows: bool,
    /// Whether the newest state, with all pending writes, allows it.
    pub newest_allows: bool,
    /// The log ran over: which prefix of the pending writes matters is not known any more, and every access is denied
    /// until a barrier puts all of them in force.
    pub overflow: bool,
}

/// A write or through a selector that is not synchronised: hardware may reach the region selected before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{reg} written with PRSELR not synchronised: region {stale_slot} may change, not {new_slot}; ISB after PRSELR")]
pub struct WriteHazard {
    /// The register written.
    pub reg: MpuReg,
    /// The region that an earlier selection, still possible, leads to.
    pub stale_slot: Slot,
    /// The region that the newest selection leads to. The model writes this one.
    pub new_slot: Slot,
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    #[test]
    fn what_is_missing_is_said_in_instructions() {
        let said = [Missing::DsbThenContextSync, Missing::ContextSync].map(|missing| missing.to_string());
        assert_eq!(said, ["DSB and then ISB", "ISB"]);
    }
}
