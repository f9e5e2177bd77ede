//! A strategy of one's own, beside those that come with mpusim.
//!
//! ```console
//! $ cargo run --release -p own-strategy -- examples/scenarios/thread-2022.toml
//! ```
//!
//! prints the table that `mpusim compare` prints, and a row more. All of `compare`'s options work.
//!
//! # How to write one
//!
//! A strategy is a type that implements [`Strategy`]. It says which slots it needs, before anything runs, and is then asked at
//! every entry to EL2, before every access to memory that the view in force may not cover, and at every exit:
//!
//! * [`Strategy::needs`]: slots beside the fixed regions and the guests' own. The plan is made from it, and a system that
//!   does not fit is refused with the number that would.
//! * [`Strategy::reach`]: the one method without which there is no strategy. Make the first byte wanted reachable, and
//!   return the last byte that is. It must not fail: whatever can be full has to give way or be reserved. If it
//!   makes nothing reachable, the access that follows ends in a hypervisor fault, and the report says so.
//! * [`Strategy::on_exit`]: what is in force when EL2 is left. [`Reach::leave`] loads the view of the vCPU that runs next.
//! * [`Strategy::planned`]: a plan was made, at first and when a domain came or went. What you know about memory is then
//!   of yesterday; registers can be brought up to date in [`Strategy::on_entry`].
//! * [`Strategy::accept`], [`Strategy::release`], [`Strategy::room`]: only for what is mapped for good, as `pin` does.
//!
//! You move regions through [`Reach`] and its [`view`](sim_core::hyp::strategy::Reach::view), whose moves write registers and barriers in an order that
//! never leaves two enabled regions on one granule: [`Reach::open_window`] (closed at the next change of view),
//! [`PeView::set_pins`](sim_core::hyp::view::PeView::set_pins) (stay, but in the view of the domain they belong to, which maps
//! the page itself), [`Reach::load`] (another view), [`PeView::mask`](sim_core::hyp::view::PeView::mask) (one write of PRENR).
//! State is per PE wherever registers are: [`Platform::pe`] says which PE it is.
//!
//! Then hold it against the machine: `--paranoid` lets the isolation oracle look at each exit from EL2, a missing barrier
//! is a hazard, and two regions on one granule are a fault. `tests/page_cache.rs` does that with every scenario in
//! `examples/scenarios`, and counts the writes of one send by hand.
//!
//! The row comes into the table by [`rows`]: run what is shipped, run your own by [`Row::run`], show them together.
//! Everything is generic over the strategy, so yours is dispatched statically as the shipped ones are.
//!
//! # The one here
//!
//! [`PageCache`] is `map-page` whose windows outlive the hypercall: a page stays mapped until its slot is needed for another.
//!
//! * Regions: the fixed ones, N for pages, and the guest's own; fixed + N + G, whatever number of pages domains hand over
//!   (`pin` takes one for each).
//! * A page that is mapped costs nothing. One that is not: PRBAR, PRLAR, DSB, ISB; and PRENR, DSB, ISB before it if the least
//!   recently used has to go.
//! * A send touches `shared_info` and `vcpu_info` of the receiver: with N = 2 and one peer nothing is written after the first;
//!   with N = 1 each send writes PRBAR 2, PRLAR 2, PRENR 2, DSB 4, ISB 4.
//! * Exposes at EL2 N pages of others, all the time.
//! * Fails: never after planning.
//!
//! [`Strategy`]: sim_core::hyp::strategy::Strategy
//! [`Strategy::needs`]: sim_core::hyp::strategy::Strategy::needs
//! [`Strategy::reach`]: sim_core::hyp::strategy::Strategy::reach
//! [`Strategy::on_exit`]: sim_core::hyp::strategy::Strategy::on_exit
//! [`Strategy::planned`]: sim_core::hyp::strategy::Strategy::planned
//! [`Strategy::on_entry`]: sim_core::hyp::strategy::Strategy::on_entry
//! [`Strategy::accept`]: sim_core::hyp::strategy::Strategy::accept
//! [`Strategy::release`]: sim_core::hyp::strategy::Strategy::release
//! [`Strategy::room`]: sim_core::hyp::strategy::Strategy::room
//! [`Reach`]: sim_core::hyp::strategy::Reach
//! [`Reach::leave`]: sim_core::hyp::strategy::Reach::leave
//! [`Reach::open_window`]: sim_core::hyp::strategy::Reach::open_window
//! [`Reach::load`]: sim_core::hyp::strategy::Reach::load
//! [`Platform::pe`]: sim_core::platform::Platform::pe
#![forbid(unsafe_code)]

mod page_cache;

pub use page_cache::PageCache;

use analysis::comparison::{self, NoRow, Row};
use scenario::Scenario;

/// The rows that `mpusim compare` makes of these strategies, and one of a [`PageCache`] with that many slots.
pub fn rows(scenario: &Scenario, strategies: &[String], seed: u64, slots: usize) -> Result<Vec<Row>, NoRow> {
    let mut rows = comparison::rows(scenario, strategies, seed)?;
    rows.push(Row::run(scenario, &format!("page-cache:{slots}"), &PageCache::new(slots), seed)?);
    Ok(rows)
}
