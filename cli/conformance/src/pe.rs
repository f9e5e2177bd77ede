//! What happens on the PE that steps run on beside what the machine does: preemption is forced as the recording says, and words of
//! guests change just before the hypervisor looks at them.

use sim_core::harness::{AccessOf, Interference};
use sim_core::layout::Span;
use sim_core::machine::Cpu;
use sim_core::platform::{Rmw, Width};
use std::collections::{BTreeMap, VecDeque};

/// What a guest on another PE does to a word that the hypervisor is about to access.
#[derive(Debug, Clone, Copy)]
pub struct WordChange {
    /// Accesses let pass before.
    pub after: u32,
    /// Bits of the word that stay.
    pub keep: u32,
    /// Bits that change, after that.
    pub flip: u32,
}

/// The bit of an event word that means nothing, and that guests change to make an exchange fail.
const MEANINGLESS: u64 = 1 << 17;

/// Guests that write to the memory they share while the hypervisor works on it.
#[derive(Debug, Default)]
pub struct Tamper {
    /// Where they do.
    pub shared: Vec<Span>,
    /// What they do, in order.
    pub changes: VecDeque<WordChange>,
    /// The words there that the hypervisor accessed since this was emptied, where anybody is to know.
    pub accessed: Vec<u64>,
    /// Words that change just before the hypervisor compares and exchanges them, by address, and how often they still do.
    pub flips: BTreeMap<u64, u32>,
}

impl Tamper {
    /// The hypervisor is about to compare and exchange a word.
    fn flip(&mut self, cpu: &mut Cpu<'_>, address: u64) {
        if let Some(times) = self.flips.get_mut(&address).filter(|times| **times > 0) {
            *times -= 1;
            let word = cpu.machine.look_at(address, 4);
            cpu.machine.put(address, 4, word ^ MEANINGLESS);
        }
    }

    /// The hypervisor is about to access a word.
    fn before(&mut self, cpu: &mut Cpu<'_>, address: u64) {
        if !self.shared.iter().any(|span| span.contains(address)) {
            return;
        }
        self.accessed.push(address);
        match self.changes.front_mut() {
            Some(change) if change.after > 0 => change.after -= 1,
            Some(&mut WordChange { keep, flip, .. }) => {
                self.changes.pop_front();
                let word = cpu.machine.look_at(address, 4) as u32;
                cpu.machine.put(address, 4, u64::from(word & keep ^ flip));
            }
            None => {}
        }
    }
}

/// What the hypervisor meets on a PE that it would not meet on the machine alone.
#[derive(Debug, Default)]
pub struct Forced {
    /// How many preemption checks are left to the one that says "stop here"; 0: none ever does.
    pub(super) checks: u64,
    /// Guests that write meanwhile.
    pub tamper: Tamper,
}

impl Interference for Forced {
    fn before_access(&mut self, cpu: &mut Cpu<'_>, address: u64, access: AccessOf) {
        if matches!(access, AccessOf::Load(width) | AccessOf::Store(width) if width != Width::Word) {
            return;
        }
        self.tamper.before(cpu, address);
        if matches!(access, AccessOf::Atomic(Rmw::CompareExchange { .. })) {
            self.tamper.flip(cpu, address);
        }
    }

    fn preemption_due(&mut self, _: &mut Cpu<'_>) -> bool {
        self.checks = match self.checks {
            0 => return false,
            checks => checks - 1,
        };
        self.checks == 0
    }
}
