//! Exception levels, and which of them an MPU and a reading of its array belong to.

use core::fmt;

/// Whose MPU: the level that programs it and that *privileged* means in its permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Level {
    /// The EL1 MPU, stage 1 of EL1 and EL0.
    El1,
    /// The EL2 MPU, stage 1 of EL2 and stage 2 of EL1 and EL0.
    El2,
}

/// Which reading of which array judges an access. Pair `El2` and `Stage2` with the EL2 MPU, `El1` with the EL1 MPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Regime {
    /// EL2's own accesses through the EL2 array.
    El2,
    /// EL1's and EL0's accesses through the EL2 array.
    Stage2,
    /// EL1's and EL0's accesses through the EL1 array.
    El1,
}

/// The exception level that makes the access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum El {
    /// Applications.
    El0,
    /// The guest's kernel.
    El1,
    /// The hypervisor.
    El2,
}

impl fmt::Display for El {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::El0 => "EL0",
            Self::El1 => "EL1",
            Self::El2 => "EL2",
        })
    }
}
