//! Mistakes that others have made with this unit, each with the case that shows it.

use crate::setup::{RW, SCTLR_BR, SCTLR_M, access, barriers, denial, mpu_with, select, words};
use mpu_model::{
    Access, AccessKind, Ap, Attrs, DefaultMap, DenialKind, El, Encoding, Hcr, HitBy, Level, Mpu, MpuReg, Probe, Regime,
    RegionWords, Rules, Shareability, Slot, Syndrome, SysReg, VmWithoutM, Xn, check_guest,
};

#[test]
fn reset_is_off_and_empty() {
    let mpu = Mpu::new(Level::El2, 24, Rules::default());
    assert_eq!(mpu.read(MpuReg::Mpuir), 24);
    for reg in [MpuReg::Prenr, MpuReg::Prselr, MpuReg::Prbar, MpuReg::PrlarN(15), MpuReg::Sctlr] {
        assert_eq!(mpu.read(reg), 0, "{reg}");
    }
    assert_eq!(mpu.enabled().count(), 0);
    let hit = mpu.check(Regime::El2, access(AccessKind::Fetch, 0x1234, 4)).result.unwrap();
    assert_eq!((hit.by, hit.attrs), (HitBy::MpuOff, None));
}

/// DDI 0600A.d section G1.3.19: 0b01 is not permitted. Whoever asks at stage 2, and 0b10 is what software forbids with.
#[test]
fn only_xn_of_zero_lets_guests_fetch() {
    for (xn, may) in [(Xn::Exec, true), (Xn::Bits01, false), (Xn::Never, false), (Xn::Bits11, false)] {
        let mpu = mpu_with(Rules::default(), 4, &[words(0x1000, 0x1000, Attrs { ap: Ap::RoAll, xn, ..RW })]);
        for el in [El::El0, El::El1] {
            let fetch = Access { addr: 0x1000, size: 4, kind: AccessKind::Fetch, el };
            assert_eq!(mpu.check(Regime::Stage2, fetch).result.is_ok(), may, "{xn:?} {el}");
        }
    }
}

/// AP 0b10 is read-only for EL2; read as "privileged, read-write" it would open rodata to writes.
#[test]
fn a_read_only_region_is_not_writable() {
    let rodata = words(0x1000, 0x1000, Attrs { ap: Ap::RoPrivileged, ..RW });
    let mpu = mpu_with(Rules::default(), 16, &[rodata]);
    assert_eq!(denial(&mpu, Regime::El2, access(AccessKind::Read, 0x1000, 8)), None);
    let needs = AccessKind::Write;
    for kind in [AccessKind::Write, AccessKind::Rmw] {
        assert_eq!(
            denial(&mpu, Regime::El2, access(kind, 0x1ff8, 8)),
            Some((DenialKind::Permission { slot: Some(Slot::new(0)), needs }, 0x1ff8))
        );
    }
}

/// A hypervisor region is invisible to guests with no switch thrown; a guest region is open to EL2.
#[test]
fn the_one_array_serves_both_levels() {
    let heap = words(0x1000, 0x1000, RW);
    let guest = words(0x8000, 0x1000, Attrs { ap: Ap::RwAll, xn: Xn::Exec, ..RW });
    let mpu = mpu_with(Rules::default(), 16, &[heap, guest]);
    let write = |addr| access(AccessKind::Write, addr, 4);
    assert_eq!(denial(&mpu, Regime::El2, write(0x1000)), None);
    assert_eq!(denial(&mpu, Regime::El2, write(0x8000)), None);
    assert_eq!(denial(&mpu, Regime::Stage2, write(0x8000)), None);
    assert_eq!(
        denial(&mpu, Regime::Stage2, write(0x1000)),
        Some((DenialKind::Permission { slot: Some(Slot::new(0)), needs: AccessKind::Write }, 0x1000))
    );
}

