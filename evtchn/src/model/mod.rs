//! The ABI once more, as plain and slow as can be: domains by number, ports found by walking from 0, memory as bytes at
//! addresses. For tests and for fuzzing, which hold [`EventChannels`](crate::EventChannels) against it; behind the feature
//! `model`.
//!
//! It shares no code with the real one beside the numbers of errors and the operations as typed values, and no data structure. Preemption comes where the user says
//! ([`Model::preempt_at`]). It knows no races, which have tests of their own, but for guests that change an event word while it is
//! linked ([`Model::flip_word`]). What else a guest does to memory on its own, and the copies of argument blocks, are the user's to
//! bring in. Numbers of VIRQs and layouts are written out here a second time on purpose.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "it stops at a mistake of its own or of whoever drives it: no guest is behind it"
)]

mod control;
mod events;
mod memory;
mod ports;

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use crate::Errno::{self, EINVAL, EPERM, ESRCH};

pub use memory::Memory;

/// A result as a guest sees it.
pub type Rc<T = u32> = Result<T, Errno>;

/// What a channel is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum State {
    /// Nothing.
    Free,
    /// Port 0.
    Reserved,
    /// Waits for this domain.
    Unbound(u16),
    /// Connected to this domain's port.
    Interdomain(u16, u32),
    /// A virtual interrupt.
    Virq(u32),
    /// Between the domain's own vcpus.
    Ipi,
}

/// One channel.
#[derive(Debug, Clone)]
pub struct Chan {
    /// What it is.
    pub state: State,
    /// The vcpu that is told.
    pub vcpu: u32,
    /// Xen's own.
    pub xen: bool,
    /// The FIFO queue that it is linked into.
    pub priority: u32,
    latched: bool,
    last_queue: (u32, u32),
}

impl Chan {
    fn usable(&self) -> bool {
        self.open() && !self.xen
    }

    /// Whether it is anything.
    #[must_use]
    pub fn open(&self) -> bool {
        self.state != State::Free && self.state != State::Reserved
    }
}

/// What a domain is created with.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// How many vcpus it has.
    pub vcpus: u32,
    /// A control domain.
    pub privileged: bool,
    /// The highest port permitted.
    pub max_port: u32,
    /// The domain whose device model it is.
    pub target: Option<u16>,
    /// Address of `shared_info`.
    pub shared_info: u64,
    /// First and last byte of each range that it may hand over.
    pub accepts: Vec<(u64, u64)>,
}

/// One domain.
#[derive(Debug, Clone)]
pub struct Dom {
    /// As it was created.
    pub config: Config,
    /// Its channels by port, in whole buckets.
    pub chans: Vec<Chan>,
    /// Ports by VIRQ and vcpu.
    pub virqs: BTreeMap<(u32, u32), u32>,
    /// Ports by vcpu that polls; None polls for any.
    pub polls: BTreeMap<u32, Option<u32>>,
    /// Registered `vcpu_info` by vcpu.
    pub infos: BTreeMap<u32, u64>,
    /// Control blocks by vcpu.
    pub blocks: BTreeMap<u32, u64>,
    /// Pages of event words.
    pub pages: Vec<u64>,
    /// Tails by vcpu and queue, in FIFO mode.
    pub fifo: Option<BTreeMap<(u32, u32), u32>>,
    /// How often it is paused.
    pub pauses: u32,
    /// Its end has begun.
    pub dying: bool,
    /// Its channels are being closed for good: its vcpus run no more.
    pub ending: bool,
    /// Where a reset that was preempted goes on; 0: none was.
    pub next_reset: u32,
    /// First and last byte of each range of its own memory; those that it may hand over, if nobody says otherwise.
    pub ram: Vec<(u64, u64)>,
    /// Where `shared_info` is while the domain has no page for it; none: it has its page from the start, for good.
    pub home: Option<u64>,
    /// Whether `shared_info` is in a page of the domain's.
    pub placed: bool,
}

/// What vcpus are told by one operation, in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Signs {
    /// Event interrupts: domain and vcpu.
    pub kicks: Vec<(u16, u32)>,
    /// Polls that ended: domain and vcpu.
    pub wakes: Vec<(u16, u32)>,
    /// Events for Xen's own channels: domain, vcpu and port.
    pub hits: Vec<(u16, u32, u32)>,
}

