//! Accesses as hardware judges them, and the platform that the hypervisor sees.

use super::attributes::{self, Attributes};
use super::clock::Costs;
use super::pe::Pe;
use super::{Faulted, MAX_HAZARDS, Machine};
use crate::convention::{FSC_EXTERNAL, ec};
use crate::outcome::{El2Fault, FaultKind, HazardKind, HazardReport, MpuCounts};
use crate::platform::{Event, Platform, Rmw, SysReg, Width, intid, list_register};
use boards::PeId;
use mpu_model::{Access, AccessKind, Denial, El, Hazard, MpuReg, Regime, Syndrome};

/// A synchronous external abort, taken to the level that made the access: nothing answers at the address.
pub(super) fn external_abort(address: u64, access: AccessKind) -> Syndrome {
    let class = if access == AccessKind::Fetch { ec::INSTRUCTION_ABORT_SAME } else { ec::DATA_ABORT_SAME };
    let wnr = u32::from(access == AccessKind::Write) << 6;
    Syndrome { ec: class as u8, iss: FSC_EXTERNAL as u32 | wnr, far: address }
}

impl Machine {
    /// Takes an EL2 exception from EL2: everything stops.
    pub(super) fn el2_fault(&mut self, pe: PeId, kind: FaultKind, hazard: Option<Hazard>) -> Faulted {
        let syndrome = match kind {
            FaultKind::Access(denial) | FaultKind::OwnImage(denial) => Syndrome::el2_own(&denial, self.rules),
            FaultKind::External { address, access } => external_abort(address, access),
        };
        let state = &mut self.pes[pe];
        state.esr_el2 = syndrome.esr();
        state.far_el2 = syndrome.far;
        let fault = El2Fault { pe, kind, syndrome, hazard };
        if self.fault.is_none() {
            self.fault = Some(fault);
        } else {
            self.second_fault = Some(fault);
        }
        Faulted(())
    }

    pub(super) fn note_hazard(&mut self, pe: PeId, kind: HazardKind) {
        if self.hazards.len() < MAX_HAZARDS {
            self.hazards.push(HazardReport { pe, kind });
        }
    }

    /// Checks that EL2 still has what it needs to run; asked after the entry, each MPU register write and each barrier.
    pub(super) fn probe(&mut self, pe: PeId) -> Result<(), Faulted> {
        match self.pes[pe].el2.failing_probe() {
            None => Ok(()),
            Some((_, denial)) => Err(self.el2_fault(pe, FaultKind::OwnImage(denial), None)),
        }
    }

    /// An access of EL2's, as hardware judges it.
    pub(crate) fn el2_access(&mut self, pe: PeId, addr: u64, size: u64, kind: AccessKind) -> Result<(), Faulted> {
        let state = &mut self.pes[pe];
        state.charge(|counts| &mut counts.el2_accesses, self.costs.el2_access);
        let verdict = state.el2.check(Regime::El2, Access { addr, size, kind, el: El::El2 });
        match verdict.result {
            Ok(hit) if self.answers(addr, size) => {
                let met = attributes::of_hit(&self.pes[pe].el2, hit);
                self.note_attributes(pe, addr, kind, met);
                Ok(())
            }
            Ok(_) => Err(self.el2_fault(pe, FaultKind::External { address: addr, access: kind }, None)),
            Err(denial) => Err(self.denied(pe, denial, verdict.hazard)),
        }
    }

    #[cold]
    fn denied(&mut self, pe: PeId, denial: Denial, hazard: Option<Hazard>) -> Faulted {
        if let Some(hazard) = hazard {
            self.note_hazard(pe, HazardKind::Unsynchronised(hazard, denial));
        }
        self.el2_fault(pe, FaultKind::Access(denial), hazard)
    }

    /// Follows the attributes with which memory is accessed. The last byte of an unaligned access is taken to be in the
    /// granule of the first.
    pub(super) fn note_attributes(&mut self, pe: PeId, address: u64, access: AccessKind, now: Attributes) {
        let Some(mark) = self.ram.mark_mut(address) else { return };
        let writes = matches!(access, AccessKind::Write | AccessKind::Rmw);
        if let Some(before) = self.attributes.note(mark, now, writes) {
            // Every access may be one: leave room for hazards of other kinds.
            let alike = self.hazards.iter().filter(|hazard| matches!(hazard.kind, HazardKind::Attributes { .. }));
            if alike.count() >= MAX_HAZARDS / 2 {
                return;
            }
            self.note_hazard(pe, HazardKind::Attributes { address, access, before, now });
        }
    }

    /// Whether memory or a device is at the address.
    #[must_use]
    pub fn answers(&self, address: u64, size: u64) -> bool {
        self.ram.holds(address, size) || self.devices.iter().any(|device| device.contains(address))
    }

