//! A hypervisor on a machine, with vCPUs that are driven from outside: boot, place a vCPU on a PE, trap, resume, deliver,
//! look.
//!
//! A [`World`](crate::world::World) runs guests' programs to their end. A harness runs none: whoever holds it says what each
//! vCPU does next. Replay, transcripts, fuzzing and races drive their systems with it.

use crate::convention::{Arch, Cause, ESR_IL, Frame, TAG, ec};
use crate::guest::Action;
use crate::hyp::Hypervisor;
use crate::hyp::domain::{ENTRY_POINT, VcpuId, VcpuState};
use crate::hyp::entry::Next;
use crate::hyp::guest_mem::Cx;
use crate::hyp::strategy::Strategy;
use crate::layout::Span;
use crate::machine::{Cpu, Faulted, Machine, Refusal};
use crate::outcome::{Area, Breach, HazardKind, HazardReport, ViewId};
use crate::platform::over::Over;
use crate::platform::{Event, Platform, Rmw, SysReg, Width};
use crate::world::oracle::Oracle;
use alloc::vec::Vec;
use boards::PeId;
use evtchn::{Errno, EventChannels, Route, Stop};
use mpu_model::Pmsa;

/// Where the HVC and WFI instructions of every guest stand.
const PC: u64 = ENTRY_POINT;

/// An access of the hypervisor to memory that it may share with guests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessOf {
    /// A load of this width.
    Load(Width),
    /// A store of this width.
    Store(Width),
    /// An atomic operation on a word.
    Atomic(Rmw),
}

/// What others do while the hypervisor works on a PE. `()`: nothing.
pub trait Interference {
    /// Before a DSB or an ISB.
    fn before_barrier(&mut self, cpu: &mut Cpu<'_>) {
        let _ = cpu;
    }

    /// Before an access to memory at `address`.
    fn before_access(&mut self, cpu: &mut Cpu<'_>, address: u64, access: AccessOf) {
        let _ = (cpu, address, access);
    }

    /// Whether a long operation is to stop at a check point.
    fn preemption_due(&mut self, cpu: &mut Cpu<'_>) -> bool {
        cpu.preemption_due()
    }

    /// What the hypervisor tells, before the machine is told.
    fn event(&mut self, event: Event) {
        let _ = event;
    }
}

impl Interference for () {}

/// A PE at EL2, with what others do meanwhile.
#[derive(Debug)]
pub struct Interfered<'a, I> {
    cpu: Cpu<'a>,
    others: &'a mut I,
}

impl<'a, I: Interference> Over for Interfered<'a, I> {
    type Below = Cpu<'a>;

    fn below(&self) -> &Cpu<'a> {
        &self.cpu
    }

    fn below_mut(&mut self) -> &mut Cpu<'a> {
        &mut self.cpu
    }

    fn isb(&mut self) -> Result<(), Faulted> {
        self.others.before_barrier(&mut self.cpu);
        self.cpu.isb()
    }

    fn dsb(&mut self) -> Result<(), Faulted> {
        self.others.before_barrier(&mut self.cpu);
        self.cpu.dsb()
    }

    fn load(&mut self, address: u64, width: Width) -> Result<u64, Faulted> {
        self.others.before_access(&mut self.cpu, address, AccessOf::Load(width));
        self.cpu.load(address, width)
    }

    fn store(&mut self, address: u64, width: Width, value: u64) -> Result<(), Faulted> {
        self.others.before_access(&mut self.cpu, address, AccessOf::Store(width));
        self.cpu.store(address, width, value)
    }

    fn rmw(&mut self, address: u64, op: Rmw) -> Result<u32, Faulted> {
        self.others.before_access(&mut self.cpu, address, AccessOf::Atomic(op));
        self.cpu.rmw(address, op)
    }

    fn preemption_due(&mut self) -> bool {
        self.others.preemption_due(&mut self.cpu)
    }

    fn event(&mut self, event: Event) {
        self.others.event(event);
        self.cpu.event(event);
    }
}

/// A hypervisor on a machine.
#[derive(Debug)]
pub struct Harness<S> {
    /// The machine.
    pub machine: Machine,
    /// The hypervisor.
    pub hyp: Hypervisor<S>,
}

impl<S: Strategy> Harness<S> {
    /// A hypervisor and a machine of the same layout, not booted.
    #[must_use]
    pub const fn new(machine: Machine, hyp: Hypervisor<S>) -> Self {
        Self { machine, hyp }
    }

    /// Boots every PE, the lowest first. Guests stay paused.
    pub fn boot(&mut self) -> Result<(), Faulted> {
        let mut pes = self.machine.pes().ids();
        pes.try_for_each(|pe| self.hyp.boot(&mut Cpu { machine: &mut self.machine, pe }))
    }