/// LIMIT is inclusive. Programmed as an end it is a granule too far, and the neighbour overlaps.
#[test]
fn the_limit_is_the_last_byte() {
    let mpu = mpu_with(Rules::default(), 16, &[words(0x1000, 0x1000, RW)]);
    assert_eq!(denial(&mpu, Regime::El2, access(AccessKind::Read, 0x1fff, 1)), None);
    assert_eq!(denial(&mpu, Regime::El2, access(AccessKind::Read, 0x1ffc, 8)), Some((DenialKind::NoRegion, 0x2000)));

    let off_by_a_granule = RegionWords { prbar: 0x1002, prlar: 0x2000 | 1 };
    let mpu = mpu_with(Rules::default(), 16, &[off_by_a_granule, words(0x2000, 0x1000, RW)]);
    let overlap = DenialKind::Overlap { first: Slot::new(0), second: Slot::new(1) };
    assert_eq!(denial(&mpu, Regime::El2, access(AccessKind::Read, 0x1fff, 1)), None);
    for addr in [0x2000, 0x203f] {
        assert_eq!(denial(&mpu, Regime::El2, access(AccessKind::Read, addr, 1)), Some((overlap, addr)));
    }
    assert_eq!(denial(&mpu, Regime::El2, access(AccessKind::Read, 0x2040, 4)), None);
}

/// An overlap is a translation fault whatever the regions permit, and comes before the background region.
#[test]
fn an_overlap_is_reported_as_a_translation_fault() {
    let rules = Rules { default_map: DefaultMap::Rwx, ..Rules::default() };
    let read_only = Attrs { ap: Ap::RoPrivileged, ..RW };
    let mut mpu = mpu_with(rules, 16, &[words(0x1000, 0x80, RW), words(0x1040, 0x80, read_only)]);
    mpu.write(MpuReg::Sctlr, SCTLR_M | SCTLR_BR).unwrap();
    mpu.context_sync();
    let found = mpu.check(Regime::El2, access(AccessKind::Write, 0x1000, 0x100)).result.unwrap_err();
    assert_eq!((found.kind, found.addr), (DenialKind::Overlap { first: Slot::new(0), second: Slot::new(1) }, 0x1040));
    assert_eq!(Syndrome::el2_own(&found, Rules::default()).fsc(), 0b000100);
    assert_eq!(
        denial(&mpu, Regime::El2, access(AccessKind::Write, 0x1080, 4)),
        Some((DenialKind::Permission { slot: Some(Slot::new(1)), needs: AccessKind::Write }, 0x1080))
    );
}

/// A span over abutting regions passes; the hole that one granule leaves is found.
#[test]
fn a_span_over_several_regions_is_judged_to_its_end() {
    let pieces = [0x1080, 0x1000, 0x1040].map(|base| words(base, 0x40, RW));
    let mut mpu = mpu_with(Rules::default(), 16, &pieces);
    let span = access(AccessKind::Rmw, 0x1020, 0x80);
    assert_eq!(mpu.check(Regime::El2, span).result.unwrap().by, HitBy::Slot(Slot::new(1)));
    mpu.write(MpuReg::Prenr, 0b011).unwrap();
    barriers(&mut mpu);
    assert_eq!(denial(&mpu, Regime::El2, span), Some((DenialKind::NoRegion, 0x1040)));
}

/// Limit below base: enabled, readable, matches nothing, overlaps nothing, even from a span around it.
#[test]
fn a_reversed_region_matches_nothing() {
    let reversed = RegionWords { prbar: 0x1800, prlar: 0x1400 | 1 };
    let mpu = mpu_with(Rules::default(), 16, &[reversed, words(0x1000, 0x1000, RW)]);
    assert_eq!(mpu.enabled().count(), 2);
    assert_eq!(denial(&mpu, Regime::El2, access(AccessKind::Write, 0x1000, 0x1000)), None);
    assert_eq!(mpu.nearest(0x4000).0.map(|(slot, _)| slot), Some(Slot::new(1)));
}

/// `PRENR` has 32 bits: a mask written for more regions neither enables nor disables those beyond.
#[test]
fn prenr_does_not_reach_region_32() {
    let slots: Vec<_> = (0..40).map(|slot| words(0x1000 * slot, 0x1000, RW)).collect();
    let mut mpu = mpu_with(Rules::default(), 40, &slots);
    assert_eq!(mpu.read(MpuReg::Prenr), 0xffff_ffff);
    mpu.write(MpuReg::Prenr, 0).unwrap();
    barriers(&mut mpu);
    assert_eq!(mpu.enabled().map(|(slot, _)| slot).collect::<Vec<_>>(), (32..40).map(Slot::new).collect::<Vec<_>>());
    assert_eq!(denial(&mpu, Regime::El2, access(AccessKind::Read, 0x2_0000, 4)), None);
    assert!(denial(&mpu, Regime::El2, access(AccessKind::Read, 0x1_f000, 4)).is_some());
    mpu.write(MpuReg::Prenr, u64::MAX).unwrap();
    assert_eq!(mpu.read(MpuReg::Prenr), 0xffff_ffff);
}

