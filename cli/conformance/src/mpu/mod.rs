//! Conformance replay of MPU accesses: what a Cortex-R52 (as QEMU emulates it) answered, against `mpu-model`.
//!
//! Each file is judged twice. With the preset `qemu-an536` every access is compared, with QEMU's status codes. With the
//! default rules those are left out of which the recording itself says that other sources answer otherwise, and the
//! status code is the one of Arm's table.

mod format;

use self::format::{Abort, Header, Kind, Probe, ProbeCase, RegionLine, Res};
use super::diff::Difference;
use super::error::{Place, ReplayError};
use mpu_model::{
    Access, AccessKind, El, Hcr, Level, Mpu, MpuReg, Regime, Registers, Rules, Sctlr, Syndrome, check_guest,
};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// SRT of a data abort names a register of the program that recorded.
const SRT: u32 = 0xf << 16;

/// What came of all files of this kind.
#[derive(Debug, Clone, Default, Serialize)]
pub struct MpuSummary {
    /// Files read.
    pub files: usize,
    /// Accesses in them.
    pub probes: usize,
    /// With preset `qemu-an536`.
    pub qemu: MpuTotals,
    /// With the default rules of PMSAv8-32.
    pub default: MpuTotals,
    /// The first difference of each file under each set of rules.
    pub mismatches: Vec<MpuMismatch>,
}

/// Sums under one set of rules.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct MpuTotals {
    /// Accesses compared.
    pub compared: usize,
    /// Accesses left out: sources disagree on them.
    pub ambiguous: usize,
    /// Accesses with another answer than the recording.
    pub mismatches: usize,
}

/// An access with another answer than the recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MpuMismatch {
    /// The file.
    pub path: PathBuf,
    /// The case's line, from 1; the header is line 1.
    pub line: usize,
    /// The access's number in its case, from 1.
    pub probe: usize,
    /// The rules: `qemu-an536` or `default`.
    pub rules: &'static str,
    /// The access.
    pub access: String,
    /// What differs.
    pub differences: Vec<Difference>,
}

impl MpuSummary {
    /// Whether every answer compared was the recorded one.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.qemu.mismatches + self.default.mismatches == 0
    }

    /// Judges one file on top.
    pub fn add(&mut self, path: &Path, text: &str) -> Result<(), ReplayError> {
        let (header, cases) = format::parse(&Place { path }, text)?;
        self.files += 1;
        self.probes += cases.iter().map(|(_, case)| case.probes.len()).sum::<usize>();
        for (name, rules) in [("qemu-an536", Rules::qemu_an536()), ("default", Rules::pmsav8_32())] {
            let qemu = name == "qemu-an536";
            let totals = if qemu { &mut self.qemu } else { &mut self.default };
            let mut told = false;
            for (line, case) in &cases {
                let machine = Machine::new(&header, case, rules);
                for (number, probe) in (1..).zip(&case.probes) {
                    if !qemu && !probe.amb.is_empty() {
                        totals.ambiguous += 1;
                        continue;
                    }
                    totals.compared += 1;
                    let differences = compare(machine.judge(probe).as_ref(), probe, qemu);
                    if differences.is_empty() {
                        continue;
                    }
                    totals.mismatches += 1;
                    if !core::mem::replace(&mut told, true) {
                        self.mismatches.push(MpuMismatch {
                            path: path.to_owned(),
                            line: *line,
                            probe: number,
                            rules: name,
                            access: words(probe),
                            differences,
                        });
                    }
                }
            }
        }
        Ok(())
    }
}

/// The access in words.
fn words(probe: &Probe) -> String {
    let what = match probe.acc {
        Kind::R => "read",
        Kind::W => "write",
        Kind::X => "fetch",
    };
    format!("EL{} {what} of {} bytes at {:#010x}", probe.el, probe.size, probe.addr)
}

/// Both MPUs, as a case programs them.
struct Machine {
    el1: Mpu,
    el2: Mpu,
    hcr: Hcr,
    rules: Rules,
}

/// What the model says of one access, field by field as a recording has it.
struct Answer {
    to: El,
    syndrome: Syndrome,
    hpfar: Option<u64>,
}

