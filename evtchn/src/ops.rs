//! The operations on ports, one file per theme. Each is the body of an `EVTCHNOP_*` in its order of checks; the
//! argument blocks are `hypercall.rs`'s business.

mod bind;
pub(crate) mod close;
mod notify;
mod query;
mod statics;
pub(crate) mod xen;
