//! Hypercalls that actors make: as argument blocks, and as the reference model has them.

use super::schedule::Who;
use super::system::{domain_of, id_of, vcpu_of};
use crate::convention::{XENMEM_ADD_TO_PHYSMAP, nr, sched_cmd};
use crate::layout::PAGE_SIZE;
use alloc::vec::Vec;
use evtchn::abi::{self, op};
use evtchn::model::Model;

/// A hypercall. Domains are told by their position, ports by their number or, before they have one, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call<P = u32> {
    /// `EVTCHNOP_alloc_unbound` in a domain, for another.
    AllocUnbound {
        /// Whose port.
        domain: usize,
        /// Who may bind to it.
        remote: usize,
    },
    /// `EVTCHNOP_bind_interdomain`.
    BindInterdomain {
        /// Whose port.
        remote: usize,
        /// The port.
        port: P,
    },
    /// `EVTCHNOP_bind_ipi` for this vCPU.
    BindIpi(u32),
    /// `EVTCHNOP_bind_virq`.
    BindVirq {
        /// Which.
        virq: u32,
        /// Who is to be told.
        vcpu: u32,
    },
    /// `EVTCHNOP_bind_vcpu`.
    BindVcpu {
        /// The port.
        port: P,
        /// Who is to be told.
        vcpu: u32,
    },
    /// `EVTCHNOP_send`.
    Send(P),
    /// `EVTCHNOP_unmask`.
    Unmask(P),
    /// `EVTCHNOP_close`.
    Close(P),
    /// `EVTCHNOP_reset` of a domain.
    Reset(usize),
    /// `SCHEDOP_poll` for a port, without a time-out.
    Poll(P),
    /// `EVTCHNOP_set_priority`.
    SetPriority {
        /// The port.
        port: P,
        /// The queue.
        priority: u32,
    },
    /// `EVTCHNOP_init_control`.
    InitControl {
        /// Whose block.
        vcpu: u32,
        /// Where it is.
        address: u64,
    },
    /// `EVTCHNOP_expand_array` with the page at this address.
    ExpandArray(u64),
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

impl<P> Call<P> {
    /// The same with other names of ports.
    pub fn ports<Q, E>(self, mut port: impl FnMut(P) -> Result<Q, E>) -> Result<Call<Q>, E> {
        Ok(match self {
            Self::AllocUnbound { domain, remote } => Call::AllocUnbound { domain, remote },
            Self::BindInterdomain { remote, port: of } => Call::BindInterdomain { remote, port: port(of)? },
            Self::BindIpi(vcpu) => Call::BindIpi(vcpu),
            Self::BindVirq { virq, vcpu } => Call::BindVirq { virq, vcpu },
            Self::BindVcpu { port: of, vcpu } => Call::BindVcpu { port: port(of)?, vcpu },
            Self::Send(of) => Call::Send(port(of)?),
            Self::Unmask(of) => Call::Unmask(port(of)?),
            Self::Close(of) => Call::Close(port(of)?),
            Self::Reset(domain) => Call::Reset(domain),
            Self::Poll(of) => Call::Poll(port(of)?),
            Self::SetPriority { port: of, priority } => Call::SetPriority { port: port(of)?, priority },
            Self::InitControl { vcpu, address } => Call::InitControl { vcpu, address },
            Self::ExpandArray(address) => Call::ExpandArray(address),
            Self::Register { vcpu, address } => Call::Register { vcpu, address },
            Self::PlaceSharedInfo(address) => Call::PlaceSharedInfo(address),
        })
    }
}

impl Call {
    /// `block` is where its block will be.
    pub(super) fn encode(self, block: u64) -> Encoded {
        let event = |cmd: u32, block: &[u32], port| {
            let before = [u64::from(cmd)].into();
            Encoded { nr: nr::EVENT_CHANNEL_OP, before, block: block.into(), port }
        };
        match self {
            Self::AllocUnbound { domain, remote } => {
                let doms = u32::from(id_of(domain)) | u32::from(id_of(remote)) << 16;
                event(op::ALLOC_UNBOUND, &[doms, 0], Some(1))
            }
            Self::BindInterdomain { remote, port } => {
                event(op::BIND_INTERDOMAIN, &[id_of(remote).into(), port, 0], Some(2))
            }
            Self::BindIpi(vcpu) => event(op::BIND_IPI, &[vcpu, 0], Some(1)),
            Self::BindVirq { virq, vcpu } => event(op::BIND_VIRQ, &[virq, vcpu, 0], Some(2)),
            Self::Reset(domain) => event(op::RESET, &[id_of(domain).into()], None),
            Self::Poll(port) => {
                // The ports stand behind `struct sched_poll`: their address, how many, a time-out.
                let ports = block.wrapping_add(24);
                let block = [low(ports), high(ports), 1, 0, 0, 0, port].into();
                Encoded { nr: nr::SCHED_OP, before: [u64::from(sched_cmd::POLL)].into(), block, port: None }
            }
            Self::BindVcpu { port, vcpu } => event(op::BIND_VCPU, &[port, vcpu], None),
            Self::Send(port) => event(op::SEND, &[port], None),
            Self::Unmask(port) => event(op::UNMASK, &[port], None),
            Self::Close(port) => event(op::CLOSE, &[port], None),
            Self::SetPriority { port, priority } => event(op::SET_PRIORITY, &[port, priority], None),
            Self::InitControl { vcpu, address } => {
                let (gfn, offset) = split(address);
                event(op::INIT_CONTROL, &[low(gfn), high(gfn), low(offset), vcpu, 0, 0], None)
            }
            Self::ExpandArray(address) => {
                let (gfn, _) = split(address);
                event(op::EXPAND_ARRAY, &[low(gfn), high(gfn)], None)
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
            Self::AllocUnbound { domain, remote } => model.alloc_unbound(by, id_of(domain), id_of(remote)).map(Some),
            Self::BindInterdomain { remote, port } => model.bind_interdomain(by, id_of(remote), port).map(Some),
            Self::BindIpi(vcpu) => model.bind_ipi(by, vcpu).map(Some),
            Self::BindVirq { virq, vcpu } => model.bind_virq(by, virq, vcpu).map(Some),
            // One that is preempted is judged by `order`, part by part.
            Self::Reset(domain) => model.reset(by, id_of(domain), false).map(|()| None),
            Self::Poll(port) => model.poll(by, vcpu_of(caller), &[port]).map(|_| None),
            Self::BindVcpu { port, vcpu } => model.bind_vcpu(by, port, vcpu).map(|()| None),
            Self::Send(port) => model.send(by, port).map(|()| None),
            Self::Unmask(port) => model.unmask(by, port).map(|()| None),
            Self::Close(port) => model.close(by, port, true).map(|()| None),
            Self::SetPriority { port, priority } => model.set_priority(by, port, priority).map(|()| None),
            Self::InitControl { vcpu, address } => {
                let (gfn, offset) = split(address);
                model.init_control(by, vcpu, gfn, low(offset)).map(|_| None)
            }
            Self::ExpandArray(address) => model.expand_array(by, split(address).0).map(|()| None),
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
