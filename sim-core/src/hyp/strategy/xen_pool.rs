//! `xen-pool`: `shared_info` and `vcpu_info` of all domains live in one range of the hypervisor's that every view maps,
//! and each domain's own are cut out of it in its view; approach 4 of April 2022, as far as it can be had without overlap.
//!
//! * Stands on placement `pool`. Regions: the fixed ones, and the largest guest's own, with the pool among them: one region
//!   open to the guest and those before and behind it, so up to 3.
//! * A hypercall writes nothing. A change of guest view writes the pool's regions along with the rest.
//! * Exposes at EL2 the pool pages of all domains, all the time.
//! * Fails: a domain can register nothing but the pages the layout has for it (-EINVAL), and a hypercall that has to touch
//!   other memory of another domain ends in an EL2 data abort.

use super::{Reach, Strategy};
use crate::hyp::plan::Needs;
use crate::hyp::view::Wanted;
use crate::layout::Placement;
use crate::platform::Platform;

/// See the module's text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct XenPool;

impl Strategy for XenPool {
    fn name(&self) -> &'static str {
        "xen-pool"
    }

    fn needs(&self) -> Needs {
        Needs::default()
    }

    fn placement(&self) -> Option<Placement> {
        Some(Placement::Pool)
    }

    fn reach<P: Platform>(&mut self, _: &mut Reach<'_, P>, wanted: &Wanted) -> Result<u64, P::Fault> {
        Ok(wanted.span.limit())
    }
}
