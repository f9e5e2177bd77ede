//! Regions, their words, and the way there and back.

use mpu_model::naive::{Regs, outcome};
use mpu_model::{
    Access, AccessKind, Ap, Attrs, DenialKind, El, HitBy, Level, PA_LIMIT, Regime, Region, Rules, Shareability, Slot,
    Xn,
};
use proptest::prelude::*;

use super::oracle::program;

fn attrs() -> impl Strategy<Value = Attrs> {
    let ap = prop_oneof![Just(Ap::RwPrivileged), Just(Ap::RwAll), Just(Ap::RoPrivileged), Just(Ap::RoAll)];
    let xn = prop_oneof![Just(Xn::Exec), Just(Xn::Bits01), Just(Xn::Never), Just(Xn::Bits11)];
    let sh = prop_oneof![
        Just(Shareability::Non),
        Just(Shareability::Reserved),
        Just(Shareability::Outer),
        Just(Shareability::Inner)
    ];
    (ap, xn, sh, 0..8_u8, any::<bool>()).prop_map(|(ap, xn, sh, attr_index, ns)| Attrs { ap, xn, sh, attr_index, ns })
}

/// Any range of whole granules.
fn region() -> impl Strategy<Value = Region> {
    (0..1_u64 << 46, 0..1_u64 << 46, attrs())
        .prop_map(|(a, b, attrs)| Region::new(a.min(b) << 6, a.max(b) << 6 | 63, attrs).unwrap())
}

proptest! {
    #[test]
    fn words_hold_all_of_a_region(region in region()) {
        let words = region.words();
        prop_assert!(words.enabled());
        let back = Region::new(words.base(), words.limit(), words.attrs());
        prop_assert_eq!(back, Ok(region));
        prop_assert!(!words.disabled().enabled());
        prop_assert_eq!(Region::with_size(region.base(), region.size(), region.attrs()), Ok(region));
    }

    #[test]
    fn anything_but_whole_granules_is_refused(base in any::<u64>(), limit in any::<u64>(), attrs in attrs()) {
        let fine = base % 64 == 0 && limit % 64 == 63 && base <= limit && limit <= PA_LIMIT;
        prop_assert_eq!(Region::new(base, limit, attrs).is_ok(), fine);
    }

    #[test]
    fn overlap_is_a_shared_byte(a in region(), b in region()) {
        let shared = b.contains(a.base()) || a.contains(b.base());
        prop_assert_eq!(a.overlaps(&b), shared);
        prop_assert_eq!(b.overlaps(&a), shared);
    }

    /// What software means by a region is what the MPU makes of its words: the first and the last byte are in, the
    /// bytes next to them are out.
    #[test]
    fn the_mpu_draws_the_same_borders(region in region(), size in 1..9_u64) {
        let words = region.words();
        let regs = Regs { regions: 1, slots: vec![(words.prbar, words.prlar)], sctlr: 1 };
        let mpu = program(&regs, Level::El2, Rules::default());
        let read = |addr, size| {
            let access = Access { addr, size, kind: AccessKind::Read, el: El::El2 };
            outcome(&mpu, Regime::El2, access)
        };
        prop_assert_eq!(read(region.base(), region.size()), Ok(HitBy::Slot(Slot::new(0))));
        prop_assert_eq!(read(region.limit() - size + 1, size), Ok(HitBy::Slot(Slot::new(0))));
        let above = region.limit() + 1;
        let miss = if above > PA_LIMIT { DenialKind::AddressSize } else { DenialKind::NoRegion };
        prop_assert_eq!(read(region.limit() - size + 1, size + 1), Err((miss, above)));
        if region.base() > 0 {
            let below = region.base() - 1;
            prop_assert_eq!(read(below, size), Err((DenialKind::NoRegion, below)));
        }
    }
}
