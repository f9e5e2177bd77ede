//! Conformance replay: recorded event-channel vectors against the simulated hypervisor.
//!
//! A vector file says which domains there are, then step by step what a guest, the hypervisor or the control domain does and
//! what comes of it: the result, the output, which vCPUs got the event interrupt, which came out of a poll. Each file
//! gets a machine of its own with one PE; every hypercall goes through the same trap entry as in a run, every access
//! of a guest through both MPUs, so the chosen strategy carries it all, and must not change a single result.
//!
//! - `replay`: all files; `outcome`: what came of them. `files` finds and reads; `format` parses, and refuses what it does not know, with `event` for operations of
//!   `event_channel_op`; `error` says where.
//! - `system` lays the file's domains out; `live` runs vCPUs, traps and the hypervisor; `lifecycle` makes and ends domains.
//! - `calls`, `guest`, `guest_fifo`, `control`: what steps do; `guest_state`: what guests remember. `dump`: the whole state. `run`: step by step; `diff`: against
//!   the recording.
//! - `setting`: the strategy and the machine; `strategies`: which ones can, and why others cannot. `check`: what must hold after each step whatever the recording says; `history`: what it has seen.
//! - `pe`: where a recording, or a guest that writes meanwhile, differs from what the machine would do.
//! - `wording`: steps and differences in words. `render`: for people.
//!
//! `transcript` does the same for transcripts of a running Xen, which are another format.

#![forbid(unsafe_code)]

mod calls;
mod check;
mod control;
mod diff;
mod dump;
mod error;
#[allow(missing_docs, reason = "fields are those of the steps in recordings")]
pub mod event;
mod files;
#[allow(missing_docs, reason = "fields are those of the steps in recordings")]
pub mod format;
mod guest;
mod guest_fifo;
mod guest_state;
mod history;
mod lifecycle;
pub mod live;
pub mod mpu;
mod outcome;
pub mod pe;
mod render;
mod replay;
mod run;
mod setting;
mod strategies;
mod system;
pub mod transcript;
pub mod wording;

pub use diff::{Difference, compare};
pub use error::ReplayError;
pub use outcome::{FileResult, HypervisorFault, Mismatch, Options, Outcome, Summary, Totals};
pub use render::render;
pub use replay::replay;
pub use run::{file, refusal_words};
pub use setting::{MAX_PES, Setting};
pub use strategies::{Form, forms, render_all, replay_under_all};
