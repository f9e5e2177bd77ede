//! Tests of the program and its library. One program, so that what they all use is compiled once.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod agreement;
mod boards;
mod fuzz;
mod own_boards;
mod parity;
mod replay_refuses;
mod replay_vectors;
mod report;
mod report_browser;
mod scenario_errors;
mod scenario_events;
mod scenario_fifo_steps;
mod scenario_reads;
mod scenario_robust;
mod scenario_runs;
mod scenario_words;
mod sensitivity;
mod shown;
mod sweep;
mod sweep_order;
mod trace;
mod trace_file;
mod transcript;
