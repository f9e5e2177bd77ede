//! The model against slow, plain restatements of the same rules.

mod oracle;

mod check;
mod probes;
mod regions;
mod sync;
