//! Addresses that running software needs at all times, judged again after every register write.
//!
//! A hypervisor whose own text, data or stack drops out of its view is dead at once. Asking the full check after each
//! write would dominate a run, so each probe remembers which slots hold its granule, enabled or not: a `PRBAR` or
//! `PRLAR` write updates one bit, a `PRENR` write none.

use crate::access::{Access, AccessKind, Denial, El, Regime};
use crate::check::{State, judge_byte};
use crate::rules::Rules;
use crate::table::{SlotSet, Table};

/// How many probes one MPU keeps.
const PROBES: usize = 4;

/// An address that EL2 needs, one byte, and for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Probe {
    /// The byte.
    pub addr: u64,
    /// What EL2 does there.
    pub kind: AccessKind,
}

/// Names a probe of the MPU that gave it out: 0 for the first added, and so on up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProbeId(u8);

impl ProbeId {
    /// The place of the probe in the order of adding, from 0.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

#[derive(Clone, Copy)]
struct Tracked {
    probe: Probe,
    /// Slots that hold the probe's granule, enabled or not. Not looked at beyond the address space.
    covering: SlotSet,
}

impl Tracked {
    fn new(probe: Probe, table: &Table) -> Self {
        let mut tracked = Self { probe, covering: SlotSet::default() };
        for slot in 0..table.regions() {
            tracked.update(table, slot);
        }
        tracked
    }

    fn update(&mut self, table: &Table, slot: u8) {
        let addr = self.probe.addr;
        self.covering.put(slot, table.slot_touches(slot, addr, addr));
    }
}

/// The probes of one MPU.
#[derive(Clone, Default)]
pub(crate) struct Probes([Option<Tracked>; PROBES]);

impl Probes {
    pub(crate) fn add(&mut self, probe: Probe, table: &Table) -> Option<ProbeId> {
        let (index, place) = self.0.iter_mut().enumerate().find(|(_, place)| place.is_none())?;
        *place = Some(Tracked::new(probe, table));
        Some(ProbeId(index as u8))
    }

    pub(crate) fn set(&mut self, id: ProbeId, probe: Probe, table: &Table) {
        if let Some(Some(tracked)) = self.0.get_mut(id.index()) {
            *tracked = Tracked::new(probe, table);
        }
    }

    /// The words of `slot` have changed.
    pub(crate) fn update(&mut self, table: &Table, slot: u8) {
        for tracked in self.0.iter_mut().flatten() {
            tracked.update(table, slot);
        }
    }

    pub(crate) fn failing(&self, state: &State, rules: Rules) -> Option<(ProbeId, Denial)> {
        self.0.iter().flatten().enumerate().find_map(|(index, tracked)| {
            let Probe { addr, kind } = tracked.probe;
            let access = Access { addr, size: 1, kind, el: El::El2 };
            let holding = tracked.covering.and(state.table.enabled());
            let denial = judge_byte(state, rules, Regime::El2, access, holding).err()?;
            Some((ProbeId(index as u8), denial))
        })
    }
}
