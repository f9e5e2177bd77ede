//! MPUs as tests set them up, and what they ask of them.

use mpu_model::{
    Access, AccessKind, Ap, Attrs, DenialKind, El, Level, Mpu, MpuReg, Regime, Region, RegionWords, Rules,
    Shareability, Xn,
};

pub(crate) const RW: Attrs =
    Attrs { ap: Ap::RwPrivileged, xn: Xn::Never, sh: Shareability::Inner, attr_index: 0, ns: false };
pub(crate) const SCTLR_M: u64 = 1;
pub(crate) const SCTLR_BR: u64 = 1 << 17;

pub(crate) fn words(base: u64, size: u64, attrs: Attrs) -> RegionWords {
    Region::with_size(base, size, attrs).unwrap().words()
}

pub(crate) fn barriers(mpu: &mut Mpu) {
    mpu.dsb();
    mpu.context_sync();
}

pub(crate) fn select(mpu: &mut Mpu, selection: u64) {
    mpu.write(MpuReg::Prselr, selection).unwrap();
    mpu.context_sync();
}

/// Regions in slots from 0 on, MPU on, all in force.
pub(crate) fn mpu_with(rules: Rules, regions: u8, slots: &[RegionWords]) -> Mpu {
    let mut mpu = Mpu::new(Level::El2, regions, rules);
    for (slot, words) in (0..).zip(slots) {
        select(&mut mpu, slot);
        mpu.write(MpuReg::Prbar, words.prbar).unwrap();
        mpu.write(MpuReg::Prlar, words.prlar).unwrap();
    }
    mpu.write(MpuReg::Sctlr, SCTLR_M).unwrap();
    barriers(&mut mpu);
    mpu
}

pub(crate) fn access(kind: AccessKind, addr: u64, size: u64) -> Access {
    Access { addr, size, kind, el: El::El2 }
}

pub(crate) fn denial(mpu: &Mpu, regime: Regime, access: Access) -> Option<(DenialKind, u64)> {
    mpu.check(regime, access).result.err().map(|denial| (denial.kind, denial.addr))
}
