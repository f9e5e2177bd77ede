//! The two-level ABI: a pending and a mask bit per port in `shared_info`, a selector bit per 64 ports in the
//! `vcpu_info` of whoever is told. Source of facts: Xen's `event_2l.c`.

use core::fmt::Debug;

use crate::abi::{self, BitAt, shared_info, vcpu_info};
use crate::domain::Domain;
use crate::{EventMemory, Host, Port, Vcpu};

/// Ports from 4096 up have no bits. They are valid after a FIFO domain was reset, but never in use.
fn bit(port: Port) -> Option<BitAt> {
    (port.0 < abi::TWO_LEVEL_PORTS).then(|| BitAt::of(port.0))
}

#[inline]
pub(crate) fn set_pending<A: Copy + Debug, H: Host<Area = A>>(
    domain: &mut Domain<A>,
    h: &mut H,
    port: Port,
    vcpu: Vcpu,
) -> Result<(), H::Fault> {
    let Some(bit) = bit(port) else { return Ok(()) };
    let area = domain.shared_info;
    if h.fetch_or(area, shared_info::PENDING + bit.word, bit.mask)? & bit.mask != 0 {
        return Ok(());
    }
    if h.load(area, shared_info::MASK + bit.word)? & bit.mask == 0 {
        select(domain, h, port, vcpu)?;
    }
    // A masked event wakes pollers too.
    domain.check_pollers(h, port);
    Ok(())
}

/// Sets the selector bit; who finds it set already leaves the upcall to whoever set it.
#[inline]
fn select<A: Copy + Debug, H: Host<Area = A>>(
    domain: &mut Domain<A>,
    h: &mut H,
    port: Port,
    vcpu: Vcpu,
) -> Result<(), H::Fault> {
    let Some(state) = domain.vcpu(vcpu) else {
        return Ok(());
    };
    let selector = BitAt::of(port.0 / 64);
    let old = h.fetch_or(state.info.area(), vcpu_info::PENDING_SEL + selector.word, selector.mask)?;
    if old & selector.mask == 0 {
        domain.mark_upcall(h, vcpu)?;
    }
    Ok(())
}

pub(crate) fn clear_pending<H: EventMemory>(shared_info: H::Area, h: &mut H, port: Port) -> Result<(), H::Fault> {
    let Some(bit) = bit(port) else { return Ok(()) };
    h.fetch_and(shared_info, shared_info::PENDING + bit.word, !bit.mask).map(|_| ())
}

/// Does nothing unless the mask bit was set: an unmask never repeats an upcall.
pub(crate) fn unmask<A: Copy + Debug, H: Host<Area = A>>(
    domain: &mut Domain<A>,
    h: &mut H,
    port: Port,
    vcpu: Vcpu,
) -> Result<(), H::Fault> {
    let Some(bit) = bit(port) else { return Ok(()) };
    let area = domain.shared_info;
    let masked = h.fetch_and(area, shared_info::MASK + bit.word, !bit.mask)? & bit.mask != 0;
    if masked && h.load(area, shared_info::PENDING + bit.word)? & bit.mask != 0 {
        select(domain, h, port, vcpu)?;
    }
    Ok(())
}

pub(crate) fn is_pending<H: EventMemory>(shared_info: H::Area, h: &mut H, port: Port) -> Result<bool, H::Fault> {
    let Some(bit) = bit(port) else {
        return Ok(false);
    };
    Ok(h.load(shared_info, shared_info::PENDING + bit.word)? & bit.mask != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Poll;
    use crate::testing::*;

    #[test]
    fn bits_of_the_highest_port_are_the_last_of_their_arrays() {
        let mut rig = Rig::with(false, |cfg| cfg.max_evtchn_port = u32::MAX);
        let d1 = rig.d1;
        for _ in 1..4096 {
            rig.ipi(d1, 0).unwrap();
        }
        rig.send(d1, Port(4095)).unwrap();
        assert_eq!(rig.mem.peek(shared_info(d1) + 556), 1 << 31);
        assert_eq!(rig.selector(d1, 0), 1 << 63);
        rig.consume(d1, Port(4095));
        rig.mem.poke(shared_info(d1) + 1068, 1 << 31);
        rig.send(d1, Port(4095)).unwrap();
        assert_eq!(rig.selector(d1, 0), 0, "masked");
        assert_eq!(rig.poll(d1, 0, &[4095], 0), Ok(Poll::Ready));
        rig.unmask(d1, Port(4095)).unwrap();
        assert_eq!((rig.selector(d1, 0), rig.mem.peek(shared_info(d1) + 1068)), (1 << 63, 0));
        rig.close(d1, Port(4095)).unwrap();
        assert_eq!(rig.mem.peek(shared_info(d1) + 556), 0);
    }

    #[test]
    fn only_bit_0_of_the_upcall_byte_is_looked_at() {
        let mut rig = Rig::new();
        let (d1, d2) = (rig.d1, rig.d2);
        let (here, _) = rig.channel(d1, d2);
        let info = rig.info(d2, 0);
        rig.mem.poke(info, 0xFFFF_FFFE);
        rig.send(d1, here).unwrap();
        assert_eq!(rig.mem.injected, [(d2, 0)]);
        assert_eq!(rig.mem.peek(info), 0xFFFF_FFFF);
    }

    #[test]
    fn a_port_without_bits_is_left_alone() {
        let mut rig = Rig::new();
        let d1 = rig.d1;
        let mut touch = |port| {
            let domain = rig.ec.domain_mut(d1).unwrap();
            set_pending(domain, &mut rig.mem, port, Vcpu(0)).unwrap();
            unmask(domain, &mut rig.mem, port, Vcpu(0)).unwrap();
            clear_pending(domain.shared_info, &mut rig.mem, port).unwrap();
            assert!(!is_pending(domain.shared_info, &mut rig.mem, port).unwrap());
        };
        touch(Port(4096));
        touch(Port(u32::MAX));
        assert!(rig.mem.log.is_empty());
    }
}
