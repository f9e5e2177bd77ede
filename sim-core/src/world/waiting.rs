//! The end of a run in which vCPUs still wait: for what, and what became of the events of the ports concerned.

use super::World;
use super::watch::Watch;
use crate::hyp::domain::{RunState, VcpuState};
use crate::hyp::strategy::Strategy;
use crate::outcome::{Area, Outcome, PendingPort, Unseen, VcpuRef, Waiter, WaitsFor};
use crate::platform::Vmid;
use alloc::vec::Vec;
use evtchn::{AbiKind, DomIdx, UsedPort, Vcpu, VcpuInfoPlace, abi};

impl<S: Strategy, W: Watch> World<S, W> {
    /// No PE can act any more: everybody is off, or the rest waits for ever.
    pub(super) fn end(&self) -> Outcome {
        // What failed comes first: who waits for ever after it may well wait because of it.
        let failures = self.accounting.tracker.failures();
        if !failures.is_empty() {
            return Outcome::ExpectationFailed(failures.to_vec());
        }
        let all = self.hyp.vcpus().map(|(_, vcpu)| vcpu);
        let waiters: Vec<Waiter> =
            all.filter(|vcpu| vcpu.run != RunState::Offline).map(|vcpu| self.waiter(vcpu)).collect();
        if waiters.is_empty() { Outcome::Completed } else { Outcome::Deadlock(waiters) }
    }

    fn waiter(&self, state: &VcpuState) -> Waiter {
        let vcpu = VcpuRef { domain: state.domain, vcpu: state.index };
        let key = Vmid::of_domain(state.domain).map(|vmid| (vmid, u64::from(state.index)));
        let slot = self.machine.guests().iter().find(|slot| Some(slot.key()) == key);
        let waits_for = match state.run {
            RunState::Runnable => WaitsFor::Turn,
            _ => slot.map_or(WaitsFor::Interrupt, |slot| slot.program().waits_for()),
        };
        let coalesced = match waits_for {
            WaitsFor::Event(port) => self.accounting.tracker.coalesced(vcpu.domain, port),
            _ => 0,
        };
        let step = slot.and_then(|slot| slot.program().step());
        Waiter { vcpu, waits_for, step, coalesced, pending: self.pending(vcpu, waits_for) }
    }

    /// The pending ports that the vCPU is told of, and the one that it waits for if that is pending.
    fn pending(&self, vcpu: VcpuRef, waits_for: WaitsFor) -> Vec<PendingPort> {
        let Some(dom) = self.hyp.index(vcpu.domain) else { return Vec::new() };
        let concerns = |port: &UsedPort| port.status.vcpu.0 == vcpu.vcpu || waits_for == WaitsFor::Event(port.port.0);
        let ports = self.hyp.channels.channels(dom).filter(|port| !port.xen_owned).filter(concerns);
        let found = ports.filter_map(|port| {
            let unseen = match self.hyp.channels.abi_kind(dom)? {
                AbiKind::TwoLevel => self.two_level(dom, port),
                AbiKind::Fifo => self.fifo(vcpu.domain, dom, port),
            };
            Some(PendingPort { port: port.port.0, told: port.status.vcpu.0, unseen: unseen? })
        });
        found.collect()
    }

    /// The word that holds a port's bit in an array of `shared_info`.
    fn bit(&self, shared: Area, array: u32, port: u32) -> bool {
        let word = self.machine.look_at(shared.address + u64::from(array) + u64::from(port / 64 * 8), 8);
        word & (1 << (port % 64)) != 0
    }

    fn two_level(&self, dom: DomIdx, UsedPort { port, status, .. }: UsedPort) -> Option<Unseen> {
        let shared = self.hyp.channels.shared_info(dom).filter(|_| port.0 < abi::TWO_LEVEL_PORTS)?;
        if !self.bit(shared, abi::shared_info::PENDING, port.0) {
            return None;
        }
        if self.bit(shared, abi::shared_info::MASK, port.0) {
            return Some(Unseen::Masked);
        }
        let info = self.info(dom, status.vcpu)?;
        let selector = self.machine.look_at(info.address + u64::from(abi::vcpu_info::PENDING_SEL), 8);
        if selector & (1 << (port.0 / 64)) == 0 {
            return Some(Unseen::Unselected);
        }
        Some(self.upcall(info))
    }

    fn fifo(&self, domain: usize, dom: DomIdx, UsedPort { port, status, .. }: UsedPort) -> Option<Unseen> {
        let page = usize::try_from(port.0 / abi::fifo::WORDS_PER_PAGE).ok()?;
        let Some(words) = self.hyp.channels.event_pages(dom).get(page) else {
            return self.accounting.tracker.outstanding(domain, port.0).then_some(Unseen::NoEventWord);
        };
        let offset = u64::from(port.0 % abi::fifo::WORDS_PER_PAGE * 4);
        let word = self.machine.look_at(words.address + offset, 4) as u32;
        if word & abi::fifo::PENDING == 0 {
            return None;
        }
        if word & abi::fifo::MASKED != 0 {
            return Some(Unseen::Masked);
        }
        if word & abi::fifo::LINKED == 0 {
            return Some(Unseen::Unlinked);
        }
        let block = self.hyp.channels.control_block(dom, status.vcpu);
        let ready =
            block.map_or(0, |block| self.machine.look_at(block.address + u64::from(abi::control_block::READY), 4));
        if ready == 0 {
            return Some(Unseen::NotReady);
        }
        Some(self.upcall(self.info(dom, status.vcpu)?))
    }

    fn info(&self, dom: DomIdx, vcpu: Vcpu) -> Option<Area> {
        match self.hyp.channels.vcpu_info(dom, vcpu)? {
            VcpuInfoPlace::Dummy(area) | VcpuInfoPlace::Legacy(area) | VcpuInfoPlace::Registered(area) => Some(area),
        }
    }

    /// What keeps a vCPU from an event that its `vcpu_info` or its control block leads to.
    fn upcall(&self, info: Area) -> Unseen {
        let pending = self.machine.look_at(info.address + u64::from(abi::vcpu_info::UPCALL_PENDING), 1);
        if pending == 0 { Unseen::NoUpcall } else { Unseen::NotTaken }
    }
}
