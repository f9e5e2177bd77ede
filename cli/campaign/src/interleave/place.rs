//! Who runs where.

use super::schedule::Who;
use sim_core::layout::PeId;

/// The PE of the sender, which is the domain at 1.
pub(super) const SENDER: Who = 0;
/// The PE of the receiver's vCPU 0; the domain at 2.
pub(super) const RECEIVER: Who = 1;
/// The PE of the receiver's vCPU 1.
pub(super) const SECOND: Who = 2;
/// The PE of the control domain, at 0.
pub(super) const CONTROL: Who = 3;
/// PEs there are.
pub const PES: usize = 4;

/// Domain and vCPU of each PE.
pub(super) const RUNS: [(usize, u32); PES] = [(1, 0), (2, 0), (2, 1), (0, 0)];
/// The PE on which somebody acts, in the system's own terms.
pub(super) const fn pe_of(who: Who) -> PeId {
    PeId::new(who as u32)
}

/// The position of the domain that runs on a PE.
#[must_use]
pub fn domain_of(pe: Who) -> usize {
    RUNS.get(pe).map_or(0, |(domain, _)| *domain)
}

/// The vCPU that runs on a PE.
pub(super) fn vcpu_of(pe: Who) -> u32 {
    RUNS.get(pe).map_or(0, |(_, vcpu)| *vcpu)
}

/// The id of the domain at `position`: the same number.
#[must_use]
pub const fn id_of(position: usize) -> u16 {
    position as u16
}