    /// What a load gives once the MPU let it through. Device registers read as zero.
    pub(super) fn load_physical(&self, address: u64, width: Width) -> u64 {
        let size = width.bytes();
        if self.ram.holds(address, size) { self.ram.read(address, size as usize) } else { 0 }
    }

    /// What a store does once the MPU let it through.
    pub(super) fn store_physical(&mut self, address: u64, width: Width, value: u64) {
        let size = width.bytes();
        if self.ram.holds(address, size) {
            self.ram.write(address, size as usize, value);
        }
    }
}

/// A PE as the hypervisor sees it.
#[derive(Debug)]
pub struct Cpu<'a> {
    /// The machine.
    pub machine: &'a mut Machine,
    /// Which PE of it.
    pub pe: PeId,
}

impl Cpu<'_> {
    fn state(&mut self) -> &mut Pe {
        &mut self.machine.pes[self.pe]
    }

    fn mpu_write(&mut self, level: mpu_model::Level, reg: MpuReg, value: u64) -> Result<(), Faulted> {
        let cycles = cost(&self.machine.costs, reg);
        let state = &mut self.machine.pes[self.pe];
        state.clock = state.clock.saturating_add(cycles);
        let (mpu, counts) = match level {
            mpu_model::Level::El1 => (&mut state.el1, &mut state.counts.el1),
            mpu_model::Level::El2 => (&mut state.el2, &mut state.counts.el2),
        };
        match counter(counts, reg) {
            Some(counter) => *counter += 1,
            None => state.counts.sysreg_writes += 1,
        }
        if let Err(hazard) = mpu.write(reg, value) {
            self.machine.note_hazard(self.pe, HazardKind::StaleSelector(hazard));
        }
        match level {
            mpu_model::Level::El1 => Ok(()),
            mpu_model::Level::El2 => self.machine.probe(self.pe),
        }
    }
}

/// What a write costs: as the counter says that [`counter`] picks.
const fn cost(costs: &Costs, reg: MpuReg) -> u64 {
    match reg {
        MpuReg::Prselr => costs.prselr,
        MpuReg::Prbar | MpuReg::PrbarN(_) => costs.prbar,
        MpuReg::Prlar | MpuReg::PrlarN(_) => costs.prlar,
        MpuReg::Prenr => costs.prenr,
        MpuReg::Sctlr => costs.sctlr,
        MpuReg::Mpuir | MpuReg::Mair | MpuReg::Mair1 => costs.sysreg_write,
    }
}

/// Where a write is counted; `None` for registers that change no region.
fn counter(counts: &mut MpuCounts, reg: MpuReg) -> Option<&mut u64> {
    Some(match reg {
        MpuReg::Prselr => &mut counts.prselr,
        MpuReg::Prbar | MpuReg::PrbarN(_) => &mut counts.prbar,
        MpuReg::Prlar | MpuReg::PrlarN(_) => &mut counts.prlar,
        MpuReg::Prenr => &mut counts.prenr,
        MpuReg::Sctlr => &mut counts.sctlr,
        MpuReg::Mpuir | MpuReg::Mair | MpuReg::Mair1 => return None,
    })
}

