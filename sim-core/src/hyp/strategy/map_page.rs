//! `map-page`: one page at a time through reserved slots (the windows); approach 1 of April 2022 as the third draft of the
//! design settled it: one page, one reserved region per PE.
//!
//! * Regions: the fixed ones, k windows, and the guest's own; k = 1 unless set.
//! * A page that no enabled region covers: PRBAR, PRLAR, DSB, ISB. If no window is free, the least recently used goes
//!   first: PRENR, DSB, ISB (disable before reuse, or the old limit would stand beside the new base).
//! * Windows stay open to the end of the hypercall; leaving costs one PRENR and one DSB, and the ERET synchronises.
//! * A two-level send to pages A (`shared_info`) and B (`vcpu_info`) with k = 1: map A, remap to B, close: PRBAR 2,
//!   PRLAR 2, PRENR 2, DSB 4, ISB 3.
//! * Exposes at EL2, while a hypercall runs, at most k pages of others.
//! * Fails: never after planning. A window can always be had by closing another.

use super::{Reach, Strategy};
use crate::hyp::plan::Needs;
use crate::hyp::view::Wanted;
use crate::platform::Platform;

/// See the module's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapPage {
    /// How many windows, at least 1.
    pub windows: usize,
}

impl Strategy for MapPage {
    fn name(&self) -> &'static str {
        "map-page"
    }

    fn needs(&self) -> Needs {
        Needs { windows: self.windows, ..Needs::default() }
    }

    fn reach<P: Platform>(&mut self, reach: &mut Reach<'_, P>, wanted: &Wanted) -> Result<u64, P::Fault> {
        match reach.covered(wanted) {
            Some(limit) => Ok(limit),
            None => reach.open_window(wanted),
        }
    }
}
