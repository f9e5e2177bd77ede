//! Taking up and leaving the FIFO ABI: control blocks, pages of event words, priorities.

use alloc::vec::Vec;
use core::fmt::Debug;

use crate::abi::{self, BitAt, PAGE_SIZE, control_block, fifo as word, shared_info};
use crate::domain::Domain;
use crate::fifo_state::{Fifo, VcpuQueues};
use crate::{Caller, Errno, EventChannels, Host, Object, Port, Stop, Vcpu};

impl<A: Copy + Debug> EventChannels<A> {
    /// `EVTCHNOP_init_control`. The first success of a domain switches it to FIFO. Gives the bits of LINK.
    pub fn init_control<H: Host<Area = A>>(
        &mut self,
        h: &mut H,
        caller: Caller,
        vcpu: Vcpu,
        control_gfn: u64,
        offset: u32,
    ) -> Result<u8, Stop<H::Fault>> {
        let domain = self.domain_mut(caller.dom)?;
        domain.require_vcpu(vcpu)?;
        if offset > PAGE_SIZE - control_block::SIZE || !offset.is_multiple_of(8) {
            return Err(Errno::EINVAL.into());
        }
        let idx = domain.idx;
        let vcpus = domain.vcpus.len();
        // A first call works on state of its own, which simply is not kept if the call fails.
        let mut first = if domain.fifo.is_none() { Some(Fifo::new(vcpus)?) } else { None };
        let queues = first
            .as_mut()
            .or(domain.fifo.as_mut())
            .and_then(|fifo| fifo.vcpus.get_mut(vcpu.0 as usize))
            .ok_or(Errno::ENOENT)?;
        if queues.block.is_some() {
            return Err(Errno::EINVAL.into());
        }
        let gaddr = frame_address(control_gfn)? + u64::from(offset);
        queues.block = Some(h.map_area(idx, gaddr, control_block::SIZE, Object::ControlBlock(vcpu))?);
        if let Some(fifo) = first {
            domain.fifo = Some(fifo);
            domain.carry_pending_over(h).map_err(Stop::Fault)?;
        }
        Ok(word::LINK_BITS as u8)
    }

    /// `EVTCHNOP_expand_array`.
    pub fn expand_array<H: Host<Area = A>>(
        &mut self,
        h: &mut H,
        caller: Caller,
        array_gfn: u64,
    ) -> Result<(), Stop<H::Fault>> {
        let domain = self.domain_mut(caller.dom)?;
        let idx = domain.idx;
        let fifo = domain.fifo.as_mut().ok_or(Errno::EOPNOTSUPP)?;
        let page = fifo.pages.len() as u32;
        if page >= word::MAX_PAGES {
            return Err(Errno::ENOSPC.into());
        }
        let gaddr = frame_address(array_gfn)?;
        fifo.pages.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        let area = h.map_area(idx, gaddr, PAGE_SIZE, Object::EventArray(page))?;
        fifo.pages.push(area);
        let new = page * word::WORDS_PER_PAGE..(page + 1) * word::WORDS_PER_PAGE;
        domain.raise_latched(h, new).map_err(Stop::Fault)
    }

    /// `EVTCHNOP_set_priority`. An event already queued stays where it is.
    pub fn set_priority(&mut self, caller: Caller, port: Port, priority: u32) -> Result<(), Errno> {
        let domain = self.domain_mut(caller.dom)?;
        domain.valid(port)?;
        if domain.fifo.is_none() {
            return Err(Errno::ENOSYS);
        }
        let channel = domain.valid_mut(port)?;
        if !channel.usable() {
            return Err(Errno::EACCES);
        }
        channel.priority = match u8::try_from(priority) {
            Ok(priority) if priority <= word::PRIORITY_MIN => priority,
            _ => return Err(Errno::EINVAL),
        };
        Ok(())
    }
}

/// Guest address of a frame; one beyond all addresses cannot be RAM.
fn frame_address(gfn: u64) -> Result<u64, Errno> {
    gfn.checked_mul(u64::from(PAGE_SIZE)).ok_or(Errno::EINVAL)
}

