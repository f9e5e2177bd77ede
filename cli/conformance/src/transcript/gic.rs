//! A vCPU's end of the interrupt controller, for the event interrupt alone.

/// The event interrupt's number as guests of this hypervisor see it.
pub(super) const EVENT_PPI: u32 = 31;
/// What an acknowledge gives if nothing is pending.
const NOTHING: u32 = 1023;
/// `ISR_EL1.I`.
const ISR_I: u64 = 1 << 7;

/// One vCPU's.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Gic {
    /// The vCPU runs: an interrupt for one that does not is lost.
    pub(super) online: bool,
    /// The guest has switched the interrupt on.
    pub(super) enabled: bool,
    pending: bool,
}

impl Gic {
    /// The hypervisor raises the event interrupt, an edge.
    pub(super) fn raise(&mut self) {
        self.pending |= self.online;
    }

    /// The guest acknowledges and ends whatever is pending.
    pub(super) fn acknowledge(&mut self) -> u32 {
        if self.enabled && core::mem::take(&mut self.pending) { EVENT_PPI } else { NOTHING }
    }

    /// `ISR_EL1`.
    pub(super) fn isr(self) -> u64 {
        if self.enabled && self.pending { ISR_I } else { 0 }
    }
}
