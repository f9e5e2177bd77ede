//! What guests remember of themselves.

use super::format::DomainHeader;
use super::system::MemoryMap;
use evtchn::abi::{self, shared_info};
use sim_core::layout::Position;

/// What a domain remembers of itself: where it put things, as far as the hypervisor agreed.
#[derive(Debug)]
pub(super) struct GuestDomain {
    /// Its position in the layout.
    pub(super) position: Position,
    /// Its `shared_info`, if that is in a page it can touch.
    pub(super) shared_info: Option<u64>,
    pub(super) vcpus: Vec<GuestVcpu>,
    /// Pages of event words, in order.
    pub(super) pages: Vec<u64>,
    /// How often handlers of Xen-owned ports ran in it.
    pub(super) xen_hits: u64,
}

/// What a vCPU remembers of itself.
#[derive(Debug, Clone, Default)]
pub(super) struct GuestVcpu {
    /// Its argument blocks.
    pub(super) arguments: u64,
    /// The `vcpu_info` that it registered.
    pub(super) registered: Option<u64>,
    /// Its FIFO control block.
    pub(super) block: Option<u64>,
    /// Queues it found ready.
    pub(super) ready: u32,
    /// Where it goes on in each queue.
    pub(super) heads: [u32; abi::fifo::QUEUES as usize],
    /// Event interrupts since the last dump.
    pub(super) kicks: u64,
}

impl GuestDomain {
    /// `shared_info`: where it is, unless the domain has yet to say where it is to be.
    pub(super) fn new(position: Position, domain: &DomainHeader, map: &MemoryMap, shared_info: Option<u64>) -> Self {
        let vcpu = |vcpu: u64| GuestVcpu { arguments: map.arguments(position, vcpu as u32), ..GuestVcpu::default() };
        Self { position, shared_info, vcpus: (0..domain.vcpus).map(vcpu).collect(), pages: Vec::new(), xen_hits: 0 }
    }

    /// `shared_info` is in this page from now on, or in none that the domain can touch.
    pub(super) fn place_shared_info(&mut self, page: Option<u64>) {
        self.shared_info = page;
    }

    /// Where a vCPU's `vcpu_info` is, if it has one of its own: where it registered it, whatever became of `shared_info`, else
    /// in `shared_info` if there is a place for it.
    pub(super) fn info(&self, vcpu: u32) -> Option<u64> {
        let legacy = || self.shared_info.filter(|_| vcpu < shared_info::LEGACY_VCPUS);
        self.vcpus.get(vcpu as usize)?.registered.or_else(legacy)
    }

    /// Back to two-level: what FIFO left is forgotten.
    pub(super) fn forget_fifo(&mut self) {
        self.pages.clear();
        for vcpu in &mut self.vcpus {
            (vcpu.block, vcpu.ready) = (None, 0);
            vcpu.heads = Default::default();
        }
    }
}
