//! The command line's rooms: everything that meets the outside.
//!
//! `main.rs` parses, matches, calls and exits. Behind it, from the top:
//!
//! * [`args`]: what was typed. [`commands`]: what each command does.
//! * [`scenario`]: files in, checked systems out, with errors that point at the place. [`strategy`]: strategies by name.
//! * [`judgement`]: what each strategy and placement makes of a system and of an access; all that follow say what is found there.
//! * [`comparison`]: one scenario under several strategies, taken together.
//! * [`explain`]: an access asked of MPUs as planned, and of others that differ in one point.
//! * [`trace`]: what happens in a run, into a file as it happens.
//! * [`sweep`]: a scenario under every combination of values, in parallel, into a file.
//! * [`report`]: sweeps and comparisons as a page with charts.
//! * [`parity`]: a scenario here and on a board, compared line by line.
//! * [`replay`]: recorded behaviour held against the simulated hypervisor. [`fuzz`]: behaviour that nobody recorded, held against a
//!   second implementation.
//! * [`profile`]: what operations cost, and how far each figure can be trusted. [`sensitivity`]: what would change a ranking.
//! * [`budget`]: a plan slot by slot. [`render`]: reports and pictures for people. [`json`]: reports for programs. [`words`]: the names both use.
//! * [`near`]: mistyped names. [`shown`]: what a terminal would obey, written out. [`output`]: colour and streams. [`logging`]: `-v`.

#![forbid(unsafe_code)]

pub mod args;
pub mod budget;
pub mod commands;
pub mod comparison;
pub mod explain;
pub mod fuzz;
pub mod json;
pub mod judgement;
pub mod logging;
pub mod near;
pub mod output;
pub mod parity;
pub mod profile;
pub mod render;
pub mod replay;
pub mod report;
pub mod scenario;
pub mod sensitivity;
pub mod shown;
pub mod strategy;
pub mod sweep;
pub mod trace;
pub mod words;
