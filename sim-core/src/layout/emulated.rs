//! Devices that the hypervisor plays for guests: no view maps them, so an access traps to EL2 and is carried out there.

use super::{Item, LayoutError, Span};
use alloc::string::String;
use alloc::vec::Vec;

/// A device that is not there.
#[cfg_attr(feature = "export", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmulatedDevice {
    /// What the scenario calls it.
    pub name: String,
    /// Where its registers are.
    pub span: Span,
    /// Positions in [`super::LayoutParts::domains`] of the domains that have it; they share its registers.
    pub domains: Vec<usize>,
    /// Offset of the register whose low byte goes to the console when it is written.
    pub console: Option<u64>,
}

impl EmulatedDevice {
    /// The most bytes that one has: the hypervisor keeps them all.
    pub const MOST: u64 = 0x1_0000;
}

/// Sizes and registers.
pub(super) fn check(devices: &[EmulatedDevice]) -> Result<(), LayoutError> {
    for (index, device) in devices.iter().enumerate() {
        let item = || Item::Emulated { index, name: device.name.clone() };
        let size = device.span.size();
        if size > EmulatedDevice::MOST {
            return Err(LayoutError::DeviceTooLarge { item: item(), size, most: EmulatedDevice::MOST });
        }
        if let Some(offset) = device.console.filter(|offset| *offset >= size) {
            return Err(LayoutError::NoSuchRegister { item: item(), offset, size });
        }
    }
    Ok(())
}
