//! How many EL2 regions a system needs, and why it is refused.

use super::{BootPhase, ViewId};
use alloc::vec::Vec;
use core::fmt;

/// Slots one view takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ViewBudget {
    /// Which view.
    pub view: ViewId,
    /// Fixed regions.
    pub fixed: usize,
    /// Windows.
    pub windows: usize,
    /// Slots kept for what the strategy has ready in every view: pins, or the hypervisor view masked off.
    pub kept: usize,
    /// The view's own regions.
    pub own: usize,
}

impl ViewBudget {
    /// All slots of the view.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.fixed + self.windows + self.kept + self.own
    }
}

/// The EL2 regions that a system needs under a strategy, and those there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegionNeeds {
    /// What boot takes at its fullest, on the PE that boots first.
    pub boot: usize,
    /// The first phase of boot that takes so many.
    pub phase: BootPhase,
    /// What the fullest view takes.
    pub views: usize,
    /// Regions that the strategy can use: the board's, or those of them that PRENR has bits for.
    pub available: u8,
    /// Regions of the board's EL2 MPU.
    pub total: u8,
}

impl RegionNeeds {
    /// R, what is needed: the larger of what boot and the views take. A system is refused with R - 1 regions to use, and runs
    /// with R.
    #[must_use]
    pub const fn needed(&self) -> usize {
        if self.boot > self.views { self.boot } else { self.views }
    }

    /// Whether there are as many to use.
    #[must_use]
    pub fn met(&self) -> bool {
        self.needed() <= usize::from(self.available)
    }

    /// The phase of boot that takes most, if it takes more than any view.
    #[must_use]
    pub fn deciding_phase(&self) -> Option<BootPhase> {
        (self.boot > self.views).then_some(self.phase)
    }
}

/// What a board has too little of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// EL2 regions that the strategy can use.
    Regions,
    /// A known default map.
    DefaultMap,
}

/// The smallest changes of two kinds that would make a system fit its board; each is enough by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SmallestChange {
    /// Windows to do without, keeping at least one.
    pub fewer_windows: Option<usize>,
    /// Gaps between ranges of equal rights to give to their neighbours: how many, and the bytes in them. Nothing that the
    /// layout knows lies in them: no memory, no device, emulated or not.
    pub close_gaps: Option<(usize, u64)>,
}

/// A system that the board has no room for: one of its views, or a phase of boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What it has too little of.
    pub shortage: Shortage,
    /// What it needs.
    pub needs: RegionNeeds,
    /// What would make the views fit this board.
    pub change: SmallestChange,
    /// What each view takes.
    pub views: Vec<ViewBudget>,
}

impl core::error::Error for Refused {}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (needed, available) = (self.needs.needed(), self.needs.available);
        let phase = BootPhase::clause(self.needs.deciding_phase());
        match self.shortage {
            Shortage::Regions => {
                write!(f, "needs {needed} EL2 regions{phase}, and there are {available} to use")?;
                let s = |count: usize| if count == 1 { "" } else { "s" };
                if let Some(fewer) = self.change.fewer_windows {
                    write!(f, "; {fewer} window{} fewer would do", s(fewer))?;
                }
                if let Some((count, bytes)) = self.change.close_gaps {
                    let s = s(count);
                    write!(f, "; mapping {count} gap{s} along would do, {bytes:#x} bytes that the layout gives to nobody")?;
                }
                Ok(())
            }
            Shortage::DefaultMap => f.write_str(
                "needs to know the default map of EL2, which PMSAv8-64 leaves to the implementation; the board declares none",
            ),
        }
    }
}
