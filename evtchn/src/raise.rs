//! Events on their way: from a [`Route`] to bits in guest memory. Here the two ABIs part.

use core::fmt::Debug;

use crate::domain::Domain;
use crate::{DomIdx, EventChannels, Host, Port, Vcpu, fifo, two_level};

/// Where an event goes, decided from the tables alone.
///
/// Between deciding and raising, other hypercalls may run: what is in here is checked again by
/// [`EventChannels::raise`], and an event whose destination has gone meanwhile is dropped, even if another domain or port is in
/// its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "an event is on its way only once it is raised"]
pub struct Route {
    action: Action,
    /// Of the destination; nowhere needs none.
    dom: DomIdx,
    port: Port,
    generation: u32,
    /// Of the port, when the route was found.
    closings: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Nothing,
    /// A guest notifies: sets bits, or runs the handler of a Xen-owned port.
    Notify,
    /// The hypervisor itself sets bits; Xen-owned ports are left alone.
    Event,
    Unmask,
}

impl Route {
    /// Goes nowhere, silently.
    pub const NOTHING: Self =
        Self { action: Action::Nothing, dom: DomIdx(0), port: Port(0), generation: 0, closings: 0 };

    #[inline]
    pub(crate) fn notify<A>(domain: &Domain<A>, port: Port) -> Self {
        Self::new(Action::Notify, domain, port)
    }

    #[inline]
    pub(crate) fn event<A>(domain: &Domain<A>, port: Port) -> Self {
        Self::new(Action::Event, domain, port)
    }

    #[inline]
    pub(crate) fn unmask<A>(domain: &Domain<A>, port: Port) -> Self {
        Self::new(Action::Unmask, domain, port)
    }

    #[inline]
    fn new<A>(action: Action, domain: &Domain<A>, port: Port) -> Self {
        let closings = domain.ports.get(port).map_or(0, |channel| channel.closings);
        Self { action, dom: domain.idx, port, generation: domain.generation, closings }
    }

    /// The port whose bits are to change, and whose domain's memory [`EventChannels::raise`] touches.
    #[must_use]
    pub fn target(&self) -> Option<(DomIdx, Port)> {
        (self.action != Action::Nothing).then_some((self.dom, self.port))
    }
}

impl<A: Copy + Debug> EventChannels<A> {
    /// Does what a route says, in guest memory only.
    #[inline]
    pub fn raise<H: Host<Area = A>>(&mut self, h: &mut H, route: Route) -> Result<(), H::Fault> {
        let Route { action, dom, port, generation, closings } = route;
        if action == Action::Nothing {
            return Ok(());
        }
        let Ok(domain) = self.domain_mut(dom) else {
            return Ok(());
        };
        if domain.generation != generation {
            return Ok(());
        }
        let Some(channel) = domain.ports.get(port) else {
            return Ok(());
        };
        // Unmasking is about the mask bit, which closing leaves as it is.
        if channel.closings != closings && action != Action::Unmask {
            return Ok(());
        }
        let vcpu = channel.vcpu;
        if !channel.usable() {
            if let (Some(handler), Action::Notify) = (channel.xen, action) {
                h.xen_notified(dom, vcpu, port, handler);
            }
            return Ok(());
        }
        match action {
            Action::Unmask => domain.unmask_bits(h, port, vcpu),
            _ => domain.set_pending(h, port, vcpu),
        }
    }
}

/// What an ABI does with the bits of a port. Except for [`Domain::set_pending`] on an array's new page, the
/// port is usable.
impl<A: Copy + Debug> Domain<A> {
    #[inline]
    pub(crate) fn set_pending<H: Host<Area = A>>(&mut self, h: &mut H, port: Port, vcpu: Vcpu) -> Result<(), H::Fault> {
        if self.fifo.is_some() {
            fifo::set_pending(self, h, port, vcpu)
        } else {
            two_level::set_pending(self, h, port, vcpu)
        }
    }

    pub(crate) fn clear_pending<H: Host<Area = A>>(&mut self, h: &mut H, port: Port) -> Result<(), H::Fault> {
        match &self.fifo {
            Some(fifo) => fifo.clear_pending(h, port),
            None => two_level::clear_pending(self.shared_info, h, port),
        }
    }

    fn unmask_bits<H: Host<Area = A>>(&mut self, h: &mut H, port: Port, vcpu: Vcpu) -> Result<(), H::Fault> {
        if self.fifo.is_some() { fifo::unmask(self, h, port, vcpu) } else { two_level::unmask(self, h, port, vcpu) }
    }

    pub(crate) fn is_pending<H: Host<Area = A>>(&self, h: &mut H, port: Port) -> Result<bool, H::Fault> {
        match &self.fifo {
            Some(fifo) => fifo.is_pending(h, port),
            None => two_level::is_pending(self.shared_info, h, port),
        }
    }

    /// Is a free port's old event still on a queue? Only a FIFO can tell.
    pub(crate) fn is_busy<H: Host<Area = A>>(&self, h: &mut H, port: Port) -> Result<bool, H::Fault> {
        match &self.fifo {
            Some(fifo) => fifo.is_busy(h, port),
            None => Ok(false),
        }
    }

    /// A guest's new port starts with the default priority. Xen-owned ones and the far end of a connection do not
    /// come by here.
    pub(crate) fn init_port(&mut self, port: Port) {
        if self.fifo.is_some()
            && let Some(channel) = self.ports.get_mut(port)
        {
            channel.priority = crate::abi::fifo::PRIORITY_DEFAULT;
        }
    }
}
