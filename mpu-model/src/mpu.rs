//! One MPU: its register file, the state in force, and what is pending in between. What it answers to an access is in `verdict`.

mod state;
mod verdict;

use core::cell::{Cell, OnceCell};
use core::fmt;

use crate::access::{Denial, Hit};
use crate::check::State;
use crate::fast::{Fast, Stretch};
use crate::hazard::{PendingWrite, WriteHazard};
use crate::level::Level;
use crate::memory::{Memory, MemoryType};
use crate::pending::{Entry, Log};
use crate::pmsa::Pmsa;
use crate::probe::{Probe, ProbeId, Probes};
use crate::regs::{MpuReg, RegionWords, Sctlr};
use crate::rules::Rules;
use crate::slot::Slot;
use crate::table::Table;

/// A slot and its words, if there is one on that side.
type Neighbour = Option<(Slot, RegionWords)>;

/// The register file of one MPU.
///
/// Software writes registers and reads back the newest values. Accesses are judged by the values in force, which
/// follow after the barriers that [`crate::SyncRule`] asks for. No two of these are ever confused: [`Mpu::check`] and
/// nothing else judges by what is in force, all other queries show the newest state.
///
/// The value is large (about 34 KiB) and holds no pointers; keep it on the heap, or in a static behind a lock: a check
/// remembers what it found, so that two threads cannot share one.
#[derive(Clone)]
pub struct Mpu {
    level: Level,
    rules: Rules,
    in_force: State,
    newest: State,
    prselr_in_force: u8,
    prselr: u8,
    mair: u64,
    log: Log,
    probes: Probes,
    /// The state in force, compiled once it has been asked often.
    fast: OnceCell<Fast>,
    /// Accesses that the state in force answered by the rule book.
    asked: Cell<u8>,
    /// The stretch of it that answered last; none while writes are pending.
    recent: Cell<Stretch>,
    /// Writes that changed something.
    changes: u64,
}

impl Mpu {
    /// An MPU out of reset: off, all registers zero. It has `regions` regions, 1 to 255; with 0 of them every access
    /// misses once it is on.
    #[must_use]
    pub fn new(level: Level, regions: u8, rules: Rules) -> Self {
        Self::with(Pmsa::V64, level, regions, rules)
    }

    /// The same with the registers of PMSAv8-32. [`Rules::pmsav8_32`] has the default map of that architecture.
    #[must_use]
    pub fn new_32(level: Level, regions: u8, rules: Rules) -> Self {
        Self::with(Pmsa::V32, level, regions, rules)
    }

    fn with(pmsa: Pmsa, level: Level, regions: u8, rules: Rules) -> Self {
        let state = State { table: Table::new(regions), sctlr: Sctlr::DEFAULT, pmsa };
        Self {
            level,
            rules,
            in_force: state.clone(),
            newest: state,
            prselr_in_force: 0,
            prselr: 0,
            mair: 0,
            log: Log::new(),
            probes: Probes::default(),
            fast: OnceCell::new(),
            asked: Cell::new(0),
            recent: Cell::new(Stretch::NONE),
            changes: 0,
        }
    }

    /// Goes out of reset again: what [`Mpu::new`] or, by `pmsa`, [`Mpu::new_32`] would give for the same level, probes gone
    /// too. Cheaper than a new one.
    pub fn reset(&mut self, pmsa: Pmsa, regions: u8, rules: Rules) {
        // By name, so that a field that comes is not forgotten here.
        let Self {
            level: _,
            rules: by,
            in_force,
            newest,
            prselr_in_force,
            prselr,
            mair,
            log,
            probes,
            fast,
            asked,
            recent,
            changes,
        } = self;
        *by = rules;
        for State { table, sctlr, pmsa: of } in [in_force, newest] {
            table.reset(regions);
            (*sctlr, *of) = (Sctlr::DEFAULT, pmsa);
        }
        (*prselr_in_force, *prselr, *mair, *changes) = (0, 0, 0, 0);
        log.reset();
        *probes = Probes::default();
        fast.take();
        asked.set(0);
        recent.set(Stretch::NONE);
    }

    /// The number of regions, `MPUIR.REGION`.
    #[must_use]
    pub const fn regions(&self) -> u8 {
        self.newest.table.regions()
    }

    /// Which registers it has.
    #[must_use]
    pub const fn pmsa(&self) -> Pmsa {
        self.newest.pmsa
    }

    /// Whose MPU this is.
    #[must_use]
    pub const fn level(&self) -> Level {
        self.level
    }

    /// The switches it runs under.
    #[must_use]
    pub const fn rules(&self) -> Rules {
        self.rules
    }

