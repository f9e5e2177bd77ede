//! What [`check`](super::check) has seen so far.

use mpu_model::RegionWords;
use sim_core::layout::PeId;
use sim_core::world::oracle::Oracle;
use std::collections::BTreeMap;

/// The regions that are enabled.
pub(super) type Regions = Vec<RegionWords>;

/// A guest view.
#[derive(Debug)]
pub(super) struct View {
    /// As it was left to first, sorted.
    pub(super) first: Regions,
    /// The same by slot, as last seen. Slots may differ from time to time, where views stay programmed.
    pub(super) last: Regions,
}

/// What was seen so far.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    pub(super) oracle: Oracle,
    /// By PE and domain.
    pub(super) views: BTreeMap<(PeId, usize), View>,
}

impl Watch {
    /// Domains came or went, so views are others now.
    pub(super) fn forget(&mut self) {
        self.views.clear();
    }
}
