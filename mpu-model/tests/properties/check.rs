//! `check` against the oracle.

use mpu_model::naive::{Regs, ask_often, outcome};
use mpu_model::{
    Access, Crossing, DenialKind, El, Hcr, HitBy, Level, PA_LIMIT, Regime, RegionWords, Rules, Stage, check_guest,
};
use proptest::prelude::*;

use super::oracle::{self, program};

proptest! {
    #[test]
    fn every_byte_as_the_oracle_has_it(
        regs in oracle::regs(),
        rules in oracle::rules(),
        regime in oracle::regime(),
        accesses in prop::collection::vec(oracle::access(), 8),
    ) {
        let mpu = program(&regs, Level::El2, rules);
        // By the rule book, and by the compiled state.
        for access in accesses.iter().chain(&accesses) {
            for access in [*access, oracle::at_half(*access), oracle::at_top(*access)] {
                prop_assert_eq!(
                    outcome(&mpu, regime, access),
                    regs.judge(rules, regime, access),
                    "{:?} {:?}", regime, access
                );
            }
            ask_often(&mpu);
        }
    }

    #[test]
    fn a_hit_carries_the_attributes_of_its_region(
        regs in oracle::regs(),
        rules in oracle::rules(),
        regime in oracle::regime(),
        access in oracle::access(),
    ) {
        let mpu = program(&regs, Level::El2, rules);
        if let Ok(hit) = mpu.check(regime, access).result {
            let attrs = match hit.by {
                HitBy::Slot(slot) => {
                    let (prbar, prlar) = regs.slots[slot.index()];
                    Some(RegionWords { prbar, prlar }.attrs())
                }
                HitBy::Background | HitBy::MpuOff => None,
            };
            prop_assert_eq!(hit.attrs, attrs);
        }
    }

    /// Regions have no priority: which slot holds which changes names only.
    #[test]
    fn order_of_the_slots_does_not_matter(
        words in prop::collection::vec(oracle::words(), 2..6),
        turn in 1..5_usize,
        sctlr in oracle::sctlr(),
        rules in oracle::rules(),
        regime in oracle::regime(),
        access in oracle::access(),
    ) {
        let plain = |words: Vec<(u64, u64)>| {
            let regs = Regs { regions: words.len() as u8, slots: words, sctlr };
            outcome(&program(&regs, Level::El2, rules), regime, access)
                .map(|_| ())
                .map_err(|(kind, addr)| (core::mem::discriminant(&kind), addr))
        };
        let mut turned = words.clone();
        let places = turned.len();
        turned.rotate_left(turn % places);
        let mut reversed = words.clone();
        reversed.reverse();
        let expected = plain(words);
        prop_assert_eq!(plain(turned), expected);
        prop_assert_eq!(plain(reversed), expected);
    }

    #[test]
    fn a_guest_passes_both_stages_byte_by_byte(
        el1 in prop::option::of(oracle::regs()),
        el2 in oracle::regs(),
        rules in oracle::rules(),
        (vm, dc, tge) in (any::<bool>(), prop::bool::weighted(0.2), prop::bool::weighted(0.2)),
        access in oracle::access(),
        at_top in any::<bool>(),
    ) {
        let access = if at_top { oracle::at_top(access) } else { access };
        let access = Access { el: access.el.min(El::El1), ..access };
        let guest = el1.as_ref().map(|regs| program(regs, Level::El1, rules));
        let hcr = Hcr::ZERO.with_vm(vm).with_dc(dc).with_tge(tge);
        let verdict = check_guest(guest.as_ref(), &program(&el2, Level::El2, rules), hcr, access);

        // No EL1 MPU is one that is off, under no rules of its own; DC and TGE turn off the one that is there.
        let stage1 = match el1 {
            None => Regs::new(1).judge(Rules::default(), Regime::El1, access),
            Some(_) if dc || tge => Regs::new(1).judge(rules, Regime::El1, access),
            Some(regs) => regs.judge(rules, Regime::El1, access),
        };
        let stage2 = (vm || dc).then(|| el2.judge(rules, Regime::Stage2, access));
        let expected = match (stage1, stage2) {
            // The lowest byte that either denies; of one byte, stage 1.
            (Err((_, one)), Some(Err(two))) if two.1 < one => Err((Stage::Two, two)),
            (Err(denial), _) => Err((Stage::One, denial)),
            (Ok(_), Some(Err(denial))) => Err((Stage::Two, denial)),
            (Ok(one), None) => Ok((one, None)),
            (Ok(one), Some(Ok(two))) => Ok((one, Some(two))),
        };
        let answer = verdict
            .result
            .map(|hit| (hit.stage1.by, hit.stage2.map(|hit| hit.by)))
            .map_err(|at| (at.stage, (at.denial.kind, at.denial.addr)));
        prop_assert_eq!(answer, expected);
        prop_assert_eq!(verdict.hazard, None);
    }

    /// Any address and size at all, where the oracle's loop over bytes would not end.
    #[test]
    fn huge_and_wild_accesses_are_answered(
        regs in oracle::regs(),
        rules in oracle::rules(),
        regime in oracle::regime(),
        access in oracle::access(),
        addr in any::<u64>(),
        size in any::<u64>(),
    ) {
        let rules = Rules { crossing: Crossing::EveryByte, ..rules };
        let mpu = program(&regs, Level::El2, rules);
        let access = Access { addr, size, ..access };
        let answer = outcome(&mpu, regime, access);
        if addr > PA_LIMIT {
            prop_assert_eq!(answer, Err((DenialKind::AddressSize, addr)));
        } else if addr.checked_add(size.max(1) - 1).is_none_or(|last| last > PA_LIMIT) {
            let denial = answer.unwrap_err();
            prop_assert!(addr <= denial.1 && denial.1 <= PA_LIMIT + 1);
        }
    }
}
