//! System instructions: cache and TLB maintenance, DC ZVA, address translation. Arm ARM (DDI 0487) sections C5.3, C5.4, C5.5 and
//! D7.5 (what they are checked for). There are no caches and no TLB, so that maintenance has no effect beyond its checks.

use super::abort::Told;
use super::judge::{Allowed, Denied};
use super::{Core, Pe, hcr, sctlr};
use crate::a64::{Access, Alignment, SysEncoding};
use crate::exception::Exit;
use crate::features::LINE_SHIFT;
use crate::observe::{Event, Observer};
use crate::sysreg::PAR_EL1;
use mpu_model::{AccessKind, El, Stage};

/// What a system instruction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    /// IC, all of it.
    InvalidateAll,
    /// IC IVAU.
    InvalidateLine,
    /// DC by set and way.
    SetWay,
    /// DC IVAC, which needs the right to write.
    Discard,
    /// DC CVAC, CIVAC, CVAP: to the point of coherency or persistence.
    Clean,
    /// DC CVAU: to the point of unification.
    CleanToUnification,
    /// DC ZVA.
    Zero,
    /// TLBI of EL1's regime.
    TlbOfEl1,
    /// TLBI of EL2, or by EL2.
    TlbOfEl2,
    /// AT: of which level, with a write, and through stage 2 as well; with PSTATE.PAN.
    Translate { el: El, write: bool, both: bool, pan: bool },
}

/// The instruction of an encoding.
fn operation(encoding: SysEncoding) -> Option<Operation> {
    let of = (encoding.op1(), encoding.crn(), encoding.crm(), encoding.op2());
    let translate = |el, write, both, pan| Operation::Translate { el, write, both, pan };
    Some(match of {
        (0, 7, 1 | 5, 0) => Operation::InvalidateAll,
        (3, 7, 5, 1) => Operation::InvalidateLine,
        (0, 7, 6 | 10 | 14, 2) => Operation::SetWay,
        (0, 7, 6, 1) => Operation::Discard,
        (3, 7, 10 | 12 | 14, 1) => Operation::Clean,
        (3, 7, 11, 1) => Operation::CleanToUnification,
        (3, 7, 4, 1) => Operation::Zero,
        (0, 7, 8, op2 @ 0..=1) => translate(El::El1, op2 == 1, false, false),
        (0, 7, 8, op2 @ 2..=3) => translate(El::El0, op2 == 3, false, false),
        (0, 7, 9, op2 @ 0..=1) => translate(El::El1, op2 == 1, false, true),
        (4, 7, 8, op2 @ 0..=1) => translate(El::El2, op2 == 1, false, false),
        (4, 7, 8, op2 @ 4..=5) => translate(El::El1, op2 == 5, true, false),
        (4, 7, 8, op2 @ 6..=7) => translate(El::El0, op2 == 7, true, false),
        // VMALLE1, VAE1, ASIDE1, VAAE1, VALE1, VAALE1: local, inner and outer shareable; RVAE1, RVAAE1, RVALE1, RVAALE1.
        (0, 8, 1 | 3 | 7, 0..=3 | 5 | 7) | (0, 8, 2 | 5 | 6, 1 | 3 | 5 | 7) => Operation::TlbOfEl1,
        // ALLE2, VAE2, ALLE1, VALE2, VMALLS12E1; RVAE2, RVALE2; IPAS2E1, IPAS2LE1 and their ranges.
        (4, 8, 1 | 3 | 7, 0 | 1 | 4..=6) | (4, 8, 2 | 5 | 6, 1 | 5) | (4, 8, 0, 1 | 2 | 5 | 6) | (4, 8, 4, 0..=7) => {
            Operation::TlbOfEl2
        }
        _ => return None,
    })
}

