//! Races: what a guest or another PE does between two accesses of a hypercall, and between its halves.
//!
//! The hypervisor has one lock, and lets go of it where Xen does: between route and raise ([`Hypervisor::begin`] and
//! [`Hypervisor::go_on`]). There, and between hypercalls, whole entries of other PEs may come. Under the lock only guests'
//! own accesses may, before each access and each barrier of the hypervisor. These points are all there are, so a *schedule*,
//! which says who goes at each of them, decides everything, and its [`Token`] plays it again.
//!
//! [`cases()`] are the races. A small one is played in every schedule ([`Exhaustive`]), a large one in many that are drawn
//! ([`Pct`]). What is looked at then: the hypervisor does not fault and meets no hazard, every guest can touch what is its own
//! and nothing else, no event is lost and every queue is whole (`quiet`), and what came of it could have come of
//! the hypercalls one after the other, by the reference model (`order`).
//!
//! The rooms: `schedule`, `exhaustive`, `pct`, `token` say who goes. `place` says who runs where, `system` is what cases run on, `prepare` what is set up on it, `call` and
//! `programs` what actors do. `script` is a race as data, `case` a race, `table` and `preempted` make those of pairs, `cases` has all. `actors` has the actors and the points, `run` plays one schedule.
//!
//! [`Hypervisor::begin`]: sim_core::hyp::Hypervisor::begin
//! [`Hypervisor::go_on`]: sim_core::hyp::Hypervisor::go_on

mod actors;
mod call;
mod case;
mod cases;
mod exhaustive;
mod order;
mod pct;
mod place;
mod preempted;
mod prepare;
mod programs;
mod quiet;
mod run;
mod schedule;
mod script;
mod system;
mod table;
mod token;

pub use actors::{RaceEvent, Tool};
pub use call::Call;
pub use case::{FEW, RaceCase, Under};
pub use cases::cases;
pub use exhaustive::Exhaustive;
pub use order::Differs;
pub use pct::Pct;
pub use place::{PES, domain_of, id_of};
pub use quiet::Lost;
pub use run::{Played, Wrong, play};
pub use schedule::{Candidate, Entry, Footprint, InTurn, Pick, Who};
pub use script::{Act, Name, Own, Prep, Program, Script, ScriptCall};
pub use system::{NoSystem, System};
pub use table::{Allowed, Between, Event, pair_name, pairs};
pub use token::{Replay, Token, TokenError};
