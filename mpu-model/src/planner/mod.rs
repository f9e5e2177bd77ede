//! From what software wants mapped to regions in slots, and back when it no longer wants it.
//!
//! * [`Cover`] draws mappings over each other, later ones on top, and knows the fewest regions that map exactly that.
//! * [`Demand`] puts fixed mappings, windows and views side by side and says whether an MPU has room for them; a
//!   [`Shortfall`] says what would make it fit.
//! * [`switch`] finds the fewest register writes from what the slots hold to what another view wants.
//! * [`Mappings`] is the table behind map and unmap at run time, with reference counts.
//!
//! Nothing here allocates: what has no fixed size works in slices that the caller lends.

mod cover;
mod demand;
mod map_error;
mod mappings;
pub mod switch;
mod update;

pub use cover::{Cover, Full, Mapping, Run};
pub use demand::{Demand, Gaps, Refusal, Shortfall};
pub use map_error::{MapError, UnmapError};
pub use mappings::{End, Mappings};
pub use update::Update;
