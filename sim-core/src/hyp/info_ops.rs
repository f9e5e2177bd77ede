//! `xen_version` and `hvm_op`: what a guest asks about where it runs (Xen's `public/version.h`, `public/hvm/hvm_op.h`).

use super::Hypervisor;
use super::guest_mem::GuestMemory;
use super::hypercall::Call;
use super::strategy::Strategy;
use crate::layout::PAGE_SIZE;
use crate::platform::{Platform, intid};
use evtchn::{Caller, DomIdx, Errno, Host, Stop};

/// The version whose event-channel ABI this hypervisor speaks.
const MAJOR: i64 = 4;
const MINOR: i64 = 23;

/// `xen_version` commands.
mod version {
    pub(super) const VERSION: u32 = 0;
    pub(super) const EXTRAVERSION: u32 = 1;
    pub(super) const COMPILE_INFO: u32 = 2;
    pub(super) const CAPABILITIES: u32 = 3;
    pub(super) const CHANGESET: u32 = 4;
    pub(super) const PLATFORM_PARAMETERS: u32 = 5;
    pub(super) const GET_FEATURES: u32 = 6;
    pub(super) const PAGESIZE: u32 = 7;
    pub(super) const GUEST_HANDLE: u32 = 8;
}

/// Features of submap 0: writable page tables and auto-translated physmap (there are no page tables to write), vnode
/// memory operations, SMCCC, and RAM mapped one to one (bits 0, 2, 13, 14, 15 of `public/features.h`).
const FEATURES: u32 = 1 | 1 << 2 | 1 << 13 | 1 << 14 | 1 << 15;

/// `hvm_op` operations.
mod hvm_op {
    pub(super) const SET_PARAM: u32 = 0;
    pub(super) const GET_PARAM: u32 = 1;
}

/// Parameters (`public/hvm/params.h`).
mod param {
    pub(super) const CALLBACK_IRQ: u32 = 0;
    pub(super) const COUNT: u32 = 39;
}

/// `struct xen_hvm_param`: domid u16 at 0, index u32 at 4, value u64 at 8.
const HVM_PARAM_SIZE: usize = 16;

impl<S: Strategy> Hypervisor<S> {
    pub(super) fn xen_version<P: Platform>(
        &mut self,
        p: &mut P,
        caller: Caller,
        call: Call,
    ) -> Result<i64, Stop<P::Fault>> {
        let [cmd, arg, ..] = call.args;
        let mut host = GuestMemory { core: &mut self.core, p };
        let mut text = |len: usize, words: &[u8]| {
            let mut block = [0; 1024];
            for (to, from) in block.iter_mut().zip(words) {
                *to = *from;
            }
            host.write_guest(caller.dom, arg, block.get(..len).unwrap_or_default()).map(|()| 0)
        };
        match cmd as u32 {
            version::VERSION => Ok((MAJOR << 16) | MINOR),
            version::EXTRAVERSION => text(16, b"-mpusim"),
            version::COMPILE_INFO => text(144, b""),
            version::CAPABILITIES => text(1024, b"xen-3.0-aarch64 "),
            version::CHANGESET => text(64, b"unavailable"),
            version::PLATFORM_PARAMETERS => text(8, b""),
            version::GET_FEATURES => {
                let mut submap = [0; 4];
                host.read_guest(caller.dom, arg, &mut submap)?;
                let features = if u32::from_le_bytes(submap) == 0 { FEATURES } else { 0 };
                let at = arg.checked_add(4).ok_or(Errno::EFAULT)?;
                host.write_guest(caller.dom, at, &features.to_le_bytes()).map(|()| 0)
            }
            version::PAGESIZE => Ok(PAGE_SIZE.cast_signed()),
            version::GUEST_HANDLE => text(16, b""),
            _ => Err(Errno::ENOSYS.into()),
        }
    }

    /// Parameters of a domain. A guest may read all and write none of those that tell it where its channels are.
    pub(super) fn hvm_op<P: Platform>(&mut self, p: &mut P, caller: Caller, call: Call) -> Result<i64, Stop<P::Fault>> {
        let [op, arg, ..] = call.args;
        let op = op as u32;
        if op != hvm_op::SET_PARAM && op != hvm_op::GET_PARAM {
            return Err(Errno::ENOSYS.into());
        }
        let mut raw = [0; HVM_PARAM_SIZE];
        let mut host = GuestMemory { core: &mut self.core, p };
        host.read_guest(caller.dom, arg, &mut raw)?;
        let [d0, d1, _, _, i0, i1, i2, i3, ..] = raw;
        let index = u32::from_le_bytes([i0, i1, i2, i3]);
        if index >= param::COUNT {
            return Err(Errno::EINVAL.into());
        }
        let dom = self.target(caller, u16::from_le_bytes([d0, d1]))?;
        if op == hvm_op::SET_PARAM {
            // Nothing here is for guests to set, and no toolstack runs in these domains.
            return Err(Errno::EPERM.into());
        }
        let value = self.hvm_param(dom, index);
        let at = arg.checked_add(8).ok_or(Errno::EFAULT)?;
        let mut host = GuestMemory { core: &mut self.core, p };
        host.write_guest(caller.dom, at, &value.to_le_bytes()).map(|()| 0)
    }

    /// The callback of the hardware domain is a PPI, level and active low; other domains learn theirs elsewhere. No store
    /// and no console back end runs here, so their channels are 0.
    fn hvm_param(&self, dom: DomIdx, index: u32) -> u64 {
        const TYPE_PPI: u64 = 2 << 56;
        const LEVEL_LOW: u64 = 0x200;
        let hardware = self.channels.id_of(dom).is_some() && self.channels.id_of(dom) == self.hardware_domain;
        match index {
            param::CALLBACK_IRQ if hardware => TYPE_PPI | LEVEL_LOW | intid::EVENT,
            _ => 0,
        }
    }
}
