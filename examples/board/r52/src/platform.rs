//! A PE of the board as the hypervisor sees it: real registers, real barriers, real memory.

use crate::cp15::{self, banked, read, write};
use crate::frame::Pushed;
use board::hypervisor::{Board, Place, isb, physical};
use mpu_model::{MpuReg, Pmsa};
use sim_core::convention::{Frame, ec};
use sim_core::export::System;
use sim_core::hyp::strategy::Builtin;
use sim_core::platform::{SysReg, Width};

/// HSCTLR and SCTLR bits that read as one and are to be written so (DDI 0568); the hypervisor knows nothing of them.
const RES1: u32 = 0x30c5_0830;

/// The one PE that runs.
#[derive(Debug)]
pub(crate) struct Cpu;

impl Cpu {
    fn mpu_read(reg: MpuReg, el2: bool) -> u32 {
        match (reg, el2) {
            (MpuReg::PrbarN(n), true) => cp15::el2_region(n, false),
            (MpuReg::PrlarN(n), true) => cp15::el2_region(n, true),
            (MpuReg::PrbarN(n), false) => cp15::el1_region(n, false),
            (MpuReg::PrlarN(n), false) => cp15::el1_region(n, true),
            (MpuReg::Prbar, true) => read!("4", "c6", "c3", "0"),
            (MpuReg::Prbar, false) => read!("0", "c6", "c3", "0"),
            (MpuReg::Prlar, true) => read!("4", "c6", "c3", "1"),
            (MpuReg::Prlar, false) => read!("0", "c6", "c3", "1"),
            (MpuReg::Prselr, true) => read!("4", "c6", "c2", "1"),
            (MpuReg::Prselr, false) => read!("0", "c6", "c2", "1"),
            (MpuReg::Prenr, true) => read!("4", "c6", "c1", "1"),
            (MpuReg::Prenr, false) => 0,
            (MpuReg::Mpuir, true) => read!("4", "c0", "c0", "4"),
            (MpuReg::Mpuir, false) => read!("0", "c0", "c0", "4"),
            (MpuReg::Mair, true) => read!("4", "c10", "c2", "0"),
            (MpuReg::Mair, false) => read!("0", "c10", "c2", "0"),
            (MpuReg::Mair1, true) => read!("4", "c10", "c2", "1"),
            (MpuReg::Mair1, false) => read!("0", "c10", "c2", "1"),
            (MpuReg::Sctlr, true) => read!("4", "c1", "c0", "0") & !RES1,
            (MpuReg::Sctlr, false) => read!("0", "c1", "c0", "0") & !RES1,
        }
    }

    fn mpu_write(reg: MpuReg, el2: bool, value: u32) {
        match (reg, el2) {
            (MpuReg::PrbarN(n), true) => cp15::set_el2_region(n, false, value),
            (MpuReg::PrlarN(n), true) => cp15::set_el2_region(n, true, value),
            (MpuReg::PrbarN(n), false) => cp15::set_el1_region(n, false, value),
            (MpuReg::PrlarN(n), false) => cp15::set_el1_region(n, true, value),
            (MpuReg::Prbar, true) => write!("4", "c6", "c3", "0", value),
            (MpuReg::Prbar, false) => write!("0", "c6", "c3", "0", value),
            (MpuReg::Prlar, true) => write!("4", "c6", "c3", "1", value),
            (MpuReg::Prlar, false) => write!("0", "c6", "c3", "1", value),
            (MpuReg::Prselr, true) => write!("4", "c6", "c2", "1", value),
            (MpuReg::Prselr, false) => write!("0", "c6", "c2", "1", value),
            (MpuReg::Prenr, true) => write!("4", "c6", "c1", "1", value),
            (MpuReg::Mair, true) => write!("4", "c10", "c2", "0", value),
            (MpuReg::Mair, false) => write!("0", "c10", "c2", "0", value),
            (MpuReg::Mair1, true) => write!("4", "c10", "c2", "1", value),
            (MpuReg::Mair1, false) => write!("0", "c10", "c2", "1", value),
            (MpuReg::Sctlr, true) => write!("4", "c1", "c0", "0", value | RES1),
            (MpuReg::Sctlr, false) => write!("0", "c1", "c0", "0", value | RES1),
            // Read-only, and not there at EL1.
            (MpuReg::Mpuir, _) | (MpuReg::Prenr, false) => {}
        }
    }
}

const fn pair(low: u32, high: u32) -> u64 {
    low as u64 | (high as u64) << 32
}

static PLACE: Place<Builtin> = Place::empty();

impl Board for Cpu {
    type Pushed = Pushed;
    type Rule = Builtin;

    const PMSA: Pmsa = Pmsa::V32;
    const PRESET: &'static str = "qemu-an536";
    const SYSTEM: (usize, usize) = (0x7013_4000, 0x1_0000);

