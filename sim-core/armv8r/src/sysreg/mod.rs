//! System registers: one row of a table each.
//!
//! Encodings: Arm ARM (DDI 0487) section D17.3 and D24; DDI 0600 chapter G1 for those of PMSA. Those of the
//! GIC are with it ([`crate::devices::gic::Register`]). Other encodings in no row are UNDEFINED, but for the reserved ID registers, which read as zero, and IMPLEMENTATION DEFINED space.
//!
//! Who may access a register is in its row, what traps it is named there and decided by the PE.

mod control;
mod debug;
mod identification;
mod mpu;
mod store;
mod timers;

pub(crate) use control::{
    APDAKEYHI_EL1, APDAKEYLO_EL1, APDBKEYHI_EL1, APDBKEYLO_EL1, APGAKEYHI_EL1, APGAKEYLO_EL1, APIAKEYHI_EL1,
    APIAKEYLO_EL1, APIBKEYHI_EL1, APIBKEYLO_EL1, CPACR_EL1, CPTR_EL2, DISR_EL1, ELR_EL1, ELR_EL2, ESR_EL1, ESR_EL2,
    FAR_EL1, FAR_EL2, HCR_EL2, HPFAR_EL2, MDCR_EL2, PAR_EL1, SPSR_EL1, SPSR_EL2, VBAR_EL1, VBAR_EL2, VDISR_EL2,
    VSCTLR_EL2, VSESR_EL2, VTCR_EL2,
};
pub(crate) use debug::{OSLSR_EL1, PMUSERENR_EL0};
pub(crate) use identification::{CSSELR_EL1, VMPIDR_EL2, VPIDR_EL2};
pub(crate) use store::Store;
pub(crate) use timers::{CNTFRQ_EL0, CNTHCTL_EL2, CNTKCTL_EL1};

use crate::a64::SysEncoding;
use crate::features::IdRegister;
use mpu_model::{Level, MpuReg};

impl SysEncoding {
    /// From the numbers in a register's name, `S<op0>_<op1>_C<CRn>_C<CRm>_<op2>`.
    #[must_use]
    pub const fn new(op0: u8, op1: u8, crn: u8, crm: u8, op2: u8) -> Self {
        let high = (op0 as u16 & 3) << 14 | (op1 as u16 & 7) << 11;
        Self(high | (crn as u16 & 15) << 7 | (crm as u16 & 15) << 3 | (op2 as u16 & 7))
    }

    /// op0.
    #[must_use]
    pub const fn op0(self) -> u8 {
        (self.0 >> 14) as u8
    }

    /// op1.
    #[must_use]
    pub const fn op1(self) -> u8 {
        (self.0 >> 11) as u8 & 7
    }

    /// `CRn`.
    #[must_use]
    pub const fn crn(self) -> u8 {
        (self.0 >> 7) as u8 & 15
    }

    /// `CRm`.
    #[must_use]
    pub const fn crm(self) -> u8 {
        (self.0 >> 3) as u8 & 15
    }

    /// op2.
    #[must_use]
    pub const fn op2(self) -> u8 {
        self.0 as u8 & 7
    }

    /// Whether it is IMPLEMENTATION DEFINED: `CRn` 11 or 15 of op0 3, and of op0 1.
    #[must_use]
    pub const fn is_implementation_defined(self) -> bool {
        matches!(self.op0(), 1 | 3) && matches!(self.crn(), 11 | 15)
    }

    /// Whether it is in the ID space, of which reads at EL0 are told with its name (`FEAT_IDST`).
    pub(crate) const fn is_identification(self) -> bool {
        self.op0() == 3 && self.crn() == 0 && (self.op1() == 0 || matches!(self.op1(), 1 | 2) && self.crm() == 0)
    }
}

impl core::fmt::Display for SysEncoding {
    /// As assemblers take it.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "S{}_{}_C{}_C{}_{}", self.op0(), self.op1(), self.crn(), self.crm(), self.op2())
    }
}

/// The lowest level that may access a register; `NO`: none may.
pub(crate) const E0: u8 = 0;
pub(crate) const E1: u8 = 1;
pub(crate) const E2: u8 = 2;
pub(crate) const NO: u8 = 3;

