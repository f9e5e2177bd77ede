//! Accesses to memory: alignment, both MPUs, and then memory or a device. Arm ARM (DDI 0487) section B2.5 (alignment, with
//! `FEAT_LSE2`), `AArch64.CheckAlignment`, `AArch64.TranslateAddress`; DDI 0600 chapter C1.

use super::abort::Told;
use super::judge::Allowed;
use super::lookaside::{FETCH, Kind, READ, WRITE};
use super::{Core, Stop, sctlr};
use crate::a64::{Access, Alignment};
use crate::exception::{Exception, Exit};
use crate::hazards::{HazardMode, HazardRecord};
use crate::memory::{PAGE, PageIndex, Written};
use crate::observe::{Event, Observer};
use mpu_model::{AccessKind, Cacheability, El, Memory, MemoryType};

const BACK: Cacheability = Cacheability::WriteBack;
/// Bytes of a granule of an MPU.
const GRANULE: u64 = mpu_model::GRANULE;

/// An access that both MPUs allow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passed {
    pub(super) kind: Kind,
    /// The memory is a device at stage 2 and not at stage 1.
    by_stage2: bool,
}

/// Where the last instruction was fetched: its granule, what its right hung on, and the page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Here {
    at: (u64, u32),
    page: Option<PageIndex>,
}

impl Here {
    /// Nothing was fetched yet.
    pub(crate) const NOWHERE: Self = Self { at: (0, 0), page: None };
}

/// The bits of rights that an access needs.
const fn needs(kind: AccessKind) -> u8 {
    match kind {
        AccessKind::Read => READ,
        AccessKind::Write => WRITE,
        AccessKind::Fetch => FETCH,
        AccessKind::Rmw => READ | WRITE,
    }
}

