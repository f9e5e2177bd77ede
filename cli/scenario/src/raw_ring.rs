//! `[ring]` as it is written.

use super::number::Number;
use super::table::{Maybe, choice};
use serde::Deserialize;

choice!(
    /// The event-channel ABI that the domains use.
    RawAbi { TwoLevel = "2l", Fifo = "fifo" }
);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRing {
    pub(super) domains: Maybe<Number>,
    pub(super) vcpus: Maybe<Number>,
    pub(super) rounds: Maybe<Number>,
    pub(super) abi: Maybe<RawAbi>,
    pub(super) base: Maybe<Number>,
    pub(super) ram_size: Maybe<Number>,
    pub(super) gap: Maybe<Number>,
    pub(super) compute: Maybe<Number>,
}
