//! `SCHEDOP_poll`: a vcpu waits for a port without taking interrupts.

use core::fmt::Debug;

use crate::abi::POLL_MAX_PORTS;
use crate::domain::{Domain, Polling};
use crate::{Caller, Errno, EventChannels, Host, Port, Stop};

/// How a poll began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Poll {
    /// Something waits already: back to the guest.
    Ready,
    /// The vcpu is to be blocked, until the host is told to unblock it or `timeout` has come (absolute system time;
    /// 0: never).
    Block {
        /// When to give up.
        timeout: u64,
    },
}

/// A poll as the guest asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PollRequest {
    /// Guest address of the list of ports.
    pub ports: u64,
    /// Their number.
    pub nr_ports: u32,
    /// Absolute system time, 0 for none.
    pub timeout: u64,
}

impl<A: Copy + Debug> EventChannels<A> {
    /// Poll with its block read. The result to the guest is 0 in either case.
    pub fn poll<H: Host<Area = A>>(
        &mut self,
        h: &mut H,
        caller: Caller,
        request: PollRequest,
    ) -> Result<Poll, Stop<H::Fault>> {
        let domain = self.domain_mut(caller.dom)?;
        domain.require_vcpu(caller.vcpu)?;
        if request.nr_ports > POLL_MAX_PORTS {
            return Err(Errno::EINVAL.into());
        }
        if h.interrupt_deliverable(caller.dom, caller.vcpu) {
            return Ok(Poll::Ready);
        }
        let mut last = None;
        for index in 0..request.nr_ports {
            let port = read_port(h, caller, request.ports, index)?;
            if domain.poll_port(h, port)? {
                return Ok(Poll::Ready);
            }
            last = Some(port);
        }
        let polling = match last {
            Some(port) if request.nr_ports == 1 => Polling::Port(port),
            _ => Polling::Any,
        };
        domain.start_poll(caller.vcpu, polling);
        Ok(Poll::Block { timeout: request.timeout })
    }
}

fn read_port<H: Host>(h: &mut H, caller: Caller, list: u64, index: u32) -> Result<Port, Stop<H::Fault>> {
    let ptr = list.checked_add(4 * u64::from(index)).ok_or(Errno::EFAULT)?;
    let mut bytes = [0; 4];
    h.read_guest(caller.dom, ptr, &mut bytes)?;
    Ok(Port(u32::from_le_bytes(bytes)))
}

