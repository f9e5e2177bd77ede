//! A system and its programs as bytes: what a board is given of a scenario.

use crate::guest::Home;
use crate::guest::steps::{self, Step};
use crate::guest::telling::Bank;
use crate::hyp::StaticChannel;
use crate::hyp::sched::{Scheduler, VirqTimer};
use crate::hyp::strategy::Settings;
use crate::layout::LayoutParts;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use boards::PeId;
use evtchn::Policy;
use mpu_model::Rules;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What the hypervisor is set up with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct System {
    /// The layout, as it was checked.
    pub parts: LayoutParts,
    /// The strategy's name.
    pub strategy: String,
    /// Its settings.
    pub settings: Settings,
    /// How vCPUs take turns.
    pub scheduler: Scheduler,
    /// What holds between domains.
    pub policy: Policy,
    /// Channels bound before guests run.
    pub channels: Vec<StaticChannel>,
    /// Timers of a software machine: PE, time, what they raise.
    pub timers: Vec<(PeId, u64, VirqTimer)>,
    /// For a software machine: its choices where the architecture leaves one.
    pub rules: Rules,
    /// Decides among PEs of a software machine that are equal in time.
    pub seed: u64,
    /// Actions after which the run of a software machine is ended.
    pub step_limit: u64,
    /// vCPUs without a program, which are off from the start: position of the domain, number.
    pub off: Vec<(usize, u32)>,
}

/// What a vCPU runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Program {
    /// Position of its domain.
    pub domain: usize,
    /// The first bank of the domain's RAM.
    pub bank: Bank,
    /// Where it lives.
    pub home: Home,
    /// What it does.
    pub steps: Rc<[Step]>,
    /// How many port variables the steps use.
    pub variables: usize,
    /// Has a say in what mixes draw.
    pub seed: u64,
}

impl Program {
    /// The same in a domain whose first bank of RAM begins at `base`.
    #[must_use]
    pub fn moved_to(self, base: u64) -> Self {
        let Self { domain, bank, home, steps, variables, seed } = self;
        let to = |address: u64| bank.offset(address).map_or(address, |offset| base.wrapping_add(offset));
        let (home, steps) = (home.moved(&to), steps::moved(&steps, &to));
        Self { domain, bank: Bank { base, size: bank.size }, home, steps, variables, seed }
    }
}

/// What stands before the bytes: their number.
const HEAD: usize = 4;

/// Bytes that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("these are not the bytes of a system of this version: {0}")]
pub struct Unreadable(postcard::Error);

/// A value as bytes, their number in front.
pub fn pack<T: Serialize>(value: &T) -> Result<Vec<u8>, Unreadable> {
    let body = postcard::to_allocvec(value).map_err(Unreadable)?;
    let length = u32::try_from(body.len()).map_err(|_| Unreadable(postcard::Error::SerializeBufferFull))?;
    let mut bytes = length.to_le_bytes().to_vec();
    bytes.extend(body);
    Ok(bytes)
}

/// The value that [`pack`] made bytes of; more bytes may follow.
pub fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Unreadable> {
    let end = || Unreadable(postcard::Error::DeserializeUnexpectedEnd);
    let (head, rest) = bytes.split_first_chunk::<HEAD>().ok_or_else(end)?;
    let length = usize::try_from(u32::from_le_bytes(*head)).map_err(|_| end())?;
    postcard::from_bytes(rest.get(..length).ok_or_else(end)?).map_err(Unreadable)
}
