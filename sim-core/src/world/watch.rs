//! Whoever watches a run: what is told, when it happened, and on which PE.
//!
//! A [`World`](super::World) is built for one [`Watch`]. For `()` nothing is put together to be told, and the code is the same as
//! without any of this.

use crate::machine::{Cpu, Faulted};
use crate::outcome::{El2Fault, HazardKind, OnBehalf, PhaseUse, StepFailure, VcpuRef};
use crate::platform::over::Over;
use crate::platform::{Event, Platform, SysReg};
use crate::story::Seen;
use boards::PeId;

/// Looks on at a run. What it does changes nothing in it.
pub trait Watch {
    /// Whether it looks at all: where it does not, nothing is put together to be told.
    const WATCHES: bool = true;

    /// Told at each happening: `at` is the time in cycles of the PE on which it happened. Of one PE times never go back; of
    /// several they do, because each PE has a clock of its own.
    fn tell(&mut self, at: u64, pe: PeId, what: Told);

    /// Shown all that happens at EL2 of a PE from its reset on, down to the single write of a register.
    fn see(&mut self, pe: PeId, seen: Seen<'_>) {
        let _ = (pe, seen);
    }
}

/// Nobody.
impl Watch for () {
    const WATCHES: bool = false;

    fn tell(&mut self, _: u64, _: PeId, _: Told) {}
}

impl<W: Watch> Watch for &mut W {
    const WATCHES: bool = W::WATCHES;

    fn tell(&mut self, at: u64, pe: PeId, what: Told) {
        W::tell(self, at, pe, what);
    }

    fn see(&mut self, pe: PeId, seen: Seen<'_>) {
        W::see(self, pe, seen);
    }
}

/// A happening.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// A phase of the PE's boot, which was over before time began.
    Booted(PhaseUse),
    /// Where a vCPU stands that does not run on the PE: at the start, and when it stops running.
    Stands(VcpuRef, Standing),
    /// EL2 is entered; `at` is the start of the guest's action that trapped, or the time of the interrupt.
    Entered(OnBehalf),
    /// The PE waits for the hypervisor lock until then.
    WaitsForLock(u64),
    /// What the hypervisor tells.
    Hypervisor(Event),
    /// The hypervisor asks this other PE to look at its vCPUs.
    Kicks(PeId),
    /// An event was raised for a port; `at` is when the entry to EL2 has done its work.
    Raised {
        /// Position of the domain whose port it is.
        domain: usize,
        /// The port.
        port: u32,
        /// Where it came from.
        origin: Origin,
        /// What became of it.
        fate: Fate,
    },
    /// EL2 is left: for this vCPU, or to sleep.
    Left(Option<VcpuRef>),
    /// The running vCPU takes an interrupt (`true`), or returns from its handler.
    Handler(VcpuRef, bool),
    /// The program of a vCPU found an event on its port; from where, unless that was booked already.
    Handled(VcpuRef, u32, Option<Origin>),
    /// A step gave something else than expected. The first of them are told.
    Unexpected(StepFailure),
    /// A use of the MPU that hardware may answer either way. The first of them are told.
    Hazard(HazardKind),
    /// The hypervisor took an exception from itself: the end.
    Fault(El2Fault),
}

/// Where an event comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A send whose trap began at this time.
    Sent(u64),
    /// The hypervisor itself: a bind, a VIRQ.
    Hypervisor,
}

/// What becomes of an event when it is raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The port is pending by it.
    Pending,
    /// The port was pending already.
    Coalesced,
    /// It waits for the page of its port's event word.
    Waits,
    /// Nothing keeps it: the vCPU has no FIFO control block.
    Lost,
}

/// Where a vCPU stands that does not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It could run, and others do.
    Ready,
    /// It waits for an interrupt or an event.
    Blocked,
    /// Its domain is paused.
    Paused,
    /// It is off.
    Off,
}

/// A PE as the hypervisor sees it while somebody watches.
#[derive(Debug)]
pub(super) struct Watched<'a, W> {
    pub(super) cpu: Cpu<'a>,
    pub(super) watch: &'a mut W,
    /// Time has begun: before, what happens is shown and not told.
    pub(super) told: bool,
}

impl<W: Watch> Watched<'_, W> {
    fn tell(&mut self, what: Told) {
        if self.told {
            self.watch.tell(self.cpu.now(), self.cpu.pe, what);
        }
    }

    fn see(&mut self, seen: Seen<'_>) {
        if W::WATCHES {
            self.watch.see(self.cpu.pe, seen);
        }
    }
}

impl<'a, W: Watch> Over for Watched<'a, W> {
    type Below = Cpu<'a>;

    fn below(&self) -> &Cpu<'a> {
        &self.cpu
    }

    fn below_mut(&mut self) -> &mut Cpu<'a> {
        &mut self.cpu
    }

    fn write(&mut self, reg: SysReg, value: u64) -> Result<(), Faulted> {
        self.see(Seen::Write(reg, value));
        self.cpu.write(reg, value)
    }

    fn isb(&mut self) -> Result<(), Faulted> {
        self.see(Seen::Isb);
        self.cpu.isb()
    }

    fn dsb(&mut self) -> Result<(), Faulted> {
        self.see(Seen::Dsb);
        self.cpu.dsb()
    }

    fn kick(&mut self, pe: PeId) {
        self.cpu.kick(pe);
        if W::WATCHES {
            self.tell(Told::Kicks(pe));
        }
    }

    fn event(&mut self, event: Event) {
        // The machine keeps no books on regions: so it need not be called where nobody watches either.
        if !matches!(event, Event::Regions { .. }) {
            self.cpu.event(event);
        }
        if W::WATCHES {
            self.see(Seen::Event(event));
            self.tell(Told::Hypervisor(event));
        }
    }
}
