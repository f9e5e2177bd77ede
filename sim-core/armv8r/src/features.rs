//! What a PE has beyond the base of Armv8-R `AArch64`, and the ID registers that tell of it.
//!
//! Fields: Arm ARM (DDI 0487) section D24.2, `ID_AA64*_EL1`, `CTR_EL0`, `DCZID_EL0`, `CLIDR_EL1`, `CCSIDR_EL1`; DDI 0600 for
//! `ID_AA64MMFR0_EL1.MSA` and `MSA_frac`.

/// Optional features of a PE. The mandatory ones of Armv8-R `AArch64` (DDI 0628) are always there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// Floating point and Advanced SIMD.
    pub fp_simd: bool,
}

/// What ID registers tell beside features: sizes, and names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Optional features.
    pub features: Features,
    /// Bits of a physical address.
    pub pa_bits: u8,
    /// Bits of a VMID: 8 or 16.
    pub vmid_bits: u8,
    /// What `MIDR_EL1` reads.
    pub midr: u64,
    /// What `MPIDR_EL1` reads.
    pub mpidr: u64,
}

/// `MIDR_EL1` of Arm's architecture envelope model, of which `FVP_BaseR` is one: implementer Arm, part 0xd0f.
pub const MIDR_OF_THE_MODEL: u64 = 0x410f_d0f0;

/// An ID register that is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdRegister {
    /// `MIDR_EL1`.
    Midr,
    /// `MPIDR_EL1`.
    Mpidr,
    /// `ID_AA64PFR0_EL1`.
    Pfr0,
    /// `ID_AA64PFR1_EL1`.
    Pfr1,
    /// `ID_AA64DFR0_EL1`.
    Dfr0,
    /// `ID_AA64ISAR0_EL1`.
    Isar0,
    /// `ID_AA64ISAR1_EL1`.
    Isar1,
    /// `ID_AA64MMFR0_EL1`.
    Mmfr0,
    /// `ID_AA64MMFR1_EL1`.
    Mmfr1,
    /// `ID_AA64MMFR2_EL1`.
    Mmfr2,
    /// `CTR_EL0`.
    Ctr,
    /// `DCZID_EL0`, DZP clear.
    Dczid,
    /// `CLIDR_EL1`.
    Clidr,
}

/// Log2 of the bytes of a cache line, of the block of DC ZVA and of the exclusives' reservation granule.
pub const LINE_SHIFT: u64 = 6;

/// One field of four bits.
const fn field(value: u64, low: u32) -> u64 {
    (value & 0xf) << low
}

impl Identity {
    /// The value of an ID register.
    #[must_use]
    pub const fn value(&self, register: IdRegister) -> u64 {
        match register {
            IdRegister::Midr => self.midr,
            IdRegister::Mpidr => self.mpidr,
            IdRegister::Pfr0 => self.pfr0(),
            // SSBS with its instructions, RAS_frac: RAS 1.1.
            IdRegister::Pfr1 => field(2, 4) | field(1, 12),
            // DebugVer Armv8.2, no trace, the PMU of Armv8.4, two breakpoints, two watchpoints, one of them context-aware, no double lock.
            IdRegister::Dfr0 => field(8, 0) | field(5, 8) | field(1, 12) | field(1, 20) | field(0xf, 36),
            IdRegister::Isar0 => self.isar0(),
            IdRegister::Isar1 => self.isar1(),
            IdRegister::Mmfr0 => self.mmfr0(),
            // VMIDBits, PAN2, XNX; no VHE.
            IdRegister::Mmfr1 => field(if self.vmid_bits > 8 { 2 } else { 0 }, 4) | field(2, 20) | field(1, 28),
            // UAO, LSE2 (AT), IDST (IDS), S2FWB (FWB), TTL.
            IdRegister::Mmfr2 => field(1, 4) | field(1, 32) | field(1, 36) | field(1, 40) | field(1, 48),
            IdRegister::Ctr => {
                // In words. IminLine, PIPT, DminLine, ERG, CWG, bit 31 RES1.
                let words = LINE_SHIFT - 2;
                field(words, 0) | 0b11 << 14 | field(words, 16) | field(words, 20) | field(words, 24) | 1 << 31
            }
            IdRegister::Dczid => LINE_SHIFT - 2,
            // One level, of instructions and of data: LoUIS, LoC and LoUU behind it.
            IdRegister::Clidr => 0b011 | 1 << 21 | 1 << 24 | 1 << 27,
        }
    }

