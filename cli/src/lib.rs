//! The command line's rooms: everything that meets the outside.
//!
//! `main.rs` parses, matches, calls and exits. Behind it, from the top:
//!
//! * [`args`]: what was typed. [`commands`]: what each command does.
//! * [`scenario`]: files in, checked systems out, with errors that point at the place. [`strategy`]: strategies by name.
//! * [`replay`]: recorded behaviour held against the simulated hypervisor.
//! * [`render`]: reports for people. [`json`]: reports for programs. [`words`]: the names both use.
//! * [`output`]: colour and streams. [`logging`]: `-v`.

#![forbid(unsafe_code)]

pub mod args;
pub mod commands;
pub mod json;
pub mod logging;
pub mod output;
pub mod render;
pub mod replay;
pub mod scenario;
pub mod strategy;
pub mod words;
