//! Guests written as steps: what scenario files hold, interpreted directly.

use super::consumer::{self, Consumer};
use super::{Action, CPU_OFF, Guest, Home, Input, Mark, hypercall};
use crate::convention::{FSC_EXTERNAL, XENMEM_ADD_TO_PHYSMAP, nr};
use crate::layout::PAGE_SIZE;
use crate::outcome::{Expected, Got, StepId, WaitsFor};
use crate::platform::Width;
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use evtchn::abi;

/// A port as a step names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortRef {
    /// By number.
    Number(u32),
    /// By the variable an earlier step of the same program put it in.
    Variable(usize),
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Names the page for `shared_info`, unless it is placed already.
    MapSharedInfo,
    /// Registers this vCPU's `vcpu_info`.
    RegisterVcpuInfo,
    /// Opens PSTATE.I.
    EnableInterrupts,
    /// `EVTCHNOP_alloc_unbound` in the caller for `remote`.
    AllocUnbound {
        /// Domain id of who may bind.
        remote: u16,
        /// Where the port goes.
        port: usize,
    },
    /// `EVTCHNOP_bind_interdomain`.
    BindInterdomain {
        /// Domain id of the peer.
        remote: u16,
        /// The peer's port.
        remote_port: u32,
        /// Where the own port goes.
        port: usize,
    },
    /// `EVTCHNOP_bind_ipi`.
    BindIpi {
        /// The vCPU told.
        vcpu: u32,
        /// Where the port goes.
        port: usize,
    },
    /// `EVTCHNOP_bind_virq`.
    BindVirq {
        /// The VIRQ.
        virq: u32,
        /// The vCPU.
        vcpu: u32,
        /// Where the port goes.
        port: usize,
    },
    /// `EVTCHNOP_bind_vcpu`.
    BindVcpu {
        /// The port.
        port: PortRef,
        /// The vCPU told from now on.
        vcpu: u32,
    },
    /// `EVTCHNOP_close`.
    Close(PortRef),
    /// `EVTCHNOP_send`.
    Send(PortRef),
    /// `EVTCHNOP_unmask`.
    Unmask(PortRef),
    /// Sets the port's mask bit in memory.
    Mask(PortRef),
    /// Waits until the handler has found one more event on the port than was waited for so far.
    Wait(PortRef),
    /// Works.
    Compute(u64),
    /// `SCHEDOP_yield`.
    Yield,
    /// `CONSOLEIO_write`, up to 48 bytes at a time.
    Console(String),
    /// Any hypercall, with raw registers.
    Hypercall {
        /// The HVC's immediate.
        imm: u16,
        /// x16.
        nr: u64,
        /// x0 to x4.
        args: [u64; 5],
    },
    /// A load.
    Read {
        /// Where.
        address: u64,
        /// How wide.
        width: Width,
    },
    /// A store.
    Write {
        /// Where.
        address: u64,
        /// How wide.
        width: Width,
        /// What.
        value: u64,
    },
    /// An instruction fetch.
    Execute {
        /// Where.
        address: u64,
    },
    /// Runs steps several times.
    Repeat {
        /// How often.
        times: u64,
        /// The steps.
        steps: Rc<[Step]>,
    },
    /// Turns the vCPU off.
    Halt,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its number in the source.
    pub id: StepId,
    /// What it does.
    pub op: Op,
    /// What it is to give; `None`: anything.
    pub expect: Option<Expected>,
}

/// What is left of a list of steps.
#[derive(Clone, Debug)]
struct Level {
    steps: Rc<[Step]>,
    next: usize,
    rounds: u64,
}

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
    AwaitEvent {
        port: u32,
    },
}