    fn read(reg: SysReg) -> u64 {
        let low = match reg {
            SysReg::El2(reg) => Self::mpu_read(reg, true),
            SysReg::El1(reg) => Self::mpu_read(reg, false),
            SysReg::HcrEl2 => read!("4", "c1", "c1", "0"),
            SysReg::VsctlrEl2 => read!("4", "c2", "c0", "0"),
            SysReg::VmpidrEl2 => read!("4", "c0", "c0", "5"),
            SysReg::EsrEl2 => read!("4", "c5", "c2", "0"),
            SysReg::FarEl2 => {
                let class = u64::from(read!("4", "c5", "c2", "0") >> 26);
                match class {
                    ec::INSTRUCTION_ABORT_LOWER | ec::INSTRUCTION_ABORT_SAME => read!("4", "c6", "c0", "2"),
                    _ => read!("4", "c6", "c0", "0"),
                }
            }
            SysReg::EsrEl1 => read!("0", "c5", "c0", "0"),
            SysReg::Ifsr => read!("0", "c5", "c0", "1"),
            SysReg::FarEl1 => return pair(read!("0", "c6", "c0", "0"), read!("0", "c6", "c0", "2")),
            // AArch32 returns by the link registers, which are in the frame.
            SysReg::ElrEl1 => 0,
            SysReg::SpsrEl1 => banked!("spsr_svc"),
            SysReg::VbarEl1 => read!("0", "c12", "c0", "0"),
            SysReg::IchLr0 => return pair(read!("4", "c12", "c12", "0"), read!("4", "c12", "c14", "0")),
            SysReg::IccIar1 => read!("0", "c12", "c12", "0"),
            SysReg::IccEoir1 | SysReg::CnthpCval | SysReg::CnthpCtl | SysReg::VtcrEl2 => 0,
        };
        low.into()
    }

    fn write(reg: SysReg, value: u64) {
        let (low, high) = (value as u32, (value >> 32) as u32);
        match reg {
            SysReg::El2(reg) => Self::mpu_write(reg, true, low),
            SysReg::El1(reg) => Self::mpu_write(reg, false, low),
            SysReg::HcrEl2 => write!("4", "c1", "c1", "0", low),
            SysReg::VsctlrEl2 => write!("4", "c2", "c0", "0", low),
            SysReg::VmpidrEl2 => write!("4", "c0", "c0", "5", low),
            SysReg::EsrEl1 => write!("0", "c5", "c0", "0", low),
            SysReg::Ifsr => write!("0", "c5", "c0", "1", low),
            SysReg::FarEl1 => {
                write!("0", "c6", "c0", "0", low);
                write!("0", "c6", "c0", "2", high);
            }
            SysReg::SpsrEl1 => banked!("spsr_svc", low),
            SysReg::VbarEl1 => write!("0", "c12", "c0", "0", low),
            SysReg::IchLr0 => {
                write!("4", "c12", "c12", "0", low);
                write!("4", "c12", "c14", "0", high);
            }
            SysReg::IccEoir1 => write!("0", "c12", "c12", "1", low),
            // There is no time here: vCPUs give way by themselves. The rest is read-only, or no register of AArch32.
            SysReg::CnthpCval
            | SysReg::CnthpCtl
            | SysReg::EsrEl2
            | SysReg::FarEl2
            | SysReg::ElrEl1
            | SysReg::VtcrEl2
            | SysReg::IccIar1 => {}
        }
    }

    fn place() -> &'static Place<Builtin> {
        &PLACE
    }

    fn rule(system: &System) -> Option<Builtin> {
        Builtin::from_name(&system.strategy, system.settings)
    }

    fn open_interrupts() {
        /// ICH_VMCR: group 1 on, mask at its lowest.
        const VMCR: u32 = 0xff << 24 | 1 << 1;
        // ICC_HSRE: the system registers are on, at EL1 too.
        write!("4", "c12", "c9", "5", 0xf);
        isb();
        write!("4", "c12", "c11", "7", VMCR);
        // ICH_HCR.En.
        write!("4", "c12", "c11", "0", 1);
    }

    fn lend_floating_point(lent: bool) {
        /// HCPTR bits that are RES1.
        const HCPTR: u32 = 0x33ff;
        /// TCP10 and TCP11.
        const TRAPPED: u32 = 0b11 << 10;
        write!("4", "c1", "c1", "2", if lent { HCPTR } else { HCPTR | TRAPPED });
        isb();
    }

    /// CMSDK APB UART: the divider at its smallest, then the transmitter on.
    fn open_console(base: u64) {
        const CTRL: u64 = 0x08;
        const BAUDDIV: u64 = 0x10;
        physical::store(base + BAUDDIV, Width::Word, 16);
        physical::store(base + CTRL, Width::Word, 1);
    }

    fn to_frame(pushed: &Pushed) -> Frame {
        pushed.frame()
    }

    fn of_frame(frame: &Frame) -> Pushed {
        Pushed::of_frame(frame)
    }
}
