//! Guest memory as the hypervisor touches it: software checks, then [`Strategy::reach`], then the access.
//!
//! A bad guest pointer is `-EFAULT` or `-EINVAL` here, before anything is touched. What passes is asked of the strategy and
//! accessed through the platform; if the hardware denies it after all, that is a hypervisor fault and terminal.

use super::Core;
use super::strategy::{NoSlot, Reach, Strategy};
use super::view::Wanted;
use crate::layout::{Owner, PAGE_SIZE, Span};
use crate::outcome::Area;
use crate::platform::{Event, Platform, Rmw, SysReg, Width, list_register};
use evtchn::{DomIdx, Errno, EventMemory, Host, Object, Port, Stop, Vcpu, Withheld, XenHandler, abi};

/// The hypervisor's state beside the event-channel tables, and the platform: what those tables reach the world through.
#[derive(Debug)]
pub struct Cx<'a, P, S> {
    /// The hypervisor's state.
    pub(super) core: &'a mut Core<S>,
    /// The platform.
    pub p: &'a mut P,
}

impl<P: Platform, S: Strategy> Cx<'_, P, S> {
    /// Has the strategy make the first byte of a range reachable; gives the last that is.
    pub fn reach(&mut self, wanted: &Wanted) -> Result<u64, P::Fault> {
        let pe = &mut self.core.pes[self.p.pe()];
        let mut cx = Reach { plan: &self.core.plan, view: &mut pe.view, p: self.p };
        self.core.strategy.reach(&mut cx, wanted)
    }

    /// Whether a list or a text, as long as the guest likes, stops here and goes on by another trap: for its length, for something
    /// more urgent, or because the vCPU does not go on.
    pub(super) fn should_stop(&mut self) -> bool {
        self.core.at_once = self.core.at_once.saturating_add(1);
        self.core.at_once >= Core::<S>::AT_ONCE || self.p.preemption_due() || !self.core.goes_on(self.p.pe())
    }

    /// Has the strategy take a range of a domain's for good.
    pub fn accept(&mut self, wanted: &Wanted, domain: usize) -> Result<Result<(), NoSlot>, P::Fault> {
        let pe = &mut self.core.pes[self.p.pe()];
        let mut cx = Reach { plan: &self.core.plan, view: &mut pe.view, p: self.p };
        self.core.strategy.accept(&mut cx, wanted, domain)
    }

    /// Makes an aligned word of an area reachable; gives its address.
    fn word(&mut self, area: Area, offset: u32) -> Result<u64, P::Fault> {
        // Areas are accepted whole and offsets come from the ABI's layouts, so the word lies inside the area.
        let address = area.address.wrapping_add(u64::from(offset));
        if let Some(span) = Span::with_size(address, 4) {
            self.reach(&Wanted { span, within: area.within, device: false })?;
        }
        Ok(address)
    }

    fn rmw(&mut self, area: Area, offset: u32, op: Rmw) -> Result<u32, P::Fault> {
        let address = self.word(area, offset)?;
        let old = self.p.rmw(address, op)?;
        if let (Rmw::Or(bits), Some(domain)) = (op, area.domain) {
            self.p.event(Event::EventWord { domain, object: area.object, offset, bits, old });
        }
        Ok(old)
    }

    /// Calls `access` for each naturally aligned piece of `span`, reachable when it is called. The pieces are as wide as
    /// alignment allows.
    pub(super) fn pieces(
        &mut self,
        span: Span,
        within: Span,
        device: bool,
        mut access: impl FnMut(&mut P, u64, Width, usize) -> Result<(), P::Fault>,
    ) -> Result<(), P::Fault> {
        let mut at = span.base();
        let mut done = 0usize;
        while let Some(rest) = Span::new(at, span.limit()) {
            let reachable = self.reach(&Wanted { span: rest, within, device })?;
            while at <= reachable {
                let left = reachable - at + 1;
                let width = match (at % 8, at % 4) {
                    (0, _) if left >= 8 => Width::Double,
                    (_, 0) if left >= 4 => Width::Word,
                    _ => Width::Byte,
                };
                access(self.p, at, width, done)?;
                at = at.wrapping_add(width.bytes());
                done = done.wrapping_add(usize::from(width.bytes() as u8));
                if at == 0 {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Reads `into.len()` bytes at `span`.
    pub fn copy_from(&mut self, span: Span, within: Span, into: &mut [u8]) -> Result<(), P::Fault> {
        self.pieces(span, within, false, |p, at, width, done| {
            let value = p.load(at, width)?.to_le_bytes();
            for (to, from) in into.iter_mut().skip(done).zip(value).take(width.bytes() as usize) {
                *to = from;
            }
            Ok(())
        })
    }

    /// Writes `from` to `span`.
    pub fn copy_to(&mut self, span: Span, within: Span, from: &[u8]) -> Result<(), P::Fault> {
        self.pieces(span, within, false, |p, at, width, done| {
            let mut value = [0; 8];
            for (to, byte) in value.iter_mut().zip(from.iter().skip(done)).take(width.bytes() as usize) {
                *to = *byte;
            }
            p.store(at, width, u64::from_le_bytes(value))
        })
    }

    /// Writes one byte to a device's register.
    pub fn device_write(&mut self, frame: Span, offset: u64, byte: u8) -> Result<(), P::Fault> {
        let Some(span) = Span::with_size(frame.base().wrapping_add(offset), 1) else {
            return Ok(());
        };
        self.pieces(span, frame, true, |p, at, width, _| p.store(at, width, u64::from(byte)))
    }

    /// The part of a guest's buffer from `address` on that lies in one of its own ranges, and that range. What is to be
    /// written must be the guest's to write.
    fn own_range(&self, dom: DomIdx, address: u64, limit: u64, write: bool) -> Option<(Span, Span)> {
        let layout = &self.core.layout;
        let (owner, range) = layout.owner(address);
        let own = match owner {
            Owner::Ram(of) | Owner::Granted(of) | Owner::Pool(Some(of)) => of == dom.get(),
            Owner::ReadOnly(of) => of == dom.get() && !write,
            Owner::Shared(index) => {
                layout.parts().shared.get(index).is_some_and(|shared| shared.domains.contains(&dom.get()))
            }
            _ => false,
        };
        let range = range.filter(|_| own)?;
        Some((Span::new(address, limit.min(range.limit()))?, range))
    }

    /// A guest's buffer, checked whole before any byte of it is touched.
    fn buffer(&self, dom: DomIdx, ptr: u64, len: usize, write: bool) -> Result<Option<Span>, Errno> {
        let Ok(len) = u64::try_from(len) else {
            return Err(Errno::EFAULT);
        };
        if len == 0 {
            return Ok(None);
        }
        let span = Span::with_size(ptr, len).ok_or(Errno::EFAULT)?;
        let mut at = ptr;
        loop {
            let (part, _) = self.own_range(dom, at, span.limit(), write).ok_or(Errno::EFAULT)?;
            if part.limit() == span.limit() {
                return Ok(Some(span));
            }
            at = part.limit() + 1;
        }
    }

    fn each_part<E: From<Errno>>(
        &mut self,
        dom: DomIdx,
        span: Span,
        mut copy: impl FnMut(&mut Self, Span, Span, usize) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut at = span.base();
        let mut done = 0usize;
        loop {
            let (part, range) = self.own_range(dom, at, span.limit(), false).ok_or(Errno::EFAULT)?;
            copy(self, part, range, done)?;
            if part.limit() == span.limit() {
                return Ok(());
            }
            at = part.limit() + 1;
            done = done.saturating_add(usize::try_from(part.size()).unwrap_or(usize::MAX));
        }
    }
}

impl<P: Platform, S: Strategy> EventMemory for Cx<'_, P, S> {
    type Area = Area;
    type Fault = P::Fault;

    fn load(&mut self, area: Area, offset: u32) -> Result<u32, P::Fault> {
        let address = self.word(area, offset)?;
        Ok(self.p.load(address, Width::Word)? as u32)
    }

    fn store(&mut self, area: Area, offset: u32, value: u32) -> Result<(), P::Fault> {
        let address = self.word(area, offset)?;
        self.p.store(address, Width::Word, u64::from(value))
    }

    fn fetch_or(&mut self, area: Area, offset: u32, bits: u32) -> Result<u32, P::Fault> {
        self.rmw(area, offset, Rmw::Or(bits))
    }

    fn fetch_and(&mut self, area: Area, offset: u32, bits: u32) -> Result<u32, P::Fault> {
        self.rmw(area, offset, Rmw::And(bits))
    }

    fn compare_exchange(
        &mut self,
        area: Area,
        offset: u32,
        current: u32,
        new: u32,
    ) -> Result<Result<u32, u32>, P::Fault> {
        let old = self.rmw(area, offset, Rmw::CompareExchange { current, new })?;
        Ok(if old == current { Ok(old) } else { Err(old) })
    }
}

impl<P: Platform, S: Strategy> Host for Cx<'_, P, S> {
    fn read_guest(&mut self, dom: DomIdx, ptr: u64, buf: &mut [u8]) -> Result<(), Stop<P::Fault>> {
        let Some(span) = self.buffer(dom, ptr, buf.len(), false)? else {
            return Ok(());
        };
        self.each_part(dom, span, |cx, part, range, done| {
            let into = buf.get_mut(done..).unwrap_or_default();
            cx.copy_from(part, range, into).map_err(Stop::Fault)
        })
    }

    fn write_guest(&mut self, dom: DomIdx, ptr: u64, buf: &[u8]) -> Result<(), Stop<P::Fault>> {
        let Some(span) = self.buffer(dom, ptr, buf.len(), true)? else {
            return Ok(());
        };
        self.each_part(dom, span, |cx, part, range, done| {
            cx.copy_to(part, range, buf.get(done..).unwrap_or_default()).map_err(Stop::Fault)
        })
    }

    fn map_area(&mut self, dom: DomIdx, gaddr: u64, len: u32, what: Object) -> Result<Area, Stop<P::Fault>> {
        let span = Span::with_size(gaddr, u64::from(len)).ok_or(Errno::EINVAL)?;
        let layout = &self.core.layout;
        let within = match layout.pages(dom.get()).and_then(|pages| pages.own_pool) {
            // Under placements `pool` and `heap` only the domain's own pages are taken.
            Some(own) => Some(own),
            None => layout.common_bank(dom.get(), gaddr),
        };
        let within = within.filter(|within| within.covers(&span)).ok_or(Errno::EINVAL)?;
        let wanted = Wanted { span, within, device: false };
        self.accept(&wanted, dom.get()).map_err(Stop::Fault)?.map_err(|NoSlot| Errno::ENOMEM)?;
        Ok(Area { address: gaddr, within, domain: Some(dom.get()), object: what })
    }

    fn unmap_area(&mut self, area: Area) {
        let size = match area.object {
            Object::VcpuInfo(_) => u64::from(abi::vcpu_info::SIZE),
            Object::ControlBlock(_) => u64::from(abi::control_block::SIZE),
            Object::SharedInfo | Object::EventArray(_) => PAGE_SIZE,
        };
        if let Some(span) = Span::with_size(area.address, size) {
            self.core.strategy.release(&Wanted { span, within: area.within, device: false });
        }
    }

    fn inject(&mut self, dom: DomIdx, vcpu: Vcpu) {
        self.p.event(Event::Injected { domain: dom.get(), vcpu: vcpu.0 });
        self.core.inject_event(self.p, dom, vcpu);
    }

    fn unblock(&mut self, dom: DomIdx, vcpu: Vcpu) {
        self.p.event(Event::Unblocked { domain: dom.get(), vcpu: vcpu.0 });
        if let Some(id) = self.core.domains.id(dom.get(), vcpu.0) {
            self.core.wake(self.p, id);
        }
    }

    fn preemption_due(&mut self) -> bool {
        self.p.preemption_due()
    }

    fn xen_notified(&mut self, dom: DomIdx, vcpu: Vcpu, port: Port, handler: XenHandler) {
        self.p.event(Event::XenHandler { domain: dom.get(), vcpu: vcpu.0, port: port.0, handler });
    }

    fn event_withheld(&mut self, dom: DomIdx, port: Port, why: Withheld) {
        self.p.event(Event::Withheld { domain: dom.get(), port: port.0, why });
    }

    fn interrupt_deliverable(&mut self, dom: DomIdx, vcpu: Vcpu) -> bool {
        let Some(id) = self.core.domains.id(dom.get(), vcpu.0) else {
            return false;
        };
        let here = &self.core.pes[self.p.pe()];
        let current = here.queue.current == Some(id);
        if current && !here.interrupts_open {
            return false;
        }
        // Of the vCPU that runs, the list register itself tells; of others, what they left with.
        let held = current && self.p.read(SysReg::IchLr0) & list_register::PENDING != 0;
        let state = self.core.domains.vcpu(id);
        held || state.event_pending || (!current && state.has_interrupt())
    }
}
