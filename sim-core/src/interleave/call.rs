//! Hypercalls that actors make: as argument blocks, and as the reference model has them.

use super::system::id_of;
use crate::convention::{XENMEM_ADD_TO_PHYSMAP, nr};
use crate::layout::PAGE_SIZE;
use alloc::vec::Vec;
use evtchn::abi::{self, op};
use evtchn::model::Model;

/// A hypercall. Domains are told by their position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
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
        port: u32,
    },
    /// `EVTCHNOP_bind_ipi` for this vCPU.
    BindIpi(u32),
    /// `EVTCHNOP_bind_vcpu`.
    BindVcpu {
        /// The port.
        port: u32,
        /// Who is to be told.
        vcpu: u32,
    },
    /// `EVTCHNOP_send`.
    Send(u32),
    /// `EVTCHNOP_unmask`.
    Unmask(u32),
    /// `EVTCHNOP_close`.
    Close(u32),
    /// `EVTCHNOP_set_priority`.
    SetPriority {
        /// The port.
        port: u32,
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

impl Call {
    pub(super) fn encode(self) -> Encoded {
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
    pub(super) fn judge(self, model: &mut Model, caller: usize) -> (i64, Option<u32>) {
        let by = id_of(caller);
        let done = match self {
            Self::AllocUnbound { domain, remote } => model.alloc_unbound(by, id_of(domain), id_of(remote)).map(Some),
            Self::BindInterdomain { remote, port } => model.bind_interdomain(by, id_of(remote), port).map(Some),
            Self::BindIpi(vcpu) => model.bind_ipi(by, vcpu).map(Some),
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
