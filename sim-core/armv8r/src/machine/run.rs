//! Running: PEs take turns of a quantum in a fixed order; each instruction is one unit of time.

use super::psci::{Called, Conduit};
use super::stop::StopReason;
use super::{Cpu, Machine};
use crate::a64::{Regs, decode, execute};
use crate::bus::{Bus, Decoded, Source};
use crate::exception::Exit;
use crate::memory::PAGE;
use crate::observe::Observer;
use crate::pe::{Core, Here, Power, Stop};
use crate::semihosting::{Clock, Host, Outcome, Stream};

/// The immediate of HLT that is a semihosting call.
const SEMIHOSTING: u16 = 0xf000;

/// What ends the turn of a PE.
#[derive(Clone, Copy)]
enum End {
    /// Its instructions are executed, or it waits.
    Turn,
    Stop(Stop),
    NotBuilt(&'static str),
    Semihosting,
    Firmware,
    Output,
}

impl Machine {
    /// Runs so many instructions, or until something else ends the run.
    pub fn run(&mut self, budget: u64) -> StopReason {
        self.run_with(&mut (), budget)
    }

    /// The same while somebody looks on.
    pub fn run_with<O: Observer>(&mut self, observer: &mut O, budget: u64) -> StopReason {
        let mut budget = budget;
        let mut idle = 0;
        loop {
            if budget == 0 {
                return StopReason::Budget;
            }
            if self.left == 0 || !self.is_awake() {
                if self.left != 0 {
                    idle += 1;
                }
                self.turn = (self.turn + 1) % self.cpus.len().max(1);
                self.left = self.quantum;
                if idle >= self.cpus.len() {
                    if !self.bus.skip_to_deadline() {
                        return StopReason::Asleep;
                    }
                    idle = 0;
                }
                continue;
            }
            idle = 0;
            let slice = self.left.min(budget);
            let Some(cpu) = self.cpus.get_mut(self.turn) else {
                return StopReason::Asleep;
            };
            let before = cpu.pe.executed;
            let end = run_pe(cpu, &mut self.bus, observer, (self.psci, self.semihosting.is_some()), slice);
            let executed = cpu.pe.executed - before;
            budget = budget.saturating_sub(executed);
            self.left = self.left.saturating_sub(executed);
            if let Some(reason) = self.ended(end) {
                return reason;
            }
        }
    }

    /// Whether the PE whose turn it is executes; one that waits is woken by what it waits for.
    fn is_awake(&mut self) -> bool {
        let Some(cpu) = self.cpus.get_mut(self.turn) else {
            return false;
        };
        let Cpu { regs, pe } = cpu;
        let wakes = match pe.power {
            Power::Running => return true,
            Power::Off => return false,
            Power::WaitsForInterrupt => {
                self.bus.update();
                pe.wakes(self.bus.signals(pe.id))
            }
            Power::WaitsForEvent => {
                self.bus.update();
                pe.interrupt(self.bus.signals(pe.id), regs.pc).is_some() || self.bus.take_event(pe.id)
            }
        };
        if wakes {
            pe.power = Power::Running;
        }
        wakes
    }

    /// What the end of a turn comes to.
    fn ended(&mut self, end: End) -> Option<StopReason> {
        let pe = self.turn;
        let pc = self.regs(pe).map_or(0, |regs| regs.pc);
        Some(match end {
            End::Turn => return None,
            End::Stop(Stop::Observer) => StopReason::Observer,
            End::Stop(Stop::Hazard) => StopReason::Hazard { pe, pc },
            End::Stop(Stop::Memory) => StopReason::MemoryLimit,
            End::NotBuilt(name) => StopReason::NotBuilt { pe, name, pc, word: self.bus.word(pc) },
            End::Output => StopReason::Output,
            End::Semihosting => return self.semihosting_call(),
            End::Firmware => match self.firmware(pe) {
                Called::Returns(value) => {
                    let regs = self.regs_mut(pe)?;
                    regs.set_x(0, value);
                    return None;
                }
                Called::Ends(reason) => reason,
            },
        })
    }

