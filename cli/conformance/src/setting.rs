//! What a file is replayed on, beside the memory that it names itself. Results must not depend on it.

use mpu_model::{Pmsa, SyncRule};
use sim_core::hyp::strategy::{Builtin, Strategy};
use sim_core::layout::Placement;

/// The most PEs.
pub const MAX_PES: usize = 16;

/// A strategy and the machine under it.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The strategy.
    pub strategy: Builtin,
    /// Where `shared_info` and what domains hand over live.
    pub placement: Placement,
    /// PEs, at least 1; vCPU v of the n-th domain lives on PE (n + v) modulo this.
    pub pes: usize,
    /// When a register write is in force.
    pub sync: SyncRule,
    /// The architecture of the PEs and their MPUs.
    pub pmsa: Pmsa,
}

impl Setting {
    /// One `AArch64` PE by default rules, and the placement that the strategy stands on, else guests' own memory.
    #[must_use]
    pub fn of(strategy: Builtin) -> Self {
        let placement = strategy.placement().unwrap_or(Placement::GuestRam);
        Self { strategy, placement, pes: 1, sync: SyncRule::default(), pmsa: Pmsa::V64 }
    }
}
