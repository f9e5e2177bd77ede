//! The hypervisor's view of the world where a recording differs from the machine: argument blocks that cannot be
//! written, and interrupts masked at the PE during a poll.

use evtchn::{DomIdx, EventMemory, Host, Object, Port, Stop, Vcpu, XenHandler};

/// A host with two answers of its own.
#[derive(Debug)]
pub(super) struct Recorded<H> {
    pub(super) host: H,
    /// Whether copies to guests work.
    pub(super) writable: bool,
}

impl<H: EventMemory> EventMemory for Recorded<H> {
    type Area = H::Area;
    type Fault = H::Fault;

    fn load(&mut self, area: H::Area, offset: u32) -> Result<u32, H::Fault> {
        self.host.load(area, offset)
    }

    fn store(&mut self, area: H::Area, offset: u32, value: u32) -> Result<(), H::Fault> {
        self.host.store(area, offset, value)
    }

    fn fetch_or(&mut self, area: H::Area, offset: u32, bits: u32) -> Result<u32, H::Fault> {
        self.host.fetch_or(area, offset, bits)
    }

    fn fetch_and(&mut self, area: H::Area, offset: u32, bits: u32) -> Result<u32, H::Fault> {
        self.host.fetch_and(area, offset, bits)
    }

    fn compare_exchange(
        &mut self,
        area: H::Area,
        offset: u32,
        current: u32,
        new: u32,
    ) -> Result<Result<u32, u32>, H::Fault> {
        self.host.compare_exchange(area, offset, current, new)
    }
}

impl<H: Host> Host for Recorded<H> {
    fn read_guest(&mut self, dom: DomIdx, ptr: u64, buf: &mut [u8]) -> Result<(), Stop<H::Fault>> {
        self.host.read_guest(dom, ptr, buf)
    }

    fn write_guest(&mut self, dom: DomIdx, ptr: u64, buf: &[u8]) -> Result<(), Stop<H::Fault>> {
        if self.writable { self.host.write_guest(dom, ptr, buf) } else { Err(evtchn::Errno::EFAULT.into()) }
    }

    fn map_area(&mut self, dom: DomIdx, gaddr: u64, len: u32, what: Object) -> Result<H::Area, Stop<H::Fault>> {
        self.host.map_area(dom, gaddr, len, what)
    }

    fn unmap_area(&mut self, area: H::Area) {
        self.host.unmap_area(area);
    }

    fn inject(&mut self, dom: DomIdx, vcpu: Vcpu) {
        self.host.inject(dom, vcpu);
    }

    fn unblock(&mut self, dom: DomIdx, vcpu: Vcpu) {
        self.host.unblock(dom, vcpu);
    }

    fn preemption_due(&mut self) -> bool {
        self.host.preemption_due()
    }

    fn interrupt_deliverable(&mut self, _: DomIdx, _: Vcpu) -> bool {
        // Recordings poll with interrupts masked at the PE.
        false
    }

    fn xen_notified(&mut self, dom: DomIdx, vcpu: Vcpu, port: Port, handler: XenHandler) {
        self.host.xen_notified(dom, vcpu, port, handler);
    }
}