impl<A: Copy> Fifo<A> {
    fn new(vcpus: usize) -> Result<Self, Errno> {
        let mut queues = Vec::new();
        queues.try_reserve_exact(vcpus).map_err(|_| Errno::ENOMEM)?;
        queues.resize(vcpus, VcpuQueues { block: None, tails: [0; word::QUEUES as usize] });
        Ok(Self { pages: Vec::new(), vcpus: queues })
    }
}

impl<A: Copy + Debug> Domain<A> {
    /// What was pending in two-level mode is remembered until its page comes. Masks are not.
    ///
    /// Up to 4,095 reads without a preemption check, as in Xen (`setup_ports` in `event_fifo.c` walks all valid ports
    /// under the domain's event lock).
    fn carry_pending_over<H: Host<Area = A>>(&mut self, h: &mut H) -> Result<(), H::Fault> {
        for port in (1..abi::TWO_LEVEL_PORTS).map(Port) {
            let Some(channel) = self.ports.get_mut(port) else {
                break;
            };
            let bit = BitAt::of(port.0);
            if h.load(self.shared_info, shared_info::PENDING + bit.word)? & bit.mask != 0 {
                channel.latched = true;
            }
            channel.priority = word::PRIORITY_DEFAULT;
        }
        Ok(())
    }

    /// A page has come: raises what waited for it, whatever the ports are by now. Latches stay set. Up to 1,024
    /// events in one go, as in Xen's `add_page_to_event_array`.
    fn raise_latched<H: Host<Area = A>>(&mut self, h: &mut H, ports: core::ops::Range<u32>) -> Result<(), H::Fault> {
        for port in ports.map(Port) {
            let Some(channel) = self.ports.get(port) else {
                break;
            };
            if channel.latched {
                let vcpu = channel.vcpu;
                self.set_pending(h, port, vcpu)?;
            }
        }
        Ok(())
    }

