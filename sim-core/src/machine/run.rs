//! Guests on PEs: one action at a time, exceptions to EL1 and EL2, and the return from EL2.

use super::bus::external_abort;
use super::pe::{Pe, Running};
use super::{Faulted, Machine, attributes};
use crate::convention::{Arch, Cause, ESR_IL, PSTATE_I, ec};
use crate::guest::{Action, Guest, Input};
use crate::outcome::HazardKind;
use crate::platform::{Vmid, Width, hcr};
use alloc::boxed::Box;
use boards::PeId;
use core::fmt;
use mpu_model::{Access, AccessKind, El, GuestDenial, Hcr, Stage, Syndrome, check_guest};

/// A vCPU's program and how far it is.
pub struct GuestSlot {
    vmid: Vmid,
    vcpu: u64,
    program: Box<dyn Guest>,
    /// What the program is to be resumed with.
    next: Input,
    /// What it is to be resumed with after the interrupt handler it is in.
    held: Option<Input>,
    /// The action that trapped to EL2, and its address.
    trapped: Option<(u64, Action)>,
    /// The trapped action is to be executed again.
    again: Option<Action>,
}

impl GuestSlot {
    pub(super) fn new(vmid: Vmid, vcpu: u64, program: Box<dyn Guest>) -> Self {
        Self { vmid, vcpu, program, next: Input::Value(0), held: None, trapped: None, again: None }
    }

    /// VMID and vCPU.
    #[must_use]
    pub fn key(&self) -> (Vmid, u64) {
        (self.vmid, self.vcpu)
    }

    /// Whether it is in its interrupt handler.
    #[must_use]
    pub const fn in_handler(&self) -> bool {
        self.held.is_some()
    }

    /// The program.
    #[must_use]
    pub fn program(&self) -> &dyn Guest {
        &*self.program
    }
}

impl fmt::Debug for GuestSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuestSlot")
            .field("vmid", &self.vmid)
            .field("vcpu", &self.vcpu)
            .field("step", &self.program.step())
            .finish_non_exhaustive()
    }
}

/// Why a guest's access was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A stage denied it.
    Denied(GuestDenial),
    /// Nothing answers at the address.
    External(Syndrome),
}

/// Why a PE stopped acting on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// One action is done; the guest goes on.
    Acted,
    /// EL2 was entered.
    Trap(Cause),
}

impl Machine {
    /// Lets a PE take an interrupt or its guest act once. An idle PE's clock moves on to the interrupt that ends its sleep.
    pub fn step(&mut self, pe: PeId) -> Result<Stop, Faulted> {
        let state = &mut self.pes[pe];
        if state.running == Running::Idle {
            let wakes = state.next_interrupt().unwrap_or(state.clock);
            state.clock = state.clock.max(wakes);
        }
        if state.physical_interrupt().is_some() {
            return self.trap(pe, Cause::Irq, 0, 0);
        }
        let Running::Guest(guest) = state.running else {
            return Ok(Stop::Acted);
        };
        let pc = state.frame.elr;
        let takes = state.virtual_interrupt() && state.frame.spsr & PSTATE_I == 0;
        let Some(slot) = self.guests.get_mut(guest) else {
            return Ok(Stop::Acted);
        };
        if takes && slot.again.is_none() {
            slot.held = Some(slot.next);
            slot.next = Input::Interrupt;
            state.spsr_el1 = state.frame.spsr;
            state.elr_el1 = pc;
            state.frame.spsr = state.pmsa().in_irq();
            state.charge(|counts| &mut counts.guest_actions, self.costs.guest_action);
        }
        let again = slot.again.take();
        let action = again.unwrap_or_else(|| {
            loop {
                match slot.program.resume(slot.next) {
                    Action::Mark(mark) => {
                        self.marks.push((guest, mark));
                        slot.next = Input::Value(0);
                    }
                    action => break action,
                }
            }
        });
        self.act(pe, guest, action, again.is_some())
    }

