//! Devices of the board that guests drive themselves: their views map the registers, and no access traps.

use super::{Item, LayoutError, LayoutParts, Span};
use alloc::string::String;
use alloc::vec::Vec;

/// A device that is passed through.
#[cfg_attr(feature = "export", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassthroughDevice {
    /// What the scenario calls it.
    pub name: String,
    /// Its registers: device memory of the board's.
    pub span: Span,
    /// Positions in [`LayoutParts::domains`] of the domains that have it.
    pub domains: Vec<usize>,
    /// Whether several domains may have it.
    pub shared: bool,
}

/// That each is a device of the board's, and one domain's unless it is said that several share it. Addresses of their own
/// were checked with those of all owners.
pub(super) fn check(parts: &LayoutParts) -> Result<(), LayoutError> {
    for (index, device) in parts.passthrough.iter().enumerate() {
        let item = || Item::Passthrough { index, name: device.name.clone() };
        if !parts.board.has_device(&device.span) {
            return Err(LayoutError::NoDevice { item: item(), span: device.span, board: parts.board.name.clone() });
        }
        if device.domains.len() > 1 && !device.shared {
            return Err(LayoutError::DeviceOfSeveral { item: item(), count: device.domains.len() });
        }
    }
    Ok(())
}
