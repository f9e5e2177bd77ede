//! A PE at work.

use super::Pe;
use crate::bus::Bus;
use crate::exception::Exception;
use crate::observe::{At, Event, Flow, Observer};

/// Why a run ends behind the instruction at hand, or before it has an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// An observer asked for it.
    Observer,
    /// A hazard, and the run is to end at hazards.
    Hazard,
    /// No more memory may come into being.
    Memory,
}

/// A PE, what it is connected to, and who looks on.
pub(crate) struct Core<'a, O> {
    pub(crate) pe: &'a mut Pe,
    pub(crate) bus: &'a mut Bus,
    pub(crate) observer: &'a mut O,
    /// The address of the instruction.
    pub(crate) pc: u64,
    pub(crate) raised: Option<Exception>,
    pub(crate) stop: Option<Stop>,
}

impl<O: Observer> Core<'_, O> {
    /// Tells whoever looks on.
    #[inline]
    pub(crate) fn tell(&mut self, event: impl FnOnce() -> Event) {
        if O::OBSERVES {
            let pe = &self.pe;
            let at = At {
                pe: pe.id,
                pc: self.pc,
                count: pe.executed,
                time: self.bus.now(),
                el: pe.pstate.el,
                vmid: pe.vmid(),
            };
            if self.observer.observe(&at, &event()) == Flow::Stop {
                self.stop = Some(Stop::Observer);
            }
        }
    }
}
