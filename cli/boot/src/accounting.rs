//! What is counted while a machine runs.

use crate::fault::{self, Fault};
use crate::report::{Cause, Caused, Exceptions};
use crate::shadow::{Names, Shadow};
use crate::trace::Trace;
use armv8r::a64::{Barrier, SysEncoding};
use armv8r::exception::Exception;
use armv8r::observe::{At, Event, Flow, Observer};
use boards::Board;
use mpu_model::{El, MpuReg};
use std::collections::BTreeMap;

/// Faults of EL2 to itself in a row, none more than [`CLOSE`] instructions behind the one before and none returned from, at
/// which a run ends: a handler that faults itself does nothing else any more.
const IN_A_ROW: u32 = 1000;
const CLOSE: u64 = 64;

/// An entry to EL2 that has not returned.
#[derive(Clone, Copy, Debug)]
struct Entry {
    cause: Cause,
    /// Instructions that the PE had executed.
    since: u64,
    done: Caused,
}

/// What is counted of one PE.
#[derive(Debug)]
struct PeAccounting {
    shadow: Shadow,
    entry: Option<Entry>,
    fault: Option<Fault>,
    /// Faults in a row, and when the last of them was.
    row: (u32, u64),
}

/// Counts, and writes a log where one is asked for.
#[derive(Debug)]
pub(crate) struct Accounting {
    names: Names,
    board: Board,
    pes: Vec<PeAccounting>,
    pub(crate) exceptions: BTreeMap<Exceptions, u64>,
    entries: BTreeMap<Cause, Caused>,
    pub(crate) faults: u64,
    /// A handler faults for ever.
    pub(crate) looped: bool,
    pub(crate) trace: Option<Trace>,
    /// The log cannot be written.
    pub(crate) trace_failed: bool,
}

impl Accounting {
    pub(crate) fn new(board: &Board, start: El, trace: Option<Trace>) -> Self {
        let reset = Entry { cause: Cause::Reset, since: 0, done: Caused::default() };
        let entry = (start == El::El2).then_some(reset);
        let pe = |_| PeAccounting { shadow: Shadow::new(board), entry, fault: None, row: (0, 0) };
        Self {
            names: Names::new(),
            board: board.clone(),
            pes: board.pe_ids().map(pe).collect(),
            exceptions: BTreeMap::new(),
            entries: BTreeMap::new(),
            faults: 0,
            looped: false,
            trace,
            trace_failed: false,
        }
    }

    /// Most regions that were enabled at once in the MPUs of EL1 and EL2 of a PE.
    pub(crate) fn most_regions(&self, pe: usize) -> [usize; 2] {
        self.pes.get(pe).map_or([0; 2], |pe| pe.shadow.most)
    }

    /// The fault that matters most: one that was not returned from, and of these the last.
    pub(crate) fn fault(&self) -> Option<Fault> {
        let faults = self.pes.iter().filter_map(|pe| pe.fault.as_ref());
        faults.max_by_key(|fault| (!fault.returned, fault.time)).cloned()
    }

    /// Entries to EL2, those that have not returned as well; `executed`: instructions of each PE.
    pub(crate) fn entries(&self, executed: impl Fn(usize) -> u64) -> BTreeMap<Cause, Caused> {
        let mut entries = self.entries.clone();
        for (pe, counted) in self.pes.iter().enumerate() {
            if let Some(entry) = counted.entry
                && executed(pe) > entry.since
            {
                close(&mut entries, entry, executed(pe));
            }
        }
        entries
    }

    fn exception(&mut self, at: &At, exception: &Exception) {
        let cause = Cause::new(exception.kind, exception.ec);
        *self.exceptions.entry(Exceptions { from: at.el, to: exception.target, cause }).or_default() += 1;
        let Some(pe) = self.pes.get_mut(at.pe) else { return };
        if fault::is_own(at, exception) {
            self.faults += 1;
            match &mut pe.fault {
                Some(first) if !first.returned => {
                    first.more += 1;
                    first.last = Some((at.pc, exception.far));
                }
                fault => *fault = Some(Fault::new(at, exception, &pe.shadow, &self.board)),
            }
            let (row, last) = pe.row;
            let row = if row > 0 && at.count.saturating_sub(last) <= CLOSE { row + 1 } else { 1 };
            pe.row = (row, at.count);
            self.looped |= row >= IN_A_ROW;
        }
        if exception.target == El::El2 && at.el != El::El2 {
            pe.entry = Some(Entry { cause, since: at.count, done: Caused::default() });
        }
    }

    fn returned(&mut self, at: &At, from: El, to: El) {
        let Some(pe) = self.pes.get_mut(at.pe).filter(|_| from == El::El2) else { return };
        pe.row = (0, 0);
        if let Some(fault) = &mut pe.fault {
            fault.returned = true;
        }
        if to != El::El2
            && let Some(entry) = pe.entry.take()
        {
            close(&mut self.entries, entry, at.count.saturating_add(1));
        }
    }

    fn write(&mut self, at: &At, register: SysEncoding) {
        let mpu = self.names.find(register).is_some_and(|(_, reg)| reg != MpuReg::Mair);
        if let Some(done) = self.working(at) {
            *(if mpu { &mut done.mpu_writes } else { &mut done.other_writes }) += 1;
        }
    }

    fn barrier(&mut self, at: &At, barrier: Barrier) {
        if let Some(done) = self.working(at) {
            match barrier {
                Barrier::Isb => done.isb += 1,
                Barrier::Dsb => done.dsb += 1,
                Barrier::Dmb | Barrier::Sb => {}
            }
        }
    }

    /// What the entry did so far for which EL2 works.
    fn working(&mut self, at: &At) -> Option<&mut Caused> {
        let pe = self.pes.get_mut(at.pe).filter(|_| at.el == El::El2)?;
        pe.entry.as_mut().map(|entry| &mut entry.done)
    }

    fn see(&mut self, at: &At, event: &Event) -> Flow {
        match event {
            Event::Exception(exception) => self.exception(at, exception),
            Event::Return { from, to, .. } => self.returned(at, *from, *to),
            Event::Write { register, .. } => self.write(at, *register),
            Event::Barrier(barrier) => self.barrier(at, *barrier),
            Event::Maintenance { .. } | Event::Access { .. } | Event::Hazard(_) => {}
        }
        if let Some(pe) = self.pes.get_mut(at.pe) {
            pe.shadow.follow(&self.names, event);
        }
        if let Some(trace) = &mut self.trace {
            self.trace_failed |= !trace.event(at, event);
        }
        if self.looped || self.trace_failed { Flow::Stop } else { Flow::Go }
    }
}

fn close(entries: &mut BTreeMap<Cause, Caused>, entry: Entry, now: u64) {
    let Entry { cause, since, done } = entry;
    let instructions = now.saturating_sub(since);
    let all = entries.entry(cause).or_default();
    all.entries += 1;
    all.instructions += instructions;
    all.most_instructions = all.most_instructions.max(instructions);
    all.mpu_writes += done.mpu_writes;
    all.other_writes += done.other_writes;
    all.isb += done.isb;
    all.dsb += done.dsb;
}

impl Observer for Accounting {
    const ACCESSES: bool = false;

    fn observe(&mut self, at: &At, event: &Event) -> Flow {
        self.see(at, event)
    }
}

/// A [`Accounting`] that is told of accesses to data as well.
#[derive(Debug)]
pub(crate) struct WithAccesses<'a>(pub(crate) &'a mut Accounting);

impl Observer for WithAccesses<'_> {
    fn observe(&mut self, at: &At, event: &Event) -> Flow {
        self.0.see(at, event)
    }
}
