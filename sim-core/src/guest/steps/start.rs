//! Steps taken apart: argument blocks, calls, and what follows from them.

use super::mix::Draws;
use super::{EventStep, Level, MAX_POLLED, Micro, Op, PortRef, Step, StepGuest};
use crate::convention::{XENMEM_ADD_TO_PHYSMAP, nr};
use crate::guest::{Action, AtomicOp, hypercall};
use crate::layout::PAGE_SIZE;
use crate::platform::Width;
use alloc::vec::Vec;
use evtchn::abi;
use evtchn::op::{Block, Returns};

impl StepGuest {
    /// Writes an argument block of 32-bit words and makes the call.
    fn call(&mut self, nr: u64, args: [u64; 5], block: &[u32]) {
        for (offset, value) in (0u64..).step_by(4).zip(block) {
            let address = self.home.scratch.wrapping_add(offset);
            let value = u64::from(*value);
            self.todo.push_back(Micro::Act(Action::Store { address, width: Width::Word, value }));
        }
        self.todo.push_back(Micro::Call(hypercall(nr, args)));
    }

    fn evtchn(&mut self, op: evtchn::op::Op) {
        let args = [u64::from(op.command()), self.home.scratch, 0, 0, 0];
        let Block(words) = op.emit(Block::default());
        let len = op.shape().size.div_ceil(4) as usize;
        self.call(nr::EVENT_CHANNEL_OP, args, words.get(..len).unwrap_or(&words));
    }

    fn event(&mut self, EventStep { op, from, keep }: EventStep) {
        let op = from.map_or(op, |(at, variable)| op.with(at, self.port(PortRef::Variable(variable)).into()));
        self.evtchn(op);
        if let (Some(variable), Returns::Port { at, .. }) = (keep, op.shape().returns) {
            let address = self.home.scratch.wrapping_add(at as u64);
            self.todo.push_back(Micro::Keep { address, variable });
        }
    }

    /// Takes a step apart.
    pub(super) fn start(&mut self, step: Step) {
        self.current = Some((step.id, step.expect));
        self.failed = false;
        match step.op {
            Op::MapSharedInfo => self.map_shared_info(),
            Op::RegisterVcpuInfo => self.register_vcpu_info(),
            Op::EnableInterrupts => self.interrupts(true),
            Op::Event(event) => self.event(event),
            Op::Mask(port) => self.mask(port),
            Op::InitControl { at } => self.init_control(at.unwrap_or(self.home.control_block)),
            Op::ExpandArray { at } => self.expand_array(at.unwrap_or(self.home.event_words)),
            Op::Poll { ports, timeout } => self.poll(&ports, timeout),
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
                    self.levels.push(Level { steps, next: 0, rounds: times, draws: None });
                }
            }
            Op::Mix { times, seed, parts } => {
                if times > 0 {
                    let mut draws = Draws::new(parts, seed, self.seed);
                    self.levels.push(Level { steps: draws.next(), next: 0, rounds: times, draws: Some(draws) });
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
        let number = self.port(port);
        if let Some(fifo) = &self.fifo {
            self.todo.extend(fifo.mask(number).map(Micro::Act));
            return;
        }
        let port = u64::from(number);
        let offset = u64::from(abi::shared_info::MASK).wrapping_add(port / 64 * 8);
        let address = self.home.shared_info.wrapping_add(offset);
        let op = AtomicOp::Or(1 << (port % 64));
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

    fn interrupts(&mut self, open: bool) {
        self.open = open;
        self.todo.push_back(Micro::Act(Action::Interrupts(open)));
    }

    /// Makes the call and what follows from it with interrupts masked, so that no upcall finds the vCPU between two ABIs.
    fn undisturbed(&mut self, op: evtchn::op::Op, then: Micro) {
        if self.open {
            self.todo.push_back(Micro::Act(Action::Interrupts(false)));
        }
        self.evtchn(op);
        self.todo.push_back(then);
        if self.open {
            self.todo.push_back(Micro::Act(Action::Interrupts(true)));
        }
    }

    fn init_control(&mut self, address: u64) {
        let (control_gfn, offset) = (address / PAGE_SIZE, (address % PAGE_SIZE) as u32);
        let op = evtchn::op::Op::InitControl { control_gfn, offset, vcpu: self.home.vcpu };
        self.undisturbed(op, Micro::HasBlock { address });
    }

    fn expand_array(&mut self, address: u64) {
        let op = evtchn::op::Op::ExpandArray { array_gfn: address / PAGE_SIZE };
        self.undisturbed(op, Micro::HasPage { address });
    }

    /// The argument block, and the ports behind it.
    fn poll(&mut self, ports: &[PortRef], timeout: u64) {
        let list = self.home.scratch.wrapping_add(u64::from(abi::size::SCHED_POLL));
        let ports: Vec<u32> = ports.iter().take(MAX_POLLED).map(|port| self.port(*port)).collect();
        let count = ports.len() as u32;
        let mut block = alloc::vec![list as u32, (list >> 32) as u32, count, 0, timeout as u32, (timeout >> 32) as u32];
        block.extend(ports);
        let cmd = u64::from(abi::SCHEDOP_POLL);
        self.call(nr::SCHED_OP, [cmd, self.home.scratch, 0, 0, 0], &block);
    }
}
