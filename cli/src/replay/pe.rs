//! The PE that steps run on: the machine's, with preemption forced as the recording says.

use sim_core::machine::Cpu;
use sim_core::platform::over::Over;

/// A PE whose n-th preemption check from now says "stop here".
#[derive(Debug)]
pub(super) struct ForcedPe<'a> {
    pub(super) cpu: Cpu<'a>,
    /// How many checks are left to the one that does; 0: none ever does.
    pub(super) checks: &'a mut u64,
}

impl<'a> Over for ForcedPe<'a> {
    type Below = Cpu<'a>;

    fn below(&self) -> &Cpu<'a> {
        &self.cpu
    }

    fn below_mut(&mut self) -> &mut Cpu<'a> {
        &mut self.cpu
    }

    fn preemption_due(&mut self) -> bool {
        *self.checks = match *self.checks {
            0 => return false,
            checks => checks - 1,
        };
        *self.checks == 0
    }
}
