//! What a guest does and is given, a line each: the compact text by which a guest that runs under another hypervisor is
//! compared with the same one in the simulator.
//!
//! A line begins with the position of the domain and the number of the vCPU.
//!
//! | line | what |
//! |---|---|
//! | `1.0 hvc 32 0x4 ram+0x0 0x0 0x0 0x0 = 0` | a hypercall: number, arguments, result |
//! | `1.0 psci 0x84000002` | a PSCI call that does not return |
//! | `1.0 load ram+0x4 = 0xb` | a load of the program's own: what a hypercall put into its argument block, or a step |
//! | `1.0 abort ec=0x25 fsc=0x10 far=0x40` | an action that ended in an exception instead |
//! | `1.0 unexpected step 7` | a step that gave something else than expected |
//! | `1.0 upcall` | an interrupt is taken |
//! | `1.0 handled 11` | the handler found the event on this port |
//!
//! Addresses in the domain's RAM are told from its start, for it lies elsewhere under another hypervisor. How long things
//! take is not told, and how often the guest waits neither. Who runs when decides between which other lines an upcall comes,
//! and how many events it finds; so there are three [`Kind`]s of lines, and of one alone the order says something.

use super::{Action, Guest, Input, Mark};
use crate::outcome::{StepId, VcpuRef, WaitsFor};
use core::fmt::{self, Write};

/// The first bank of a domain's RAM: where it begins, and its size.
#[cfg_attr(feature = "export", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bank {
    /// Its first address.
    pub base: u64,
    /// Bytes in it.
    pub size: u64,
}

impl Bank {
    /// How far into it an address is.
    #[must_use]
    pub const fn offset(self, address: u64) -> Option<u64> {
        match address.checked_sub(self.base) {
            Some(offset) if offset < self.size => Some(offset),
            _ => None,
        }
    }
}

/// An address, or a value that may be one.
struct Operand(Bank, u64);

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.offset(self.1) {
            Some(offset) => write!(f, "ram+{offset:#x}"),
            None => write!(f, "{:#x}", self.1),
        }
    }
}

/// A kind of lines of one vCPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What its program does and is given.
    Program,
    /// Events that its handler finds.
    Event,
    /// Interrupts.
    Upcall,
}

impl Kind {
    /// The kind of a line.
    #[must_use]
    pub fn of(line: &str) -> Self {
        match line.split(' ').nth(1) {
            Some("upcall") => Self::Upcall,
            Some("handled") => Self::Event,
            _ => Self::Program,
        }
    }
}

/// A guest whose doings are told.
#[derive(Debug)]
pub struct Recorder<G, W> {
    guest: G,
    out: W,
    who: VcpuRef,
    bank: Bank,
    /// What the program asked for, until it is given.
    asked: Option<Action>,
    /// Its upcall handler runs.
    handling: bool,
}

impl<G, W: Write> Recorder<G, W> {
    /// The guest of a vCPU whose domain has its RAM at `bank`.
    pub const fn new(guest: G, out: W, who: VcpuRef, bank: Bank) -> Self {
        Self { guest, out, who, bank, asked: None, handling: false }
    }

    fn given(&mut self, action: Action, input: Input) -> fmt::Result {
        let VcpuRef { domain, vcpu } = self.who;
        let told = |value| Operand(self.bank, value);
        if let Input::Abort { esr, far } = input {
            let (class, status) = (esr >> 26, esr & 0x3f);
            return writeln!(self.out, "{domain}.{vcpu} abort ec={class:#04x} fsc={status:#04x} far={}", told(far));
        }
        let Input::Value(value) = input else { return Ok(()) };
        match action {
            Action::Hvc { nr, args, .. } => {
                let [x0, x1, x2, x3, x4] = args.map(told);
                let rc = value.cast_signed();
                writeln!(self.out, "{domain}.{vcpu} hvc {nr} {x0} {x1} {x2} {x3} {x4} = {rc}")
            }
            Action::Load { address, .. } => {
                writeln!(self.out, "{domain}.{vcpu} load {} = {value:#x}", told(address))
            }
            _ => Ok(()),
        }
    }

