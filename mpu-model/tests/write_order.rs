//! Writes that enable something and come into force before those that they were made behind.

use mpu_model::{
    AccessKind, Ap, Attrs, DefaultMap, DenialKind, Hazard, Level, Missing, Mpu, MpuReg, PendingWrite, Pmsa, Regime,
    RegionWords, Rules, Slot, WriteOrder, Xn,
};

use crate::setup::{RW, SCTLR_M, access, mpu_with, select, words};

/// `PRBAR` and `PRLAR` of a region over the text, then a DSB.
fn text_region(mpu: &mut Mpu) {
    let text = words(0, 0x1000, Attrs { ap: Ap::RoPrivileged, xn: Xn::Exec, ..RW });
    mpu.write(MpuReg::Prbar, mpu.pmsa().narrow_prbar(text.prbar)).unwrap();
    mpu.write(MpuReg::Prlar, mpu.pmsa().narrow_prlar(text.prlar)).unwrap();
    mpu.dsb();
}

/// Fiasco 1f031f8b: no ISB between the region that holds the running text and `SCTLR.M`, so that the MPU may be on
/// without it.
#[test]
fn sctlr_may_come_into_force_before_the_region_of_the_text() {
    for (pmsa, rules) in [(Pmsa::V64, Rules::default()), (Pmsa::V32, Rules::pmsav8_32())] {
        let new = |rules| {
            let mut mpu = Mpu::new(Level::El2, 16, rules);
            mpu.reset(pmsa, 16, rules);
            text_region(&mut mpu);
            mpu
        };
        let check = |mpu: &Mpu| mpu.check(Regime::El2, access(AccessKind::Fetch, 0x800, 4));
        let well = |mpu: &Mpu| check(mpu).result.is_ok() && check(mpu).hazard.is_none();
        let mut mpu = new(rules);
        mpu.write(MpuReg::Sctlr, SCTLR_M).unwrap();
        let pending = |reg, slot, value| PendingWrite { reg, slot, value, missing: Missing::ContextSync };
        assert_eq!(check(&mpu).result.unwrap_err().kind, DenialKind::NoRegion);
        let expected = Hazard {
            write: pending(MpuReg::Prlar, Some(Slot::new(0)), mpu.read(MpuReg::Prlar)),
            ahead: Some(pending(MpuReg::Sctlr, None, SCTLR_M)),
            in_force_allows: true,
            newest_allows: true,
            overflow: false,
        };
        assert_eq!(check(&mpu).hazard, Some(expected));
        mpu.context_sync();
        assert!(well(&mpu));

        // With an ISB before SCTLR, and where writes come into force in order.
        let mut synchronised = new(rules);
        synchronised.context_sync();
        synchronised.write(MpuReg::Sctlr, SCTLR_M).unwrap();
        assert!(well(&synchronised));
        let mut in_order = new(Rules { order: WriteOrder::Program, ..rules });
        in_order.write(MpuReg::Sctlr, SCTLR_M).unwrap();
        assert!(well(&in_order));
    }
}

/// The hazard names the write that has to be seen, not one that has nothing to do with the access, and the barriers it lacks.
#[test]
fn the_region_that_is_missing_is_named() {
    let mut mpu = Mpu::new(Level::El2, 16, Rules::default());
    let pair = |mpu: &mut Mpu, n, base| {
        let words = words(base, 0x1000, RW);
        mpu.write(MpuReg::PrbarN(n), words.prbar).unwrap();
        mpu.write(MpuReg::PrlarN(n), words.prlar).unwrap();
    };
    pair(&mut mpu, 1, 0x1000);
    pair(&mut mpu, 2, 0x8000);
    pair(&mut mpu, 3, 0x9000);
    // An ISB without a DSB before it.
    mpu.context_sync();
    mpu.write(MpuReg::Sctlr, SCTLR_M).unwrap();
    let hazard = mpu.check(Regime::El2, access(AccessKind::Read, 0x8000, 4)).hazard.unwrap();
    assert_eq!((hazard.write.reg, hazard.write.missing), (MpuReg::PrlarN(2), Missing::DsbThenContextSync));
    assert_eq!(hazard.ahead.unwrap().reg, MpuReg::Sctlr);
}

/// A port's pair for a new region is no hazard for what others hold, whatever is enabled.
#[test]
fn a_region_added_beside_those_in_use_is_no_hazard() {
    let mut mpu = mpu_with(Rules::default(), 16, &[words(0x1000, 0x1000, RW), words(0x2000, 0x1000, RW)]);
    for (n, base) in [(5, 0x8000), (6, 0xa000)] {
        let words = words(base, 0x1000, RW);
        mpu.write(MpuReg::PrbarN(n), words.prbar).unwrap();
        mpu.write(MpuReg::PrlarN(n), words.prlar).unwrap();
    }
    let verdict = mpu.check(Regime::El2, access(AccessKind::Read, 0x1000, 0x2000));
    assert!(verdict.result.is_ok() && verdict.hazard.is_none(), "{verdict:?}");
}