/// A vCPU that runs steps.
#[derive(Clone, Debug)]
pub struct StepGuest {
    home: Home,
    levels: Vec<Level>,
    todo: VecDeque<Micro>,
    doing: Option<Micro>,
    current: Option<(StepId, Option<Expected>)>,
    failed: bool,
    variables: Vec<u32>,
    vcpu_info: u64,
    handler: Option<Consumer>,
    /// Per port: events found, events waited for.
    events: Vec<(u32, u64, u64)>,
}

impl StepGuest {
    /// A vCPU at `home` that runs `steps` and then turns itself off. `variables` is how many port variables they use.
    #[must_use]
    pub fn new(home: Home, steps: Rc<[Step]>, variables: usize) -> Self {
        Self {
            home,
            levels: alloc::vec![Level { steps, next: 0, rounds: 1 }],
            todo: VecDeque::new(),
            doing: None,
            current: None,
            failed: false,
            variables: alloc::vec![0; variables],
            // vCPU 0 has a place in shared_info from the start; the others have none they can see.
            vcpu_info: if home.vcpu == 0 { home.shared_info } else { home.vcpu_info },
            handler: None,
            events: Vec::new(),
        }
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

    /// The next step, unrolling repetitions; `None` at the end.
    fn next_step(&mut self) -> Option<Step> {
        loop {
            let level = self.levels.last_mut()?;
            if let Some(step) = level.steps.get(level.next) {
                level.next += 1;
                return Some(step.clone());
            }
            level.rounds = level.rounds.saturating_sub(1);
            if level.rounds == 0 || level.steps.is_empty() {
                self.levels.pop();
            } else {
                level.next = 0;
            }
        }
    }

    /// Writes an argument block of 32-bit words and makes the call.
    fn call(&mut self, nr: u64, args: [u64; 5], block: &[u32]) {
        for (offset, value) in (0u64..).step_by(4).zip(block) {
            let address = self.home.scratch.wrapping_add(offset);
            let value = u64::from(*value);
            self.todo.push_back(Micro::Act(Action::Store { address, width: Width::Word, value }));
        }
        self.todo.push_back(Micro::Call(hypercall(nr, args)));
    }

    fn evtchn(&mut self, cmd: u32, block: &[u32]) {
        let args = [u64::from(cmd), self.home.scratch, 0, 0, 0];
        self.call(nr::EVENT_CHANNEL_OP, args, block);
    }

    fn keep(&mut self, offset: u64, variable: usize) {
        let address = self.home.scratch.wrapping_add(offset);
        self.todo.push_back(Micro::Keep { address, variable });
    }

    /// Takes a step apart.
    fn start(&mut self, step: Step) {
        self.current = Some((step.id, step.expect));
        self.failed = false;
        match step.op {
            Op::MapSharedInfo => self.map_shared_info(),
            Op::RegisterVcpuInfo => self.register_vcpu_info(),
            Op::EnableInterrupts => self.todo.push_back(Micro::Act(Action::Interrupts(true))),
            Op::AllocUnbound { remote, port } => {
                let own = u32::from(abi::DOMID_SELF);
                self.evtchn(abi::op::ALLOC_UNBOUND, &[own | (u32::from(remote) << 16), 0]);
                self.keep(4, port);
            }
            Op::BindInterdomain { remote, remote_port, port } => {
                self.evtchn(abi::op::BIND_INTERDOMAIN, &[u32::from(remote), remote_port, 0]);
                self.keep(8, port);
            }
            Op::BindIpi { vcpu, port } => {
                self.evtchn(abi::op::BIND_IPI, &[vcpu, 0]);
                self.keep(4, port);
            }
            Op::BindVirq { virq, vcpu, port } => {
                self.evtchn(abi::op::BIND_VIRQ, &[virq, vcpu, 0]);
                self.keep(8, port);
            }
            Op::BindVcpu { port, vcpu } => self.evtchn(abi::op::BIND_VCPU, &[self.port(port), vcpu]),
            Op::Close(port) => self.evtchn(abi::op::CLOSE, &[self.port(port)]),
            Op::Send(port) => self.evtchn(abi::op::SEND, &[self.port(port)]),
            Op::Unmask(port) => self.evtchn(abi::op::UNMASK, &[self.port(port)]),
            Op::Mask(port) => self.mask(port),
            Op::Wait(port) => self.todo.push_back(Micro::AwaitEvent { port: self.port(port) }),
            Op::Compute(cycles) => self.todo.push_back(Micro::Act(Action::Compute(cycles))),
            Op::Yield => self.call(nr::SCHED_OP, [0; 5], &[]),
            Op::Console(text) => self.console(&text),
            Op::Hypercall { imm, nr, args } => self.todo.push_back(Micro::Call(Action::Hvc { imm, nr, args })),
            Op::Read { address, width } => self.todo.push_back(Micro::Probe(Action::Load { address, width })),
            Op::Write { address, width, value } => {
                self.todo.push_back(Micro::Probe(Action::Store { address, width, value }));
            }
            Op::Execute { address } => self.todo.push_back(Micro::Probe(Action::Fetch { address })),
            Op::Repeat { times, steps } => {
                if times > 0 {
                    self.levels.push(Level { steps, next: 0, rounds: times });
                }
            }
            Op::Halt => self.levels.clear(),
        }
    }

    fn map_shared_info(&mut self) {
        if self.home.shared_info_placed {
            return;
        }
        let gpfn = self.home.shared_info / PAGE_SIZE;
        let block = [u32::from(abi::DOMID_SELF), 0, 0, 0, gpfn as u32, (gpfn >> 32) as u32];
        let cmd = u64::from(XENMEM_ADD_TO_PHYSMAP);
        self.call(nr::MEMORY_OP, [cmd, self.home.scratch, 0, 0, 0], &block);
    }

    fn register_vcpu_info(&mut self) {
        let (frame, offset) = (self.home.vcpu_info / PAGE_SIZE, self.home.vcpu_info % PAGE_SIZE);
        let block = [frame as u32, (frame >> 32) as u32, offset as u32, 0];
        let cmd = u64::from(abi::VCPUOP_REGISTER_VCPU_INFO);
        self.call(nr::VCPU_OP, [cmd, u64::from(self.home.vcpu), self.home.scratch, 0, 0], &block);
        self.todo.push_back(Micro::Registered);
    }

    fn mask(&mut self, port: PortRef) {
        let port = u64::from(self.port(port));
        let offset = u64::from(abi::shared_info::MASK).wrapping_add(port / 64 * 8);
        let address = self.home.shared_info.wrapping_add(offset);
        let op = super::AtomicOp::Or(1 << (port % 64));
        self.todo.push_back(Micro::Act(Action::Atomic { address, width: Width::Double, op }));
    }

    fn console(&mut self, text: &str) {
        /// As many bytes as the scratch memory takes beside other blocks.
        const CHUNK: usize = 48;
        for chunk in text.as_bytes().chunks(CHUNK) {
            let words: Vec<u32> = chunk
                .chunks(4)
                .map(|bytes| bytes.iter().rev().fold(0, |word, byte| (word << 8) | u32::from(*byte)))
                .collect();
            let args = [0, u64::try_from(chunk.len()).unwrap_or(0), self.home.scratch, 0, 0];
            self.call(nr::CONSOLE_IO, args, &words);
        }
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
        loop {
            let Some(micro) = self.todo.pop_front() else {
                match self.next_step() {
                    Some(step) => self.start(step),
                    None => return CPU_OFF,
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
            self.handler = Some(Consumer::new(self.home, self.vcpu_info));
        }
        if let Some(handler) = &mut self.handler {
            return match handler.resume(input) {
                consumer::Step::Act(action) => {
                    if let Action::Mark(Mark::Handled { port }) = action
                        && let Some((_, found, _)) = self.counter(port)
                    {
                        *found += 1;
                    }
                    action
                }
                consumer::Step::Done => {
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
