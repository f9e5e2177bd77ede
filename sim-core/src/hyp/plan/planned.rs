//! What a plan is made for and of.

use crate::layout::{Owner, Position, Span};
use alloc::vec::Vec;
use mpu_model::{Region, RegionWords};

/// What a strategy needs beside the views of guests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a need of its own, and any of them go together")]
pub struct Needs {
    /// Slots for temporary mappings.
    pub windows: usize,
    /// Whether it loads the hypervisor view.
    pub hypervisor_view: bool,
    /// A slot for each page in guests' RAM that the layout knows to be handed over, kept in every view.
    pub pins: bool,
    /// Views stay programmed and are masked by PRENR: only slots 0 to 31 are used, and the hypervisor view has its own.
    pub resident: bool,
    /// The heap's region ends below the pool while guests run, and is widened over it at EL2.
    pub narrow_heap: bool,
    /// All domains' memory is in every view, for EL2 alone where it is not the running guest's.
    pub static_memory: bool,
    /// The default map of EL2 is used, so the board has to have a known one.
    pub default_map: bool,
}

/// One region of a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedRegion {
    /// The region.
    pub region: Region,
    /// Its register words, so that a change of view copies words.
    pub words: RegionWords,
    /// Whose memory it covers; several where neighbours of equal rights were merged.
    pub owners: Vec<Owner>,
}

/// A page that a domain hands over, known before it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedPin {
    /// Position of the domain.
    pub domain: Position,
    /// The page, cut to its owner's range.
    pub region: PlannedRegion,
    /// It holds `shared_info` from the start.
    pub from_start: bool,
}

impl PlannedPin {
    /// Whether it is for just that range.
    #[must_use]
    pub fn is(&self, span: Span) -> bool {
        let region = &self.region.region;
        (region.base(), region.limit()) == (span.base(), span.limit())
    }
}
