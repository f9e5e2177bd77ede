//! Trap entry: why EL2 was entered, who answers, and who runs next.
//!
//! [`decode`] says what the syndrome says, once: its value goes to whoever answers, and to whoever keeps account.
//!
//! [`Hypervisor::enter`] is the whole way. Whoever lets other PEs in where Xen lets go of its locks walks it in parts:
//! [`Hypervisor::begin`], [`Hypervisor::go_on`] if an event remains to be raised, [`Hypervisor::leave`].

mod exception;

pub use exception::{Entry, Exception, Registers, decode};

use super::domain::VcpuId;
use super::emulate::Access;
use super::guest_mem::Cx;
use super::hypercall::{Call, Done, Step};
use super::sched::{Timer, VirqTimer};
use super::strategy::{Reach, Strategy};
use super::{Core, Hypervisor, inject};
use crate::convention::{Arch, Cause, FSC_EXTERNAL, Frame, PSTATE_I, ec, psci};
use crate::outcome::ViewId;
use crate::platform::{Platform, SysReg, intid, list_register};
use boards::PeId;
use evtchn::{Route, Stop, Vcpu};
use mpu_model::Pmsa;

/// What the PE does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// ERET into the frame given.
    Guest,
    /// Wait for an interrupt at EL2.
    Idle,
}

impl<S: Strategy> Hypervisor<S> {
    /// Handles one entry to EL2. On return the frame is that of the guest to go on with, whose view is in force.
    pub fn enter<P: Platform>(&mut self, p: &mut P, cause: Cause, frame: &mut Frame) -> Result<Next, P::Fault> {
        if let Some(route) = self.begin(p, cause, frame)? {
            self.raise(p, route)?;
        }
        self.leave(p, frame)
    }

    /// The same for whoever has had the entry decoded by [`Hypervisor::decode`].
    pub fn enter_decoded<P: Platform>(&mut self, p: &mut P, entry: Entry, frame: &mut Frame) -> Result<Next, P::Fault> {
        self.open(p, frame)?;
        if entry.exception != Exception::Interrupt {
            // What they hold came with the entry. They are read at EL2 all the same, which takes its time.
            let _ = registers(p, Cause::Sync);
        }
        if let Some(route) = self.answer(p, entry.exception, frame)? {
            self.raise(p, route)?;
        }
        self.leave(p, frame)
    }

    /// The first part of an entry: all but an event that remains to be raised. Until then other PEs may enter and leave.
    pub fn begin<P: Platform>(
        &mut self,
        p: &mut P,
        cause: Cause,
        frame: &mut Frame,
    ) -> Result<Option<Route>, P::Fault> {
        self.open(p, frame)?;
        let entry = self.decode(p.pe(), cause, registers(p, cause), frame);
        self.answer(p, entry.exception, frame)
    }

    /// Decodes an entry of a PE for the vCPU that is on it, whose registers `frame` has.
    #[must_use]
    pub fn decode(&self, pe: PeId, cause: Cause, registers: Registers, frame: &Frame) -> Entry {
        let layout = &self.core.layout;
        let device = |access: &Access| access.device(layout, self.core.current_domain(pe)?);
        decode(cause, registers, frame, layout.board().pmsa, device)
    }

    /// Begins work at EL2 for whoever was interrupted.
    fn open<P: Platform>(&mut self, p: &mut P, frame: &Frame) -> Result<(), P::Fault> {
        self.core.note_mask(p.pe(), frame);
        self.core.enter_unasked(p)
    }

    /// Does what EL2 was entered for, but for an event that remains to be raised.
    fn answer<P: Platform>(
        &mut self,
        p: &mut P,
        exception: Exception,
        frame: &mut Frame,
    ) -> Result<Option<Route>, P::Fault> {
        let mut route = None;
        match exception {
            Exception::Hypercall(call) => route = self.hypercall(p, call, frame)?,
            Exception::Interrupt => self.interrupt(p)?,
            Exception::Smccc => self.smccc(p, frame)?,
            Exception::UnknownHvc(_) => {
                // It is nothing Xen answers: the guest gets an undefined instruction at its HVC.
                frame.elr = frame.elr.wrapping_sub(4);
                self.inject(p, frame, ec::UNKNOWN, 0, None)?;
            }
            Exception::Wait => {
                frame.elr = frame.elr.wrapping_add(4);
                if p.read(SysReg::IchLr0) & list_register::PENDING == 0 {
                    self.core.block_current(p);
                }
            }
            Exception::Mmio { access, device, offset } => {
                if !self.emulate(p, frame, access, device, offset)? {
                    self.abort(p, frame, access.write, access.address)?;
                }
            }
            Exception::DataAbort { write, address } => self.abort(p, frame, write, address)?,
            Exception::InstructionAbort { address } => {
                self.inject(p, frame, ec::INSTRUCTION_ABORT_SAME, FSC_EXTERNAL, Some(address))?;
            }
            Exception::Unknown => self.inject(p, frame, ec::UNKNOWN, 0, None)?,
        }
        self.core.pes[p.pe()].half_way = route.is_some();
        Ok(route)
    }