impl Machine {
    fn new(header: &Header, case: &ProbeCase, rules: Rules) -> Self {
        let mpu = |level, regions, lines: &[RegionLine], sctlr: Sctlr| {
            let mut mpu = Mpu::new_32(level, regions, rules);
            for line in lines {
                // Regions above 31 are reached through the selector, which is in force at once here.
                let writes = [
                    (MpuReg::Prselr, u64::from(line.i)),
                    (MpuReg::Prbar, u64::from(line.prbar)),
                    (MpuReg::Prlar, u64::from(line.prlar)),
                ];
                for (reg, value) in writes {
                    // Synchronised after each write, no selection can be stale.
                    let _ = mpu.write(reg, value);
                    mpu.dsb();
                    mpu.context_sync();
                }
            }
            let _ = mpu.write(MpuReg::Sctlr, sctlr.raw_value());
            let _ = Registers::isb(&mut mpu);
            mpu
        };
        let el2 = Sctlr::ZERO.with_m(case.sctlr_el2_m.0).with_br(case.br.0).with_wxn(case.el2_wxn.0);
        let el1 = Sctlr::ZERO
            .with_m(case.sctlr_el1_m.0)
            .with_br(case.el1_br.0)
            .with_wxn(case.el1_wxn.0)
            .with_uwxn(case.el1_uwxn.0);
        Self {
            el1: mpu(Level::El1, header.el1_regions, &case.el1, el1),
            el2: mpu(Level::El2, header.el2_regions, &case.el2, el2),
            hcr: Hcr::ZERO.with_vm(case.hcr_vm.0),
            rules,
        }
    }

    /// The fault, if the access is denied.
    fn judge(&self, probe: &Probe) -> Option<Answer> {
        let kind = match probe.acc {
            Kind::R => AccessKind::Read,
            Kind::W => AccessKind::Write,
            Kind::X => AccessKind::Fetch,
        };
        let el = match probe.el {
            0 => El::El0,
            1 => El::El1,
            _ => El::El2,
        };
        let access = Access { addr: probe.addr.into(), size: probe.size, kind, el };
        if el == El::El2 {
            let denial = self.el2.check(Regime::El2, access).result.err()?;
            return Some(Answer { to: El::El2, syndrome: Syndrome::el2_own(&denial, self.rules), hpfar: None });
        }
        let denied = check_guest(Some(&self.el1), &self.el2, self.hcr, access).result.err()?;
        if denied.to == El::El1 {
            return Some(Answer { to: El::El1, syndrome: Syndrome::el1(&denied.denial, self.rules), hpfar: None });
        }
        let syndrome = Syndrome::stage2(&denied.denial, self.rules);
        // Doubleword accesses were made by LDRD and STRD, which name two registers.
        let syndrome = if probe.size == 8 { syndrome } else { syndrome.of_plain_access(probe.size) };
        Some(Answer { to: El::El2, syndrome, hpfar: syndrome.hpfar(self.rules) })
    }
}

/// Every field in which the answer is not the recorded one. Raw syndromes are compared where QEMU's codes are.
fn compare(answer: Option<&Answer>, probe: &Probe, qemu: bool) -> Vec<Difference> {
    let mut differences = Vec::new();
    let mut field = |name: &str, expected: Option<u64>, got: Option<u64>| {
        if expected != got {
            let text = |value: Option<u64>| value.map_or_else(|| "nothing".into(), |value| format!("{value:#x}"));
            differences.push(Difference { field: name.into(), expected: text(expected), got: text(got) });
        }
    };
    let recorded = probe.res == Res::Fault;
    field("fault", Some(recorded.into()), Some(answer.is_some().into()));
    let Some(answer) = answer.filter(|_| recorded) else {
        return differences;
    };
    let Answer { to, syndrome, hpfar } = answer;
    let fetch = probe.acc == Kind::X;
    let to_el2 = *to == El::El2;
    field("to", probe.to.map(u64::from), Some(if to_el2 { 2 } else { 1 }));
    field("kind", probe.kind.map(|kind| (kind == Abort::Pabt).into()), Some(fetch.into()));
    field("ec", probe.ec.map(u64::from), to_el2.then_some(syndrome.ec.into()));
    field("far", probe.far.map(u64::from), Some(syndrome.far));
    field("wnr", probe.wnr.map(u64::from), Some(syndrome.wnr().into()));
    let code = if qemu { probe.dfsc } else { probe.adfsc };
    field(if qemu { "dfsc" } else { "adfsc" }, code.map(u64::from), Some(syndrome.fsc().into()));
    if qemu {
        let hsr = u64::from(syndrome.esr() as u32 & !SRT);
        field("hsr", probe.hsr.map(|hsr| u64::from(hsr & !SRT)), to_el2.then_some(hsr));
        field("hpfar", probe.hpfar.map(u64::from), *hpfar);
        field("fsr", probe.fsr.map(u64::from), (!to_el2).then_some(syndrome.fsr().into()));
    }
    differences
}
