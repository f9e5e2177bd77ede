//! ID registers, and what EL2 has EL1 read in their place.

use super::row::{E0, E1, E2, NO, Own, Role, Row, Trap, bits, plain, row};
use crate::features::IdRegister as Id;
use mpu_model::{Level, MpuReg};

pub(super) const ROWS: &[Row] = &[
    row("MIDR_EL1", [3, 0, 0, 0, 0], E1, NO, Trap::Nothing, Role::Own(Own::Midr)),
    row("MPUIR_EL1", [3, 0, 0, 0, 4], E1, NO, Trap::Nothing, Role::Mpu(Level::El1, MpuReg::Mpuir)),
    row("MPIDR_EL1", [3, 0, 0, 0, 5], E1, NO, Trap::Nothing, Role::Own(Own::Mpidr)),
    row("REVIDR_EL1", [3, 0, 0, 0, 6], E1, NO, Trap::Tid1, Role::Constant(0)),
    row("ID_AA64PFR0_EL1", [3, 0, 0, 4, 0], E1, NO, Trap::Tid3, Role::Id(Id::Pfr0)),
    row("ID_AA64PFR1_EL1", [3, 0, 0, 4, 1], E1, NO, Trap::Tid3, Role::Id(Id::Pfr1)),
    row("ID_AA64DFR0_EL1", [3, 0, 0, 5, 0], E1, NO, Trap::Tid3, Role::Id(Id::Dfr0)),
    row("ID_AA64DFR1_EL1", [3, 0, 0, 5, 1], E1, NO, Trap::Tid3, Role::Constant(0)),
    row("ID_AA64AFR0_EL1", [3, 0, 0, 5, 4], E1, NO, Trap::Tid3, Role::Constant(0)),
    row("ID_AA64AFR1_EL1", [3, 0, 0, 5, 5], E1, NO, Trap::Tid3, Role::Constant(0)),
    row("ID_AA64ISAR0_EL1", [3, 0, 0, 6, 0], E1, NO, Trap::Tid3, Role::Id(Id::Isar0)),
    row("ID_AA64ISAR1_EL1", [3, 0, 0, 6, 1], E1, NO, Trap::Tid3, Role::Id(Id::Isar1)),
    row("ID_AA64MMFR0_EL1", [3, 0, 0, 7, 0], E1, NO, Trap::Tid3, Role::Id(Id::Mmfr0)),
    row("ID_AA64MMFR1_EL1", [3, 0, 0, 7, 1], E1, NO, Trap::Tid3, Role::Id(Id::Mmfr1)),
    row("ID_AA64MMFR2_EL1", [3, 0, 0, 7, 2], E1, NO, Trap::Tid3, Role::Id(Id::Mmfr2)),
    row("CCSIDR_EL1", [3, 1, 0, 0, 0], E1, NO, Trap::Tid2, Role::Own(Own::Ccsidr)),
    row("CLIDR_EL1", [3, 1, 0, 0, 1], E1, NO, Trap::Tid2, Role::Id(Id::Clidr)),
    row("AIDR_EL1", [3, 1, 0, 0, 7], E1, NO, Trap::Tid1, Role::Constant(0)),
    row("CSSELR_EL1", [3, 2, 0, 0, 0], E1, E1, Trap::Tid2, bits(0xf)),
    row("CTR_EL0", [3, 3, 0, 0, 1], E0, NO, Trap::Tid2, Role::Id(Id::Ctr)),
    row("DCZID_EL0", [3, 3, 0, 0, 7], E0, NO, Trap::Nothing, Role::Own(Own::Dczid)),
    row("VPIDR_EL2", [3, 4, 0, 0, 0], E2, E2, Trap::Nothing, bits(0xffff_ffff)),
    row("MPUIR_EL2", [3, 4, 0, 0, 4], E2, NO, Trap::Nothing, Role::Mpu(Level::El2, MpuReg::Mpuir)),
    row("VMPIDR_EL2", [3, 4, 0, 0, 5], E2, E2, Trap::Nothing, plain()),
];