    fn act(&mut self, pe: PeId, guest: usize, action: Action, again: bool) -> Result<Stop, Faulted> {
        let cost = self.costs.guest_action;
        let state = &mut self.pes[pe];
        let pc = state.frame.elr;
        state.charge(|counts| &mut counts.guest_actions, if matches!(action, Action::Compute(_)) { 0 } else { cost });
        let value = match action {
            Action::Hvc { imm, nr, args } => {
                // Executed again after a preemption, it takes the registers as EL2 left them.
                if !again {
                    let pmsa = state.pmsa();
                    if imm != 0 {
                        pmsa.set_number(&mut state.frame, pmsa.register(nr));
                    }
                    for (register, value) in state.frame.x.iter_mut().zip(args) {
                        *register = pmsa.register(value);
                    }
                }
                self.set_trapped(guest, pc, action);
                return self.trap_from(pe, (ec::HVC64 << 26) | ESR_IL | u64::from(imm), 0, pc.wrapping_add(4));
            }
            Action::WaitForInterrupt => {
                if state.hcr & hcr::TWI != 0 && !state.virtual_interrupt() {
                    self.set_trapped(guest, pc, action);
                    return self.trap_from(pe, (ec::WFX << 26) | ESR_IL, 0, pc);
                }
                0
            }
            Action::Load { .. } | Action::Store { .. } | Action::Atomic { .. } | Action::Fetch { .. } => {
                return self.access(pe, guest, pc, action);
            }
            Action::Compute(cycles) => {
                state.clock = state.clock.saturating_add(cycles);
                0
            }
            Action::Interrupts(open) => {
                state.frame.spsr = if open { state.frame.spsr & !PSTATE_I } else { state.frame.spsr | PSTATE_I };
                0
            }
            Action::Acknowledge => state.acknowledge_virtual(),
            Action::EndOfInterrupt(intid) => {
                state.end_virtual(intid);
                0
            }
            Action::ReturnFromInterrupt => {
                state.frame.spsr = state.spsr_el1;
                state.frame.elr = state.elr_el1;
                if let Some(slot) = self.guests.get_mut(guest) {
                    slot.next = slot.held.take().unwrap_or(Input::Value(0));
                }
                return Ok(Stop::Acted);
            }
            // Taken out before; it takes no time.
            Action::Mark(_) => 0,
        };
        self.done(pe, guest, pc, Input::Value(value));
        Ok(Stop::Acted)
    }

    fn set_trapped(&mut self, guest: usize, pc: u64, action: Action) {
        if let Some(slot) = self.guests.get_mut(guest) {
            slot.trapped = Some((pc, action));
        }
    }

    fn done(&mut self, pe: PeId, guest: usize, pc: u64, input: Input) {
        self.pes[pe].frame.elr = pc.wrapping_add(4);
        if let Some(slot) = self.guests.get_mut(guest) {
            slot.next = input;
        }
    }

    /// A memory access of a guest, judged by both stages.
    fn access(&mut self, pe: PeId, guest: usize, pc: u64, action: Action) -> Result<Stop, Faulted> {
        match self.guest_access(pe, action) {
            Ok(value) => self.done(pe, guest, pc, Input::Value(value)),
            Err(Refusal::External(syndrome)) => self.abort_to_el1(pe, guest, pc, syndrome),
            Err(Refusal::Denied(GuestDenial { stage: Stage::One, denial, .. })) => {
                self.abort_to_el1(pe, guest, pc, Syndrome::el1(&denial, self.rules));
            }
            Err(Refusal::Denied(GuestDenial { stage: Stage::Two, denial, .. })) => {
                let syndrome = self.told(pe, action, Syndrome::stage2(&denial, self.rules));
                self.set_trapped(guest, pc, action);
                return self.trap_from(pe, syndrome.esr(), syndrome.far, pc);
            }
        }
        Ok(Stop::Acted)
    }

    /// The syndrome of a stage 2 abort with what it tells of the instruction: a load or a store is of x0. An access of
    /// which a later byte was refused is not told.
    fn told(&mut self, pe: PeId, action: Action, syndrome: Syndrome) -> Syndrome {
        let (Action::Load { address, width } | Action::Store { address, width, .. }) = action else {
            return syndrome;
        };
        if syndrome.far != address {
            return syndrome;
        }
        if let Action::Store { value, .. } = action {
            self.pes[pe].frame.x[0] = value;
        }
        syndrome.of_plain_access(width.bytes())
    }