    /// Back to two-level. Guest pages and `shared_info` stay as they are, and so do the channels' latches.
    pub(crate) fn leave_fifo<H: Host<Area = A>>(&mut self, h: &mut H) {
        let Some(fifo) = self.fifo.take() else { return };
        let blocks = fifo.vcpus.into_iter().filter_map(|queues| queues.block);
        blocks.chain(fifo.pages).for_each(|area| h.unmap_area(area));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;
    use crate::{AbiKind, DomIdx};

    fn init(rig: &mut Rig, dom: DomIdx, vcpu: u32, gfn: u64, offset: u32) -> Result<u8, Errno> {
        rc(rig.ec.init_control(&mut rig.mem, caller(dom), Vcpu(vcpu), gfn, offset))
    }

    #[test]
    fn init_control_checks_in_order() {
        let mut rig = Rig::new();
        let d1 = rig.d1;
        let frame = gfn(d1, 1);
        assert_eq!(init(&mut rig, d1, 2, 5, 4025), Err(Errno::ENOENT));
        assert_eq!(init(&mut rig, d1, 0, frame, 4032), Err(Errno::EINVAL), "crosses the page");
        assert_eq!(init(&mut rig, d1, 0, frame, 4020), Err(Errno::EINVAL), "not aligned");
        assert_eq!(init(&mut rig, d1, 0, 5, 4024), Err(Errno::EINVAL), "not RAM");
        assert_eq!(init(&mut rig, d1, 0, u64::MAX, 0), Err(Errno::EINVAL));
        rig.mem.no_room = true;
        assert_eq!(init(&mut rig, d1, 0, frame, 0), Err(Errno::ENOMEM));
        assert_eq!(rig.ec.abi_kind(d1), Some(AbiKind::TwoLevel), "a failing first call leaves nothing");
        rig.mem.no_room = false;
        assert_eq!(init(&mut rig, d1, 1, frame, 4024), Ok(17));
        rig.mem.no_room = true;
        assert_eq!(init(&mut rig, d1, 1, frame, 0), Err(Errno::EINVAL), "has one, before it is mapped");
        assert_eq!(init(&mut rig, d1, 0, frame, 0), Err(Errno::ENOMEM));
        assert_eq!(rig.ec.abi_kind(d1), Some(AbiKind::Fifo), "a later failure leaves FIFO");
        assert_eq!(rig.ec.control_block(d1, Vcpu(0)), None);
        assert_eq!(rig.ec.control_block(d1, Vcpu(1)), Some(ram(d1) + 4096 + 4024));
    }

    #[test]
    fn expand_array_checks_in_order() {
        let mut rig = Rig::new();
        let d1 = rig.d1;
        assert_eq!(rig.expand(d1, PAGES), Err(Errno::EOPNOTSUPP));
        rig.init_control(d1, 0).unwrap();
        assert_eq!(rig.expand(d1, PAGES), Err(Errno::EINVAL));
        rig.mem.no_room = true;
        assert_eq!(rig.expand(d1, 2), Err(Errno::ENOMEM));
        rig.mem.no_room = false;
        for page in 2..130 {
            assert_eq!(rig.expand(d1, page), Ok(()));
        }
        assert_eq!(rig.expand(d1, PAGES), Err(Errno::ENOSPC), "before the frame is looked at");
        assert_eq!(rig.mem.mapped.last().map(|area| area.2), Some(Object::EventArray(127)));
    }

    #[test]
    fn set_priority_checks_in_order() {
        let mut rig = Rig::new();
        let d1 = rig.d1;
        let set = |rig: &mut Rig, port, priority| rig.ec.set_priority(caller(d1), port, priority);
        assert_eq!(set(&mut rig, Port(64), 16), Err(Errno::EINVAL));
        assert_eq!(set(&mut rig, Port(1), 16), Err(Errno::ENOSYS));
        rig.init_control(d1, 0).unwrap();
        assert_eq!(set(&mut rig, Port(1), 16), Err(Errno::EACCES));
        assert_eq!(set(&mut rig, Port(0), 16), Err(Errno::EACCES));
        let port = rig.ipi(d1, 0).unwrap();
        assert_eq!(set(&mut rig, port, 16), Err(Errno::EINVAL));
        assert_eq!(set(&mut rig, port, 256), Err(Errno::EINVAL), "not cut to a byte");
        assert_eq!(set(&mut rig, port, 15), Ok(()));
        assert_eq!(rig.ec.channels(d1).next().map(|used| used.priority), Some(15));
    }

    #[test]
    fn events_of_two_level_days_appear_with_their_page() {
        let mut rig = Rig::new();
        let (d1, d2) = (rig.d1, rig.d2);
        let (here, there) = rig.channel(d1, d2);
        rig.set_mask(d2, there, true);
        rig.send(d1, here).unwrap();
        rig.init_control(d2, 0).unwrap();
        rig.mem.clear_signs();
        rig.expand(d2, 2).unwrap();
        assert_eq!(rig.word(d2, there), word::PENDING | word::LINKED, "the mask is not carried over");
        assert_eq!(rig.mem.injected, [(d2, 0)]);
        assert!(rig.mem.bit(shared_info(d2) + 48, there.0), "the old bits stay, and mean nothing");
    }

    #[test]
    fn what_a_page_holds_when_it_comes_counts() {
        let mut rig = Rig::new();
        let (d1, d2) = (rig.d1, rig.d2);
        let (here, there) = rig.channel(d1, d2);
        rig.init_control(d2, 0).unwrap();
        let page = ram(d2) + 2 * 4096;
        rig.mem.poke(page + 4 * u64::from(there.0), word::MASKED);
        rig.mem.poke(page + 4 * 2, word::LINKED);
        rig.expand(d2, 2).unwrap();
        rig.send(d1, here).unwrap();
        assert_eq!(rig.word(d2, there), word::MASKED | word::PENDING);
        assert_eq!(rig.ipi(d2, 0), Ok(Port(3)), "port 2 is busy");
    }

    #[test]
    fn ports_from_4096_up_come_with_fifo() {
        let mut rig = Rig::with(false, |cfg| cfg.max_evtchn_port = u32::MAX);
        let d1 = rig.d1;
        for _ in 1..4096 {
            rig.ipi(d1, 0).unwrap();
        }
        assert_eq!(rig.ipi(d1, 0), Err(Errno::ENOSPC));
        rig.init_control(d1, 0).unwrap();
        assert_eq!(rig.ipi(d1, 0), Ok(Port(4096)));
        assert_eq!(rig.send(d1, Port(4096)), Ok(()), "without its page, an event is remembered");
        for page in 2..7 {
            rig.expand(d1, page).unwrap();
        }
        assert_eq!(rig.word(d1, Port(4096)), word::PENDING | word::LINKED);
    }
}
