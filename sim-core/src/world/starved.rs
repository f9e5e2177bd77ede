//! Runs in which turns change for ever and no guest acts in any: a quantum shorter than what it takes to hand over a PE.

use crate::hyp::sched::Scheduler;
use crate::hyp::{Hypervisor, PeState};
use crate::machine::Machine;
use crate::machine::pe::Pe;
use crate::outcome::Limit;
use boards::{PeId, PerPe};

/// Entries in a row that no action of a guest comes between before it is looked closer: in a run that goes on there are
/// hardly ever two.
const SUSPICIOUS: u64 = 1000;

/// What is kept of the entries since a guest last acted.
#[derive(Debug, Default)]
pub(super) struct Starved {
    entries: u64,
    /// Of each PE, once there were too many.
    pes: Option<PerPe<Turns>>,
}

/// The turns of one PE.
#[derive(Clone, Debug, Default)]
struct Turns {
    /// How many were looked at.
    seen: u64,
    /// How the PE stood at one of them.
    stood: Option<PeState>,
    /// The fewest cycles that a quantum began before its guest could have acted, since then.
    least: u64,
    /// It stood like that again: the same turns come for ever.
    recurred: bool,
}

impl Starved {
    /// A guest acted.
    pub(super) fn acted(&mut self) {
        if self.entries >= SUSPICIOUS {
            self.pes = None;
        }
        self.entries = 0;
    }

    /// A PE took an interrupt instead of letting its guest act. The limit, if no guest ever acts again.
    ///
    /// What a PE does then is decided by whose turn it is, who waits, and what its MPUs hold: by nothing from outside where no
    /// timer is armed and no kick on its way. A PE that stands as it stood before therefore goes through the same turns again.
    pub(super) fn interrupted<S>(
        &mut self,
        machine: &Machine,
        hyp: &Hypervisor<S>,
        rule: &Scheduler,
        pe: PeId,
    ) -> Option<Limit> {
        self.entries += 1;
        if self.entries < SUSPICIOUS {
            return None;
        }
        let Scheduler::RoundRobin { quantum } = *rule else { return None };
        let kicked = machine.pes().values().any(Pe::is_kicked);
        if kicked || hyp.has_timers() {
            return None;
        }
        let (state, standing) = (machine.pe(pe), hyp.state_of(pe));
        let began = state.next_interrupt().filter(|_| state.physical_interrupt().is_some())?.saturating_sub(quantum);
        let pes = self.pes.get_or_insert_with(|| machine.pes().others(|_| Turns::default()));
        pes[pe].turn(standing, state.clock.saturating_sub(began));
        let turns = machine.pes().values().zip(pes.values());
        let mut live = turns.filter(|(state, _)| state.due().is_some()).map(|(_, turns)| turns);
        if !live.clone().all(|turns| turns.recurred) {
            return None;
        }
        let switch = live.try_fold(u64::MAX, |least, turns| Some(least.min(turns.least)))?;
        Some(Limit::Quantum { quantum, switch })
    }
}

impl Turns {
    /// One turn more, after which the PE stands like that; its quantum began `took` cycles before its guest could have acted.
    fn turn(&mut self, standing: &PeState, took: u64) {
        self.seen += 1;
        self.least = self.least.min(took);
        self.recurred |= self.stood.as_ref().is_some_and(|stood| stood.stands_like(standing));
        // Further and further apart, so that a circle of any length is met.
        if !self.recurred && self.seen.is_power_of_two() {
            (self.stood, self.least) = (Some(standing.clone()), u64::MAX);
        }
    }
}
