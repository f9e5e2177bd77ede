//! How instructions name registers.

/// A register as [`crate::a64::Regs`] holds it: 0 to 30; 31 for SP, 32 to read XZR, 33 to write it.
pub(in crate::a64) type Slot = u8;

/// SP.
pub(in crate::a64) const SP: Slot = 31;
/// XZR where it is read.
pub(in crate::a64) const ZERO: Slot = 32;
/// XZR where it is written.
pub(in crate::a64) const SINK: Slot = 33;
/// The link register.
pub(in crate::a64) const LINK: Slot = 30;
