//! Guests written as steps: what scenario files hold, interpreted directly.

mod mix;
mod moved;
mod op;
mod start;

pub use moved::moved;
pub use op::{EventStep, MAX_POLLED, Op, Part, PortRef, Step};

use super::consumer::{self, Consumer};
use super::fifo::{self, Structures};
use super::{Action, CPU_OFF, Guest, Home, Input, Mark};
use crate::convention::FSC_EXTERNAL;
use crate::outcome::{Expected, Got, StepId, WaitsFor};
use crate::platform::Width;
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec::Vec;

/// What is left of a list of steps.
#[derive(Clone, Debug)]
struct Level {
    steps: Rc<[Step]>,
    next: usize,
    rounds: u64,
    /// Where the steps of each round come from; `None`: they stay the same.
    draws: Option<mix::Draws>,
}

/// What comes next in a program.
enum Next {
    Step(Step),
    /// A round is over.
    Round,
    End,
}

/// Steps and rounds in a row that may be taken without an action. A program that goes on so works no cycles instead, so
/// that the limit of a run meets it.
const WITHOUT_ACTION: u32 = 1000;

/// One thing to do on the way through a step.
#[derive(Clone, Copy, Debug)]
enum Micro {
    Act(Action),
    /// A hypercall whose result the step is judged by.
    Call(Action),
    /// An access the step is judged by.
    Probe(Action),
    /// A load whose value goes into a variable, if the call before it succeeded.
    Keep {
        address: u64,
        variable: usize,
    },
    Registered,
    /// The control block is handed over, if the call before it succeeded.
    HasBlock {
        address: u64,
    },
    /// A page of event words is handed over, if the call before it succeeded.
    HasPage {
        address: u64,
    },
    AwaitEvent {
        port: u32,
    },
}

/// The upcall handler, by the ABI the vCPU follows.
#[derive(Clone, Debug)]
enum Handler {
    TwoLevel(Consumer),
    Fifo(fifo::Consumer),
}

impl Handler {
    fn resume(&mut self, input: Input) -> consumer::HandlerStep {
        match self {
            Self::TwoLevel(consumer) => consumer.resume(input),
            Self::Fifo(consumer) => consumer.resume(input),
        }
    }
}

/// A vCPU that runs steps.
#[derive(Clone, Debug)]
pub struct StepGuest {
    home: Home,
    levels: Vec<Level>,
    /// The run's, for what is drawn.
    seed: u64,
    todo: VecDeque<Micro>,
    doing: Option<Micro>,
    current: Option<(StepId, Option<Expected>)>,
    failed: bool,
    variables: Vec<u32>,
    vcpu_info: u64,
    /// Whether the program opened PSTATE.I.
    open: bool,
    /// Once it has a control block.
    fifo: Option<Structures>,
    handler: Option<Handler>,
    /// Per port: events found, events waited for.
    events: Vec<(u32, u64, u64)>,
}

impl StepGuest {
    /// A vCPU at `home` that runs `steps` and then turns itself off. `variables` is how many port variables they use.
    #[must_use]
    pub fn new(home: Home, steps: Rc<[Step]>, variables: usize) -> Self {
        Self {
            home,
            levels: alloc::vec![Level { steps, next: 0, rounds: 1, draws: None }],
            seed: 0,
            todo: VecDeque::new(),
            doing: None,
            current: None,
            failed: false,
            variables: alloc::vec![0; variables],
            // vCPU 0 has a place in shared_info from the start; the others have none they can see.
            vcpu_info: if home.vcpu == 0 { home.shared_info } else { home.vcpu_info },
            open: false,
            fifo: None,
            handler: None,
            events: Vec::new(),
        }
    }

