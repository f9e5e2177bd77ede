//! What is in force after which barrier, and accesses that do not wait for it: mistakes that others have made, each with the case
//! that shows it.

use crate::setup::{RW, SCTLR_M, access, barriers, denial, mpu_with, select, words};
use mpu_model::{
    Access, AccessKind, Ap, Attrs, DenialKind, El, Hazard, Hcr, Level, Missing, Mpu, MpuReg, PendingWrite, Regime,
    Rules, Slot, SyncRule, WriteHazard, Xn, check_guest,
};

/// `PRSELR`, then a region register with no ISB between: the old bank may be hit.
#[test]
fn a_selector_without_isb_is_reported() {
    let mut mpu = Mpu::new(Level::El2, 32, Rules::default());
    mpu.write(MpuReg::Prselr, 0x10).unwrap();
    assert_eq!(
        mpu.write(MpuReg::PrbarN(3), 0x3000),
        Err(WriteHazard { reg: MpuReg::PrbarN(3), stale_slot: Slot::new(0x03), new_slot: Slot::new(0x13) })
    );
    assert_eq!(mpu.words(Slot::new(0x13)).prbar, 0x3000);
    mpu.dsb();
    assert!(mpu.write(MpuReg::Prbar, 0x3000).is_err(), "a DSB does not synchronise the selector");
    // Within one bank the numbered registers do not care; the plain ones do.
    mpu.context_sync();
    mpu.write(MpuReg::Prselr, 0x11).unwrap();
    assert_eq!(mpu.write(MpuReg::PrbarN(4), 0x4000), Ok(()));
    assert!(mpu.write(MpuReg::Prlar, 0x4fc1).is_err());
}

/// The contract of the barriers: nothing short of a DSB with a context synchronisation event after it.
#[test]
fn a_dsb_alone_or_an_isb_before_it_puts_nothing_in_force() {
    let read = access(AccessKind::Read, 0x1000, 4);
    let mut mpu = mpu_with(Rules::default(), 16, &[words(0x1000, 0x1000, RW)]);
    mpu.write(MpuReg::Prenr, 0).unwrap();
    let expected = |missing| Hazard {
        write: PendingWrite { reg: MpuReg::Prenr, slot: None, value: 0, missing },
        ahead: None,
        in_force_allows: true,
        newest_allows: false,
        overflow: false,
    };
    mpu.context_sync();
    let verdict = mpu.check(Regime::El2, read);
    assert_eq!(verdict.hazard, Some(expected(Missing::DsbThenContextSync)));
    assert_eq!(verdict.result.unwrap_err().kind, DenialKind::NoRegion);
    mpu.dsb();
    assert_eq!(mpu.check(Regime::El2, read).hazard, Some(expected(Missing::ContextSync)));
    mpu.context_sync();
    assert_eq!(mpu.check(Regime::El2, read).hazard, None);
    assert!(mpu.check(Regime::El2, read).result.is_err());
}

#[test]
fn an_isb_alone_is_enough_under_the_weaker_rule() {
    let rules = Rules { sync: SyncRule::ContextSyncOnly, ..Rules::default() };
    let mut mpu = mpu_with(rules, 16, &[words(0x1000, 0x1000, RW)]);
    mpu.write(MpuReg::Prenr, 0).unwrap();
    let read = access(AccessKind::Read, 0x1000, 4);
    assert_eq!(mpu.check(Regime::El2, read).hazard.unwrap().write.missing, Missing::ContextSync);
    mpu.dsb();
    assert!(mpu.check(Regime::El2, read).hazard.is_some());
    mpu.context_sync();
    assert_eq!(mpu.check(Regime::El2, read).hazard, None);
}

/// A live region moved by two writes: between them the new base pairs with the old limit, and nothing is covered.
#[test]
fn moving_a_live_region_shows_the_state_between() {
    let mut mpu = mpu_with(Rules::default(), 16, &[words(0x1000, 0x3000, RW)]);
    let moved = words(0x5000, 0x3000, RW);
    // 0x3000 is in the old region only, 0x5000 in the new only: both hang on the second barrier.
    select(&mut mpu, 0);
    mpu.write(MpuReg::Prbar, moved.prbar).unwrap();
    let old = mpu.check(Regime::El2, access(AccessKind::Read, 0x3000, 4));
    assert_eq!(old.hazard.unwrap().write.reg, MpuReg::Prbar);
    mpu.write(MpuReg::Prlar, moved.prlar).unwrap();
    let new = mpu.check(Regime::El2, access(AccessKind::Read, 0x5000, 4));
    assert_eq!(new.hazard.unwrap().write.reg, MpuReg::Prlar);
    assert!(new.hazard.unwrap().newest_allows && !new.hazard.unwrap().in_force_allows);

    // Grown in place, base first: what stays covered throughout is no hazard.
    let mut mpu = mpu_with(Rules::default(), 16, &[words(0x2000, 0x1000, RW)]);
    let grown = words(0x1000, 0x4000, RW);
    select(&mut mpu, 0);
    mpu.write(MpuReg::Prbar, grown.prbar).unwrap();
    mpu.write(MpuReg::Prlar, grown.prlar).unwrap();
    let kept = mpu.check(Regime::El2, access(AccessKind::Read, 0x2000, 0x1000));
    assert!(kept.hazard.is_none() && kept.result.is_ok());
}