#[test]
fn prenr_bits_beyond_the_regions_are_res0_and_bits_below_alias_prlar() {
    let mut mpu = Mpu::new(Level::El2, 20, Rules::default());
    mpu.write(MpuReg::Prenr, u64::MAX).unwrap();
    assert_eq!(mpu.read(MpuReg::Prenr), 0x000f_ffff);
    assert_eq!(mpu.read(MpuReg::PrlarN(3)), 1);
    mpu.write(MpuReg::PrlarN(3), 0x1fc0).unwrap();
    assert_eq!(mpu.read(MpuReg::Prenr), 0x000f_fff7);
    assert_eq!(mpu.read(MpuReg::PrlarN(3)), 0x1fc0);
}

/// `PRBAR3` is region 3 of the *bank*, and of the bank only: the low bits of the selector do not count.
#[test]
fn numbered_registers_follow_the_bank() {
    let mut mpu = Mpu::new(Level::El2, 32, Rules::default());
    select(&mut mpu, 0x12);
    mpu.write(MpuReg::PrbarN(3), 0x3000).unwrap();
    mpu.write(MpuReg::PrlarN(3), 0x3fc1).unwrap();
    mpu.write(MpuReg::Prbar, 0x2000).unwrap();
    assert_eq!(mpu.words(Slot::new(0x13)), RegionWords { prbar: 0x3000, prlar: 0x3fc1 });
    assert_eq!(mpu.words(Slot::new(0x12)).prbar, 0x2000);
    assert_eq!(mpu.words(Slot::new(3)), RegionWords::default());
    assert_eq!(mpu.read(MpuReg::PrlarN(3)), 0x3fc1);
    select(&mut mpu, 0);
    assert_eq!(mpu.read(MpuReg::PrlarN(3)), 0);
}

#[test]
fn res0_bits_are_not_held() {
    let mut mpu = Mpu::new(Level::El2, 16, Rules::default());
    mpu.write(MpuReg::Prbar, u64::MAX).unwrap();
    mpu.write(MpuReg::Prlar, u64::MAX).unwrap();
    assert_eq!(mpu.read(MpuReg::Prbar), 0x000f_ffff_ffff_ffff);
    assert_eq!(mpu.read(MpuReg::Prlar), 0x000f_ffff_ffff_ffdf, "bit 5 is RES0 too");
    mpu.write(MpuReg::Prselr, u64::MAX).unwrap();
    assert_eq!(mpu.read(MpuReg::Prselr), 0xff);
    mpu.write(MpuReg::Mpuir, 99).unwrap();
    assert_eq!(mpu.read(MpuReg::Mpuir), 16, "read-only");
}

#[test]
fn regions_that_do_not_exist_are_written_in_vain() {
    let mut mpu = Mpu::new(Level::El2, 16, Rules::default());
    for selection in [16, 255] {
        select(&mut mpu, selection);
        mpu.write(MpuReg::Prbar, 0x1000).unwrap();
        mpu.write(MpuReg::Prlar, 0x1fc1).unwrap();
        assert_eq!((mpu.read(MpuReg::Prbar), mpu.read(MpuReg::Prlar)), (0, 0));
    }
    for n in [0, 16, 255] {
        mpu.write(MpuReg::PrlarN(n), 0x1fc1).unwrap();
        assert_eq!(mpu.read(MpuReg::PrlarN(n)), 0);
    }
    assert_eq!(mpu.enabled().count(), 0);
    assert_eq!(mpu.pending().count(), 0);
}