impl Platform for Cpu<'_> {
    type Fault = Faulted;

    fn pe(&self) -> PeId {
        self.pe
    }

    fn read(&mut self, reg: SysReg) -> u64 {
        let costs = self.machine.costs;
        let state = self.state();
        match reg {
            SysReg::El2(reg) => {
                state.counts.el2.reads += 1;
                state.clock = state.clock.saturating_add(costs.mpu_read);
                return state.el2.read(reg);
            }
            SysReg::El1(reg) => {
                state.counts.el1.reads += 1;
                state.clock = state.clock.saturating_add(costs.mpu_read);
                return state.el1.read(reg);
            }
            _ => state.charge(|counts| &mut counts.sysreg_reads, costs.sysreg_read),
        }
        match reg {
            SysReg::El1(_) | SysReg::El2(_) | SysReg::IccEoir1 => 0,
            SysReg::HcrEl2 => state.hcr,
            SysReg::VsctlrEl2 => state.vsctlr,
            SysReg::VtcrEl2 => state.vtcr.raw_value(),
            SysReg::VmpidrEl2 => state.vmpidr,
            SysReg::EsrEl2 => state.esr_el2,
            SysReg::FarEl2 => state.far_el2,
            SysReg::EsrEl1 => state.esr_el1,
            SysReg::FarEl1 => state.far_el1,
            SysReg::Ifsr => state.ifsr,
            SysReg::ElrEl1 => state.elr_el1,
            SysReg::SpsrEl1 => state.spsr_el1,
            SysReg::VbarEl1 => state.vbar_el1,
            SysReg::IchLr0 => state.list_register,
            SysReg::CnthpCval => state.timer_at,
            SysReg::CnthpCtl => u64::from(state.timer_on),
            SysReg::IccIar1 => {
                let intid = state.physical_interrupt();
                if intid == Some(intid::KICK) {
                    state.kicked = None;
                }
                intid.unwrap_or(intid::SPURIOUS)
            }
        }
    }

    fn write(&mut self, reg: SysReg, value: u64) -> Result<(), Faulted> {
        let cycles = self.machine.costs.sysreg_write;
        match reg {
            SysReg::El2(reg) => return self.mpu_write(mpu_model::Level::El2, reg, value),
            SysReg::El1(reg) => return self.mpu_write(mpu_model::Level::El1, reg, value),
            _ => {}
        }
        let state = self.state();
        state.charge(|counts| &mut counts.sysreg_writes, cycles);
        match reg {
            SysReg::HcrEl2 => state.hcr = value,
            SysReg::VsctlrEl2 => state.vsctlr = value,
            SysReg::VtcrEl2 => state.write_vtcr(value),
            SysReg::VmpidrEl2 => state.vmpidr = value,
            SysReg::EsrEl2 => state.esr_el2 = value,
            SysReg::FarEl2 => state.far_el2 = value,
            SysReg::EsrEl1 => state.esr_el1 = value,
            SysReg::FarEl1 => state.far_el1 = value,
            SysReg::Ifsr => state.ifsr = value,
            SysReg::ElrEl1 => state.elr_el1 = value,
            SysReg::SpsrEl1 => state.spsr_el1 = value,
            SysReg::VbarEl1 => state.vbar_el1 = value,
            SysReg::IchLr0 => state.list_register = value & (list_register::PENDING | list_register::ACTIVE | LR_LOW),
            SysReg::CnthpCval => state.timer_at = value,
            SysReg::CnthpCtl => state.timer_on = value & 1 != 0,
            SysReg::El1(_) | SysReg::El2(_) | SysReg::IccIar1 | SysReg::IccEoir1 => {}
        }
        Ok(())
    }

    fn isb(&mut self) -> Result<(), Faulted> {
        let cycles = self.machine.costs.isb;
        let state = self.state();
        state.charge(|counts| &mut counts.isb, cycles);
        state.context_sync();
        self.machine.probe(self.pe)
    }

    fn dsb(&mut self) -> Result<(), Faulted> {
        let cycles = self.machine.costs.dsb;
        let state = self.state();
        state.charge(|counts| &mut counts.dsb, cycles);
        state.el2.dsb();
        state.el1.dsb();
        self.machine.probe(self.pe)
    }

    fn load(&mut self, address: u64, width: Width) -> Result<u64, Faulted> {
        self.machine.el2_access(self.pe, address, width.bytes(), AccessKind::Read)?;
        Ok(self.machine.load_physical(address, width))
    }

    fn store(&mut self, address: u64, width: Width, value: u64) -> Result<(), Faulted> {
        self.machine.el2_access(self.pe, address, width.bytes(), AccessKind::Write)?;
        self.machine.store_physical(address, width, value);
        Ok(())
    }

    fn rmw(&mut self, address: u64, op: Rmw) -> Result<u32, Faulted> {
        self.machine.el2_access(self.pe, address, 4, AccessKind::Rmw)?;
        let old = self.machine.load_physical(address, Width::Word) as u32;
        self.machine.store_physical(address, Width::Word, u64::from(op.apply(old)));
        Ok(old)
    }

    fn kick(&mut self, pe: PeId) {
        let cycles = self.machine.costs.kick;
        let state = self.state();
        state.charge(|counts| &mut counts.kicks, cycles);
        let now = state.clock;
        match &mut self.machine.until_lost_kick {
            Some(0) => {
                self.machine.until_lost_kick = None;
                return;
            }
            Some(left) => *left -= 1,
            None => {}
        }
        let target = &mut self.machine.pes[pe];
        target.kicked = Some(target.kicked.map_or(now, |earlier| earlier.min(now)));
    }

    fn now(&self) -> u64 {
        self.machine.now(self.pe)
    }

    fn preemption_due(&mut self) -> bool {
        self.state().physical_interrupt().is_some()
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::TableScan => {
                let cycles = self.machine.costs.table_scan;
                self.state().charge(|counts| &mut counts.table_scans, cycles);
            }
            Event::Console(byte) => self.machine.console.push(byte),
            // Nothing here keeps books on it.
            Event::Regions { .. } => {}
            Event::Withheld { .. }
            | Event::XenHandler { .. }
            | Event::EventWord { .. }
            | Event::Injected { .. }
            | Event::Unblocked { .. } => {
                self.machine.events.push(event);
            }
        }
    }
}

/// The list register's fields below the state: group, priority, INTID.
const LR_LOW: u64 = (1 << 62) - 1;
