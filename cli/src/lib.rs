//! The command line. `main.rs` parses, matches, calls and exits.
//!
//! * [`args`]: what was typed. [`commands`]: what each command does. [`progress`]: what is said meanwhile.
//! * [`parity`]: a scenario here and on a board, compared line by line.
//! * [`output`]: colour and streams. [`logging`]: `-v`.
//!
//! What the commands do stands in the libraries below: `scenario` reads files, `analysis` judges and compares strategies,
//! `boot` executes images, `conformance` replays recordings, `campaign` fuzzes and sweeps, `report` writes what was found, `words` names values.

#![forbid(unsafe_code)]

pub mod args;
pub mod commands;
pub mod logging;
pub mod output;
pub mod parity;
pub mod progress;
