//! Who goes next: what a step of an actor touches, and whoever decides among those that can go.

use sim_core::guest::Action;

/// A PE's number, which names who acts on it.
pub type Who = usize;

/// What a step touches that others could notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Footprint {
    /// The hypervisor lock: an interrupt taken, a hypercall begun, an event raised.
    Lock(Entry),
    /// Nothing of the others': a barrier.
    Own,
    /// The state of the event interrupt at this PE: a guest acknowledges or ends it.
    Interrupt,
    /// What a PE does at a check point: an interrupt of its own that comes in there ends this part of a long operation.
    Preemption,
    /// Bytes of memory.
    Memory {
        /// The first.
        address: u64,
        /// How many.
        bytes: u64,
        /// Whether they may change.
        writes: bool,
    },
}

/// Why the hypervisor lock is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A kick.
    Interrupt,
    /// A hypercall, or what a toolstack asks for.
    Call,
    /// The second half of a hypercall.
    Raise,
}

impl Footprint {
    /// Of what a guest does without the hypervisor and others may notice; `None`: nothing of that.
    #[must_use]
    pub fn of(action: Action) -> Option<Self> {
        if matches!(action, Action::Acknowledge | Action::EndOfInterrupt(_)) {
            return Some(Self::Interrupt);
        }
        let (address, width, writes) = match action {
            Action::Load { address, width } => (address, width, false),
            Action::Store { address, width, .. } | Action::Atomic { address, width, .. } => (address, width, true),
            _ => return None,
        };
        Some(Self::Memory { address, bytes: width.bytes(), writes })
    }

    /// Whether two steps of different actors give the same in either order.
    #[must_use]
    pub fn commutes(self, other: Self) -> bool {
        match (self, other) {
            (Self::Lock(_), Self::Lock(_)) | (Self::Preemption, _) | (_, Self::Preemption) => false,
            // A call or a raise may kick the PE, which takes the kick before anything else.
            (Self::Lock(entry), Self::Interrupt) | (Self::Interrupt, Self::Lock(entry)) => entry == Entry::Interrupt,
            (Self::Memory { address, bytes, writes }, Self::Memory { address: at, bytes: len, writes: too }) => {
                let apart = address.saturating_add(bytes) <= at || at.saturating_add(len) <= address;
                apart || !(writes || too)
            }
            _ => true,
        }
    }
}

/// A step that could be next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Whose.
    pub who: Who,
    /// What it touches.
    pub footprint: Footprint,
}

/// Decides who goes next.
pub trait Pick {
    /// One of `can`, by its place in it. The first is who goes on if nobody else is let in. `None`: where this schedule leads
    /// was seen already.
    fn pick(&mut self, can: &[Candidate]) -> Option<usize>;
}

/// Nobody is let in before he has to be.
#[derive(Clone, Copy, Debug, Default)]
pub struct InTurn;

impl Pick for InTurn {
    fn pick(&mut self, _: &[Candidate]) -> Option<usize> {
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::guest::AtomicOp;
    use sim_core::platform::Width;

    fn load(address: u64, width: Width) -> Footprint {
        Footprint::of(Action::Load { address, width }).unwrap_or(Footprint::Own)
    }

    fn set(address: u64, width: Width) -> Footprint {
        Footprint::of(Action::Atomic { address, width, op: AtomicOp::Or(1) }).unwrap_or(Footprint::Own)
    }

    #[test]
    fn steps_commute_unless_they_share_a_byte_that_changes_or_the_lock() {
        assert!(!set(8, Width::Word).commutes(load(11, Width::Byte)));
        assert!(!load(0, Width::Double).commutes(set(4, Width::Word)));
        assert!(set(8, Width::Word).commutes(load(12, Width::Byte)));
        assert!(load(8, Width::Word).commutes(load(8, Width::Word)));
        let call = Footprint::Lock(Entry::Call);
        assert!(!call.commutes(Footprint::Lock(Entry::Interrupt)));
        assert!(call.commutes(set(8, Width::Word)) && Footprint::Own.commutes(call));
        assert_eq!(Footprint::of(Action::WaitForInterrupt), None);
        // A raise may kick the PE before its guest ends the interrupt; taking a kick, or memory, does not bear on it.
        let end = Footprint::of(Action::EndOfInterrupt(31)).unwrap_or(Footprint::Own);
        assert!(!end.commutes(Footprint::Lock(Entry::Raise)) && !call.commutes(end));
        assert!(end.commutes(Footprint::Lock(Entry::Interrupt)) && end.commutes(set(8, Width::Word)));
        assert!(!Footprint::Preemption.commutes(Footprint::Own) && !end.commutes(Footprint::Preemption));
    }
}
