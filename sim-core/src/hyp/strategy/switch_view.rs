//! `switch-view`: the hypervisor view with all domains' memory instead of the guest's; approach 2 of April 2022.
//!
//! * Regions: the fixed ones and the larger of a guest's own and the hypervisor view's (H after merging neighbours).
//! * Switching from a view of G regions to one of H: PRENR 1, DSB, ISB, then PRBAR and PRLAR H times, DSB, and an ISB
//!   unless an ERET follows. Slots above 31 cost a PRLAR each instead of their share of the PRENR, and each change of
//!   bank of 16 slots one PRSELR and one ISB.
//! * `entry`: at every entry to EL2, whatever the cause. `lazy`: when the first access outside the view comes.
//! * Exposes at EL2 all memory of all domains, from the switch to the exit.
//! * Fails: never after planning.

use super::{Reach, Strategy};
use crate::hyp::plan::Needs;
use crate::hyp::view::Wanted;
use crate::outcome::ViewId;
use crate::platform::Platform;

/// When the hypervisor view is loaded.
#[cfg_attr(feature = "export", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum When {
    /// At every entry to EL2.
    Entry,
    /// When it is first needed.
    Lazy,
}

/// See the module's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwitchView {
    /// When the hypervisor view is loaded.
    pub when: When,
}

impl Strategy for SwitchView {
    fn name(&self) -> &'static str {
        "switch-view"
    }

    fn needs(&self) -> Needs {
        Needs { hypervisor_view: true, ..Needs::default() }
    }

    fn on_entry<P: Platform>(&mut self, reach: &mut Reach<'_, P>) -> Result<(), P::Fault> {
        match self.when {
            When::Entry => reach.load(ViewId::Hypervisor),
            When::Lazy => Ok(()),
        }
    }

    fn reach<P: Platform>(&mut self, reach: &mut Reach<'_, P>, wanted: &Wanted) -> Result<u64, P::Fault> {
        if self.when == When::Entry || reach.view.current() == ViewId::Hypervisor {
            return Ok(wanted.span.limit());
        }
        if let Some(limit) = reach.covered(wanted) {
            return Ok(limit);
        }
        reach.load(ViewId::Hypervisor)?;
        Ok(wanted.span.limit())
    }
}
