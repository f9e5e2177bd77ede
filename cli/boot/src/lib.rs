//! Executes images for Armv8-R `AArch64`: reads them, puts them into a machine, runs it, and reports what happened.
//!
//! # Where things are
//!
//! * `image`: what an image's file holds; `formats`, `elf`: how it is read. `place`: where each file goes, and whether it can. `options`: what is asked for.
//! * `session`: a machine with its images, and its run. `accounting`: what is counted meanwhile. `shadow`: the MPUs as they were
//!   written, for the moment of a fault. `trace`: a log as JSON lines.
//! * `fault`: a fault of EL2 to itself, with what was in force. `report`: what a run gives.
//! * `wording`: what values are called. `text`, `json`: the report for people and for programs.
//!
//! Nothing here knows a command line or a terminal: output goes to writers that the caller gives.

#![forbid(unsafe_code)]

mod accounting;
mod elf;
mod error;
mod fault;
mod formats;
mod image;
mod json;
mod options;
mod place;
mod report;
mod session;
mod shadow;
mod text;
mod trace;
mod wording;

pub use error::BootError;
pub use fault::{Fault, Owner, Programmed};
pub use image::{Format, Image, Piece};
pub use json::json;
pub use options::{File, Firmware, Options, Scripted, Sink, StartEl};
pub use report::{Cause, Caused, End, Exceptions, PeReport, Regions, Report};
pub use session::{Boot, Streams};
pub use text::text;