    /// Makes the guest take a data abort for a load or store that stage 2 refused.
    fn abort<P: Platform>(&self, p: &mut P, frame: &mut Frame, write: bool, address: u64) -> Result<(), P::Fault> {
        let iss = if write { Access::WNR | FSC_EXTERNAL } else { FSC_EXTERNAL };
        self.inject(p, frame, ec::DATA_ABORT_SAME, iss, Some(address))
    }

    /// The second part of an entry, after others may have been in: raises the event that [`Hypervisor::begin`] left.
    pub fn go_on<P: Platform>(&mut self, p: &mut P, route: Route) -> Result<(), P::Fault> {
        self.core.relock(p)?;
        self.raise(p, route)
    }

    /// Picks who runs and makes it run: also the end of a PE's boot.
    pub fn leave<P: Platform>(&mut self, p: &mut P, frame: &mut Frame) -> Result<Next, P::Fault> {
        let core = &mut self.core;
        let now = p.now();
        let pe = &mut core.pes[p.pe()];
        pe.half_way = false;
        let runnable = pe.queue.current.is_some_and(|id| core.domains.vcpu(id).can_run());
        let (next, fresh) = pe.queue.pick(&core.scheduler, now, runnable, core::mem::take(&mut pe.gives_way));
        if let Some(next) = next {
            core.switch(p, frame, next)?;
        }
        let pe = &mut core.pes[p.pe()];
        if fresh {
            pe.queue.begin_quantum(&core.scheduler, p.now());
        }
        let deadline = pe.queue.deadline();
        if deadline != core::mem::replace(&mut pe.deadline, deadline) {
            program_timer(p, deadline)?;
        }
        let Some(vcpu) = next.map(|id| core.domains.vcpu_mut(id)) else {
            core.leave_to(p, ViewId::Idle)?;
            return Ok(Next::Idle);
        };
        if core::mem::take(&mut vcpu.event_pending) {
            let held = p.read(SysReg::IchLr0);
            let event = intid::EVENT | list_register::GROUP1 | list_register::PENDING;
            p.write(SysReg::IchLr0, (held & list_register::ACTIVE) | event)?;
        }
        let view = ViewId::Guest(vcpu.domain);
        core.leave_to(p, view)?;
        Ok(Next::Guest)
    }

    /// Puts a vCPU on the PE that `p` is, whatever the scheduler thinks: for those who drive vCPUs step by step.
    pub fn run_on<P: Platform>(&mut self, p: &mut P, id: VcpuId, frame: &mut Frame) -> Result<(), P::Fault> {
        self.core.switch(p, frame, id)?;
        let view = ViewId::Guest(self.core.domains.vcpu(id).domain);
        self.core.leave_to(p, view)
    }

    fn hypercall<P: Platform>(&mut self, p: &mut P, call: Call, frame: &mut Frame) -> Result<Option<Route>, P::Fault> {
        let Some(caller) = self.core.caller(p.pe()) else {
            return Ok(None);
        };
        match self.start(p, caller, call) {
            Ok(Step::Raise(route)) => {
                frame.x[0] = 0;
                return Ok(Some(route));
            }
            Ok(Step::Done(Done::Rc(rc))) => frame.x[0] = rc.cast_unsigned(),
            Ok(Step::Done(Done::Continue(call))) => {
                self.core.layout.board().pmsa.set_number(frame, call.nr);
                for (register, value) in frame.x.iter_mut().zip(call.args) {
                    *register = value;
                }
                frame.elr = frame.elr.wrapping_sub(4);
            }
            Err(Stop::Errno(errno)) => frame.x[0] = errno.rc().cast_unsigned(),
            Err(Stop::Fault(fault)) => return Err(fault),
        }
        Ok(None)
    }

    fn smccc<P: Platform>(&mut self, p: &mut P, frame: &mut Frame) -> Result<(), P::Fault> {
        /// SMCCC: the function is not known.
        const NOT_SUPPORTED: u64 = u64::MAX;
        let Some(id) = self.core.pes[p.pe()].queue.current else {
            return Ok(());
        };
        let domain = self.core.domains.vcpu(id).domain;
        match frame.x[0] & 0xffff_ffff {
            psci::CPU_OFF => self.core.offline(id),
            psci::SYSTEM_OFF => self.shutdown(p, domain)?,
            _ => frame.x[0] = NOT_SUPPORTED,
        }
        Ok(())
    }

    /// Makes the guest take a synchronous exception at EL1, as the architecture would have on its own instruction.
    fn inject<P: Platform>(
        &self,
        p: &mut P,
        frame: &mut Frame,
        class: u64,
        iss: u64,
        far: Option<u64>,
    ) -> Result<(), P::Fault> {
        match self.core.layout.board().pmsa {
            Pmsa::V64 => inject::aarch64(p, frame, class, iss, far),
            Pmsa::V32 => inject::aarch32(p, frame, class, iss, far),
        }
    }

