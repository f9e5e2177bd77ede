//! Addresses that running software needs at all times, judged again after every register write.
//!
//! A hypervisor whose own text, data or stack drops out of its view is dead at once. Asking the full check after each
//! write would dominate a run, so each probe remembers which slots hold its granule, enabled or not: a `PRBAR` or
//! `PRLAR` write updates one bit, a `PRENR` write none. Once all were found to hold, they are judged again only after a write
//! that bears on one.

use core::cell::Cell;

use crate::access::{Access, AccessKind, Denial};
use crate::check::{State, judge_byte};
use crate::level::{El, Regime};
use crate::rules::Rules;
use crate::slot::Slot;
use crate::slot_set::SlotSet;
use crate::table::Table;

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
        for slot in Slot::all(table.regions()) {
            tracked.update(table, slot);
        }
        tracked
    }

    /// Whether the slot holds the granule, now or before.
    fn update(&mut self, table: &Table, slot: Slot) -> bool {
        let addr = self.probe.addr;
        let before = self.covering.contains(slot);
        let now = table.slot_touches(slot, addr, addr);
        self.covering.put(slot, now);
        before || now
    }
}

/// The probes of one MPU.
#[derive(Clone, Default)]
pub(crate) struct Probes {
    tracked: [Option<Tracked>; PROBES],
    /// None failed, and nothing that bears on one changed since.
    hold: Cell<bool>,
}

impl Probes {
    pub(crate) fn add(&mut self, probe: Probe, table: &Table) -> Option<ProbeId> {
        let (index, place) = self.tracked.iter_mut().enumerate().find(|(_, place)| place.is_none())?;
        *place = Some(Tracked::new(probe, table));
        self.hold.set(false);
        Some(ProbeId(index as u8))
    }

    pub(crate) fn set(&mut self, id: ProbeId, probe: Probe, table: &Table) {
        if let Some(Some(tracked)) = self.tracked.get_mut(id.index()) {
            *tracked = Tracked::new(probe, table);
            self.hold.set(false);
        }
    }

    /// The words of `slot` have changed.
    pub(crate) fn update(&mut self, table: &Table, slot: Slot) {
        for tracked in self.tracked.iter_mut().flatten() {
            if tracked.update(table, slot) {
                self.hold.set(false);
            }
        }
    }

    /// The slots that are enabled have changed, from `before` to `now`.
    pub(crate) fn enabled(&self, before: &SlotSet, now: &SlotSet) {
        let changed = before.differing(now);
        if self.tracked.iter().flatten().any(|tracked| tracked.covering.and(&changed) != SlotSet::default()) {
            self.hold.set(false);
        }
    }

    /// What holds for all regions has changed.
    pub(crate) fn control(&self) {
        self.hold.set(false);
    }

    pub(crate) fn failing(&self, state: &State, rules: Rules) -> Option<(ProbeId, Denial)> {
        if self.hold.get() {
            return None;
        }
        let failing = self.tracked.iter().flatten().enumerate().find_map(|(index, tracked)| {
            let Probe { addr, kind } = tracked.probe;
            let access = Access { addr, size: 1, kind, el: El::El2 };
            let holding = tracked.covering.and(state.table.enabled());
            let denial = judge_byte(state, rules, Regime::El2, access, holding).err()?;
            Some((ProbeId(index as u8), denial))
        });
        self.hold.set(failing.is_none());
        failing
    }
}
