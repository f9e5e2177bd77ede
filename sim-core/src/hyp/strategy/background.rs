//! `background`: while EL2 runs, `SCTLR_EL2.BR` lends it the default map for whatever no region maps. Nobody does this; it
//! is here to be judged.
//!
//! * Regions: the fixed ones and the largest guest's own; none beside them. Refused unless the board declares a default
//!   map: PMSAv8-64 leaves it to the implementation.
//! * Entry: SCTLR, ISB. Exit: SCTLR, and the ERET synchronises. Going idle adds an ISB.
//! * What EL2 touches through the default map, it touches with the attributes of that map and not with those that the
//!   owner uses: where they differ the run is a hazard.
//! * Exposes at EL2 everything, from entry to exit.
//! * Fails: never after planning.

use super::{Reach, Strategy};
use crate::hyp::plan::Needs;
use crate::hyp::view::Wanted;
use crate::outcome::ViewId;
use crate::platform::Platform;

/// See the module's text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Background;

impl Strategy for Background {
    fn name(&self) -> &'static str {
        "background"
    }

    fn needs(&self) -> Needs {
        Needs { default_map: true, ..Needs::default() }
    }

    fn on_entry<P: Platform>(&mut self, reach: &mut Reach<'_, P>) -> Result<(), P::Fault> {
        reach.view.background(reach.p, true)?;
        reach.p.isb()
    }

    fn reach<P: Platform>(&mut self, _: &mut Reach<'_, P>, wanted: &Wanted) -> Result<u64, P::Fault> {
        Ok(wanted.span.limit())
    }

    fn on_exit<P: Platform>(&mut self, reach: &mut Reach<'_, P>, next: ViewId) -> Result<(), P::Fault> {
        let changes = next != reach.view.current();
        reach.view.background(reach.p, false)?;
        reach.leave(next)?;
        // A change of view to idle has its own ISB.
        if next == ViewId::Idle && !changes { reach.p.isb() } else { Ok(()) }
    }
}