/// All domains and their memory.
#[derive(Debug, Clone)]
pub struct Model {
    /// Domains by id.
    pub doms: BTreeMap<u16, Dom>,
    /// What hypervisor and guests share.
    pub memory: Memory,
    /// Signs since they were last taken.
    pub signs: Signs,
    dummy: u64,
    hardware: Option<u16>,
    handlers: BTreeMap<u32, u16>,
    /// Preemption checks to go to the one that says "stop"; 0: none will.
    checks: u64,
    /// Event words that guests change meanwhile, by address, and how often they still do.
    flips: BTreeMap<u64, u32>,
}

impl Model {
    /// Without domains. `dummy` is the address of the `vcpu_info` of all that have none; `hardware` is the domain that
    /// handles global VIRQs nobody else does.
    #[must_use]
    pub fn new(dummy: u64, hardware: Option<u16>) -> Self {
        Self {
            doms: BTreeMap::new(),
            memory: Memory::default(),
            signs: Signs::default(),
            dummy,
            hardware,
            handlers: BTreeMap::new(),
            checks: 0,
            flips: BTreeMap::new(),
        }
    }

    /// The `n`-th check for preemption from now on says "stop", once; 0: none does.
    pub fn preempt_at(&mut self, n: u64) {
        self.checks = n;
    }

    fn preempted(&mut self) -> bool {
        let stop = self.checks == 1;
        self.checks = self.checks.saturating_sub(1);
        stop
    }

    /// The guest changes bit 17 of the word at `addr`, which means nothing, just before each of the next `times` attempts to
    /// compare and exchange it.
    pub fn flip_word(&mut self, addr: u64, times: u32) {
        self.flips.insert(addr, times);
    }

    /// A new domain, in a page of zeroes.
    pub fn create(&mut self, id: u16, config: Config) {
        self.memory.clear(config.shared_info);
        self.memory.page(config.shared_info);
        let mut dom = Dom {
            ram: config.accepts.clone(),
            home: None,
            placed: true,
            config,
            chans: vec![],
            virqs: BTreeMap::new(),
            polls: BTreeMap::new(),
            infos: BTreeMap::new(),
            blocks: BTreeMap::new(),
            pages: vec![],
            fifo: None,
            pauses: 0,
            dying: false,
            ending: false,
            next_reset: 0,
        };
        dom.bucket();
        dom.chans[0].state = State::Reserved;
        self.doms.insert(id, dom);
    }

    /// A new domain's `shared_info` is the hypervisor's until the domain names a page for it.
    pub fn unplaced(&mut self, id: u16) {
        let dom = self.doms.get_mut(&id).unwrap();
        (dom.home, dom.placed) = (Some(dom.config.shared_info), false);
    }

    fn look(&self, caller: u16, id: u16) -> Rc<u16> {
        let id = if id == 0x7FF0 { caller } else { id };
        if self.doms.contains_key(&id) { Ok(id) } else { Err(ESRCH) }
    }

    fn target_rule(&self, caller: u16, id: u16) -> Rc<()> {
        let from = &self.doms[&caller].config;
        if caller == id || from.privileged || from.target == Some(id) { Ok(()) } else { Err(EPERM) }
    }
}

impl Dom {
    fn bucket(&mut self) {
        let chan = Chan { state: State::Free, vcpu: 0, xen: false, priority: 0, latched: false, last_queue: (0, 0) };
        self.chans.extend(vec![chan; 64]);
    }

    /// -EINVAL: not valid.
    fn chan(&self, port: u32) -> Rc<&Chan> {
        self.chans.get(port as usize).ok_or(EINVAL)
    }

    /// Address of a port's event word.
    #[must_use]
    pub fn word(&self, port: u32) -> Option<u64> {
        self.pages.get(port as usize / 1024).map(|page| page + u64::from(port) % 1024 * 4)
    }

    /// -EINVAL: not the domain's to hand over.
    fn accepts(&self, addr: u64, len: u64) -> Rc<()> {
        let inside =
            |(first, last): &(u64, u64)| addr >= *first && addr.checked_add(len - 1).is_some_and(|end| end <= *last);
        if self.config.accepts.iter().any(inside) { Ok(()) } else { Err(EINVAL) }
    }
}

fn kind(virq: u32) -> char {
    match virq {
        0 | 1 | 7 | 13 => 'v',
        11 => 'd',
        _ => 'g',
    }
}