    fn asks(&mut self, action: Action) -> fmt::Result {
        let VcpuRef { domain, vcpu } = self.who;
        match action {
            Action::Mark(Mark::Handled { port }) => writeln!(self.out, "{domain}.{vcpu} handled {port}"),
            Action::Mark(Mark::Unexpected { step: StepId(step), .. }) => {
                writeln!(self.out, "{domain}.{vcpu} unexpected step {step}")
            }
            super::CPU_OFF => writeln!(self.out, "{domain}.{vcpu} psci {:#x}", crate::convention::psci::CPU_OFF),
            _ => Ok(()),
        }
    }
}

impl<G: Guest, W: Write> Guest for Recorder<G, W> {
    /// Where a line goes that cannot be written, it is not for the guest to know.
    fn resume(&mut self, input: Input) -> Action {
        if input == Input::Interrupt {
            self.handling = true;
            let _ = writeln!(self.out, "{}.{} upcall", self.who.domain, self.who.vcpu);
        } else if !self.handling
            && let Some(action) = self.asked.take()
        {
            let _ = self.given(action, input);
        }
        let action = self.guest.resume(input);
        let _ = self.asks(action);
        match action {
            Action::ReturnFromInterrupt => self.handling = false,
            _ if self.handling => {}
            _ => self.asked = Some(action),
        }
        action
    }

    fn step(&self) -> Option<StepId> {
        self.guest.step()
    }

    fn waits_for(&self) -> WaitsFor {
        self.guest.waits_for()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::layout::Position;
    use crate::platform::Width;
    use alloc::collections::VecDeque;
    use alloc::string::String;
    use alloc::vec::Vec;

    /// Answers with what is in line.
    struct Script(VecDeque<Action>);

    impl Guest for Script {
        fn resume(&mut self, _: Input) -> Action {
            self.0.pop_front().unwrap()
        }
    }

    const BANK: Bank = Bank { base: 0x4000_0000, size: 0x1000 };

    fn told(script: &[(Input, Action)]) -> String {
        let actions = script.iter().map(|(_, action)| *action).collect();
        let mut guest =
            Recorder::new(Script(actions), String::new(), VcpuRef { domain: Position::new(1), vcpu: 0 }, BANK);
        for (input, action) in script {
            assert_eq!(guest.resume(*input), *action);
        }
        guest.out
    }

    #[test]
    fn calls_and_loads_are_told_with_what_they_gave() {
        let call = super::super::hypercall(32, [4, 0x4000_0010, 0x3fff_ffff, 0x4000_1000, 0]);
        let load = Action::Load { address: 0x4000_0ffc, width: Width::Word };
        let text = told(&[
            (Input::Value(0), call),
            (Input::Value((-22i64).cast_unsigned()), load),
            (Input::Value(11), load),
            (Input::Abort { esr: 0x25 << 26 | 0x10, far: 0x4000_0ffc }, super::super::CPU_OFF),
        ]);
        let lines = [
            "1.0 hvc 32 0x4 ram+0x10 0x3fffffff 0x40001000 0x0 = -22",
            "1.0 load ram+0xffc = 0xb",
            "1.0 abort ec=0x25 fsc=0x10 far=ram+0xffc",
            "1.0 psci 0x84000002",
            "",
        ];
        assert_eq!(text, lines.join("\n"));
    }

    #[test]
    fn an_interrupt_between_a_call_and_its_result_is_told_first_and_the_handlers_accesses_are_not() {
        let call = super::super::hypercall(29, [0; 5]);
        let load = Action::Load { address: 0x4000_0000, width: Width::Double };
        let text = told(&[
            (Input::Value(0), call),
            (Input::Interrupt, load),
            (Input::Value(5), Action::Mark(Mark::Handled { port: 3 })),
            (Input::Value(0), Action::ReturnFromInterrupt),
            (Input::Value(7), Action::WaitForInterrupt),
        ]);
        assert_eq!(text, "1.0 upcall\n1.0 handled 3\n1.0 hvc 29 0x0 0x0 0x0 0x0 0x0 = 7\n");
        let kinds: Vec<Kind> = text.lines().map(Kind::of).collect();
        assert_eq!(kinds, [Kind::Upcall, Kind::Event, Kind::Program]);
    }
}