    const fn pfr0(&self) -> u64 {
        let fp = if self.features.fp_simd { 0 } else { 0xf };
        // EL0, EL1 and EL2 in AArch64, no EL3; system registers of the GIC; RAS; EL2 in Secure state; DIT.
        field(1, 0)
            | field(1, 4)
            | field(1, 8)
            | field(fp, 16)
            | field(fp, 20)
            | field(1, 24)
            | field(1, 28)
            | field(1, 36)
            | field(1, 48)
    }

    const fn isar0(&self) -> u64 {
        let simd = self.features.fp_simd as u64;
        // CRC32, LSE, RDM and DotProd with Advanced SIMD, FlagM, TLBIOS and TLBIRANGE.
        field(1, 16) | field(2, 20) | field(simd, 28) | field(simd, 44) | field(1, 52) | field(2, 56)
    }

    const fn isar1(&self) -> u64 {
        let fp = self.features.fp_simd as u64;
        // DPB, PAuth by QARMA5 for addresses and generic, JSCVT and FCMA with floating point, LRCPC2, SB.
        field(1, 0) | field(1, 4) | field(fp, 12) | field(fp, 16) | field(2, 20) | field(1, 24) | field(1, 36)
    }

    const fn mmfr0(&self) -> u64 {
        let pa_range = match self.pa_bits {
            0..36 => 0,
            36..40 => 1,
            40..42 => 2,
            42..44 => 3,
            44..48 => 4,
            48..52 => 5,
            _ => 6,
        };
        // 16 bits of ASID, two Security states of memory, no granule of a translation table at either stage, PMSA in all regimes.
        let granules = field(0xf, 24) | field(0xf, 28) | field(1, 32) | field(1, 36) | field(1, 40);
        field(pa_range, 0) | field(2, 4) | field(1, 12) | granules | field(0xf, 48) | field(1, 52)
    }

    /// `CCSIDR_EL1` for what `CSSELR_EL1` selects: 16 KiB in 4 ways and 64 sets, of instructions and of data; `None` for a
    /// cache that is not there.
    #[must_use]
    pub const fn ccsidr(csselr: u64) -> Option<u64> {
        if csselr & 0b1110 == 0 { Some((LINE_SHIFT - 4) | (4 - 1) << 3 | (64 - 1) << 13) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn identity(fp_simd: bool, pa_bits: u8) -> Identity {
        Identity { features: Features { fp_simd }, pa_bits, vmid_bits: 8, midr: MIDR_OF_THE_MODEL, mpidr: 1 << 31 }
    }

    /// By hand, from the manual's fields.
    #[test]
    fn registers_of_a_pe_without_floating_point() {
        let identity = identity(false, 48);
        for (register, value) in [
            (IdRegister::Midr, 0x410f_d0f0),
            (IdRegister::Mpidr, 0x8000_0000),
            (IdRegister::Pfr0, 0x0001_0010_11ff_0111),
            (IdRegister::Pfr1, 0x1020),
            (IdRegister::Dfr0, 0x00f0_0010_1508),
            (IdRegister::Isar0, 0x0210_0000_0021_0000),
            (IdRegister::Isar1, 0x0010_0120_0011),
            (IdRegister::Mmfr0, 0x001f_0111_ff00_1025),
            (IdRegister::Mmfr1, 0x1020_0000),
            (IdRegister::Mmfr2, 0x0001_0111_0000_0010),
            (IdRegister::Ctr, 0x8444_c004),
            (IdRegister::Dczid, 4),
            (IdRegister::Clidr, 0x0920_0003),
        ] {
            assert_eq!(identity.value(register), value, "{register:?}");
        }
    }

    #[test]
    fn floating_point_and_advanced_simd_come_together() {
        let (without, with) = (identity(false, 48), identity(true, 48));
        assert_eq!(without.value(IdRegister::Pfr0) ^ with.value(IdRegister::Pfr0), 0xff_0000);
        assert_eq!(with.value(IdRegister::Isar0) - without.value(IdRegister::Isar0), 1 << 28 | 1 << 44);
    }

    #[test]
    fn pa_range_is_that_of_the_board() {
        for (bits, range) in [(32, 0), (36, 1), (40, 2), (42, 3), (44, 4), (48, 5), (52, 6)] {
            assert_eq!(identity(false, bits).value(IdRegister::Mmfr0) & 0xf, range);
        }
    }

    #[test]
    fn there_is_one_level_of_cache() {
        assert_eq!([0, 1, 2].map(Identity::ccsidr), [Some(0x7_e01a), Some(0x7_e01a), None]);
    }
}