/// What an access does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Role {
    /// Reads an ID register.
    Id(IdRegister),
    /// Reads this, and is written in vain.
    Constant(u64),
    /// Holds what is written, of the bits in `mask`; those in `fixed` read as one.
    Storage { reset: u64, mask: u64, fixed: u64 },
    /// A register of an MPU.
    Mpu(Level, MpuReg),
    /// Of the PE itself: PSTATE, stack pointers, and what is computed.
    Own(Own),
    /// Of the generic timers.
    Device,
    /// Allocated, and not built.
    NotBuilt,
}

/// Registers that the PE itself answers for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Own {
    Midr,
    Mpidr,
    Ccsidr,
    Dczid,
    Sctlr(Level),
    SpEl0,
    SpEl1,
    SpSel,
    CurrentEl,
    Pan,
    Uao,
    Dit,
    Ssbs,
    Nzcv,
    Daif,
    Fpcr,
    Fpsr,
    Isr,
    Disr,
    OsLockAccess,
}

/// What may trap an access from below EL2, or from EL0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trap {
    /// Nothing.
    Nothing,
    /// `HCR_EL2.TID1`.
    Tid1,
    /// `HCR_EL2.TID2`; at EL0 `SCTLR_EL1.UCT`.
    Tid2,
    /// `HCR_EL2.TID3`.
    Tid3,
    /// Writes by `HCR_EL2.TVM`, reads by TRVM.
    Tvm,
    /// `HCR_EL2.TACR`.
    Tacr,
    /// `CPTR_EL2.TCPAC`.
    Tcpac,
    /// `HCR_EL2.APK`.
    Apk,
    /// `HCR_EL2.TERR`.
    Terr,
    /// `CPACR_EL1.FPEN`, `CPTR_EL2.TFP`.
    Fp,
    /// At EL0 `SCTLR_EL1.UMA`.
    Uma,
    /// `MDCR_EL2.TDA`.
    Tda,
    /// `MDCR_EL2.TDOSA`.
    Tdosa,
    /// `MDCR_EL2.TPM` and, of `PMCR_EL0`, TPMCR; at EL0 `PMUSERENR_EL0.EN`.
    Pmu { control: bool },
    /// Counters of the generic timer.
    Counter(Counting),
}

/// Which of the generic timer's registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counting {
    /// `CNTFRQ_EL0`.
    Frequency,
    /// `CNTPCT_EL0`.
    Physical,
    /// `CNTVCT_EL0`.
    Virtual,
    /// `CNTP_*_EL0`.
    PhysicalTimer,
    /// `CNTV_*_EL0`.
    VirtualTimer,
}

/// A system register.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) encoding: SysEncoding,
    /// The lowest level that reads it.
    pub(crate) read: u8,
    /// The lowest level that writes it.
    pub(crate) write: u8,
    pub(crate) trap: Trap,
    pub(crate) role: Role,
}

/// The numbers of an encoding: op0, op1, `CRn`, `CRm`, op2.
type Numbers = [u8; 5];

const fn row(name: &'static str, numbers: Numbers, read: u8, write: u8, trap: Trap, role: Role) -> Row {
    let [op0, op1, crn, crm, op2] = numbers;
    Row { name, encoding: SysEncoding::new(op0, op1, crn, crm, op2), read, write, trap, role }
}

/// A register that holds what is written, out of reset 0.
const fn plain() -> Role {
    bits(u64::MAX)
}

/// A register that holds these bits of what is written, out of reset 0.
const fn bits(mask: u64) -> Role {
    Role::Storage { reset: 0, mask, fixed: 0 }
}

/// The tables, one for each file.
const TABLES: [&[Row]; 5] = [identification::ROWS, control::ROWS, mpu::ROWS, timers::ROWS, debug::ROWS];

/// How many registers there are.
#[allow(clippy::indexing_slicing, reason = "it is evaluated when the crate is built")]
pub(crate) const COUNT: usize = {
    let (mut count, mut table) = (0, 0);
    while table < TABLES.len() {
        count += TABLES[table].len();
        table += 1;
    }
    count
};

/// Every register, by encoding.
pub(crate) static ROWS: [Row; COUNT] = sorted();

