//! The PE that steps run on: the machine's, with preemption forced as the recording says, and words of guests that change just
//! before the hypervisor looks at them.

use sim_core::layout::Span;
use sim_core::machine::{Cpu, Faulted};
use sim_core::platform::over::Over;
use sim_core::platform::{Platform, Rmw, Width};
use std::collections::{BTreeMap, VecDeque};

/// What a guest on another PE does to a word that the hypervisor is about to access.
#[derive(Debug, Clone, Copy)]
pub struct Deed {
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
    pub deeds: VecDeque<Deed>,
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
            let ram = &mut cpu.machine.ram;
            let word = ram.read(address, 4);
            ram.write(address, 4, word ^ MEANINGLESS);
        }
    }

    /// The hypervisor is about to access a word.
    fn before(&mut self, cpu: &mut Cpu<'_>, address: u64) {
        if !self.shared.iter().any(|span| span.contains(address)) {
            return;
        }
        self.accessed.push(address);
        match self.deeds.front_mut() {
            Some(deed) if deed.after > 0 => deed.after -= 1,
            Some(&mut Deed { keep, flip, .. }) => {
                self.deeds.pop_front();
                let ram = &mut cpu.machine.ram;
                let word = ram.read(address, 4) as u32;
                ram.write(address, 4, u64::from(word & keep ^ flip));
            }
            None => {}
        }
    }
}

/// A PE whose n-th preemption check from now says "stop here".
#[derive(Debug)]
pub(super) struct ForcedPe<'a> {
    pub(super) cpu: Cpu<'a>,
    /// How many checks are left to the one that does; 0: none ever does.
    pub(super) checks: &'a mut u64,
    /// Guests that write meanwhile, where there are any.
    pub(super) tamper: Option<&'a mut Tamper>,
}

impl<'a> Over for ForcedPe<'a> {
    type Below = Cpu<'a>;

    fn below(&self) -> &Cpu<'a> {
        &self.cpu
    }

    fn below_mut(&mut self) -> &mut Cpu<'a> {
        &mut self.cpu
    }

    fn load(&mut self, address: u64, width: Width) -> Result<u64, Faulted> {
        if width == Width::Word
            && let Some(tamper) = &mut self.tamper
        {
            tamper.before(&mut self.cpu, address);
        }
        self.cpu.load(address, width)
    }

    fn store(&mut self, address: u64, width: Width, value: u64) -> Result<(), Faulted> {
        if width == Width::Word
            && let Some(tamper) = &mut self.tamper
        {
            tamper.before(&mut self.cpu, address);
        }
        self.cpu.store(address, width, value)
    }

    fn rmw(&mut self, address: u64, op: Rmw) -> Result<u32, Faulted> {
        if let Some(tamper) = &mut self.tamper {
            tamper.before(&mut self.cpu, address);
            if matches!(op, Rmw::CompareExchange { .. }) {
                tamper.flip(&mut self.cpu, address);
            }
        }
        self.cpu.rmw(address, op)
    }

    fn preemption_due(&mut self) -> bool {
        *self.checks = match *self.checks {
            0 => return false,
            checks => checks - 1,
        };
        *self.checks == 0
    }
}