    fn semihosting_call(&mut self) -> Option<StopReason> {
        let regs = &mut self.cpus.get_mut(self.turn)?.regs;
        let clock = Clock { ticks: self.bus.count(), frequency: self.bus.frequency() };
        match self.semihosting.as_mut()?.call(&mut self.bus, clock, regs.x(0) as u32, regs.x(1)) {
            Outcome::Return(value) => {
                regs.set_x(0, value);
                None
            }
            Outcome::Exit { reason, code } => Some(StopReason::Exit { reason, code }),
        }
    }
}

/// A call reaches memory as a debugger does, past the MPUs.
impl Host for Bus {
    fn read(&mut self, address: u64, bytes: &mut [u8]) -> bool {
        let there = bytes.is_empty()
            || self.memory.holds(address) && self.memory.holds(address.saturating_add(bytes.len() as u64 - 1));
        self.memory.read(address, bytes);
        there
    }

    fn write(&mut self, address: u64, bytes: &[u8]) -> bool {
        self.forget_every_instruction();
        self.memory.write(address, bytes)
    }

    fn print(&mut self, stream: Stream, bytes: &[u8]) {
        let source = match stream {
            Stream::Output => Source::Semihosting,
            Stream::Error => Source::SemihostingError,
        };
        self.output.print(source, bytes);
    }
}

/// Executes so many instructions of a PE, fewer if something comes between.
fn run_pe<O: Observer>(
    cpu: &mut Cpu,
    bus: &mut Bus,
    observer: &mut O,
    (psci, semihosting): (Option<Conduit>, bool),
    slice: u64,
) -> End {
    let mut decoded = core::mem::take(&mut bus.decoded);
    let end = {
        let Cpu { regs, pe } = cpu;
        let core = Core { pe, bus, observer, pc: regs.pc, raised: None, stop: None };
        run_core(core, regs, &mut decoded.0, (psci, semihosting), slice)
    };
    bus.forget_stale(&mut decoded.0);
    bus.decoded = decoded;
    end
}

/// The same, with decoded instructions apart from the bus.
fn run_core<O: Observer>(
    mut core: Core<'_, O>,
    regs: &mut Regs,
    decoded: &mut Decoded,
    (psci, semihosting): (Option<Conduit>, bool),
    slice: u64,
) -> End {
    let features = core.pe.identity.features;
    core.bus.look_at_interrupts();
    let mut here = Here::NOWHERE;
    for _ in 0..slice {
        core.pc = regs.pc;
        if core.bus.has_attention() {
            core.bus.update();
            if let Some(interrupt) = core.pe.interrupt(core.bus.signals(core.pe.id), regs.pc) {
                core.pe.clear_virtual_error(&interrupt);
                core.take(regs, interrupt);
                core.pc = regs.pc;
            }
        }
        let result = match core.fetch_checked(&mut here) {
            Ok(page) => {
                let word = (core.pc % PAGE / 4) as usize;
                if decoded.get(page, word).is_none() {
                    core.bus.decode(decoded, page, core.pc, |word| decode(word, features));
                }
                match decoded.get(page, word) {
                    Some(insn) => execute(insn, regs, &mut core),
                    None => Err(Exit::Undefined),
                }
            }
            Err(exit) => Err(exit),
        };
        if core.bus.has_stale() {
            core.bus.forget_stale(decoded);
        }
        if let Err(exit) = result {
            if let Some(stop @ (Stop::Hazard | Stop::Memory)) = core.stop {
                return End::Stop(stop);
            }
            let el = core.pe.pstate().el;
            let called = match (exit, psci) {
                (Exit::NotBuilt(name), _) => return End::NotBuilt(name),
                (Exit::Hlt(SEMIHOSTING), _) if semihosting => Some(End::Semihosting),
                (Exit::Smc(0), Some(Conduit::Smc)) if el != mpu_model::El::El0 => Some(End::Firmware),
                (Exit::Hvc(0), Some(Conduit::Hvc)) if el == mpu_model::El::El1 => Some(End::Firmware),
                _ => None,
            };
            core.bus.tick();
            core.pe.executed += 1;
            if let Some(called) = called {
                regs.pc = regs.pc.wrapping_add(4);
                return called;
            }
            let exception = core.raised.take().or_else(|| core.pe.of_exit(exit, core.pc));
            if let Some(exception) = exception {
                core.take(regs, exception);
            }
        } else {
            core.bus.tick();
            core.pe.executed += 1;
        }
        if let Some(stop) = core.stop {
            return End::Stop(stop);
        }
        if core.pe.power != Power::Running {
            return End::Turn;
        }
        if core.bus.output.is_full() {
            return End::Output;
        }
    }
    End::Turn
}
