//! `static-map`: the memory of all domains is mapped for EL2 in every view, with the running guest's own cut out; as the
//! 32-bit Armv8-R ports of Xen have it, which map the whole of static memory once (xen-devel, August 2025), as far as it can be
//! had without overlap.
//!
//! * Regions: the fixed ones, and in each guest's view its own and those that cover the others' memory: with one bank per domain
//!   and gaps between banks one for each domain; where banks touch, its own and at most two.
//! * A hypercall writes nothing. A change of guest view writes all of these regions.
//! * Exposes at EL2 all domains' memory, all the time.
//! * Fails: never after planning.

use super::{Reach, Strategy};
use crate::hyp::plan::Needs;
use crate::hyp::view::Wanted;
use crate::platform::Platform;

/// See the module's text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StaticMap;

impl Strategy for StaticMap {
    fn name(&self) -> &'static str {
        "static-map"
    }

    fn needs(&self) -> Needs {
        Needs { static_memory: true, ..Needs::default() }
    }

    fn reach<P: Platform>(&mut self, _: &mut Reach<'_, P>, wanted: &Wanted) -> Result<u64, P::Fault> {
        Ok(wanted.span.limit())
    }
}