    /// The PE at EL2, and the hypervisor.
    pub const fn el2<'a, I>(&'a mut self, others: &'a mut I, pe: PeId) -> (Interfered<'a, I>, &'a mut Hypervisor<S>) {
        (Interfered { cpu: Cpu { machine: &mut self.machine, pe }, others }, &mut self.hyp)
    }

    /// Lets the hypervisor work on a PE with the registers of the vCPU that is on it.
    fn with_frame<I: Interference, T>(
        &mut self,
        others: &mut I,
        pe: PeId,
        work: impl FnOnce(&mut Hypervisor<S>, &mut Interfered<'_, I>, &mut Frame) -> Result<T, Faulted>,
    ) -> Result<T, Faulted> {
        let mut frame = self.machine.frame(pe);
        let (mut p, hyp) = self.el2(others, pe);
        let done = work(hyp, &mut p, &mut frame);
        self.machine.pe_mut(pe).frame = frame;
        done
    }

    /// Puts a vCPU on a PE, with its view, whatever the scheduler thinks.
    pub fn place(&mut self, others: &mut impl Interference, pe: PeId, id: VcpuId) -> Result<(), Faulted> {
        self.with_frame(others, pe, |hyp, p, frame| hyp.run_on(p, id, frame))?;
        self.machine.resume(pe, true);
        Ok(())
    }

    /// The vCPU on a PE traps with its HVC: the hypercall's number and arguments are in its registers.
    pub fn trap(&mut self, pe: PeId, nr: u64, args: [u64; 5]) -> Result<(), Faulted> {
        let pmsa = self.hyp.layout().board().pmsa;
        let frame = &mut self.machine.pe_mut(pe).frame;
        pmsa.set_number(frame, nr);
        for (register, value) in frame.x.iter_mut().zip(args) {
            *register = value;
        }
        self.trap_again(pe)
    }

    /// The same HVC traps again, with the registers as EL2 left them.
    pub fn trap_again(&mut self, pe: PeId) -> Result<(), Faulted> {
        let class = if self.hyp.layout().board().pmsa == Pmsa::V32 { ec::HVC32 } else { ec::HVC64 };
        self.take(pe, PC.wrapping_add(4), (class << 26) | ESR_IL | u64::from(TAG))
    }

    /// The vCPU on a PE traps with its WFI.
    pub fn trap_wfi(&mut self, pe: PeId) -> Result<(), Faulted> {
        self.take(pe, PC, (ec::WFX << 26) | ESR_IL)
    }

    fn take(&mut self, pe: PeId, elr: u64, esr: u64) -> Result<(), Faulted> {
        self.machine.pe_mut(pe).frame.elr = elr;
        Cpu { machine: &mut self.machine, pe }.write(SysReg::EsrEl2, esr)
    }

    /// Enters EL2 for what trapped or for an interrupt, and leaves it.
    pub fn enter(&mut self, others: &mut impl Interference, pe: PeId, cause: Cause) -> Result<Next, Faulted> {
        let next = self.with_frame(others, pe, |hyp, p, frame| hyp.enter(p, cause, frame))?;
        self.machine.resume(pe, next == Next::Guest);
        Ok(next)
    }

    /// The first part of [`Harness::enter`]: all but an event that remains to be raised. Until that is raised, with
    /// [`Hypervisor::go_on`], others may enter and leave.
    pub fn begin(&mut self, others: &mut impl Interference, pe: PeId, cause: Cause) -> Result<Option<Route>, Faulted> {
        self.with_frame(others, pe, |hyp, p, frame| hyp.begin(p, cause, frame))
    }

    /// Leaves EL2, to the vCPU whose turn it is or to sleep.
    pub fn leave(&mut self, others: &mut impl Interference, pe: PeId) -> Result<Next, Faulted> {
        let next = self.with_frame(others, pe, |hyp, p, frame| hyp.leave(p, frame))?;
        self.machine.resume(pe, next == Next::Guest);
        Ok(next)
    }

    /// A hypercall of the vCPU on a PE, which is on it afterwards too. `None`: it was preempted and is to be executed again.
    pub fn hypercall(
        &mut self,
        others: &mut impl Interference,
        pe: PeId,
        nr: u64,
        args: [u64; 5],
    ) -> Result<Option<i64>, Faulted> {
        let caller = self.hyp.current(pe);
        self.trap(pe, nr, args)?;
        self.enter(others, pe, Cause::Sync)?;
        if let Some(id) = caller.filter(|_| self.hyp.current(pe) != caller) {
            // Somebody else was given the PE; the result is in the registers of who called.
            self.place(others, pe, id)?;
        }
        Ok(self.result(pe))
    }

    /// What the last hypercall on a PE gave. `None`: it was preempted and is to be executed again.
    #[must_use]
    pub fn result(&self, pe: PeId) -> Option<i64> {
        let Frame { x: [x0, ..], elr, .. } = self.machine.frame(pe);
        (elr != PC).then_some(x0.cast_signed())
    }

    /// What the hypervisor does on a PE on its own: entered as by an interrupt, and left to the view that was in force.
    pub fn on_its_own<I: Interference, T>(
        &mut self,
        others: &mut I,
        pe: PeId,
        work: impl FnOnce(&mut EventChannels<Area>, Cx<'_, Interfered<'_, I>, S>) -> Result<T, Stop<Faulted>>,
    ) -> Result<Result<T, Errno>, Faulted> {
        let (mut p, hyp) = self.el2(others, pe);
        let back = hyp.view_on(pe).current();
        hyp.enter_unasked(&mut p)?;
        let (channels, memory) = hyp.tables(&mut p);
        let done = match work(channels, memory) {
            Ok(value) => Ok(value),
            Err(Stop::Errno(errno)) => Err(errno),
            Err(Stop::Fault(fault)) => return Err(fault),
        };
        hyp.leave_to(&mut p, back)?;
        self.machine.resume(pe, true);
        Ok(done)
    }

    /// Whether a kick waits for a PE.
    #[must_use]
    pub fn is_kicked(&self, pe: PeId) -> bool {
        self.machine.pe(pe).is_kicked()
    }

    /// A PE takes the exception of the kick that waits for it; [`Harness::enter`] answers it. Says whether one waited.
    pub fn interrupted(&mut self, pe: PeId) -> Result<bool, Faulted> {
        let state = self.machine.pe_mut(pe);
        let Some(at) = state.kicked() else { return Ok(false) };
        state.clock = state.clock.max(at);
        self.machine.step(pe)?;
        Ok(true)
    }

    /// Lets a PE take the kick that waits for it, if one does.
    pub fn deliver(&mut self, others: &mut impl Interference, pe: PeId) -> Result<(), Faulted> {
        if self.interrupted(pe)? {
            self.enter(others, pe, Cause::Irq)?;
        }
        Ok(())
    }

    /// The vCPU whose registers are on a PE.
    #[must_use]
    pub fn on_pe(&self, pe: PeId) -> Option<&VcpuState> {
        self.hyp.current(pe).map(|id| self.hyp.vcpu(id))
    }

    /// Position of the domain whose view is in force on a PE, and its vCPU there.
    #[must_use]
    pub fn runs(&self, pe: PeId) -> Option<(usize, u32)> {
        let ViewId::Guest(domain) = self.hyp.view_on(pe).current() else { return None };
        let vcpu = self.on_pe(pe).filter(|vcpu| vcpu.domain == domain);
        Some((domain, vcpu.map_or(0, |vcpu| vcpu.index)))
    }

    /// Asks the isolation oracle about a PE that has left EL2.
    pub fn breach(&self, oracle: &mut Oracle, pe: PeId) -> Option<Breach> {
        oracle.look(self.hyp.layout(), &self.machine, pe, self.runs(pe), false)
    }

    /// A memory access of the vCPU on a PE, as the views in force judge it.
    pub fn access(&mut self, pe: PeId, action: Action) -> Result<u64, Refusal> {
        self.machine.guest_access(pe, action)
    }

    /// The memory of which the domain at `position` may hand pages over.
    #[must_use]
    pub fn hands_over(&self, position: usize) -> Vec<Span> {
        let layout = self.hyp.layout();
        match layout.pages(position).and_then(|pages| pages.own_pool) {
            Some(pool) => alloc::vec![pool],
            None => layout.domains().get(position).map(|planned| planned.ram.clone()).unwrap_or_default(),
        }
    }

    fn is_own(&self, hazard: &HazardReport) -> bool {
        self.hyp.strategy().needs().default_map && matches!(hazard.kind, HazardKind::Attributes { .. })
    }

    /// The hazards that are the strategy's own: memory reached by the default map has other attributes than by regions.
    pub fn own_hazards(&self) -> impl Iterator<Item = &HazardReport> {
        self.machine.hazards().iter().filter(|hazard| self.is_own(hazard))
    }

    /// The hazards that are not the strategy's own.
    pub fn hazards(&self) -> impl Iterator<Item = &HazardReport> {
        self.machine.hazards().iter().filter(|hazard| !self.is_own(hazard))
    }
}