    /// What software reads: the newest value written, RES0 bits clear, whether or not it is in force. Regions are
    /// selected by the newest `PRSELR`; those that do not exist read as 0 (the architecture leaves it open).
    #[must_use]
    pub fn read(&self, reg: MpuReg) -> u64 {
        match reg {
            _ if !self.pmsa().has(self.level, reg) => 0,
            MpuReg::Mpuir => self.pmsa().mpuir(self.level, self.regions()),
            MpuReg::Mair => self.mair & self.mair_mask(),
            MpuReg::Mair1 => self.mair >> 32,
            MpuReg::Prenr => self.newest.table.enabled().prenr().into(),
            MpuReg::Prselr => self.prselr.into(),
            MpuReg::Sctlr => self.newest.sctlr.raw_value(),
            MpuReg::Prbar | MpuReg::PrbarN(_) => {
                self.selected(reg).map_or(0, |slot| self.pmsa().narrow_prbar(self.words(slot).prbar))
            }
            MpuReg::Prlar | MpuReg::PrlarN(_) => {
                self.selected(reg).map_or(0, |slot| self.pmsa().narrow_prlar(self.words(slot).prlar))
            }
        }
    }

    /// Writes a register. The write is pending until its barriers have come; one that changes nothing is in force
    /// already and is not logged.
    ///
    /// Regions that do not exist are written in vain (the architecture leaves it open), so are bits of `PRENR`
    /// beyond the number of regions, and `MPUIR`.
    ///
    /// # Errors
    ///
    /// [`WriteHazard`] for a region register that a selection not yet replaced leads elsewhere. The write is made all
    /// the same, to the region that the newest `PRSELR` selects.
    pub fn write(&mut self, reg: MpuReg, value: u64) -> Result<(), WriteHazard> {
        if !self.pmsa().has(self.level, reg) {
            return Ok(());
        }
        match reg {
            MpuReg::Mpuir => Ok(()),
            MpuReg::Mair => {
                let mask = self.mair_mask();
                self.mair = self.mair & !mask | value & mask;
                Ok(())
            }
            MpuReg::Mair1 => {
                self.mair = self.mair & 0xffff_ffff | value << 32;
                Ok(())
            }
            MpuReg::Prselr => {
                let selection = value as u8;
                if selection != self.prselr {
                    self.prselr = selection;
                    self.push(Entry { reg, slot: None, value: selection.into() });
                }
                Ok(())
            }
            MpuReg::Prenr => {
                let before = *self.newest.table.enabled();
                self.make(Entry { reg, slot: None, value });
                self.probes.enabled(&before, self.newest.table.enabled());
                Ok(())
            }
            MpuReg::Sctlr => {
                self.make(Entry { reg, slot: None, value });
                self.probes.control();
                Ok(())
            }
            MpuReg::Prbar | MpuReg::Prlar | MpuReg::PrbarN(_) | MpuReg::PrlarN(_) => {
                if let Some(slot) = self.selected(reg) {
                    self.make(Entry { reg, slot: Some(slot), value });
                    self.probes.update(&self.newest.table, slot);
                }
                self.selection_hazard(reg)
            }
        }
    }

    /// The bits that `MAIR` itself holds: all, or the half that `MAIR0` is.
    const fn mair_mask(&self) -> u64 {
        match self.newest.pmsa {
            Pmsa::V64 => u64::MAX,
            Pmsa::V32 => 0xffff_ffff,
        }
    }

    /// The memory type that an attribute index stands for, by the newest `MAIR`.
    #[must_use]
    pub const fn memory_type(&self, attr_index: u8) -> MemoryType {
        MemoryType::of_mair((self.mair >> (8 * (attr_index as u32 & 7))) as u8)
    }

    /// The memory that an access to `addr` meets which this MPU allowed, by the newest `MAIR`; `None` where the default map
    /// says nothing of it.
    #[must_use]
    pub fn memory(&self, hit: &Hit, addr: u64) -> Option<Memory> {
        match hit.attrs {
            Some(attrs) => Some(Memory::new(self.memory_type(attrs.attr_index), attrs.sh)),
            None => Memory::of_default_map(self.rules.default_map, addr),
        }
    }

    /// Makes a write in the newest state, and logs it if that changed anything.
    fn make(&mut self, entry: Entry) {
        let before = self.read_entry(&entry);
        self.newest.apply(&entry);
        if self.read_entry(&entry) != before {
            self.push(entry);
        }
    }

    fn push(&mut self, entry: Entry) {
        self.changes += 1;
        self.log.push(entry);
        self.recent.set(Stretch::NONE);
    }