impl<A: Copy + Debug> Domain<A> {
    /// Is there something to see at this port? Masked or not.
    fn poll_port<H: Host<Area = A>>(&self, h: &mut H, port: Port) -> Result<bool, Stop<H::Fault>> {
        if !self.valid(port)?.usable() {
            return Err(Errno::EINVAL.into());
        }
        self.is_pending(h, port).map_err(Stop::Fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;
    use crate::{Polling, Vcpu};

    const BLOCK: Result<Poll, Errno> = Ok(Poll::Block { timeout: 0 });

    fn polling(rig: &Rig) -> Polling {
        rig.ec.polling(rig.d2, Vcpu(0)).unwrap()
    }

    #[test]
    fn too_many_ports_are_refused_before_anything_is_looked_at() {
        let mut rig = Rig::new();
        let d2 = rig.d2;
        rig.mem.deliverable = true;
        assert_eq!(rig.poll(d2, 0, &[0; 129], 0), Err(Errno::EINVAL));
        assert_eq!(rig.poll(d2, 0, &[0; 128], 0), Ok(Poll::Ready), "an interrupt comes before the ports");
        rig.mem.deliverable = false;
        assert_eq!(rig.poll(d2, 0, &[0; 128], 0), Err(Errno::EINVAL));
        assert_eq!(polling(&rig), Polling::No);
    }

    #[test]
    fn errors_after_the_first_pending_port_are_not_seen() {
        let mut rig = Rig::new();
        let (d1, d2) = (rig.d1, rig.d2);
        let (here, there) = rig.channel(d1, d2);
        rig.set_mask(d2, there, true);
        rig.send(d1, here).unwrap();
        assert_eq!(rig.poll(d2, 0, &[there.0, 9999], 0), Ok(Poll::Ready), "masked counts");
        assert_eq!(rig.poll(d2, 0, &[9999, there.0], 0), Err(Errno::EINVAL));
        assert_eq!(rig.poll(d2, 0, &[63, there.0], 0), Err(Errno::EINVAL), "closed");
        let d2_arg = PollRequest { ports: ram(d2) - 4, nr_ports: 2, timeout: 0 };
        assert_eq!(rc(rig.ec.poll(&mut rig.mem, caller(d2), d2_arg)), Err(Errno::EFAULT));
        let wrap = PollRequest { ports: u64::MAX - 3, nr_ports: 2, timeout: 0 };
        assert_eq!(rc(rig.ec.poll(&mut rig.mem, caller(d2), wrap)), Err(Errno::EFAULT));
    }

    #[test]
    fn one_port_is_waited_for_alone_several_as_any() {
        let mut rig = Rig::new();
        let (d1, d2) = (rig.d1, rig.d2);
        let (first, waited) = rig.channel(d1, d2);
        let (second, other) = rig.channel(d1, d2);
        for port in [waited, other] {
            rig.set_mask(d2, port, true);
        }
        assert_eq!(rig.poll(d2, 0, &[waited.0], 7), Ok(Poll::Block { timeout: 7 }));
        assert_eq!(polling(&rig), Polling::Port(waited));
        rig.send(d1, second).unwrap();
        assert!(rig.mem.woken.is_empty());
        rig.send(d1, first).unwrap();
        assert_eq!(rig.mem.woken, [(d2, 0)]);
        assert_eq!(polling(&rig), Polling::No);
        rig.consume(d2, waited);
        rig.consume(d2, other);
        assert_eq!(rig.poll(d2, 0, &[waited.0, waited.0], 0), BLOCK);
        assert_eq!(polling(&rig), Polling::Any);
        rig.send(d1, second).unwrap();
        assert_eq!(rig.mem.woken.len(), 2);
        rig.send(d1, second).unwrap();
        assert_eq!(rig.mem.woken.len(), 2, "it was pending already, and nobody polls");
    }

    #[test]
    fn an_upcall_ends_a_poll_for_another_port() {
        let mut rig = Rig::new();
        let (d1, d2) = (rig.d1, rig.d2);
        let (_, waited) = rig.channel(d1, d2);
        let (second, _) = rig.channel(d1, d2);
        assert_eq!(rig.poll(d2, 0, &[waited.0], 0), BLOCK);
        rig.send(d1, second).unwrap();
        assert_eq!((&rig.mem.injected[..], &rig.mem.woken[..]), (&[(d2, 0)][..], &[(d2, 0)][..]));
        assert_eq!(polling(&rig), Polling::No);
    }

    #[test]
    fn a_timeout_wakes_only_who_still_polls() {
        let mut rig = Rig::new();
        let d2 = rig.d2;
        assert_eq!(rig.poll(d2, 0, &[], 5), Ok(Poll::Block { timeout: 5 }));
        assert!(rig.ec.end_poll(d2, Vcpu(0)), "an interrupt of another kind");
        assert!(!rig.ec.end_poll(d2, Vcpu(0)));
        rig.ec.poll_timeout(&mut rig.mem, d2, Vcpu(0));
        assert!(rig.mem.woken.is_empty());
        assert_eq!(rig.poll(d2, 0, &[], 5), Ok(Poll::Block { timeout: 5 }));
        rig.ec.poll_timeout(&mut rig.mem, d2, Vcpu(0));
        assert_eq!(rig.mem.woken, [(d2, 0)]);
        rig.ec.poll_timeout(&mut rig.mem, d2, Vcpu(9));
    }

    #[test]
    fn every_vcpu_that_waits_is_woken() {
        let mut rig = Rig::new();
        let (d1, d2) = (rig.d1, rig.d2);
        let (here, there) = rig.channel(d1, d2);
        rig.set_mask(d2, there, true);
        assert_eq!(rig.poll(d2, 0, &[there.0], 0), BLOCK);
        assert_eq!(rig.poll(d2, 1, &[], 0), BLOCK);
        rig.send(d1, here).unwrap();
        assert_eq!(rig.mem.woken, [(d2, 0), (d2, 1)]);
    }
}
