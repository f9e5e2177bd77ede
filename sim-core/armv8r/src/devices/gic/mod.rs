//! `GICv3` (IHI 0069) as an Armv8-R system has it: one Security state, affinity routing always on, system registers always enabled, no
//! LPIs. Group 0 is signalled as FIQ and Group 1 as IRQ.
//!
//! * `bank`: thirty-two interrupts and their state. `distributor` has those of SPIs, a `redistributor` those of SGIs and PPIs.
//! * `priority`, `interface`: masks, binary points, active priorities. A PE has them twice: for physical interrupts, and in
//!   its `virtual_interface` for those that list registers hold.
//! * `registers`: the system registers, and how instructions name them.
//! * `pe`: what there is for one PE. `controller`: all of it together, as the owner sees it: [`Gic`].
//!
//! Where the architecture leaves a choice:
//!
//! * Of pending interrupts with the same priority, that of the lowest INTID is signalled; of virtual ones, that of the first
//!   list register.
//! * An SPI that is routed to any PE goes to the first that is awake and has its group enabled.
//! * An interrupt whose group is disabled at the CPU interface hides no other.
//! * The state is that of Secure accesses: BPR1 has the least value of BPR0 and splits priorities as BPR0 does, and with a
//!   common binary point it is BPR0. The virtual BPR1 has one more, and splits as that of a Non-secure state does: so
//!   `ICV_BPR1_EL1` has it in DDI 0595.
//! * `ICC_SGI1R_EL1` generates an SGI of the group that it is configured for; `ICC_SGI0R_EL1` and `ICC_ASGI1R_EL1` generate it
//!   if that is Group 0. Linux's KVM reads the specification so for `GICD_CTLR.DS` = 1.
//! * A write to DIR with `EOImode` 0 is ignored, and so is one of EOIR whose group is not that of the running priority.
//! * `ICC_SRE_EL1` and `ICC_SRE_EL2` are RAO/WI, so no access to the former traps.

mod bank;
mod controller;
mod distributor;
mod identification;
mod interface;
mod pe;
mod priority;
mod redistributor;
mod registers;
mod virtual_interface;

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::decimal_bitwise_operands,
    reason = "a panic is how a test fails, and INTIDs are decimal"
)]
mod tests;

pub use controller::{Config, Frame, Gic, MAINTENANCE, affinity};
pub use pe::{Outputs, Refused, Requester};
pub use registers::{Owner, Register, Rights};