impl<O: Observer> Core<'_, O> {
    /// SYS.
    pub(super) fn maintain(&mut self, encoding: SysEncoding, value: u64) -> Result<(), Exit> {
        let Some(operation) = operation(encoding) else {
            if encoding.is_implementation_defined() {
                if let Some(target) = self.pe.by_hcr(hcr::TIDCP) {
                    return self.trap_to(target, encoding, false);
                }
                return Err(Exit::NotBuilt("IMPLEMENTATION DEFINED instruction"));
            }
            self.bus.unknown_register(encoding);
            return Err(Exit::Undefined);
        };
        let el = self.pe.pstate.el;
        let lowest = match operation {
            Operation::InvalidateLine | Operation::Clean | Operation::CleanToUnification | Operation::Zero => El::El0,
            Operation::TlbOfEl2
            | Operation::Translate { both: true, .. }
            | Operation::Translate { el: El::El2, .. } => El::El2,
            _ => El::El1,
        };
        if el < lowest {
            return Err(Exit::Undefined);
        }
        if let Some(target) = self.pe.maintenance_trapped(operation) {
            return self.trap_to(target, encoding, false);
        }
        match operation {
            Operation::Zero => self.zero(value)?,
            Operation::Discard => self.check_line(value, AccessKind::Write)?,
            // Permission to read is asked of EL0 only; a region, of all.
            Operation::Clean | Operation::CleanToUnification | Operation::InvalidateLine => {
                self.check_line(value, AccessKind::Read)?;
            }
            Operation::Translate { el, write, both, pan } => {
                let par = self.pe.translated(value, el, write, both, pan);
                self.pe.system.set(PAR_EL1, par);
            }
            _ => {}
        }
        self.tell(|| Event::Maintenance { operation: encoding, value });
        Ok(())
    }

    /// Checks maintenance of the line of an address.
    fn check_line(&mut self, address: u64, kind: AccessKind) -> Result<(), Exit> {
        let access = mpu_model::Access { addr: address, size: 1, kind, el: self.pe.pstate.el };
        self.judge(&access, Told { transfer: None, maintenance: true }).map(|_| ())
    }

    /// DC ZVA: stores of zeros, which all are made or none.
    fn zero(&mut self, address: u64) -> Result<(), Exit> {
        let base = address & !((1 << LINE_SHIFT) - 1);
        let part = |offset: u64| Access {
            address: base + offset,
            bytes: 16,
            alignment: Alignment::Natural,
            unprivileged: false,
            transfer: None,
        };
        let access = mpu_model::Access { addr: address, size: 1, kind: AccessKind::Write, el: self.pe.pstate.el };
        let passed = self.judge(&access, Told::default())?;
        if passed.kind == super::lookaside::Kind::Device {
            let exception = self.pe.misaligned(&access, false, Told::default(), self.pc);
            return self.raise(exception);
        }
        for offset in [0, 16, 32, 48] {
            self.write_data(&part(offset), 0)?;
        }
        Ok(())
    }
}

/// SYSL: none is allocated.
pub(super) const fn read_instruction(encoding: SysEncoding) -> Result<u64, Exit> {
    if encoding.is_implementation_defined() {
        return Err(Exit::NotBuilt("IMPLEMENTATION DEFINED instruction"));
    }
    Err(Exit::Undefined)
}

impl Pe {
    fn maintenance_trapped(&self, operation: Operation) -> Option<El> {
        match operation {
            Operation::InvalidateAll => self.by_hcr(hcr::TPU),
            Operation::InvalidateLine | Operation::CleanToUnification => {
                self.by_el1(sctlr::UCI).or_else(|| self.by_hcr(hcr::TPU))
            }
            Operation::SetWay => self.by_hcr(hcr::TSW),
            Operation::Discard => self.by_hcr(hcr::TPCP),
            Operation::Clean => self.by_el1(sctlr::UCI).or_else(|| self.by_hcr(hcr::TPCP)),
            Operation::Zero => self.zeroing_target(),
            Operation::TlbOfEl1 => self.by_hcr(hcr::TTLB),
            Operation::TlbOfEl2 | Operation::Translate { .. } => None,
        }
    }

    /// `PAR_EL1` for an AT instruction.
    fn translated(&self, address: u64, el: El, write: bool, both: bool, pan: bool) -> u64 {
        const FAULT: u64 = 1;
        const RES1: u64 = 1 << 11;
        const STAGE2: u64 = 1 << 9;
        let kind = if write { AccessKind::Write } else { AccessKind::Read };
        let access = mpu_model::Access { addr: address, size: 1, kind, el };
        let denied = |fsc: u8, stage2: bool| FAULT | u64::from(fsc) << 1 | RES1 | if stage2 { STAGE2 } else { 0 };
        let rules = self.el2.rules();
        match self.ask(access).result {
            Err(Denied::El2(denial)) => denied(mpu_model::Syndrome::el2_own(&denial, rules).fsc(), false),
            Err(Denied::Guest(guest)) if guest.stage == Stage::One => {
                denied(mpu_model::Syndrome::el1(&guest.denial, rules).fsc(), false)
            }
            Err(Denied::Guest(guest)) if both => denied(mpu_model::Syndrome::stage2(&guest.denial, rules).fsc(), true),
            Ok(allowed) if pan && self.pstate.pan && allowed.is_for_el0() => denied(0b00_1100, false),
            Ok(allowed) => {
                let hit = match allowed {
                    Allowed::El2(hit) => (&self.el2, hit),
                    Allowed::Guest(hit) => (&self.el1, hit.stage1),
                };
                let attrs = hit.1.attrs;
                let shareability = attrs.map_or(0, |attrs| attrs.sh as u64);
                let memory =
                    attrs.map_or(0, |attrs| hit.0.read(mpu_model::MpuReg::Mair) >> (8 * (attrs.attr_index & 7)) & 0xff);
                address & 0x000f_ffff_ffff_f000 | memory << 56 | RES1 | shareability << 7
            }
            // Stage 2 is not asked.
            Err(Denied::Guest(_)) => address & 0x000f_ffff_ffff_f000 | RES1,
        }
    }
}
