//! A PE of the board as the hypervisor sees it: real registers, real barriers, real memory.

use crate::frame::Pushed;
use crate::rule::{self, Rule};
use crate::sysreg::{self, read, write};
use board::hypervisor::{Board, Place, isb, physical};
use mpu_model::{MpuReg, Pmsa};
use sim_core::convention::Frame;
use sim_core::export::System;
use sim_core::platform::{SysReg, Width};

/// `SCTLR_ELx` bits that read as one and are to be written so (DDI 0487); the hypervisor knows nothing of them.
const RES1: u64 = 0x30c5_0830;
/// The same of `SCTLR_EL1`, where bit 20 (TSCXT) is one of them on a PE without `FEAT_CSV2_2`.
const RES1_OF_EL1: u64 = RES1 | 1 << 20;
/// `HCR_EL2.RW`: EL1 is in `AArch64`. Armv8-R has it so whatever is written; where EL1 could be otherwise it has to be.
const RW: u64 = 1 << 31;

/// The one PE that runs.
#[derive(Debug)]
pub(crate) struct Cpu;

impl Cpu {
    fn mpu_read(reg: MpuReg, el2: bool) -> u64 {
        match (reg, el2) {
            (MpuReg::PrbarN(n), true) => sysreg::el2_region(n, false),
            (MpuReg::PrlarN(n), true) => sysreg::el2_region(n, true),
            (MpuReg::PrbarN(n), false) => sysreg::el1_region(n, false),
            (MpuReg::PrlarN(n), false) => sysreg::el1_region(n, true),
            (MpuReg::Prbar, true) => read!("prbar_el2"),
            (MpuReg::Prbar, false) => read!("prbar_el1"),
            (MpuReg::Prlar, true) => read!("prlar_el2"),
            (MpuReg::Prlar, false) => read!("prlar_el1"),
            (MpuReg::Prselr, true) => read!("prselr_el2"),
            (MpuReg::Prselr, false) => read!("prselr_el1"),
            (MpuReg::Prenr, true) => read!("prenr_el2"),
            (MpuReg::Prenr, false) => read!("prenr_el1"),
            (MpuReg::Mpuir, true) => read!("mpuir_el2"),
            (MpuReg::Mpuir, false) => read!("mpuir_el1"),
            (MpuReg::Mair, true) => read!("mair_el2"),
            (MpuReg::Mair, false) => read!("mair_el1"),
            (MpuReg::Sctlr, true) => read!("sctlr_el2") & !RES1,
            (MpuReg::Sctlr, false) => read!("sctlr_el1") & !RES1_OF_EL1,
            // PMSAv8-32 only.
            (MpuReg::Mair1, _) => 0,
        }
    }

    fn mpu_write(reg: MpuReg, el2: bool, value: u64) {
        match (reg, el2) {
            (MpuReg::PrbarN(n), true) => sysreg::set_el2_region(n, false, value),
            (MpuReg::PrlarN(n), true) => sysreg::set_el2_region(n, true, value),
            (MpuReg::PrbarN(n), false) => sysreg::set_el1_region(n, false, value),
            (MpuReg::PrlarN(n), false) => sysreg::set_el1_region(n, true, value),
            (MpuReg::Prbar, true) => write!("prbar_el2", value),
            (MpuReg::Prbar, false) => write!("prbar_el1", value),
            (MpuReg::Prlar, true) => write!("prlar_el2", value),
            (MpuReg::Prlar, false) => write!("prlar_el1", value),
            (MpuReg::Prselr, true) => write!("prselr_el2", value),
            (MpuReg::Prselr, false) => write!("prselr_el1", value),
            (MpuReg::Prenr, true) => write!("prenr_el2", value),
            (MpuReg::Prenr, false) => write!("prenr_el1", value),
            (MpuReg::Mair, true) => write!("mair_el2", value),
            (MpuReg::Mair, false) => write!("mair_el1", value),
            (MpuReg::Sctlr, true) => write!("sctlr_el2", value | RES1),
            (MpuReg::Sctlr, false) => write!("sctlr_el1", value | RES1_OF_EL1),
            // Read-only, and PMSAv8-32 only.
            (MpuReg::Mpuir | MpuReg::Mair1, _) => {}
        }
    }
}

/// Whether the PE has PMSA at all levels: `ID_AA64MMFR0_EL1.MSA`, and `MSA_frac` as DDI 0600 allows it.
pub(crate) fn has_pmsa() -> bool {
    let fields = read!("id_aa64mmfr0_el1") >> 48;
    fields & 0xf == 0xf && fields >> 4 & 0xf != 0
}