#[allow(clippy::indexing_slicing, reason = "it is evaluated when the crate is built")]
const fn sorted() -> [Row; COUNT] {
    let mut rows = [row("", [0; 5], NO, NO, Trap::Nothing, Role::NotBuilt); COUNT];
    let (mut count, mut table) = (0, 0);
    while table < TABLES.len() {
        let mut index = 0;
        while index < TABLES[table].len() {
            let one = TABLES[table][index];
            let mut place = count;
            while place > 0 && rows[place - 1].encoding.0 > one.encoding.0 {
                rows[place] = rows[place - 1];
                place -= 1;
            }
            rows[place] = one;
            count += 1;
            index += 1;
        }
        table += 1;
    }
    rows
}

/// Where a register is in [`ROWS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(usize);

/// The place of a register that is known to be there. For constants: it must be, or the build fails.
#[allow(clippy::indexing_slicing, reason = "it is evaluated when the crate is built")]
const fn place(numbers: Numbers) -> Place {
    const SORTED: [Row; COUNT] = sorted();
    let [op0, op1, crn, crm, op2] = numbers;
    let encoding = SysEncoding::new(op0, op1, crn, crm, op2);
    let mut index = 0;
    while SORTED[index].encoding.0 != encoding.0 {
        index += 1;
    }
    Place(index)
}

/// What reserved ID registers do.
static RESERVED_ID: Row = row("reserved ID register", [3, 0, 0, 1, 0], E1, NO, Trap::Tid3, Role::Constant(0));

/// The register of an encoding and its place, if there is one.
pub(crate) fn find(encoding: SysEncoding) -> Option<(Place, &'static Row)> {
    if let Ok(index) = ROWS.binary_search_by_key(&encoding.0, |row| row.encoding.0) {
        return ROWS.get(index).map(|row| (Place(index), row));
    }
    let reserved =
        encoding.op0() == 3 && encoding.op1() == 0 && encoding.crn() == 0 && (1..8).contains(&encoding.crm());
    reserved.then_some((Place(usize::MAX), &RESERVED_ID))
}

/// The name of a register, if there is one.
#[must_use]
pub fn name(encoding: SysEncoding) -> Option<&'static str> {
    find(encoding).map(|(_, row)| row.name)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    #[test]
    fn no_encoding_is_in_two_rows_and_no_name_either() {
        assert!(ROWS.windows(2).all(|pair| matches!(pair, [one, two] if one.encoding < two.encoding)));
        let mut names: std::vec::Vec<_> = ROWS.iter().map(|row| row.name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| matches!(pair, [one, two] if one != two)));
    }

    #[test]
    fn encodings_are_found_and_printed() {
        let encoding = SysEncoding::new(3, 4, 1, 1, 0);
        assert_eq!((name(encoding), encoding.to_string().as_str()), (Some("HCR_EL2"), "S3_4_C1_C1_0"));
        assert_eq!(name(SysEncoding::new(3, 0, 0, 3, 7)), Some("reserved ID register"));
        assert_eq!(name(SysEncoding::new(3, 4, 14, 4, 1)), None, "CNTHVS comes with VHE");
        assert!(SysEncoding::new(3, 1, 15, 2, 0).is_implementation_defined());
        assert!(!SysEncoding::new(3, 1, 14, 2, 0).is_implementation_defined());
    }

    /// The registers of the MPUs are where `mpu-model` has them.
    #[test]
    fn both_crates_agree_on_encodings() {
        for row in &ROWS {
            let SysEncoding(bits) = row.encoding;
            let reg = match row.role {
                Role::Mpu(level, reg) => (level, reg),
                Role::Own(Own::Sctlr(level)) => (level, MpuReg::Sctlr),
                _ => continue,
            };
            let encoding = mpu_model::SysReg::Mpu(reg.0, reg.1).encoding(mpu_model::Pmsa::V64).unwrap();
            let mpu_model::Encoding::A64 { op0, op1, crn, crm, op2 } = encoding else { panic!("{}", row.name) };
            assert_eq!(SysEncoding::new(op0, op1, crn, crm, op2).0, bits, "{}", row.name);
        }
    }
}