/// The DSB before SCTLR and one ISB behind it, as many do.
#[test]
fn sctlr_waits_for_a_context_synchronisation_only() {
    let mut mpu = Mpu::new(Level::El2, 16, Rules::default());
    let text = words(0, 0x1000, Attrs { ap: Ap::RoPrivileged, xn: Xn::Exec, ..RW });
    mpu.write(MpuReg::Prbar, text.prbar).unwrap();
    mpu.write(MpuReg::Prlar, text.prlar).unwrap();
    mpu.dsb();
    mpu.write(MpuReg::Sctlr, SCTLR_M).unwrap();
    let missing: Vec<_> = mpu.pending().map(|write| write.missing).collect();
    assert_eq!(missing, [Missing::ContextSync; 3]);
    mpu.context_sync();
    assert_eq!(mpu.pending().count(), 0);
    assert_eq!(denial(&mpu, Regime::El2, access(AccessKind::Fetch, 0x800, 4)), None);

    // Without the DSB the MPU is on and its regions are not.
    let mut mpu = Mpu::new(Level::El2, 16, Rules::default());
    mpu.write(MpuReg::Prbar, text.prbar).unwrap();
    mpu.write(MpuReg::Prlar, text.prlar).unwrap();
    mpu.write(MpuReg::Sctlr, SCTLR_M).unwrap();
    mpu.context_sync();
    let verdict = mpu.check(Regime::El2, access(AccessKind::Fetch, 0x800, 4));
    assert!(!verdict.hazard.unwrap().in_force_allows);
}

/// More pending writes than the log holds: no access is waved through until all of them are in force.
#[test]
fn an_overflowing_log_denies_until_everything_is_in_force() {
    let mut mpu = mpu_with(Rules::default(), 16, &[words(0x1000, 0x1000, RW)]);
    let read = access(AccessKind::Read, 0x1000, 4);
    select(&mut mpu, 5);
    for value in 1..=1024 {
        mpu.write(MpuReg::Prbar, value << 6).unwrap();
    }
    assert_eq!(mpu.check(Regime::El2, read).hazard, None, "the log is full and complete");
    mpu.write(MpuReg::Prbar, 0x7000_0000).unwrap();
    mpu.write(MpuReg::Prbar, 0x7000_0040).unwrap();

    let overflow = |mpu: &Mpu| {
        let verdict = mpu.check(Regime::El2, read);
        assert!(verdict.result.is_err());
        let hazard = verdict.hazard.unwrap();
        assert!(hazard.overflow && hazard.in_force_allows && hazard.newest_allows);
        assert_eq!(hazard.write.value, 0x7000_0000);
        hazard.write.missing
    };
    assert_eq!(overflow(&mpu), Missing::DsbThenContextSync);
    mpu.context_sync();
    assert_eq!(overflow(&mpu), Missing::DsbThenContextSync);
    mpu.dsb();
    assert_eq!(overflow(&mpu), Missing::ContextSync);
    mpu.write(MpuReg::Prbar, 0x7000_0080).unwrap();
    mpu.context_sync();
    assert_eq!(overflow(&mpu), Missing::DsbThenContextSync, "the last write came after the DSB");
    barriers(&mut mpu);
    assert_eq!(mpu.pending().count(), 0);
    assert_eq!(mpu.check(Regime::El2, read).hazard, None);
    assert!(mpu.check(Regime::El2, read).result.is_ok());
    assert_eq!(mpu.words(Slot::new(5)).prbar, 0x7000_0080);
}

/// Both barriers done and a write repeated: nothing waits, so nothing can be a hazard.
#[test]
fn a_write_that_changes_nothing_is_not_pending() {
    let region = words(0x1000, 0x1000, RW);
    let mut mpu = mpu_with(Rules::default(), 16, &[region]);
    mpu.write(MpuReg::Prselr, 0).unwrap();
    mpu.write(MpuReg::Prbar, region.prbar).unwrap();
    mpu.write(MpuReg::Prlar, region.prlar).unwrap();
    mpu.write(MpuReg::Prenr, 1).unwrap();
    assert_eq!(mpu.pending().count(), 0);
}

/// A hazard of either array reaches the guest's verdict.
#[test]
fn a_guest_meets_the_hazards_of_both_arrays() {
    let open = words(0x1000, 0x1000, Attrs { ap: Ap::RwAll, ..RW });
    let read = Access { el: El::El1, ..access(AccessKind::Read, 0x1000, 4) };
    let settled = mpu_with(Rules::default(), 16, &[open]);
    let mut disturbed = settled.clone();
    disturbed.write(MpuReg::Prenr, 0).unwrap();
    assert_eq!(check_guest(Some(&settled), &settled, Hcr::ZERO.with_vm(true), read).hazard, None);
    for (el1, el2) in [(&settled, &disturbed), (&disturbed, &settled)] {
        let verdict = check_guest(Some(el1), el2, Hcr::ZERO.with_vm(true), read);
        assert_eq!(verdict.hazard.unwrap().write.reg, MpuReg::Prenr);
        assert!(verdict.result.is_err());
    }
}
