//! Telling a vcpu: the upcall byte, and vcpus that poll.

use core::fmt::Debug;

use crate::abi::vcpu_info;
use crate::domain::{Domain, Polling};
use crate::{DomIdx, EventChannels, Host, Port, Vcpu};

impl<A: Copy + Debug> Domain<A> {
    /// Sets bit 0 of the upcall byte; if it was clear, the event interrupt follows, and ends a poll as any
    /// interrupt does.
    #[inline]
    pub(crate) fn mark_upcall<H: Host<Area = A>>(&mut self, h: &mut H, vcpu: Vcpu) -> Result<(), H::Fault> {
        let Some(state) = self.vcpu(vcpu) else {
            return Ok(());
        };
        let old = h.fetch_or(state.info.area(), vcpu_info::UPCALL_PENDING, 1)?;
        if old & 1 == 0 {
            h.inject(self.idx, vcpu);
            if self.pollers != 0 && self.end_poll(vcpu) {
                h.unblock(self.idx, vcpu);
            }
        }
        Ok(())
    }

    /// Wakes who polls for this port or for any.
    #[inline]
    pub(crate) fn check_pollers<H: Host<Area = A>>(&mut self, h: &mut H, port: Port) {
        if self.pollers != 0 {
            self.wake_pollers(h, port);
        }
    }

    #[cold]
    fn wake_pollers<H: Host<Area = A>>(&mut self, h: &mut H, port: Port) {
        for (vcpu, state) in (0..).map(Vcpu).zip(&mut self.vcpus) {
            let woken = match state.polling {
                Polling::No => false,
                Polling::Any => true,
                Polling::Port(wanted) => wanted == port,
            };
            if woken {
                state.polling = Polling::No;
                self.pollers = self.pollers.saturating_sub(1);
                h.unblock(self.idx, vcpu);
            }
        }
    }

    /// A poll ends as a whole. Was there one?
    pub(crate) fn end_poll(&mut self, vcpu: Vcpu) -> bool {
        let Some(state) = self.vcpu_mut(vcpu) else {
            return false;
        };
        let polled = state.polling != Polling::No;
        state.polling = Polling::No;
        self.pollers = self.pollers.saturating_sub(u32::from(polled));
        polled
    }

    pub(crate) fn start_poll(&mut self, vcpu: Vcpu, polling: Polling) {
        self.end_poll(vcpu);
        if let Some(state) = self.vcpu_mut(vcpu) {
            state.polling = polling;
            self.pollers += u32::from(polling != Polling::No);
        }
    }
}

impl<A: Copy + Debug> EventChannels<A> {
    /// Something else made the vcpu runnable (an interrupt, for example): its poll is over. Was it polling?
    pub fn end_poll(&mut self, dom: DomIdx, vcpu: Vcpu) -> bool {
        self.domain_mut(dom).is_ok_and(|domain| domain.end_poll(vcpu))
    }

    /// The timer of a poll fired.
    pub fn poll_timeout<H: Host<Area = A>>(&mut self, h: &mut H, dom: DomIdx, vcpu: Vcpu) {
        if self.end_poll(dom, vcpu) {
            h.unblock(dom, vcpu);
        }
    }
}
