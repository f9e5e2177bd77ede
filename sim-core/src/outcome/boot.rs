//! The phases of boot by name, and how many regions each takes.

use alloc::format;
use alloc::string::String;
use core::fmt;

/// A phase of boot, in order. See [`crate::hyp::boot`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BootPhase {
    /// The regions that the first code needs, written with the MPU off; then it is on.
    Early,
    /// The device tree is mapped.
    DeviceTree,
    /// The heap is mapped, and a pool beside it.
    Heap,
    /// The hypervisor's device frames are mapped.
    Devices,
    /// Device tree, init text and init data are unmapped; ro-after-init data joins rodata.
    AfterInit,
    /// Fixed regions move to the front, what a view changes to the end.
    Reshuffle,
    /// Another PE than the first loads the final table.
    Secondary,
}

impl BootPhase {
    /// Its name, as keys and reports have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Early => "early",
            Self::DeviceTree => "device-tree",
            Self::Heap => "heap",
            Self::Devices => "devices",
            Self::AfterInit => "after-init",
            Self::Reshuffle => "reshuffle",
            Self::Secondary => "secondary",
        }
    }

    /// What a refusal adds if boot is the reason.
    pub(super) fn clause(phase: Option<Self>) -> String {
        phase.map(|phase| format!(" in boot phase {phase:?}", phase = phase.name())).unwrap_or_default()
    }
}

impl fmt::Display for BootPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// EL2 regions in a phase of boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhaseUse {
    /// Which phase.
    pub phase: BootPhase,
    /// Enabled at its end.
    pub enabled: usize,
    /// The most enabled at once during it.
    pub peak: usize,
    /// Slots it takes: the highest it uses, and all below.
    pub slots: usize,
}
