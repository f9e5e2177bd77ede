//! Names of domains, vcpus and ports, and the states of one channel.

use core::fmt;

use crate::abi;

/// A domain's number as guests know it.
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DomId(pub u16);

impl DomId {
    /// "The calling domain", wherever an operation names one.
    pub const SELF: Self = Self(abi::DOMID_SELF);

    /// Can a domain have this number?
    #[must_use]
    pub const fn is_ordinary(self) -> bool {
        self.0 < abi::DOMID_FIRST_RESERVED
    }
}

/// Dense index of a live domain in the table. Reused after the domain is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DomIdx(pub(crate) u16);

impl DomIdx {
    /// The index, for tables kept beside this one.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0 as usize
    }
}

/// A vcpu of some domain.
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Vcpu(pub u32);

/// A port of some domain.
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Port(pub u32);

impl fmt::Display for DomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Vcpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which handler of the hypervisor a Xen-owned port runs. Xen has room for seven in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct XenHandler(u8);

impl XenHandler {
    /// The one that only wakes a vcpu blocked inside Xen.
    pub const DEFAULT: Self = Self(0);

    /// Handler `n`, 0 to 6.
    #[must_use]
    pub const fn new(n: u8) -> Option<Self> {
        if n < 7 { Some(Self(n)) } else { None }
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// What a channel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Free,
    /// Port 0.
    Reserved,
    Unbound {
        remote: DomId,
    },
    /// The peer by index, so that a send needs no search. While this state lasts, the peer names us likewise.
    Interdomain {
        dom: DomIdx,
        port: Port,
    },
    Virq(u8),
    Ipi,
}

/// One channel object. The FIFO fields outlive both the channel and the FIFO mode: Xen never resets `latched` and
/// the last queue, and a guest can tell.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Channel {
    pub(crate) state: State,
    /// The vcpu that is told.
    pub(crate) vcpu: Vcpu,
    /// Queue the event word was last linked on.
    pub(crate) last_vcpu: Vcpu,
    pub(crate) last_priority: u8,
    pub(crate) priority: u8,
    /// An event came while the word's page was missing.
    pub(crate) latched: bool,
    pub(crate) xen: Option<XenHandler>,
    /// How often the port was closed: an event under way to what it was before is not for what it is now.
    pub(crate) closings: u32,
}

// A bucket of 64 of them is what a domain pays for its first port.
const _: () = assert!(size_of::<Channel>() <= 32);

impl Channel {
    pub(crate) const FREE: Self = Self {
        state: State::Free,
        vcpu: Vcpu(0),
        last_vcpu: Vcpu(0),
        last_priority: 0,
        priority: 0,
        latched: false,
        xen: None,
        closings: 0,
    };

    /// May events be set, cleared, unmasked on it?
    #[inline]
    pub(crate) fn usable(&self) -> bool {
        self.is_open() && self.xen.is_none()
    }

    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        !matches!(self.state, State::Free | State::Reserved)
    }
}

/// What `EVTCHNOP_status` tells about a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortStatus {
    /// What it is bound to.
    pub binding: Binding,
    /// The vcpu that is told, 0 for a closed port.
    pub vcpu: Vcpu,
}

/// What a port is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// Nothing, or port 0.
    Closed,
    /// It waits for this domain to bind.
    Unbound {
        /// Who may bind.
        dom: DomId,
    },
    /// Another port.
    Interdomain {
        /// Its domain.
        dom: DomId,
        /// Its number there.
        port: Port,
    },
    /// A virtual interrupt.
    Virq(u32),
    /// An inter-processor interrupt.
    Ipi,
}

impl Binding {
    /// The number status reports.
    #[must_use]
    pub const fn code(self) -> u32 {
        match self {
            Self::Closed => abi::stat::CLOSED,
            Self::Unbound { .. } => abi::stat::UNBOUND,
            Self::Interdomain { .. } => abi::stat::INTERDOMAIN,
            Self::Virq(_) => abi::stat::VIRQ,
            Self::Ipi => abi::stat::IPI,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seven_handlers_and_no_more() {
        assert_eq!(XenHandler::new(6).map(XenHandler::get), Some(6));
        assert_eq!(XenHandler::new(7), None);
    }

    #[test]
    fn usable_means_open_and_not_owned_by_xen() {
        let mut channel = Channel::FREE;
        assert!(!channel.usable());
        channel.state = State::Reserved;
        assert!(!channel.usable());
        channel.state = State::Unbound { remote: DomId(1) };
        assert!(channel.usable());
        channel.xen = Some(XenHandler::DEFAULT);
        assert!(!channel.usable() && channel.is_open());
    }

    #[test]
    fn numbers_print_as_numbers() {
        assert_eq!(alloc::format!("{} {} {:>3}", DomId(7), Vcpu(1), Port(42)), "7 1  42");
    }

    #[test]
    fn reserved_ids_start_at_self() {
        assert!(DomId(0x7FEF).is_ordinary());
        assert!(!DomId::SELF.is_ordinary());
    }
}
