//! `hybrid`: `map-page` while a window is free, else `switch-view` for the rest of the hypercall; approach 3 of April 2022.
//!
//! * Regions: the fixed ones, k windows, and the larger of a guest's own and the hypervisor view's.
//! * A hypercall that touches at most k pages of others costs what `map-page` costs; the next page closes the windows
//!   and loads the hypervisor view in one move (PRENR, DSB, ISB, then H times PRBAR and PRLAR, DSB, ISB).
//! * Exposes at EL2 k pages, or all memory of all domains once it switched.
//! * Fails: never after planning.

use super::{Reach, Strategy};
use crate::hyp::plan::Needs;
use crate::hyp::view::Wanted;
use crate::outcome::ViewId;
use crate::platform::Platform;

/// See the module's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hybrid {
    /// How many windows, at least 1.
    pub windows: usize,
}

impl Strategy for Hybrid {
    fn name(&self) -> &'static str {
        "hybrid"
    }

    fn needs(&self) -> Needs {
        Needs { windows: self.windows, hypervisor_view: true, ..Needs::default() }
    }

    fn reach<P: Platform>(&mut self, reach: &mut Reach<'_, P>, wanted: &Wanted) -> Result<u64, P::Fault> {
        if reach.view.current() == ViewId::Hypervisor {
            return Ok(wanted.span.limit());
        }
        if let Some(limit) = reach.covered(wanted) {
            return Ok(limit);
        }
        if reach.view.open_windows() < self.windows {
            return reach.open_window(wanted);
        }
        reach.load(ViewId::Hypervisor)?;
        Ok(wanted.span.limit())
    }
}