    /// All that a write like `entry` may change.
    fn read_entry(&self, entry: &Entry) -> (u64, RegionWords) {
        match entry.slot {
            Some(slot) => (0, self.words(slot)),
            None => (self.read(entry.reg), RegionWords::default()),
        }
    }

    /// The slot that `reg` reaches, if it exists.
    fn selected(&self, reg: MpuReg) -> Option<Slot> {
        self.pmsa().slot(reg, self.prselr).filter(|slot| slot.is_within(self.regions()))
    }

    /// Whether a selection older than the newest may still be in use and leads `reg` elsewhere.
    fn selection_hazard(&self, reg: MpuReg) -> Result<(), WriteHazard> {
        let Some(new_slot) = self.pmsa().slot(reg, self.prselr) else {
            return Ok(());
        };
        if self.prselr_in_force == self.prselr && !self.log.selects() {
            return Ok(());
        }
        let stale = core::iter::once(self.prselr_in_force)
            .chain(self.log.selections())
            .filter_map(|selection| self.pmsa().slot(reg, selection))
            .find(|slot| *slot != new_slot);
        stale.map_or(Ok(()), |stale_slot| Err(WriteHazard { reg, stale_slot, new_slot }))
    }

    /// A DSB: writes before it now wait for a context synchronisation event only.
    pub fn dsb(&mut self) {
        self.log.dsb();
    }

    /// A context synchronisation event (ISB, exception entry, ERET): what waited for nothing else is in force now.
    pub fn context_sync(&mut self) {
        self.prselr_in_force = self.prselr;
        if !self.log.is_empty() {
            // What was compiled holds no longer.
            self.fast = OnceCell::new();
            self.asked.set(0);
            self.recent.set(Stretch::NONE);
            self.log.context_sync(&mut self.in_force, &self.newest, self.rules.sync);
        }
    }

    /// The newest words of `slot`; zeros for a slot that does not exist.
    #[must_use]
    pub fn words(&self, slot: Slot) -> RegionWords {
        self.newest.table.words(slot)
    }

    /// The enabled regions of the newest state by slot, lowest first.
    pub fn enabled(&self) -> impl Iterator<Item = (Slot, RegionWords)> + '_ {
        self.newest.table.enabled().iter().map(|slot| (slot, self.words(slot)))
    }

    /// How many writes to regions, `PRENR`, `PRSELR` and `SCTLR` changed something so far: while it stays, so do they.
    #[must_use]
    pub const fn changes(&self) -> u64 {
        self.changes
    }

    /// The writes that are not in force yet, oldest first.
    pub fn pending(&self) -> impl Iterator<Item = PendingWrite> + '_ {
        self.log.iter(self.rules.sync)
    }

    /// Starts to watch an address that EL2 needs. Four can be watched; a fifth is refused with `None`.
    pub fn add_probe(&mut self, probe: Probe) -> Option<ProbeId> {
        self.probes.add(probe, &self.newest.table)
    }

    /// Moves a probe. An id that this MPU did not give out changes nothing.
    pub fn set_probe(&mut self, id: ProbeId, probe: Probe) {
        self.probes.set(id, probe, &self.newest.table);
    }

    /// The first probe that the newest state denies to EL2, with all writes so far taken as in force.
    ///
    /// Same answer as a [`Mpu::check`] of each probe with nothing pending, at a fraction of its cost.
    #[must_use]
    pub fn failing_probe(&self) -> Option<(ProbeId, Denial)> {
        self.probes.failing(&self.newest, self.rules)
    }

    /// The enabled regions of the newest state that lie nearest to `addr`, below and above it, without those that
    /// hold it. Regions whose limit is below their base hold nothing and lie nowhere.
    #[must_use]
    pub fn nearest(&self, addr: u64) -> (Neighbour, Neighbour) {
        let ordered = || self.enabled().filter(|(_, words)| words.base() <= words.limit());
        let below = ordered().filter(|(_, words)| words.limit() < addr).max_by_key(|(_, words)| words.limit());
        let above = ordered().filter(|(_, words)| words.base() > addr).min_by_key(|(_, words)| words.base());
        (below, above)
    }
}