impl<O: Observer> Core<'_, O> {
    /// The level as which an access is judged.
    fn asker(&self, unprivileged: bool) -> El {
        if unprivileged && self.pe.pstate.el != El::El2 { El::El0 } else { self.pe.pstate.el }
    }

    /// Has the exception taken behind the instruction.
    pub(super) fn raise<T>(&mut self, exception: Exception) -> Result<T, Exit> {
        self.raised = Some(exception);
        Err(Exit::Taken)
    }

    /// Asks both MPUs, and records hazards.
    pub(super) fn judge(&mut self, access: &mpu_model::Access, told: Told) -> Result<Passed, Exit> {
        let answer = self.pe.ask(*access);
        let mut result = answer.result;
        let certain = answer.hazard.is_none();
        if let Some(hazard) = &answer.hazard {
            let record = self.pe.hazard_record(self.pc, *access, hazard);
            self.hazard(record);
            let mode = self.bus.hazard_mode;
            if mode != HazardMode::Stop {
                result = self.pe.ask_decided(*access, mode);
            }
        }
        let allowed = match result {
            Ok(allowed) => allowed,
            Err(denied) => {
                let exception = self.pe.denied(&denied, told, self.pc);
                return self.raise(exception);
            }
        };
        let privileged = access.el == El::El1 && access.kind != AccessKind::Fetch;
        if self.pe.pstate.pan && privileged && !told.maintenance && allowed.is_for_el0() {
            let exception = self.pe.privileged_access_never(access, self.pc);
            return self.raise(exception);
        }
        let passed = self.memory_met(&allowed, access.addr);
        let one_granule = access.addr / GRANULE == access.addr.saturating_add(access.size.saturating_sub(1)) / GRANULE;
        if certain && one_granule {
            let page = self.bus.memory.page(access.addr);
            let mut rights = needs(access.kind);
            let answers = self.bus.memory.answers(self.pe.id, access.addr & !(GRANULE - 1), GRANULE);
            if answers != Some(true) {
                rights &= !WRITE;
            }
            let page = page.filter(|_| answers.is_some());
            let unprivileged = access.el != self.pe.pstate.el;
            self.pe.lookaside.0.learn(access.addr, unprivileged, rights, passed.kind, page);
        }
        Ok(passed)
    }

    /// Records a hazard and tells of it.
    pub(super) fn hazard(&mut self, record: HazardRecord) {
        if O::OBSERVES {
            let told = record.clone();
            self.tell(|| Event::Hazard(told));
        }
        self.bus.hazards.record(record);
        if self.bus.hazard_mode == HazardMode::Stop {
            self.stop = Some(Stop::Hazard);
        }
    }

    /// The memory that an access meets which was allowed: by the attributes of both stages, the board's map where one says nothing.
    fn memory_met(&self, allowed: &Allowed, address: u64) -> Passed {
        let default = || self.bus.default_memory(address);
        let (memory, by_stage2) = match allowed {
            Allowed::El2(hit) => (self.pe.el2.memory(hit, address).unwrap_or_else(default), false),
            Allowed::Guest(hit) => {
                let stage1 = if self.pe.hcr_has(super::hcr::DC) {
                    Memory::new(MemoryType::of_mair(0xff), mpu_model::Shareability::Non)
                } else {
                    self.pe.el1.memory(&hit.stage1, address).unwrap_or_else(default)
                };
                let stage2 = hit.stage2.map(|hit| self.pe.el2.memory(&hit, address).unwrap_or_else(default));
                let device = |memory: &Memory| matches!(memory.ty, MemoryType::Device(_));
                let by_stage2 = !device(&stage1) && stage2.is_some_and(|memory| device(&memory));
                (stage2.map_or(stage1, |memory| stage1.combine(memory)), by_stage2)
            }
        };
        let kind = match memory.ty {
            MemoryType::Device(_) => Kind::Device,
            MemoryType::Normal { inner: BACK, outer: BACK } => Kind::WriteBack,
            MemoryType::Normal { .. } => Kind::Normal,
        };
        Passed { kind, by_stage2 }
    }

    /// Whether an address that is not a multiple of the bytes faults whatever the memory.
    fn must_be_aligned(&self, access: &Access) -> bool {
        let control = self.pe.sctlr(self.pe.pstate.el);
        let granule = access.in_granule();
        control & sctlr::A != 0
            || match access.alignment {
                Alignment::Natural => false,
                Alignment::Ordered => !granule && control & sctlr::N_AA == 0,
                Alignment::Atomic => !granule,
            }
    }

    /// Everything that is checked of an access to data.
    #[cold]
    #[inline(never)]
    fn check(&mut self, access: &Access, kind: AccessKind) -> Result<Passed, Exit> {
        let told = Told { transfer: access.transfer, maintenance: false };
        let el = self.asker(access.unprivileged);
        let asked = mpu_model::Access { addr: access.address, size: access.bytes.into(), kind, el };
        let aligned = access.address & (u64::from(access.bytes).wrapping_sub(1)) == 0;
        if !aligned && self.must_be_aligned(access) {
            let exception = self.pe.misaligned(&asked, false, told, self.pc);
            return self.raise(exception);
        }
        let passed = self.judge(&asked, told)?;
        // FEAT_LSE2 speaks of write-back memory.
        let relaxed = match access.alignment {
            Alignment::Natural => passed.kind != Kind::Device,
            Alignment::Ordered | Alignment::Atomic => passed.kind == Kind::WriteBack,
        };
        if !aligned && !relaxed {
            let exception = self.pe.misaligned(&asked, passed.by_stage2, told, self.pc);
            return self.raise(exception);
        }
        Ok(passed)
    }

    /// Nothing answers at `far`.
    fn unanswered<T>(&mut self, access: &Access, kind: AccessKind, far: u64) -> Result<T, Exit> {
        let el = self.asker(access.unprivileged);
        let asked = mpu_model::Access { addr: access.address, size: access.bytes.into(), kind, el };
        let exception = self.pe.unanswered(&asked, far, self.pc);
        self.raise(exception)
    }

    /// The page of an access to memory that is known to be allowed and aligned, and the offset in it.
    #[inline]
    fn known(&self, access: &Access, rights: u8) -> Option<(PageIndex, usize)> {
        let lookaside = &self.pe.lookaside.0;
        let known = if access.unprivileged && self.pe.pstate.el == El::El1 {
            lookaside.find_unprivileged(access.address)?
        } else {
            lookaside.find(access.address)?
        };
        let page = known.page?;
        let bytes = u64::from(access.bytes);
        let aligned = access.address & bytes.wrapping_sub(1) == 0 || self.may_be_unaligned(access, known.kind);
        (aligned && known.rights & rights == rights).then_some((page, (access.address % PAGE) as usize))
    }

    /// Whether an access that is not aligned, all of it in one granule, needs no further check.
    fn may_be_unaligned(&self, access: &Access, kind: Kind) -> bool {
        access.alignment == Alignment::Natural
            && kind != Kind::Device
            && access.address % GRANULE + u64::from(access.bytes) <= GRANULE
            && self.pe.sctlr(self.pe.pstate.el) & sctlr::A == 0
    }

    /// Bytes of a page as a number.
    #[inline]
    fn load(&self, page: PageIndex, offset: usize, bytes: u8) -> Option<u128> {
        let memory = &self.bus.memory;
        Some(match bytes {
            1 => u8::from_le_bytes(memory.load(page, offset)?).into(),
            2 => u16::from_le_bytes(memory.load(page, offset)?).into(),
            4 => u32::from_le_bytes(memory.load(page, offset)?).into(),
            8 => u64::from_le_bytes(memory.load(page, offset)?).into(),
            16 => u128::from_le_bytes(memory.load(page, offset)?),
            _ => return None,
        })
    }

    #[inline]
    fn store(&mut self, page: PageIndex, address: u64, bytes: u8, value: u128) {
        let offset = (address % PAGE) as usize;
        let memory = &mut self.bus.memory;
        let written = match bytes {
            1 => memory.store(page, offset, (value as u8).to_le_bytes()),
            2 => memory.store(page, offset, (value as u16).to_le_bytes()),
            4 => memory.store(page, offset, (value as u32).to_le_bytes()),
            8 => memory.store(page, offset, (value as u64).to_le_bytes()),
            _ => memory.store(page, offset, value.to_le_bytes()),
        };
        if let Written::Watched(page) = written {
            self.bus.forget_instructions(page);
        }
        self.bus.written(self.pe.id, address, bytes);
    }

    /// Reads data.
    #[inline]
    pub(super) fn read_data(&mut self, access: &Access) -> Result<u128, Exit> {
        if let Some((page, offset)) = self.known(access, READ)
            && let Some(value) = self.load(page, offset, access.bytes)
        {
            self.accessed(AccessKind::Read, access, value);
            return Ok(value);
        }
        self.check(access, AccessKind::Read)?;
        let value = self.read_checked(access, AccessKind::Read)?;
        self.accessed(AccessKind::Read, access, value);
        Ok(value)
    }

    /// Writes data.
    #[inline]
    pub(super) fn write_data(&mut self, access: &Access, value: u128) -> Result<(), Exit> {
        if let Some((page, _)) = self.known(access, WRITE) {
            self.store(page, access.address, access.bytes, value);
            self.accessed(AccessKind::Write, access, value);
            return Ok(());
        }
        self.check(access, AccessKind::Write)?;
        self.write_checked(access, AccessKind::Write, value)?;
        self.accessed(AccessKind::Write, access, value);
        Ok(())
    }

    /// Reads and writes data as one: what was there, and what `operation` stores, if it does.
    pub(super) fn change_data(
        &mut self,
        access: &Access,
        operation: impl Fn(u128) -> Option<u128>,
    ) -> Result<u128, Exit> {
        if let Some((page, offset)) = self.known(access, READ | WRITE)
            && let Some(there) = self.load(page, offset, access.bytes)
        {
            let stored = operation(there);
            if let Some(value) = stored {
                self.store(page, access.address, access.bytes, value);
            }
            self.accessed(AccessKind::Rmw, access, stored.unwrap_or(there));
            return Ok(there);
        }
        self.check_both(access)?;
        let there = self.read_checked(access, AccessKind::Rmw)?;
        let stored = operation(there);
        if let Some(value) = stored {
            self.write_checked(access, AccessKind::Rmw, value)?;
        }
        self.accessed(AccessKind::Rmw, access, stored.unwrap_or(there));
        Ok(there)
    }

    /// Checks an access that reads and writes.
    fn check_both(&mut self, access: &Access) -> Result<(), Exit> {
        self.check(access, AccessKind::Rmw)?;
        if self.bus.memory.answers(self.pe.id, access.address, access.bytes.into()) != Some(true)
            && self.bus.device_at(access.address, access.bytes).is_none()
        {
            return self.unanswered(access, AccessKind::Rmw, access.address);
        }
        Ok(())
    }

    /// Checks an access without making it.
    pub(super) fn check_write(&mut self, access: &Access) -> Result<(), Exit> {
        if self.known(access, WRITE).is_none() {
            self.check(access, AccessKind::Write)?;
        }
        Ok(())
    }

    /// Reads what was checked.
    fn read_checked(&mut self, access: &Access, kind: AccessKind) -> Result<u128, Exit> {
        if self.bus.memory.answers(self.pe.id, access.address, access.bytes.into()).is_some() {
            let mut bytes = [0; 16];
            if let Some(bytes) = bytes.get_mut(..usize::from(access.bytes)) {
                self.bus.memory.read(access.address, bytes);
            }
            return Ok(u128::from_le_bytes(bytes));
        }
        if let Some(device) = self.bus.device_at(access.address, access.bytes) {
            return Ok(self.bus.read_device(device, access.bytes).into());
        }
        self.unanswered(access, kind, access.address)
    }

    /// Writes what was checked.
    fn write_checked(&mut self, access: &Access, kind: AccessKind, value: u128) -> Result<(), Exit> {
        match self.bus.memory.answers(self.pe.id, access.address, access.bytes.into()) {
            Some(true) => {
                let bytes = value.to_le_bytes();
                for (index, byte) in bytes.iter().take(access.bytes.into()).enumerate() {
                    let at = access.address.wrapping_add(index as u64);
                    let Some(page) = self.bus.memory.make_page(at) else {
                        self.stop = Some(Stop::Memory);
                        return Ok(());
                    };
                    self.store(page, at, 1, (*byte).into());
                }
                self.learn_page(access);
                Ok(())
            }
            Some(false) => self.unanswered(access, kind, access.address),
            None => match self.bus.device_at(access.address, access.bytes) {
                Some(device) => {
                    self.bus.write_device(device, access.bytes, value as u64);
                    Ok(())
                }
                None => self.unanswered(access, kind, access.address),
            },
        }
    }

    /// A page came into being, perhaps: what is remembered of its granule is to know it.
    fn learn_page(&mut self, access: &Access) {
        let unprivileged = access.unprivileged && self.pe.pstate.el == El::El1;
        let lookaside = &mut self.pe.lookaside.0;
        let known =
            if unprivileged { lookaside.find_unprivileged(access.address) } else { lookaside.find(access.address) };
        if let Some(known) = known.copied().filter(|known| known.page.is_none()) {
            let page = self.bus.memory.page(access.address);
            lookaside.learn(access.address, unprivileged, known.rights, known.kind, page);
        }
    }

    /// Tells of an access that was made.
    #[inline]
    pub(super) fn accessed(&mut self, kind: AccessKind, access: &Access, value: u128) {
        if O::OBSERVES && O::ACCESSES {
            let (address, bytes) = (access.address, access.bytes);
            self.tell(|| Event::Access { kind, address, bytes, value });
        }
    }

    /// Checks the PC and the state in which an instruction there is executed, and finds its page. `here` is what the last
    /// call found.
    #[inline]
    pub(crate) fn fetch_checked(&mut self, here: &mut Here) -> Result<PageIndex, Exit> {
        let now = (self.pc / GRANULE, self.pe.lookaside.0.stamp());
        if self.pc.is_multiple_of(4)
            && let Some(page) = here.page
            && here.at == now
            && !self.pe.pstate.il
        {
            return Ok(page);
        }
        let page = self.fetch_anew()?;
        *here = Here { at: (now.0, self.pe.lookaside.0.stamp()), page: self.found(page) };
        Ok(page)
    }

    /// The page, if the lookaside knows that its instructions may be fetched.
    fn found(&self, page: PageIndex) -> Option<PageIndex> {
        let known = self.pe.lookaside.0.find(self.pc)?;
        (known.rights & FETCH != 0 && known.page == Some(page)).then_some(page)
    }

    fn fetch_anew(&mut self) -> Result<PageIndex, Exit> {
        if !self.pc.is_multiple_of(4) {
            let exception = self.pe.pc_alignment(self.pc);
            return self.raise(exception);
        }
        let known =
            self.pe.lookaside.0.find(self.pc).filter(|known| known.rights & FETCH != 0).and_then(|known| known.page);
        let page = match known {
            Some(page) => page,
            None => self.fetch_slowly()?,
        };
        if self.pe.pstate.il {
            let exception = self.pe.illegal_state(self.pc);
            return self.raise(exception);
        }
        Ok(page)
    }

    #[cold]
    #[inline(never)]
    fn fetch_slowly(&mut self) -> Result<PageIndex, Exit> {
        let access = mpu_model::Access { addr: self.pc, size: 4, kind: AccessKind::Fetch, el: self.pe.pstate.el };
        self.judge(&access, Told::default())?;
        if self.bus.memory.answers(self.pe.id, self.pc, 4).is_none() {
            let exception = self.pe.unanswered(&access, self.pc, self.pc);
            return self.raise(exception);
        }
        let Some(page) = self.bus.memory.make_page(self.pc) else {
            self.stop = Some(Stop::Memory);
            return Err(Exit::Taken);
        };
        Ok(page)
    }
}
