//! Actors: what each PE's vCPU does, and the points inside the hypervisor at which others are let in.

use super::call::Call;
use super::schedule::{Candidate, Footprint, Pick, Who};
use crate::guest::asynch::AsyncGuest;
use crate::guest::{Action, CPU_OFF, Guest, Input, Mark};
use crate::machine::{Cpu, Faulted, Machine, Refusal};
use crate::platform::over::Over;
use crate::platform::{Platform, Rmw, SysReg, Width, intid};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use evtchn::Route;

/// What an actor is made of.
#[derive(Debug)]
pub(super) enum Work {
    /// A guest's program. It takes no interrupts: it runs its handler when it comes to it.
    Guest(AsyncGuest),
    /// What a toolstack in the control domain asks for, in order.
    Toolstack(VecDeque<Tool>),
}

/// What a toolstack asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// The end of the domain at this position.
    Kill(usize),
    /// A domain at this position, where there is none.
    Create(usize),
    /// A hypercall of the control domain's.
    Call(Action),
}

/// What an actor does next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Next {
    /// An access or a hypercall of its guest.
    Act(Action),
    /// The second half of a hypercall.
    Raise(Route),
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
    /// A hypercall or a wish is over, with this.
    Returned(Who, i64),
    /// A PE took a kick.
    Kicked(Who),
}

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

    /// Accesses of guests that could come next, those of `but` apart.
    fn accesses(&self, but: Who) -> impl Iterator<Item = Candidate> {
        self.actors.iter().enumerate().filter(move |(who, _)| *who != but).filter_map(|(who, actor)| match actor.next {
            Next::Act(action) => Footprint::of(action).map(|footprint| Candidate { who, footprint }),
            _ => None,
        })
    }

    /// The access of a guest that comes next.
    pub(super) fn access(&mut self, machine: &mut Machine, who: Who) -> Result<(), Faulted> {
        let Some(Actor { next: Next::Act(action), .. }) = self.actors.get(who) else { return Ok(()) };
        let action = *action;
        match machine.guest_access(who, action) {
            Ok(value) => {
                self.happened.push(Happening::Accessed(who, action, value));
                self.feed(machine, who, value)
            }
            Err(refusal) => {
                self.refused = self.refused.or(Some((who, refusal)));
                self.end(who);
                Ok(())
            }
        }
    }

    /// Nothing more comes of an actor.
    pub(super) fn end(&mut self, who: Who) {
        if let Some(actor) = self.actors.get_mut(who) {
            actor.next = Next::Nothing;
        }
    }

    /// An actor goes on with what its last step gave, up to the next step that others could notice.
    pub(super) fn feed(&mut self, machine: &mut Machine, who: Who, value: u64) -> Result<(), Faulted> {
        let Some(actor) = self.actors.get_mut(who) else { return Ok(()) };
        let guest = match &mut actor.work {
            Work::Guest(guest) => guest,
            Work::Toolstack(tools) => {
                actor.next = tools.pop_front().map_or(Next::Nothing, |tool| Next::Tool(tool, None));
                return Ok(());
            }
        };
        let mut value = value;
        loop {
            let action = guest.resume(Input::Value(value));
            value = 0;
            match action {
                CPU_OFF => {
                    actor.next = Next::Nothing;
                    return Ok(());
                }
                Action::Mark(Mark::Handled { port }) => self.happened.push(Happening::Handled(who, port)),
                Action::Acknowledge => {
                    // The handler runs when its program says so, whether or not the interrupt is there.
                    Cpu { machine, pe: who }.write(SysReg::IchLr0, 0)?;
                    value = intid::EVENT;
                }
                Action::Hvc { .. } | Action::Load { .. } | Action::Store { .. } | Action::Atomic { .. } => {
                    actor.next = Next::Act(action);
                    return Ok(());
                }
                // Nobody else notices these.
                _ => {}
            }
        }
    }
}

/// A PE at EL2, at whose points others are let in.
pub(super) struct Gate<'a, 'p> {
    pub(super) cpu: Cpu<'a>,
    pub(super) crew: &'a mut Crew<'p>,
}

impl Gate<'_, '_> {
    /// Before each access and barrier of the hypervisor: accesses of other guests may come first.
    fn point(&mut self, footprint: Footprint) -> Result<(), Faulted> {
        let me = self.cpu.pe;
        loop {
            let mut can: Vec<Candidate> = [Candidate { who: me, footprint }].into();
            can.extend(self.crew.accesses(me));
            let place = self.crew.choose(&can);
            match can.get(place) {
                Some(candidate) if candidate.who != me => self.crew.access(self.cpu.machine, candidate.who)?,
                _ => break,
            }
        }
        self.crew.happened.push(Happening::Worked(me, footprint));
        Ok(())
    }
}

impl<'a> Over for Gate<'a, '_> {
    type Below = Cpu<'a>;

    fn below(&self) -> &Cpu<'a> {
        &self.cpu
    }

    fn below_mut(&mut self) -> &mut Cpu<'a> {
        &mut self.cpu
    }

    fn isb(&mut self) -> Result<(), Faulted> {
        self.point(Footprint::Own)?;
        self.cpu.isb()
    }

    fn dsb(&mut self) -> Result<(), Faulted> {
        self.point(Footprint::Own)?;
        self.cpu.dsb()
    }

    fn load(&mut self, address: u64, width: Width) -> Result<u64, Faulted> {
        self.point(Footprint::Memory { address, bytes: width.bytes(), writes: false })?;
        self.cpu.load(address, width)
    }

    fn store(&mut self, address: u64, width: Width, value: u64) -> Result<(), Faulted> {
        self.point(Footprint::Memory { address, bytes: width.bytes(), writes: true })?;
        self.cpu.store(address, width, value)
    }

    fn rmw(&mut self, address: u64, op: Rmw) -> Result<u32, Faulted> {
        self.point(Footprint::Memory { address, bytes: Width::Word.bytes(), writes: true })?;
        self.cpu.rmw(address, op)
    }
}
