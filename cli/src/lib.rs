//! The command line's rooms: everything that meets the outside.
//!
//! `main.rs` parses, matches, calls and exits. Behind it, from the top:
//!
//! * [`args`]: what was typed. [`commands`]: what each command does.
//! * [`scenario`]: files in, checked systems out, with errors that point at the place. [`strategy`]: strategies by name.
//! * [`explain`]: an access asked of MPUs as planned, and of others that differ in one point.
//! * [`replay`]: recorded behaviour held against the simulated hypervisor.
//! * [`budget`]: a plan slot by slot. [`render`]: reports and pictures for people. [`json`]: reports for programs. [`words`]: the names both use.
//! * [`output`]: colour and streams. [`logging`]: `-v`.

#![forbid(unsafe_code)]

pub mod args;
pub mod budget;
pub mod commands;
pub mod explain;
pub mod json;
pub mod logging;
pub mod output;
pub mod render;
pub mod replay;
pub mod scenario;
pub mod strategy;
pub mod words;
