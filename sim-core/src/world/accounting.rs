//! The accounting of a run: what was done for whom, what it took, and what became of events.

use super::observer::Observer;
use super::tracker::Tracker;
use crate::guest::Mark;
use crate::hyp::Hypervisor;
use crate::hyp::domain::vcpu_of;
use crate::layout::Position;
use crate::machine::Machine;
use crate::outcome::{Counts, HazardReport, OnBehalf, Outcome, RegionUse, Report, Trap, TrapCost};
use crate::platform::Event;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use boards::PeId;
use evtchn::abi;

/// What one entry to EL2 took, from the guest's action or the interrupt to the return.
#[derive(Clone, Copy, Debug)]
pub(super) struct Took {
    /// What was done.
    pub(super) counts: Counts,
    /// In cycles.
    pub(super) cycles: u64,
    /// Cycles of it in which the PE took no interrupt.
    pub(super) masked: u64,
    /// What is in x0 of whoever trapped.
    pub(super) rc: i64,
}

/// All that a report says of a run, but for how it ended and what is in its machine.
#[derive(Debug)]
pub(super) struct Accounting {
    /// What became of events, and which steps failed.
    pub(super) tracker: Tracker,
    traps: BTreeMap<Trap, TrapCost>,
    on_behalf: OnBehalf,
    boot: Counts,
    lock_wait: u64,
    steps: u64,
    /// Room for what the machine hands over.
    events: Vec<Event>,
    marks: Vec<(usize, Mark)>,
}

impl Default for Accounting {
    /// Boot code runs.
    fn default() -> Self {
        Self {
            tracker: Tracker::default(),
            traps: BTreeMap::new(),
            on_behalf: OnBehalf { trap: Trap::Boot, vcpu: None, args: None, step: None },
            boot: Counts::default(),
            lock_wait: 0,
            steps: 0,
            events: Vec::new(),
            marks: Vec::new(),
        }
    }
}

impl Accounting {
    /// Boot is over, and did this.
    pub(super) fn booted(&mut self, counts: Counts) {
        self.boot = counts;
    }

    /// A PE acts.
    pub(super) fn step(&mut self) {
        self.steps += 1;
    }

    /// How often PEs acted.
    pub(super) const fn steps(&self) -> u64 {
        self.steps
    }

    /// EL2 is entered for that.
    pub(super) fn entered(&mut self, on_behalf: OnBehalf) {
        self.on_behalf = on_behalf;
    }

    /// What EL2 runs for, or ran for last.
    pub(super) const fn on_behalf(&self) -> OnBehalf {
        self.on_behalf
    }

    /// A PE waited for the hypervisor lock.
    pub(super) fn waited(&mut self, cycles: u64) {
        self.lock_wait = self.lock_wait.saturating_add(cycles);
    }

    /// EL2 is left after [`Accounting::entered`], and it took this.
    pub(super) fn left(&mut self, took: Took) {
        let cost = self.traps.entry(self.on_behalf.trap).or_default();
        cost.calls += 1;
        cost.counts = cost.counts.plus(took.counts);
        cost.cycles.add(took.cycles);
        cost.masked.add(took.masked);
        if matches!(self.on_behalf.trap, Trap::Hypercall(_)) && (-4095..0).contains(&took.rc) {
            *cost.errors.entry(took.rc).or_default() += 1;
        }
    }

    /// Takes what the hypervisor told on a PE. `sent` is the time of the trap, if that was a send.
    pub(super) fn take_events<S, W: Observer>(
        &mut self,
        machine: &mut Machine,
        hyp: &Hypervisor<S>,
        pe: PeId,
        sent: Option<u64>,
        observer: &mut W,
    ) {
        machine.take_events(&mut self.events);
        let now = machine.now(pe);
        for event in self.events.drain(..) {
            let unmasked = |domain: Position, port: u32| {
                let area = hyp.shared_info(domain);
                let offset = u64::from(abi::shared_info::MASK) + u64::from(port / 64 * 8);
                area.is_some_and(|area| machine.look_at(area.address + offset, 8) & (1 << (port % 64)) == 0)
            };
            self.tracker.event(event, sent, unmasked, |told| observer.tell(now, pe, told));
        }
    }

    /// Takes what programs told while a PE acted until `now`.
    pub(super) fn take_marks<W: Observer>(&mut self, machine: &mut Machine, pe: PeId, now: u64, observer: &mut W) {
        machine.take_marks(&mut self.marks);
        for (guest, mark) in self.marks.drain(..) {
            if let Some(vcpu) = machine.guests().get(guest).and_then(|slot| vcpu_of(slot.key())) {
                self.tracker.mark(vcpu, mark, now, |told| observer.tell(now, pe, told));
            }
        }
    }

    /// The report of a run that is over.
    pub(super) fn close(self, outcome: Outcome, regions: RegionUse, ran: Ran) -> Report {
        let (events, ports) = self.tracker.close();
        let Ran { hazards, counts, cycles, console } = ran;
        Report {
            outcome,
            hazards,
            events,
            ports,
            traps: self.traps,
            regions,
            counts,
            boot_counts: self.boot,
            cycles,
            lock_wait: self.lock_wait,
            steps: self.steps,
            console,
        }
    }
}

/// What a machine has to say of a run that is over. By default it has not run.
#[derive(Debug, Default)]
pub(super) struct Ran {
    /// Uses of the MPU that hardware may answer either way.
    pub(super) hazards: Vec<HazardReport>,
    counts: Counts,
    cycles: u64,
    console: String,
}

impl Ran {
    pub(super) fn of(machine: &Machine) -> Self {
        Self {
            hazards: machine.hazards().to_vec(),
            counts: machine.counts(),
            cycles: machine.cycles(),
            console: machine.console(),
        }
    }
}
