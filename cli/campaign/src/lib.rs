//! Many runs: random hypercall sequences held against a second implementation of the ABI ([`fuzz`]), races between PEs in every order
//! ([`interleave`]), and one scenario under every combination of values ([`sweep`]). Nothing here writes to a terminal: who runs a campaign is told how
//! far it is.

#![forbid(unsafe_code)]

pub mod fuzz;
mod hash;
pub mod interleave;
pub mod sweep;