/// The background region serves EL2 and a privileged EL1, never EL0 and never stage 2.
#[test]
fn the_background_region_serves_privileged_stage_1_only() {
    let with = |default_map| {
        let mut mpu = mpu_with(Rules { default_map, ..Rules::default() }, 16, &[]);
        mpu.write(MpuReg::Sctlr, SCTLR_M | SCTLR_BR).unwrap();
        mpu.context_sync();
        mpu
    };
    let by = |mpu: &Mpu, regime, el, kind| {
        let access = Access { el, ..access(kind, 0x5000, 4) };
        mpu.check(regime, access).result.map(|hit| hit.by).map_err(|denial| denial.kind)
    };
    let mpu = with(DefaultMap::RwNoExec);
    assert_eq!(by(&mpu, Regime::El2, El::El2, AccessKind::Rmw), Ok(HitBy::Background));
    assert_eq!(by(&mpu, Regime::El1, El::El1, AccessKind::Rmw), Ok(HitBy::Background));
    assert_eq!(by(&mpu, Regime::El1, El::El0, AccessKind::Read), Err(DenialKind::NoRegion));
    assert_eq!(by(&mpu, Regime::Stage2, El::El1, AccessKind::Read), Err(DenialKind::NoRegion));
    assert_eq!(
        by(&mpu, Regime::El2, El::El2, AccessKind::Fetch),
        Err(DenialKind::Permission { slot: None, needs: AccessKind::Fetch })
    );
    let mpu = with(DefaultMap::Rwx);
    assert_eq!(by(&mpu, Regime::El2, El::El2, AccessKind::Fetch), Ok(HitBy::Background));
    let mpu = with(DefaultMap::None);
    assert_eq!(by(&mpu, Regime::El2, El::El2, AccessKind::Read), Err(DenialKind::NoRegion));
}

/// `HCR_EL2.VM` with the EL2 MPU off, and EL2's own accesses at the same time.
#[test]
fn stage_2_of_an_mpu_that_is_off() {
    let guest_read = Access { el: El::El1, ..access(AccessKind::Read, 0x1000, 4) };
    let result = |vm_without_m| {
        let mpu = Mpu::new(Level::El2, 16, Rules { vm_without_m, ..Rules::default() });
        assert!(mpu.check(Regime::El2, guest_read).result.is_ok());
        assert!(check_guest(None, &mpu, Hcr::ZERO, guest_read).result.is_ok());
        check_guest(None, &mpu, Hcr::ZERO.with_vm(true), guest_read).result.map_err(|at| at.denial.kind)
    };
    assert_eq!(result(VmWithoutM::TranslationFault).unwrap_err(), DenialKind::NoRegion);
    // No region is enabled out of reset, so that the regions apply and none holds the address.
    assert_eq!(result(VmWithoutM::RegionsApply).unwrap_err(), DenialKind::NoRegion);

    let open = words(0x1000, 0x1000, Attrs { ap: Ap::RoAll, ..RW });
    let mut mpu = mpu_with(Rules { vm_without_m: VmWithoutM::RegionsApply, ..Rules::default() }, 16, &[open]);
    mpu.write(MpuReg::Sctlr, 0).unwrap();
    mpu.context_sync();
    let hit = check_guest(None, &mpu, Hcr::ZERO.with_vm(true), guest_read).result.unwrap();
    assert_eq!(hit.stage2.map(|hit| hit.by), Some(HitBy::Slot(Slot::new(0))));
}

/// The stack drops out of the view between two writes: seen at once, barrier or not.
#[test]
fn a_probe_sees_the_newest_state() {
    let stack = words(0x8000, 0x1000, RW);
    let mut mpu = mpu_with(Rules::default(), 16, &[stack]);
    let id = mpu.add_probe(Probe { addr: 0x8ff0, kind: AccessKind::Rmw }).unwrap();
    assert_eq!(mpu.failing_probe(), None);
    select(&mut mpu, 0);
    mpu.write(MpuReg::Prlar, stack.disabled().prlar).unwrap();
    let (failing, denial) = mpu.failing_probe().unwrap();
    assert_eq!((failing, denial.kind, denial.addr), (id, DenialKind::NoRegion, 0x8ff0));
    mpu.write(MpuReg::Prenr, 1).unwrap();
    assert_eq!(mpu.failing_probe(), None);
    mpu.set_probe(id, Probe { addr: 0x9000, kind: AccessKind::Read });
    assert!(mpu.failing_probe().is_some());
}