static PLACE: Place<Rule> = Place::empty();

impl Board for Cpu {
    type Pushed = Pushed;
    type Rule = Rule;

    const PMSA: Pmsa = Pmsa::V64;
    const PRESET: &'static str = "fvp-baser";
    const SYSTEM: (usize, usize) = (0x0033_4000, 0x1_0000);

    fn read(reg: SysReg) -> u64 {
        match reg {
            SysReg::El2(reg) => Self::mpu_read(reg, true),
            SysReg::El1(reg) => Self::mpu_read(reg, false),
            SysReg::HcrEl2 => read!("hcr_el2") & !RW,
            SysReg::VsctlrEl2 => read!("vsctlr_el2"),
            SysReg::VtcrEl2 => read!("vtcr_el2"),
            SysReg::VmpidrEl2 => read!("vmpidr_el2"),
            SysReg::EsrEl2 => read!("esr_el2"),
            SysReg::FarEl2 => read!("far_el2"),
            SysReg::EsrEl1 => read!("esr_el1"),
            SysReg::FarEl1 => read!("far_el1"),
            SysReg::ElrEl1 => read!("elr_el1"),
            SysReg::SpsrEl1 => read!("spsr_el1"),
            SysReg::VbarEl1 => read!("vbar_el1"),
            SysReg::IchLr0 => read!("ich_lr0_el2"),
            SysReg::IccIar1 => read!("icc_iar1_el1"),
            // There is no time here. The rest is write-only, or no register of AArch64.
            SysReg::IccEoir1 | SysReg::CnthpCval | SysReg::CnthpCtl | SysReg::Ifsr => 0,
        }
    }

    fn write(reg: SysReg, value: u64) {
        match reg {
            SysReg::El2(reg) => Self::mpu_write(reg, true, value),
            SysReg::El1(reg) => Self::mpu_write(reg, false, value),
            SysReg::HcrEl2 => write!("hcr_el2", value | RW),
            SysReg::VsctlrEl2 => write!("vsctlr_el2", value),
            SysReg::VtcrEl2 => write!("vtcr_el2", value),
            SysReg::VmpidrEl2 => write!("vmpidr_el2", value),
            SysReg::EsrEl1 => write!("esr_el1", value),
            SysReg::FarEl1 => write!("far_el1", value),
            SysReg::ElrEl1 => write!("elr_el1", value),
            SysReg::SpsrEl1 => write!("spsr_el1", value),
            SysReg::VbarEl1 => write!("vbar_el1", value),
            SysReg::IchLr0 => write!("ich_lr0_el2", value),
            SysReg::IccEoir1 => write!("icc_eoir1_el1", value),
            // There is no time here: vCPUs give way by themselves. The rest is read-only, or no register of AArch64.
            SysReg::CnthpCval | SysReg::CnthpCtl | SysReg::EsrEl2 | SysReg::FarEl2 | SysReg::Ifsr | SysReg::IccIar1 => {
            }
        }
    }

    fn place() -> &'static Place<Rule> {
        &PLACE
    }

    fn rule(system: &System) -> Option<Rule> {
        rule::of(&system.strategy, system.settings)
    }

    fn open_interrupts() {
        /// ICH_VMCR_EL2: group 1 on, mask at its lowest.
        const VMCR: u64 = 0xff << 24 | 1 << 1;
        // The system registers are on, at EL1 too.
        write!("icc_sre_el2", 0xf);
        isb();
        write!("ich_vmcr_el2", VMCR);
        // En.
        write!("ich_hcr_el2", 1);
    }

    fn lend_floating_point(lent: bool) {
        /// CPTR_EL2 bits that are RES1 where there is no SVE.
        const CPTR: u64 = 0x33ff;
        const TFP: u64 = 1 << 10;
        write!("cptr_el2", if lent { CPTR } else { CPTR | TFP });
        isb();
    }

    /// PL011 (DDI 0183): 115200 baud from 24 MHz, eight bits, FIFOs; sends and receives.
    fn open_console(base: u64) {
        const IBRD: u64 = 0x24;
        const FBRD: u64 = 0x28;
        const LCR_H: u64 = 0x2c;
        const CR: u64 = 0x30;
        for (register, value) in [(CR, 0), (IBRD, 13), (FBRD, 1), (LCR_H, 0x70), (CR, 0x301)] {
            physical::store(base + register, Width::Word, value);
        }
    }

    fn to_frame(pushed: &Pushed) -> Frame {
        pushed.frame()
    }

    fn of_frame(frame: &Frame) -> Pushed {
        Pushed::of_frame(frame)
    }
}
