//! `naive`: nothing is done. The port that just compiles, and the problem as xen-devel stated it in April 2022.
//!
//! Needs the fixed regions and the guest's own: R = max over domains. No register write in a hypercall. Exposes nothing
//! beyond the guest's view. Fails with an EL2 data abort at the first access to memory outside the view in force.

use super::{Reach, Strategy};
use crate::hyp::plan::Needs;
use crate::hyp::view::Wanted;
use crate::platform::Platform;

/// See the module's text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Naive;

impl Strategy for Naive {
    fn name(&self) -> &'static str {
        "naive"
    }

    fn needs(&self) -> Needs {
        Needs::default()
    }

    fn reach<P: Platform>(&mut self, _: &mut Reach<'_, P>, wanted: &Wanted) -> Result<u64, P::Fault> {
        Ok(wanted.span.limit())
    }
}