impl fmt::Debug for Mpu {
    /// Enabled regions and pending writes; the full register file is some two thousand words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct List<F>(F);
        impl<I: Iterator<Item: fmt::Debug>, F: Fn() -> I> fmt::Debug for List<F> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_list().entries(self.0()).finish()
            }
        }
        f.debug_struct("Mpu")
            .field("level", &self.level)
            .field("rules", &self.rules)
            .field("sctlr", &self.newest.sctlr)
            .field("prselr", &self.prselr)
            .field("enabled", &List(|| self.enabled()))
            .field("pending", &List(|| self.pending()))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    extern crate std;
    use super::*;
    use crate::access::AccessKind;

    #[test]
    fn its_size_is_what_the_documentation_says() {
        let size = core::mem::size_of::<Mpu>();
        assert_eq!(size.div_ceil(1024), 34, "{size} bytes");
    }

    #[test]
    fn eight_memory_types_in_one_register_or_in_two() {
        let types = [0x04, 0x44, 0xff, 0xbb, 0x00, 0x0c, 0x4f, 0xee];
        let all = u64::from_le_bytes(types);
        let mut wide = Mpu::new(Level::El1, 1, Rules::default());
        wide.write(MpuReg::Mair, u64::MAX).unwrap();
        wide.write(MpuReg::Mair, all).unwrap();
        wide.write(MpuReg::Mair1, 0).unwrap();
        assert_eq!((wide.read(MpuReg::Mair), wide.read(MpuReg::Mair1)), (all, 0), "PMSAv8-64 has one");

        let mut narrow = Mpu::new_32(Level::El1, 1, Rules::default());
        narrow.write(MpuReg::Mair1, 0xffff_ffff).unwrap();
        narrow.write(MpuReg::Mair, u64::MAX).unwrap();
        narrow.write(MpuReg::Mair, all).unwrap();
        assert_eq!((narrow.read(MpuReg::Mair), narrow.read(MpuReg::Mair1)), (all & 0xffff_ffff, 0xffff_ffff));
        narrow.write(MpuReg::Mair1, all >> 32).unwrap();
        assert_eq!((narrow.read(MpuReg::Mair), narrow.read(MpuReg::Mair1)), (all & 0xffff_ffff, all >> 32));

        for (index, byte) in (0..).zip(types) {
            assert_eq!(wide.memory_type(index), MemoryType::of_mair(byte));
            assert_eq!(narrow.memory_type(index), MemoryType::of_mair(byte));
        }
    }

    #[test]
    fn el1_of_pmsav8_32_has_no_prenr() {
        let on = |level| {
            let mut mpu = Mpu::new_32(level, 4, Rules::default());
            mpu.write(MpuReg::PrlarN(2), 1).unwrap();
            mpu.read(MpuReg::Prenr)
        };
        assert_eq!((on(Level::El1), on(Level::El2)), (0, 0b100));
    }

    #[test]
    fn an_id_of_another_mpu_moves_no_probe_and_makes_none() {
        let mut other = Mpu::new(Level::El2, 4, Rules::default());
        let mut mpu = other.clone();
        let probe = Probe { addr: 0x1000, kind: AccessKind::Read };
        other.add_probe(probe).unwrap();
        let second = other.add_probe(probe).unwrap();
        let first = mpu.add_probe(probe).unwrap();
        mpu.set_probe(second, Probe { addr: 0x2000, ..probe });
        mpu.write(MpuReg::Sctlr, 1).unwrap();
        assert_eq!(mpu.failing_probe().map(|(id, denial)| (id, denial.addr)), Some((first, 0x1000)));
        assert_eq!(mpu.add_probe(probe), Some(second), "the place is still free");
    }

    #[test]
    fn a_probe_fails_while_its_region_is_off() {
        let mut mpu = Mpu::new(Level::El2, 4, Rules::default());
        for (slot, base) in [(1, 0x1000), (2, 0x8000)] {
            mpu.write(MpuReg::PrbarN(slot), base).unwrap();
            mpu.write(MpuReg::PrlarN(slot), base | 0xfc1).unwrap();
        }
        mpu.write(MpuReg::Sctlr, 1).unwrap();
        let probe = mpu.add_probe(Probe { addr: 0x1000, kind: AccessKind::Read }).unwrap();
        for (enabled, failing) in [(0b110, false), (0b010, false), (0b100, true), (0b000, true), (0b010, false)] {
            mpu.write(MpuReg::Prenr, enabled).unwrap();
            assert_eq!(mpu.failing_probe().map(|(id, _)| id), failing.then_some(probe), "{enabled:#b}");
        }
    }

    #[test]
    fn debug_shows_what_is_enabled_and_what_is_pending() {
        let mut mpu = Mpu::new(Level::El2, 16, Rules::default());
        mpu.write(MpuReg::PrbarN(3), 0x1000).unwrap();
        mpu.write(MpuReg::PrlarN(3), 0x1fc1).unwrap();
        let shown = std::format!("{mpu:?}");
        assert!(shown.contains("enabled: [(3, RegionWords { prbar: 4096, prlar: 8129 })]"), "{shown}");
        assert!(shown.contains("pending: [PendingWrite { reg: PrbarN(3), slot: Some(3), value: 4096"), "{shown}");
    }
}
