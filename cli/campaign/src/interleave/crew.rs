//! Actors: what each PE's vCPU does, its interrupts as hardware has them, and the points inside the hypervisor at which others are let in.

use super::call::Call;
use super::place::{PES, pe_of};
use super::schedule::{Candidate, Footprint, Pick, Who};
use evtchn::Route;
use sim_core::guest::asynch::AsyncGuest;
use sim_core::guest::{Action, CPU_OFF, Guest, Input, Mark};
use sim_core::harness::{AccessOf, Interference};
use sim_core::machine::{Cpu, Machine, Refusal};
use sim_core::platform::{Event, Platform, Width};
use std::collections::VecDeque;

/// What an actor is made of.
#[derive(Debug)]
pub(super) enum Work {
    /// A guest's program, and its interrupt handler.
    Guest(AsyncGuest),
    /// What a toolstack asks for, or Xen itself does, in order.
    Toolstack(VecDeque<Tool>),
}

/// What a toolstack asks for, or Xen itself does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// The end of the domain at this position.
    Kill(usize),
    /// A domain at this position, where there is none.
    Create(usize),
    /// The domain at this position is paused.
    Pause(usize),
    /// One pause of it is taken back.
    Unpause(usize),
    /// A hypercall of the domain's on the PE.
    Call(Action),
    /// A VIRQ. A global one goes to its handler, whatever the domain.
    Virq {
        /// Position of the domain.
        domain: usize,
        /// Of which vCPU, if it is per vCPU.
        vcpu: u32,
        /// Which.
        virq: u32,
    },
    /// Xen notifies the peer of its own port.
    Notify {
        /// Position of the domain that the port is in.
        domain: usize,
        /// Xen's port.
        port: u32,
    },
}

/// What an actor does next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Next {
    /// An access or a hypercall of its guest.
    Act(Action),
    /// A hypercall that was preempted, once more.
    Again,
    /// The second half of a hypercall, or of what Xen does.
    Raise(Route),
    /// Whatever comes after this value, once its vCPU runs again.
    Resume(u64),
    /// Something of a toolstack's; once others did something since this many happenings, if it has to be asked for again.
    Tool(Tool, Option<usize>),
    /// Nothing any more.
    Nothing,
}

/// An actor.
#[derive(Debug)]
pub(super) struct Actor {
    pub(super) work: Work,
    pub(super) next: Next,
    /// It takes event interrupts.
    open: bool,
    /// What goes on when its interrupt handler is over; `None`: it is in none.
    held: Option<Next>,
    /// Its vCPU sleeps or is paused.
    pub(super) idle: bool,
}

impl Actor {
    pub(super) const fn new(work: Work, open: bool) -> Self {
        Self { work, next: Next::Nothing, open, held: None, idle: false }
    }
}

/// What happened, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// A guest accessed memory, which gave this.
    Accessed(Who, Action, u64),
    /// A guest's handler found the event it took on this port.
    Handled(Who, u32),
    /// A hypercall began.
    Called(Who, Call),
    /// A toolstack's wish began to be done.
    Asked(Who, Tool),
    /// The hypervisor made an access or a barrier for a PE.
    Worked(Who, Footprint),
    /// The first half of a hypercall is over; the hypervisor lock is free.
    LetGo(Who),
    /// The second half began.
    WentOn(Who),
    /// A long operation stopped at a check point: of this domain, at this port.
    Preempted(Who, usize, u32),
    /// A hypercall that was preempted goes on.
    Again(Who),
    /// A hypercall or a wish is over, with this.
    Returned(Who, i64),
    /// A PE took a kick.
    Kicked(Who),
    /// A guest acknowledged this interrupt, which is active from then on.
    Acknowledged(Who, u64),
    /// A guest ended the interrupt that was active.
    Ended(Who),
    /// An event for this port of Xen's own, in this domain.
    Notified(usize, u32),
    /// A vCPU sleeps, or its domain is paused.
    Slept(Who),
}

/// How often in one schedule an interrupt may come in at a check point. An operation that is stopped at the port where it went on
/// gets nowhere, so without a bound there would be no last schedule.
pub(super) const PREEMPTIONS: usize = 2;

/// Who it is that goes where an interrupt comes in at a check point.
pub(super) const INTERRUPT: Who = PES;

/// All actors, and what they did.
pub(super) struct Crew<'p> {
    pub(super) actors: Vec<Actor>,
    pub(super) pick: &'p mut dyn Pick,
    pub(super) happened: Vec<Happening>,
    /// Who went at each decision among several, and who would have gone if nobody else had been let in.
    pub(super) picks: Vec<(Who, Who)>,
    /// Where this leads was seen already.
    pub(super) seen: bool,
    /// A guest could not touch what is its own.
    pub(super) refused: Option<(Who, Refusal)>,
    /// A guest on this PE ended an interrupt that was not active.
    pub(super) not_active: Option<Who>,
    /// Interrupts that may still come in at check points.
    pub(super) preemptions: usize,
    /// One did, in the operation under way.
    pub(super) preempted: bool,
}