/// A slot that is off is given another range and then enabled by `PRENR`: before its base is in force it lies over a neighbour.
#[test]
fn prenr_may_enable_a_slot_with_its_old_range() {
    let (held, old) = (words(0x1000, 0x1000, RW), words(0x1000, 0x8000, RW));
    let mut mpu = mpu_with(Rules::default(), 16, &[held, RegionWords { prlar: old.prlar & !1, ..old }]);
    let new = words(0x4000, 0x1000, RW);
    let read = access(AccessKind::Read, 0x1000, 4);
    let rewrite = |mpu: &mut Mpu| {
        mpu.write(MpuReg::PrbarN(1), new.prbar).unwrap();
        mpu.write(MpuReg::PrlarN(1), new.prlar & !1).unwrap();
        mpu.dsb();
    };
    let mut synchronised = mpu.clone();
    rewrite(&mut synchronised);
    synchronised.context_sync();
    synchronised.write(MpuReg::Prenr, 0b11).unwrap();
    assert_eq!(synchronised.check(Regime::El2, read).hazard, None);

    rewrite(&mut mpu);
    assert_eq!(mpu.check(Regime::El2, read).hazard, None, "the slot is off");
    mpu.write(MpuReg::Prenr, 0b11).unwrap();
    let verdict = mpu.check(Regime::El2, read);
    assert_eq!(verdict.result.unwrap_err().kind, DenialKind::Overlap { first: Slot::new(0), second: Slot::new(1) });
    let hazard = verdict.hazard.unwrap();
    assert_eq!((hazard.write.reg, hazard.ahead.unwrap().reg), (MpuReg::PrbarN(1), MpuReg::Prenr));
    // A DSB changes nothing about the order, an ISB ends it.
    mpu.dsb();
    assert!(mpu.check(Regime::El2, read).hazard.is_some());
    mpu.context_sync();
    assert_eq!(mpu.check(Regime::El2, read).hazard, None);
}

/// Text is made read-only and then `SCTLR.WXN` is set: in force alone it takes the text away.
#[test]
fn wxn_may_come_into_force_before_the_text_is_read_only() {
    let writable = Attrs { xn: Xn::Exec, ..RW };
    let mut mpu = mpu_with(Rules::default(), 16, &[words(0, 0x1000, writable)]);
    let text = words(0, 0x1000, Attrs { ap: Ap::RoPrivileged, ..writable });
    select(&mut mpu, 0);
    mpu.write(MpuReg::Prbar, text.prbar).unwrap();
    mpu.dsb();
    mpu.write(MpuReg::Sctlr, SCTLR_M | 1 << 19).unwrap();
    let hazard = mpu.check(Regime::El2, access(AccessKind::Fetch, 0x800, 4)).hazard.unwrap();
    assert_eq!((hazard.write.reg, hazard.ahead.unwrap().reg), (MpuReg::Prbar, MpuReg::Sctlr));
}

/// Memory that the background region lends meanwhile goes from one region to another: both may be enabled at once.
#[test]
fn another_regions_limit_may_come_into_force_before_one_is_disabled() {
    let rules = Rules { default_map: DefaultMap::Rwx, ..Rules::default() };
    let mut mpu = mpu_with(rules, 16, &[words(0x1000, 0x1000, RW)]);
    mpu.write(MpuReg::Sctlr, SCTLR_M | 1 << 17).unwrap();
    mpu.context_sync();
    mpu.write(MpuReg::PrlarN(0), 0).unwrap();
    select(&mut mpu, 0);
    mpu.write(MpuReg::Prlar, 0).unwrap();
    let new = words(0x1000, 0x3000, RW);
    mpu.write(MpuReg::PrbarN(1), new.prbar).unwrap();
    mpu.write(MpuReg::PrlarN(1), new.prlar).unwrap();
    let verdict = mpu.check(Regime::El2, access(AccessKind::Read, 0x1000, 4));
    assert_eq!(verdict.result.unwrap_err().kind, DenialKind::Overlap { first: Slot::new(0), second: Slot::new(1) });
    let hazard = verdict.hazard.unwrap();
    assert_eq!((hazard.write.reg, hazard.write.value), (MpuReg::Prlar, 0));
    assert_eq!(hazard.ahead.unwrap().reg, MpuReg::PrlarN(1));
}
