//! One domain as the event channels see it, and how it gets a free port.

use alloc::vec::Vec;
use core::fmt::Debug;

use crate::abi::{self, virq};
use crate::fifo_state::Fifo;
use crate::port::{Channel, State};
use crate::ports::{Opened, PortTable};
use crate::{DomId, DomIdx, Errno, Host, Port, Stop, Vcpu, VcpuInfoPlace};

/// How far a domain's life has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Life {
    /// As created.
    Alive,
    /// Its end has begun: no new ports. Still found by its number.
    Dying,
    /// All that could be closed is closed; only its number is left.
    Dead,
}

/// What a blocked vcpu waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Polling {
    /// It does not poll.
    No,
    /// Any port of its domain.
    Any,
    /// This one.
    Port(Port),
}

#[derive(Debug)]
pub(crate) struct Domain<A> {
    pub(crate) idx: DomIdx,
    pub(crate) id: DomId,
    /// Tells this domain from earlier ones of the same index.
    pub(crate) generation: u32,
    pub(crate) life: Life,
    pub(crate) privileged: bool,
    /// The domain this one serves as device model.
    pub(crate) target: Option<DomId>,
    pub(crate) ports: PortTable,
    pub(crate) shared_info: A,
    pub(crate) vcpus: Vec<VcpuState<A>>,
    /// Present while the domain uses the FIFO ABI.
    pub(crate) fifo: Option<Fifo<A>>,
    /// How many vcpus poll: none, nearly always, and then a send asks no further.
    pub(crate) pollers: u32,
    /// Where a reset in progress goes on; 0 if there is none.
    pub(crate) next_reset: u32,
    /// How often the control domain has paused it.
    pub(crate) pause_count: u32,
}

#[derive(Debug, Clone)]
pub(crate) struct VcpuState<A> {
    pub(crate) info: VcpuInfoPlace<A>,
    /// Port of each VIRQ, 0 for none. The slots of domain-wide and global ones are those of vcpu 0.
    pub(crate) virqs: [Port; virq::COUNT as usize],
    pub(crate) polling: Polling,
}

impl<A: Copy + Debug> Domain<A> {
    #[inline]
    pub(crate) fn vcpu(&self, vcpu: Vcpu) -> Option<&VcpuState<A>> {
        self.vcpus.get(vcpu.0 as usize)
    }

    pub(crate) fn vcpu_mut(&mut self, vcpu: Vcpu) -> Option<&mut VcpuState<A>> {
        self.vcpus.get_mut(vcpu.0 as usize)
    }

    /// -ENOENT, as every operation says it.
    pub(crate) fn require_vcpu(&self, vcpu: Vcpu) -> Result<(), Errno> {
        self.vcpu(vcpu).map(|_| ()).ok_or(Errno::ENOENT)
    }

    /// The channel of a port, or the -EINVAL of a port whose bucket does not exist.
    #[inline]
    pub(crate) fn valid(&self, port: Port) -> Result<&Channel, Errno> {
        self.ports.get(port).ok_or(Errno::EINVAL)
    }

    pub(crate) fn valid_mut(&mut self, port: Port) -> Result<&mut Channel, Errno> {
        self.ports.get_mut(port).ok_or(Errno::EINVAL)
    }

    /// Ports the present ABI has room for.
    pub(crate) fn max_ports(&self) -> u32 {
        if self.fifo.is_some() { abi::FIFO_PORTS } else { abi::TWO_LEVEL_PORTS }
    }

    fn may_allocate(&self, port: Port) -> Result<(), Errno> {
        if port.0 > self.ports.max_port() || port.0 >= self.max_ports() {
            return Err(Errno::ENOSPC);
        }
        Ok(())
    }

    /// The lowest usable port, its bucket made if need be. It is not taken yet: that is [`Domain::open`], once
    /// nothing can fail any more.
    pub(crate) fn free_port<H: Host<Area = A>>(&mut self, h: &mut H) -> Result<Port, Stop<H::Fault>> {
        if self.life != Life::Alive {
            return Err(Errno::EINVAL.into());
        }
        let mut from = 1;
        while let Some(port) = self.ports.next_free(from) {
            self.may_allocate(port)?;
            if !self.is_busy(h, port).map_err(Stop::Fault)? {
                return Ok(port);
            }
            from = port.0.saturating_add(1);
        }
        // A port of a new bucket is taken whatever its event word says.
        let port = Port(self.ports.valid());
        self.may_allocate(port)?;
        self.ports.grow_to(port)?;
        Ok(port)
    }

    /// A given port, for channels the boot code chose numbers for. Xen does not ask here whether the domain is dying.
    pub(crate) fn chosen_port<H: Host<Area = A>>(&mut self, h: &mut H, port: Port) -> Result<Port, Stop<H::Fault>> {
        self.may_allocate(port)?;
        match self.ports.get(port) {
            Some(channel) if channel.state != State::Free => return Err(Errno::EBUSY.into()),
            Some(_) if self.is_busy(h, port).map_err(Stop::Fault)? => {
                return Err(Errno::EBUSY.into());
            }
            Some(_) => {}
            None => self.ports.grow_to(port)?,
        }
        Ok(port)
    }

    /// Takes a port for a guest's channel.
    pub(crate) fn open(&mut self, port: Port, state: State, vcpu: Vcpu) {
        self.ports.open(port, Opened { state, vcpu, xen: None });
        self.init_port(port);
    }

    /// Port of a VIRQ as bound on `vcpu`.
    pub(crate) fn virq_port(&self, vcpu: Vcpu, virq: u32) -> Option<Port> {
        let port = *self.vcpu(vcpu)?.virqs.get(virq as usize)?;
        (port.0 != 0).then_some(port)
    }

    /// Remembers the port of a VIRQ; port 0 forgets it.
    pub(crate) fn set_virq_port(&mut self, vcpu: Vcpu, virq: u32, port: Port) {
        if let Some(slot) = self.vcpu_mut(vcpu).and_then(|v| v.virqs.get_mut(virq as usize)) {
            *slot = port;
        }
    }
}
