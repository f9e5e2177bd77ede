//! What was found, for people and for programs.
//!
//! * [`render`]: text and pictures. [`json`]: the JSON forms. [`page`]: sweeps and comparisons as a page with charts.
//! * [`trace`]: what happens in a run, into a file as it happens.
//! * [`wording`]: the words for accesses, their refusals and the ways out that text and JSON share; names of single values are in
//!   [`words`].

#![forbid(unsafe_code)]

pub mod json;
pub mod page;
pub mod render;
pub mod trace;
pub mod wording;