impl Crew<'_> {
    /// Who goes, by its place in `can`.
    pub(super) fn choose(&mut self, can: &[Candidate]) -> usize {
        let picked = if self.seen { None } else { self.pick.pick(can).filter(|place| *place < can.len()) };
        self.seen = picked.is_none();
        let place = picked.unwrap_or(0);
        if let (Some(first), Some(went)) = (can.first(), can.get(place))
            && can.len() > 1
        {
            self.picks.push((went.who, first.who));
        }
        place
    }

    /// What guests could do next without the hypervisor, the one on `but` apart.
    fn guests(&self, but: Who) -> impl Iterator<Item = Candidate> {
        let others = self.actors.iter().enumerate().filter(move |(who, actor)| *who != but && !actor.idle);
        others.filter_map(|(who, actor)| match actor.next {
            Next::Act(action) => Footprint::of(action).map(|footprint| Candidate { who, footprint }),
            _ => None,
        })
    }

    /// What a guest does next without the hypervisor.
    pub(super) fn access(&mut self, machine: &mut Machine, who: Who) {
        let Some(Actor { next: Next::Act(action), .. }) = self.actors.get(who) else { return };
        let action = *action;
        let value = match action {
            Action::Acknowledge => {
                let intid = machine.pe_mut(pe_of(who)).acknowledge_virtual();
                self.happened.push(Happening::Acknowledged(who, intid));
                intid
            }
            Action::EndOfInterrupt(intid) => {
                if !machine.pe_mut(pe_of(who)).end_virtual(intid) {
                    self.not_active = self.not_active.or(Some(who));
                }
                self.happened.push(Happening::Ended(who));
                0
            }
            _ => match machine.guest_access(pe_of(who), action) {
                Ok(value) => {
                    self.happened.push(Happening::Accessed(who, action, value));
                    value
                }
                Err(refusal) => {
                    self.refused = self.refused.or(Some((who, refusal)));
                    return self.end(who);
                }
            },
        };
        self.feed(machine, who, value);
    }

    /// Nothing more comes of an actor.
    pub(super) fn end(&mut self, who: Who) {
        if let Some(actor) = self.actors.get_mut(who) {
            (actor.next, actor.held, actor.open) = (Next::Nothing, None, false);
        }
    }

    /// An actor goes on with what its last step gave, up to the next step that others could notice.
    pub(super) fn feed(&mut self, machine: &mut Machine, who: Who, value: u64) {
        let Some(actor) = self.actors.get_mut(who) else { return };
        if let Work::Toolstack(tools) = &mut actor.work {
            actor.next = tools.pop_front().map_or(Next::Nothing, |tool| Next::Tool(tool, None));
            return;
        }
        actor.next = Next::Resume(value);
        self.go_on(machine, who);
    }

    /// As hardware has it: an event interrupt that is pending, with none active, is taken before the next instruction, unless the
    /// guest is in its handler. What was to come then comes after the handler.
    pub(super) fn go_on(&mut self, machine: &Machine, who: Who) {
        let Some(actor) = self.actors.get_mut(who) else { return };
        let Work::Guest(guest) = &mut actor.work else { return };
        let pending = machine.pe(pe_of(who)).virtual_interrupt();
        loop {
            let between = !matches!(actor.next, Next::Raise(_));
            let input = if pending && actor.open && actor.held.is_none() && between {
                actor.held = Some(actor.next);
                Input::Interrupt
            } else if let Next::Resume(value) = actor.next {
                Input::Value(value)
            } else {
                return;
            };
            actor.next = match guest.resume(input) {
                CPU_OFF => Next::Nothing,
                Action::ReturnFromInterrupt => actor.held.take().unwrap_or(Next::Nothing),
                Action::Mark(mark) => {
                    if let Mark::Handled { port } = mark {
                        self.happened.push(Happening::Handled(who, port));
                    }
                    Next::Resume(0)
                }
                action if Footprint::of(action).is_some() => Next::Act(action),
                action @ (Action::Hvc { .. } | Action::WaitForInterrupt) => Next::Act(action),
                // Nobody else notices these.
                _ => Next::Resume(0),
            };
        }
    }
}

impl Crew<'_> {
    /// Before each access and barrier of the hypervisor: accesses of other guests may come first.
    fn point(&mut self, cpu: &mut Cpu<'_>, footprint: Footprint) {
        let me = cpu.pe.get();
        loop {
            let mut can: Vec<Candidate> = [Candidate { who: me, footprint }].into();
            can.extend(self.guests(me));
            let place = self.choose(&can);
            match can.get(place) {
                Some(candidate) if candidate.who != me => self.access(cpu.machine, candidate.who),
                _ => break,
            }
        }
        self.happened.push(Happening::Worked(me, footprint));
    }
}

impl Interference for Crew<'_> {
    fn before_barrier(&mut self, cpu: &mut Cpu<'_>) {
        self.point(cpu, Footprint::Own);
    }

    fn before_access(&mut self, cpu: &mut Cpu<'_>, address: u64, access: AccessOf) {
        let (width, writes) = match access {
            AccessOf::Load(width) => (width, false),
            AccessOf::Store(width) => (width, true),
            AccessOf::Atomic(_) => (Width::Word, true),
        };
        self.point(cpu, Footprint::Memory { address, bytes: width.bytes(), writes });
    }

    /// At a check point an interrupt of this PE may be pending or not.
    fn preemption_due(&mut self, cpu: &mut Cpu<'_>) -> bool {
        let due = cpu.preemption_due() || {
            let me = Candidate { who: cpu.pe.get(), footprint: Footprint::Own };
            let interrupt = Candidate { who: INTERRUPT, footprint: Footprint::Preemption };
            self.preemptions > 0 && self.choose(&[me, interrupt]) > 0
        };
        if due {
            self.preemptions = self.preemptions.saturating_sub(1);
            self.preempted = true;
        }
        due
    }

    fn event(&mut self, event: Event) {
        if let Event::XenHandler { domain, port, .. } = event {
            self.happened.push(Happening::Notified(domain, port));
        }
    }
}