/// The highest granule is reachable, the byte behind it is not, and an access may not wrap.
#[test]
fn the_address_space_ends() {
    let last = mpu_model::PA_LIMIT;
    let top = words(last - 0xfff, 0x1000, RW);
    let mpu = mpu_with(Rules::default(), 16, &[top]);
    assert_eq!(denial(&mpu, Regime::El2, access(AccessKind::Read, last - 3, 4)), None);
    let beyond = Some((DenialKind::AddressSize, last + 1));
    assert_eq!(denial(&mpu, Regime::El2, access(AccessKind::Read, last - 3, 8)), beyond);
    assert_eq!(denial(&mpu, Regime::El2, access(AccessKind::Read, last - 3, u64::MAX)), beyond);
    let off = Mpu::new(Level::El2, 16, Rules::default());
    assert_eq!(denial(&off, Regime::El2, access(AccessKind::Read, last - 3, 8)), beyond);
    assert_eq!(
        denial(&off, Regime::El2, access(AccessKind::Read, u64::MAX, 8)),
        Some((DenialKind::AddressSize, u64::MAX))
    );
}

/// A field report on a Cortex-R52 whose manual contradicts itself: do the direct registers of regions 16 to 23 exist, or are
/// they those of 0 to 7 once more? They exist, with bit 4 of the number in `opc1` (eclipse-threadx issue 669). QEMU 10.0
/// looks for that bit elsewhere and makes them aliases.
#[test]
fn regions_16_to_23_are_no_aliases_of_0_to_7() {
    let mut mpu = Mpu::new_32(Level::El2, 24, Rules::pmsav8_32());
    for crm in 8..12_u8 {
        for opc2 in [0, 4] {
            let direct = |opc1| match (Encoding::Cp15 { opc1, crn: 6, crm, opc2 }).register() {
                Some(SysReg::Mpu(Level::El2, reg)) => reg,
                other => panic!("{other:?}"),
            };
            let n = (crm - 8) * 2 + opc2 / 4;
            mpu.write(direct(4), u64::from(n) << 12).unwrap();
            mpu.write(direct(5), 0x8000_0000 | u64::from(n) << 12).unwrap();
            assert_eq!(mpu.words(Slot::new(n)).base(), u64::from(n) << 12);
            assert_eq!(mpu.words(Slot::new(16 + n)).base(), 0x8000_0000 | u64::from(n) << 12);
        }
    }
    assert_eq!(mpu.read(MpuReg::Prselr), 0, "and none needs a selection");
}

#[test]
fn an_access_over_regions_of_different_attributes_faults_where_the_rules_say_so() {
    use mpu_model::{Crossing, MixedAttributes, Syndrome};
    let device = Attrs { attr_index: 1, ..RW };
    let outer = Attrs { sh: Shareability::Outer, ..RW };
    for (second, differs) in [(RW, false), (device, true), (outer, true)] {
        let slots = [words(0x1000, 0x1000, RW), words(0x2000, 0x1000, second)];
        let across = access(AccessKind::Read, 0x1ffe, 4);
        let lenient = mpu_with(Rules::default(), 16, &slots);
        assert_eq!(denial(&lenient, Regime::El2, across), None);
        let rules = Rules { mixed: MixedAttributes::AlignmentFault, ..Rules::default() };
        let strict = mpu_with(rules, 16, &slots);
        let expected = differs.then_some((DenialKind::MixedAttributes, 0x1ffe));
        assert_eq!(denial(&strict, Regime::El2, across), expected);
        assert_eq!(denial(&strict, Regime::El2, access(AccessKind::Read, 0x2000, 4)), None);
        if let Err(found) = strict.check(Regime::El2, across).result {
            assert_eq!(Syndrome::el2_own(&found, rules).iss & 0x3f, 0b10_0001, "alignment fault");
        }
    }
    // Who looks at single bytes sees no difference, however long the access is.
    let lines =
        Rules { mixed: MixedAttributes::AlignmentFault, crossing: Crossing::FirstBytePerKilobyte, ..Rules::default() };
    let mpu = mpu_with(lines, 16, &[words(0x1000, 0x1000, RW), words(0x2000, 0x1000, device)]);
    assert_eq!(denial(&mpu, Regime::El2, access(AccessKind::Read, 0x1c00, 0x800)), None);
    // The default map of PMSAv8-32 turns from Normal to Device memory at 2 GiB.
    let rules = Rules { mixed: MixedAttributes::AlignmentFault, ..Rules::pmsav8_32() };
    let off = Mpu::new_32(Level::El2, 16, rules);
    assert_eq!(
        denial(&off, Regime::El2, access(AccessKind::Read, 0x7fff_fffe, 4)),
        Some((DenialKind::MixedAttributes, 0x7fff_fffe))
    );
    assert_eq!(denial(&off, Regime::El2, access(AccessKind::Read, 0x8000_0000, 4)), None);
}
