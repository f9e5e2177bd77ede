//! System registers: one row of a table each.
//!
//! Encodings: Arm ARM (DDI 0487) section D17.3 and D24; DDI 0600 chapter G1 for those of PMSA. Those of the
//! GIC are with it ([`crate::devices::gic::Register`]). Other encodings in no row are UNDEFINED, but for the reserved ID registers, which read as zero, and IMPLEMENTATION DEFINED space.
//!
//! Who may access a register is in its row, what traps it is named there and decided by the PE.

mod control;
mod debug;
mod encoding;
mod identification;
mod mpu;
mod places;
mod row;
mod store;
mod table;
mod timers;

pub(crate) use places::{
    APDAKEYHI_EL1, APDAKEYLO_EL1, APDBKEYHI_EL1, APDBKEYLO_EL1, APGAKEYHI_EL1, APGAKEYLO_EL1, APIAKEYHI_EL1,
    APIAKEYLO_EL1, APIBKEYHI_EL1, APIBKEYLO_EL1, CNTFRQ_EL0, CNTHCTL_EL2, CNTKCTL_EL1, CPACR_EL1, CPTR_EL2, CSSELR_EL1,
    DISR_EL1, ELR_EL1, ELR_EL2, ESR_EL1, ESR_EL2, FAR_EL1, FAR_EL2, HCR_EL2, HPFAR_EL2, MDCR_EL2, OSLSR_EL1, PAR_EL1,
    PMUSERENR_EL0, SPSR_EL1, SPSR_EL2, VBAR_EL1, VBAR_EL2, VDISR_EL2, VMPIDR_EL2, VPIDR_EL2, VSCTLR_EL2, VSESR_EL2,
    VTCR_EL2,
};
pub(crate) use row::{Counting, NO, Own, Role, Row, Trap};
pub(crate) use store::Store;
#[cfg(test)]
pub(crate) use table::ROWS;
pub use table::name;
pub(crate) use table::{Place, find};

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    extern crate std;
    use super::*;
    use crate::a64::SysEncoding;
    use mpu_model::MpuReg;
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
