//! Looking at the state without touching it: dumps, reports, tests.

use core::fmt::Debug;

use crate::{DomIdx, EventChannels, Life, Polling, Port, PortStatus, Vcpu};

/// Which ABI a domain uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AbiKind {
    /// Bits in `shared_info`.
    TwoLevel,
    /// Event words and queues.
    Fifo,
}

impl AbiKind {
    /// As dumps print it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TwoLevel => "2l",
            Self::Fifo => "fifo",
        }
    }
}

/// Counters of a domain's ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortCounts {
    /// Ports below this are valid: their bucket exists.
    pub valid: u32,
    /// In use, Xen's included.
    pub active: u32,
    /// In use by Xen.
    pub xen: u32,
}

/// A used port, as dumps list it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsedPort {
    /// Its number.
    pub port: Port,
    /// As the status operation tells it.
    pub status: PortStatus,
    /// Does Xen own it?
    pub xen_owned: bool,
    /// Its FIFO priority.
    pub priority: u8,
}

impl<A: Copy + Debug> EventChannels<A> {
    /// How many pauses of a domain have not been taken back.
    #[must_use]
    pub fn pause_count(&self, dom: DomIdx) -> u32 {
        self.get(dom).map_or(0, |domain| domain.pause_count)
    }

    /// The port at which a reset that was preempted goes on; `None`: there is no such domain, or none is under way.
    #[must_use]
    pub fn reset_from(&self, dom: DomIdx) -> Option<u32> {
        self.get(dom).map(|domain| domain.next_reset).filter(|port| *port != 0)
    }

    /// Counters of a domain's ports.
    #[must_use]
    pub fn port_counts(&self, dom: DomIdx) -> Option<PortCounts> {
        let ports = &self.get(dom)?.ports;
        Some(PortCounts { valid: ports.valid(), active: ports.active(), xen: ports.xen() })
    }

    /// A domain's used ports, rising.
    pub fn channels(&self, dom: DomIdx) -> impl Iterator<Item = UsedPort> {
        let ports = self.get(dom).into_iter().flat_map(|domain| domain.ports.iter());
        ports.filter(|(_, channel)| channel.is_open()).map(|(port, channel)| UsedPort {
            port,
            status: self.describe(channel),
            xen_owned: channel.xen.is_some(),
            priority: channel.priority,
        })
    }

    /// The ABI a domain uses.
    #[must_use]
    pub fn abi_kind(&self, dom: DomIdx) -> Option<AbiKind> {
        let fifo = self.get(dom)?.fifo.is_some();
        Some(if fifo { AbiKind::Fifo } else { AbiKind::TwoLevel })
    }

    /// How far a domain's life has come.
    #[must_use]
    pub fn life(&self, dom: DomIdx) -> Option<Life> {
        self.get(dom).map(|domain| domain.life)
    }

    /// Its number of vcpus.
    #[must_use]
    pub fn vcpus(&self, dom: DomIdx) -> Option<u32> {
        self.get(dom).map(|domain| domain.vcpus.len() as u32)
    }

    /// What a vcpu polls for.
    #[must_use]
    pub fn polling(&self, dom: DomIdx, vcpu: Vcpu) -> Option<Polling> {
        self.get(dom)?.vcpu(vcpu).map(|state| state.polling)
    }

    /// Pages of event words handed over, in order; none in two-level mode.
    #[must_use]
    pub fn event_pages(&self, dom: DomIdx) -> &[A] {
        self.get(dom).and_then(|domain| domain.fifo.as_ref()).map_or(&[], |fifo| &fifo.pages)
    }

    /// A vcpu's FIFO control block.
    #[must_use]
    pub fn control_block(&self, dom: DomIdx, vcpu: Vcpu) -> Option<A> {
        self.get(dom)?.fifo.as_ref()?.vcpus.get(vcpu.0 as usize)?.block
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn what_dumps_print_is_what_is_there() {
        let mut rig = Rig::with(false, |cfg| cfg.vcpus = u32::from(cfg.id.0) + 1);
        let all = [rig.d0, rig.d1, rig.d2];
        assert_eq!(all.map(|dom| rig.ec.vcpus(dom)), [Some(1), Some(2), Some(3)]);
        let [d0, d1, d2] = all;
        for _ in 0..2 {
            rig.ec.pause(d1).unwrap();
        }
        assert_eq!(all.map(|dom| rig.ec.pause_count(dom)), [0, 2, 0]);
        assert_eq!(rig.init_control(d1, 0), Ok(17));
        let names = [d0, d1].map(|dom| rig.ec.abi_kind(dom).map(AbiKind::name));
        assert_eq!(names, [Some("2l"), Some("fifo")]);
        rc(rig.ec.kill(&mut rig.mem, d2)).unwrap();
        assert_eq!([d1, d2].map(|dom| rig.ec.life(dom)), [Some(Life::Alive), Some(Life::Dead)]);
        rc(rig.ec.destroy(&mut rig.mem, d2)).unwrap();
        assert_eq!((rig.ec.vcpus(d2), rig.ec.life(d2), rig.ec.pause_count(d2)), (None, None, 0));
    }
}
