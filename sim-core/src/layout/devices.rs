//! Devices of domains: those that the hypervisor plays, and those of the board that guests drive themselves.

use super::position::Position;
use alloc::string::String;
use alloc::vec::Vec;
use boards::Span;

/// A device that the hypervisor plays: no view maps it, so an access traps to EL2 and is carried out there.
#[cfg_attr(feature = "export", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmulatedDevice {
    /// What the scenario calls it.
    pub name: String,
    /// Where its registers are.
    pub span: Span,
    /// Positions in [`super::LayoutParts::domains`] of the domains that have it; they share its registers.
    pub domains: Vec<Position>,
    /// Offset of the register whose low byte goes to the console when it is written.
    pub console: Option<u64>,
}

impl EmulatedDevice {
    /// The most bytes that one has: the hypervisor keeps them all.
    pub const MOST: u64 = 0x1_0000;
}

/// A device of the board's that is passed through: its domains' views map the registers, and no access traps.
#[cfg_attr(feature = "export", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassthroughDevice {
    /// What the scenario calls it.
    pub name: String,
    /// Its registers: device memory of the board's.
    pub span: Span,
    /// Positions in [`super::LayoutParts::domains`] of the domains that have it.
    pub domains: Vec<Position>,
    /// Whether several domains may have it.
    pub shared: bool,
}