    fn interrupt<P: Platform>(&mut self, p: &mut P) -> Result<(), P::Fault> {
        loop {
            let intid = p.read(SysReg::IccIar1);
            match intid {
                intid::SPURIOUS => return Ok(()),
                intid::HYP_TIMER => self.timer(p)?,
                // A kick has no message: what changed for this PE's vCPUs is looked up on the way out.
                _ => {}
            }
            p.write(SysReg::IccEoir1, intid)?;
        }
    }

    fn timer<P: Platform>(&mut self, p: &mut P) -> Result<(), P::Fault> {
        let now = p.now();
        let pe = &mut self.core.pes[p.pe()];
        // The comparator fired; whatever comes next is programmed on the way out.
        pe.deadline = None;
        let due = pe.queue.take_due(now);
        p.write(SysReg::CnthpCtl, 0)?;
        for (at, timer) in due {
            match timer {
                Timer::Virq(VirqTimer { domain, vcpu, virq, .. }) => {
                    let Some(dom) = self.core.index(domain) else { continue };
                    let mut host = Cx { core: &mut self.core, p };
                    self.channels.raise_virq_vcpu(&mut host, dom, vcpu, virq)?;
                }
                Timer::Poll(id) => self.poll_timed_out(p, id, at),
            }
        }
        Ok(())
    }

    /// The timer of a poll fired: it counts only if the vCPU still is in the poll that armed it.
    fn poll_timed_out<P: Platform>(&mut self, p: &mut P, id: VcpuId, at: u64) {
        let state = self.core.domains.vcpu(id);
        if state.poll_until != Some(at) {
            return;
        }
        let (domain, vcpu) = (state.domain, Vcpu(state.index));
        if let Some(dom) = self.core.index(domain) {
            self.channels.poll_timeout(&mut Cx { core: &mut self.core, p }, dom, vcpu);
        }
    }
}

impl<S: Strategy> Core<S> {
    /// Notes whether the guest had interrupts open when it trapped.
    fn note_mask(&mut self, pe: PeId, frame: &Frame) {
        self.pes[pe].interrupts_open = frame.spsr & PSTATE_I == 0;
    }

    /// Begins work at EL2 as every entry does; also for work that no guest asked for.
    pub(super) fn enter_unasked<P: Platform>(&mut self, p: &mut P) -> Result<(), P::Fault> {
        self.at_once = 0;
        self.with_strategy(p, S::on_entry)
    }

    /// Goes on with work at EL2 after other PEs may have worked there. Where domains came or went meanwhile, the PE begins
    /// anew by the new plan.
    fn relock<P: Platform>(&mut self, p: &mut P) -> Result<(), P::Fault> {
        if self.follows_plan(p.pe()) { self.with_strategy(p, S::on_relock) } else { self.enter_unasked(p) }
    }

    /// Ends work at EL2: `view` is in force when it is left.
    pub(super) fn leave_to<P: Platform>(&mut self, p: &mut P, view: ViewId) -> Result<(), P::Fault> {
        self.with_strategy(p, |strategy, cx| strategy.on_exit(cx, view))
    }

    /// Makes `next` the vCPU whose registers are on the PE.
    fn switch<P: Platform>(&mut self, p: &mut P, frame: &mut Frame, next: VcpuId) -> Result<(), P::Fault> {
        let pe = &mut self.pes[p.pe()];
        pe.queue.take(next);
        let before = pe.queue.current.replace(next);
        if before == Some(next) {
            return Ok(());
        }
        if let Some(before) = before {
            self.domains.vcpu_mut(before).save(p, &mut pe.el1_slots, frame)?;
        }
        self.domains.vcpu_mut(next).restore(p, &mut pe.el1_slots, frame)
    }

    /// Lets the strategy work on the PE that `p` is.
    pub(super) fn with_strategy<P: Platform>(
        &mut self,
        p: &mut P,
        work: impl FnOnce(&mut S, &mut Reach<'_, P>) -> Result<(), P::Fault>,
    ) -> Result<(), P::Fault> {
        let pe = &mut self.pes[p.pe()];
        pe.view.follow(&self.plan, self.plans, p)?;
        work(&mut self.strategy, &mut Reach { plan: &self.plan, view: &mut pe.view, p })
    }
}

/// Reads the registers that tell why EL2 was entered.
fn registers<P: Platform>(p: &mut P, cause: Cause) -> Registers {
    if cause == Cause::Irq {
        return Registers::default();
    }
    let esr = p.read(SysReg::EsrEl2);
    Registers { esr, far: if exception::is_abort(esr) { p.read(SysReg::FarEl2) } else { 0 } }
}

fn program_timer<P: Platform>(p: &mut P, deadline: Option<u64>) -> Result<(), P::Fault> {
    match deadline {
        Some(at) => {
            p.write(SysReg::CnthpCval, at)?;
            p.write(SysReg::CnthpCtl, 1)
        }
        None => p.write(SysReg::CnthpCtl, 0),
    }
}
