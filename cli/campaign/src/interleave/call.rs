//! Hypercalls that actors make: as argument blocks, and as the reference model has them.

use super::place::{domain_of, id_of, vcpu_of};
use super::schedule::Who;
use core::fmt;
use evtchn::abi;
use evtchn::model::Model;
use evtchn::op::{Block, Op, Output, Returns};
use sim_core::convention::{XENMEM_ADD_TO_PHYSMAP, nr, sched_cmd};
use sim_core::layout::PAGE_SIZE;

/// A hypercall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// `event_channel_op`.
    Event(Op),
    /// `SCHEDOP_poll` for a port, without a time-out.
    Poll(u32),
    /// `VCPUOP_register_vcpu_info`.
    Register {
        /// Whose.
        vcpu: u32,
        /// Where it is to be.
        address: u64,
    },
    /// `XENMEM_add_to_physmap`: `shared_info` to the page at this address.
    PlaceSharedInfo(u64),
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(op) => write!(f, "{op:?}"),
            other => write!(f, "{other:?}"),
        }
    }
}

impl From<Op> for Call {
    fn from(op: Op) -> Self {
        Self::Event(op)
    }
}

/// A hypercall as it stands in registers and in its block.
#[derive(Clone, Debug)]
pub(super) struct Encoded {
    pub(super) nr: u64,
    /// x0 on, up to the pointer to the block.
    pub(super) before: Vec<u64>,
    pub(super) block: Vec<u32>,
    /// The word of the block in which a port comes back.
    pub(super) port: Option<usize>,
}

const fn low(value: u64) -> u32 {
    value as u32
}

const fn high(value: u64) -> u32 {
    (value >> 32) as u32
}

/// Frame and offset in it.
const fn split(address: u64) -> (u64, u64) {
    (address / PAGE_SIZE, address % PAGE_SIZE)
}

impl Call {
    /// `EVTCHNOP_init_control` with the block at this address.
    pub(super) const fn init_control(vcpu: u32, address: u64) -> Self {
        let (control_gfn, offset) = split(address);
        Self::Event(Op::InitControl { control_gfn, offset: low(offset), vcpu })
    }

    /// `EVTCHNOP_expand_array` with the page at this address.
    pub(super) const fn expand_array(address: u64) -> Self {
        let (array_gfn, _) = split(address);
        Self::Event(Op::ExpandArray { array_gfn })
    }

    /// The same about another port of the caller's. One that is about none stays as it is.
    #[must_use]
    pub fn on(self, port: u32) -> Self {
        match self {
            Self::Event(op) => Self::Event(op.on(port)),
            Self::Poll(_) => Self::Poll(port),
            other => other,
        }
    }

    /// `block` is where its block will be.
    pub(super) fn encode(self, block: u64) -> Encoded {
        match self {
            Self::Event(op) => {
                let shape = op.shape();
                let words = op.emit(Block::default()).0;
                let port = match shape.returns {
                    Returns::Port { at, .. } => Some(at / 4),
                    _ => None,
                };
                let before = [u64::from(op.command())].into();
                let block = words.into_iter().take(shape.words()).collect();
                Encoded { nr: nr::EVENT_CHANNEL_OP, before, block, port }
            }
            Self::Poll(port) => {
                // The ports stand behind `struct sched_poll`: their address, how many, a time-out.
                let ports = block.wrapping_add(24);
                let block = [low(ports), high(ports), 1, 0, 0, 0, port].into();
                Encoded { nr: nr::SCHED_OP, before: [u64::from(sched_cmd::POLL)].into(), block, port: None }
            }
            Self::Register { vcpu, address } => {
                let (gfn, offset) = split(address);
                let before = [u64::from(abi::VCPUOP_REGISTER_VCPU_INFO), u64::from(vcpu)].into();
                let block = [low(gfn), high(gfn), low(offset), 0].into();
                Encoded { nr: nr::VCPU_OP, before, block, port: None }
            }
            Self::PlaceSharedInfo(address) => {
                let (gfn, _) = split(address);
                let before = [u64::from(XENMEM_ADD_TO_PHYSMAP)].into();
                // domid and size, space, idx, gpfn.
                let block = [abi::DOMID_SELF.into(), 0, 0, 0, low(gfn), high(gfn)].into();
                Encoded { nr: nr::MEMORY_OP, before, block, port: None }
            }
        }
    }

    /// What the reference model does with it, and gives: x0, and the port made.
    pub(super) fn judge(self, model: &mut Model, caller: Who) -> (i64, Option<u32>) {
        let by = id_of(domain_of(caller));
        let done = match self {
            // A reset that is preempted is judged by `order`, part by part.
            Self::Event(op) => model.event_channel_op(by, &op).map(|output| match output {
                Output::Port(port) => Some(port.0),
                _ => None,
            }),
            Self::Poll(port) => model.poll(by, vcpu_of(caller), &[port]).map(|_| None),
            Self::Register { vcpu, address } => {
                let (gfn, offset) = split(address);
                model.register(by, vcpu, gfn, low(offset)).map(|()| None)
            }
            Self::PlaceSharedInfo(address) => {
                model.place_shared_info(by, address);
                Ok(None)
            }
        };
        done.map_or_else(|errno| (errno.rc(), None), |port| (0, port))
    }
}