    /// Makes one memory access of a guest on the PE, as the views in force judge it, and nothing else: no exception is
    /// taken. Actions that are no accesses give 0.
    pub fn guest_access(&mut self, pe: PeId, action: Action) -> Result<u64, Refusal> {
        let (addr, width, kind) = match action {
            Action::Store { address, width, .. } => (address, width, AccessKind::Write),
            Action::Atomic { address, width, .. } => (address, width, AccessKind::Rmw),
            Action::Fetch { address } => (address, Width::Word, AccessKind::Fetch),
            Action::Load { address, width } => (address, width, AccessKind::Read),
            _ => return Ok(0),
        };
        let size = width.bytes();
        let state = &self.pes[pe];
        let access = Access { addr, size, kind, el: El::El1 };
        let verdict = check_guest(Some(&state.el1), &state.el2, Hcr::new_with_raw_value(state.hcr), access);
        let hit = match verdict.result {
            Ok(hit) => hit,
            Err(refused) => {
                if let Some(hazard) = verdict.hazard {
                    self.note_hazard(pe, HazardKind::Unsynchronised(hazard, refused.denial));
                }
                return Err(Refusal::Denied(refused));
            }
        };
        let stage1 = attributes::of_hit(&state.el1, hit.stage1);
        let stage2 = hit.stage2.and_then(|hit| attributes::of_hit(&state.el2, hit));
        self.note_attributes(pe, addr, kind, attributes::of_stages(stage1, stage2));
        if !self.answers(addr, size) {
            return Err(Refusal::External(external_abort(addr, kind)));
        }
        Ok(match action {
            Action::Load { .. } => self.load_physical(addr, width),
            Action::Store { value, .. } => {
                self.store_physical(addr, width, value);
                0
            }
            Action::Atomic { op, .. } => {
                let old = self.load_physical(addr, width);
                self.store_physical(addr, width, op.apply(old));
                old
            }
            _ => 0,
        })
    }

    /// A synchronous exception to EL1. The guest's handler skips the instruction and returns.
    fn abort_to_el1(&mut self, pe: PeId, guest: usize, pc: u64, syndrome: Syndrome) {
        let state = &mut self.pes[pe];
        state.esr_el1 = syndrome.esr();
        state.far_el1 = syndrome.far;
        state.el1.context_sync();
        self.done(pe, guest, pc, Input::Abort { esr: syndrome.esr(), far: syndrome.far });
    }

    fn trap_from(&mut self, pe: PeId, esr: u64, far: u64, elr: u64) -> Result<Stop, Faulted> {
        self.pes[pe].frame.elr = elr;
        self.trap(pe, Cause::Sync, esr, far)
    }

    fn trap(&mut self, pe: PeId, cause: Cause, esr: u64, far: u64) -> Result<Stop, Faulted> {
        let state = &mut self.pes[pe];
        state.take_exception(&self.costs);
        if cause == Cause::Sync {
            state.esr_el2 = esr;
            state.far_el2 = far;
        }
        self.probe(pe)?;
        Ok(Stop::Trap(cause))
    }

    /// EL2 is left: by ERET into the guest whose VMID and vCPU number are in force (`guest`), or to sleep.
    pub fn resume(&mut self, pe: PeId, guest: bool) {
        let state = &mut self.pes[pe];
        if !guest {
            state.running = Running::Idle;
            return;
        }
        state.charge(|counts| &mut counts.erets, self.costs.eret);
        state.context_sync();
        let key = (state.vmid(), state.vmpidr);
        let Ok(place) = self.guests.binary_search_by_key(&key, GuestSlot::key) else {
            state.running = Running::Idle;
            return;
        };
        state.running = Running::Guest(place);
        if let Some(slot) = self.guests.get_mut(place)
            && let Some((pc, action)) = slot.trapped.take()
        {
            settle(state, slot, pc, action);
        }
    }
}

/// What became of an instruction that trapped: done, to be executed again, or ended in an exception at EL1.
fn settle(state: &mut Pe, slot: &mut GuestSlot, pc: u64, action: Action) {
    let at = state.frame.elr;
    if at == pc.wrapping_add(4) {
        let gives = matches!(action, Action::Hvc { .. } | Action::Load { .. });
        slot.next = Input::Value(if gives { state.frame.x[0] } else { 0 });
    } else if let Some(taken) = state.pmsa().taken(at.wrapping_sub(state.vbar_el1), state.el1_syndrome()) {
        slot.next = Input::Abort { esr: taken.esr, far: taken.far };
        state.frame.spsr = state.pmsa().interrupted(&state.frame, &taken, state.spsr_el1);
        state.frame.elr = pc.wrapping_add(4);
    } else {
        slot.again = Some(action);
    }
}