    /// The same in a run with that seed, which has a say in what mixes draw.
    #[must_use]
    pub const fn seeded(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    fn port(&self, port: PortRef) -> u32 {
        match port {
            PortRef::Number(number) => number,
            PortRef::Variable(at) => self.variables.get(at).copied().unwrap_or(0),
        }
    }

    fn counter(&mut self, port: u32) -> Option<&mut (u32, u64, u64)> {
        let known = self.events.iter().position(|(known, ..)| *known == port);
        let at = known.unwrap_or_else(|| {
            self.events.push((port, 0, 0));
            self.events.len() - 1
        });
        self.events.get_mut(at)
    }

    /// The next step, unrolling repetitions one round at a time.
    fn next_step(&mut self) -> Next {
        let Some(level) = self.levels.last_mut() else {
            return Next::End;
        };
        if let Some(step) = level.steps.get(level.next) {
            level.next += 1;
            return Next::Step(step.clone());
        }
        level.rounds = level.rounds.saturating_sub(1);
        level.next = 0;
        match &mut level.draws {
            Some(draws) if level.rounds > 0 => level.steps = draws.next(),
            None if level.rounds > 0 && !level.steps.is_empty() => {}
            _ => {
                self.levels.pop();
            }
        }
        Next::Round
    }

    /// Judges what the last thing gave.
    fn judge(&mut self, done: Micro, input: Input) -> Option<Mark> {
        let (step, expect) = self.current?;
        let got = match (done, input) {
            (Micro::Call(_), Input::Value(rc)) => Got::Rc(rc.cast_signed()),
            (_, Input::Value(value)) => Got::Value(value),
            (_, Input::Abort { esr, far }) => Got::Abort { esr, far },
            (_, Input::Interrupt) => return None,
        };
        self.failed |= matches!(got, Got::Rc(rc) if rc < 0) || matches!(got, Got::Abort { .. });
        let expected = match done {
            Micro::Call(_) | Micro::Probe(_) => expect?,
            // A step's own stores to its scratch memory must work.
            _ => Expected::Success,
        };
        let met = match (expected, got) {
            (Expected::Rc(want), Got::Rc(rc)) => want == rc,
            (Expected::Value(want), Got::Value(value)) => want == value,
            (Expected::Success, Got::Value(_)) | (Expected::Fault, Got::Abort { .. }) => true,
            (Expected::StageOne, Got::Abort { esr, .. }) => esr & 0x3f != FSC_EXTERNAL,
            (Expected::StageTwo, Got::Abort { esr, .. }) => esr & 0x3f == FSC_EXTERNAL,
            _ => false,
        };
        (!met).then_some(Mark::Unexpected { step, expected, got })
    }

    fn next_action(&mut self) -> Action {
        let mut idle = 0;
        loop {
            let Some(micro) = self.todo.pop_front() else {
                if idle == WITHOUT_ACTION {
                    return Action::Compute(0);
                }
                idle += 1;
                match self.next_step() {
                    Next::Step(step) => self.start(step),
                    Next::Round => {}
                    Next::End => return CPU_OFF,
                }
                continue;
            };
            let action = match micro {
                Micro::Act(action) | Micro::Call(action) | Micro::Probe(action) => action,
                Micro::Keep { address, .. } if !self.failed => Action::Load { address, width: Width::Word },
                Micro::Keep { .. } => continue,
                Micro::Registered => {
                    if !self.failed {
                        self.vcpu_info = self.home.vcpu_info;
                    }
                    continue;
                }
                Micro::HasBlock { address } => {
                    if !self.failed {
                        self.fifo = Some(Structures::new(address));
                    }
                    continue;
                }
                Micro::HasPage { address } => {
                    if let Some(fifo) = self.fifo.as_mut().filter(|_| !self.failed) {
                        fifo.add(address);
                    }
                    continue;
                }
                Micro::AwaitEvent { port } => {
                    let Some((_, found, waited)) = self.counter(port) else {
                        continue;
                    };
                    if *found > *waited {
                        *waited += 1;
                        continue;
                    }
                    // Checked and waited for in one go: an interrupt is taken before the program is resumed, never between.
                    self.todo.push_front(micro);
                    Action::WaitForInterrupt
                }
            };
            self.doing = Some(micro);
            return action;
        }
    }
}

impl Guest for StepGuest {
    fn resume(&mut self, input: Input) -> Action {
        if input == Input::Interrupt {
            self.handler = Some(match &self.fifo {
                None => Handler::TwoLevel(Consumer::new(self.home, self.vcpu_info)),
                Some(structures) => Handler::Fifo(fifo::Consumer::new(structures.clone(), self.vcpu_info)),
            });
        }
        if let Some(handler) = &mut self.handler {
            return match handler.resume(input) {
                consumer::HandlerStep::Act(action) => {
                    if let Action::Mark(Mark::Handled { port }) = action
                        && let Some((_, found, _)) = self.counter(port)
                    {
                        *found += 1;
                    }
                    action
                }
                consumer::HandlerStep::Done => {
                    self.handler = None;
                    Action::ReturnFromInterrupt
                }
            };
        }
        if let Some(done) = self.doing.take() {
            if let (Micro::Keep { variable, .. }, Input::Value(value)) = (done, input)
                && let Some(slot) = self.variables.get_mut(variable)
            {
                *slot = value as u32;
            }
            if let Some(mark) = self.judge(done, input) {
                return Action::Mark(mark);
            }
        }
        self.next_action()
    }

    fn step(&self) -> Option<StepId> {
        self.current.map(|(step, _)| step)
    }

    fn waits_for(&self) -> WaitsFor {
        match self.todo.front() {
            Some(Micro::AwaitEvent { port }) => WaitsFor::Event(*port),
            _ => WaitsFor::Interrupt,
        }
    }
}
