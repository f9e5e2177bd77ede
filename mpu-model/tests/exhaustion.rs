//! The allocator of this crate under its own properties, and the planner against slow and obvious answers.

use mpu_model::exhaustion::{AllocatorTest, Hardware, Layout, Mapped, Reference, boards, layouts, regions};
use mpu_model::planner::{Cover, Demand, End, Gaps, MapError, Mapping, Mappings, Refusal, Update, switch};
use mpu_model::{
    AccessKind, Ap, Attrs, Denial, DenialKind, Level, Mpu, MpuReg, Probe, Region, RegionWords, Registers, Rules,
    Shareability, Slot, Slots, Xn,
};
use proptest::prelude::*;
use proptest_state_machine::prop_state_machine;

prop_state_machine! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mapping_and_unmapping(sequential 1..60 => AllocatorTest<Mapped>);
}

/// The regions as a cover, drawn in order.
fn with_cover<T>(regions: &[Region], then: impl FnOnce(&Cover<'_, usize>) -> T) -> T {
    let mappings: Vec<_> = (0..).zip(regions).map(|(owner, region)| Mapping { region: *region, owner }).collect();
    let mut room = mappings.repeat(2);
    let mut cover = Cover::new(&mut room);
    cover.draw_all(mappings.iter().copied()).unwrap();
    then(&cover)
}

/// The fewest disjoint regions that map the bytes as drawn: tries every set of regions that starts at the lowest byte left.
fn fewest(seen: &[Option<Attrs>]) -> usize {
    let Some(first) = seen.iter().position(Option::is_some) else {
        return 0;
    };
    let rest = &seen[first..];
    let ends = (1..=rest.len()).filter(|end| rest[..*end].iter().all(|attrs| *attrs == rest[0]));
    ends.map(|end| 1 + fewest(&rest[end..])).min().unwrap()
}

/// Granules of a small system.
const SPACE: u64 = 9;

const RW: Attrs = Attrs { ap: Ap::RwPrivileged, xn: Xn::Never, sh: Shareability::Inner, attr_index: 0, ns: false };

/// Regions of one to four granules within `count` of them from granule `first` on, most of the same rights.
fn granules(first: u64, count: u64) -> impl Strategy<Value = Region> {
    let range = (0..count).prop_flat_map(move |low| (Just(first + low), 1..=(count - low).min(4)));
    let ap = prop_oneof![2 => Just(Ap::RwPrivileged), 1 => Just(Ap::RoAll)];
    (range, ap).prop_map(|((low, length), ap)| Region::with_size(low * 64, length * 64, Attrs { ap, ..RW }).unwrap())
}

/// The rights of each granule.
type Rights = Vec<Option<Attrs>>;

/// What is seen of the regions in the first granules.
fn seen(drawn: &[Region]) -> Rights {
    let attrs = |granule: u64| drawn.iter().rev().find(|region| region.contains(granule * 64)).map(Region::attrs);
    (0..12).map(attrs).collect()
}

/// The fewest bytes that, mapped like what lies below them, leave `view` with at most `regions`: tries every set of unused
/// granules.
fn cheapest_filling(view: &Rights, unused: &[usize], regions: usize) -> Option<u64> {
    let sets = 0..1_u32 << unused.len();
    let fill = |set: u32| {
        let mut filled = view.clone();
        for (_, at) in unused.iter().enumerate().filter(|(index, _)| set >> index & 1 == 1) {
            filled[*at] = at.checked_sub(1).and_then(|below| filled[below]);
        }
        filled
    };
    sets.filter(|set| fewest(&fill(*set)) <= regions).map(|set| u64::from(set.count_ones()) * 64).min()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_cover_shows_the_last_one_drawn(drawn in prop::collection::vec(regions(0, 512), 1..12)) {
        with_cover(&drawn, |cover| {
            for at in (0..512 * 64).step_by(64) {
                let seen = cover.at(at).map(|strip| (strip.owner, strip.region.attrs()));
                let last = drawn.iter().enumerate().rev().find(|(_, region)| region.contains(at));
                assert_eq!(seen, last.map(|(owner, region)| (owner, region.attrs())));
                let run = cover.runs().find(|run| run.region.contains(at)).map(|run| run.region.attrs());
                assert_eq!(run, seen.map(|(_, attrs)| attrs));
            }
            let runs: Vec<_> = cover.runs().collect();
            assert!(runs.windows(2).all(|pair| pair[0].region.limit() < pair[1].region.base()));
        });
    }

    #[test]
    fn no_fewer_regions_map_a_cover(drawn in prop::collection::vec(granules(0, 12), 1..7)) {
        with_cover(&drawn, |cover| assert_eq!(cover.runs().count(), fewest(&seen(&drawn))));
    }

    /// Small systems and every number of regions: what fits, what is short and what would help, by trying everything.
    #[test]
    fn a_demand_fits_or_says_what_would_help(
        fixed in prop::collection::vec(granules(4, 2), 0..3),
        views in prop::collection::vec(prop::collection::vec(granules(0, SPACE), 0..5), 0..4),
        claimed in prop::collection::vec(granules(0, SPACE), 0..3),
        windows in 0..4_usize,
    ) {
        let seen_of: Vec<_> = views.iter().map(|view| seen(view)).collect();
        let fixed_seen = seen(&fixed);
        let touches = |view: &Rights| view.iter().zip(&fixed_seen).any(|(own, fixed)| own.is_some() && fixed.is_some());
        let touching = seen_of.iter().position(touches);
        let own = seen_of.iter().map(|view| fewest(view)).max().unwrap_or(0);
        let first = seen_of.iter().position(|view| fewest(view) == own).unwrap_or(0);
        let standing = fewest(&fixed_seen);
        let required = standing + windows + own;
        let claimed_seen = seen(&claimed);
        let unused: Vec<_> = (0..SPACE as usize)
            .filter(|at| fixed_seen[*at].is_none() && claimed_seen[*at].is_none())
            .filter(|at| seen_of.iter().all(|view| view[*at].is_none()))
            .collect();

        let filler = Mapping { region: Region::with_size(0, 64, RW).unwrap(), owner: 0 };
        let mut rooms: Vec<_> = views.iter().map(|view| vec![filler; 2 * view.len()]).collect();
        let draw = |room, regions: &[Region]| {
            let mut cover = Cover::new(room);
            cover.draw_all(regions.iter().map(|region| Mapping { region: *region, owner: 0 })).unwrap();
            cover
        };
        let mut fixed_room = vec![filler; 2 * fixed.len()];
        let fixed_cover = draw(&mut fixed_room, &fixed);
        let mut claimed_room = vec![filler; 2 * claimed.len()];
        let claimed_cover = draw(&mut claimed_room, &claimed);
        let covers: Vec<_> = rooms.iter_mut().zip(&views).map(|(room, view)| draw(room, view)).collect();
        for available in 0..=required + 1 {
            let available = u8::try_from(available).unwrap();
            let excess = required.saturating_sub(available.into());
            let demand = Demand { available, fixed: &fixed_cover, windows, views: &covers, claimed: &claimed_cover };
            prop_assert_eq!(demand.required(), (required, first));
            match demand.check() {
                Err(Refusal::TouchesFixed { view, wants, fixed: stands }) => {
                    prop_assert_eq!(Some(view), touching);
                    prop_assert!(wants.region.overlaps(&stands.region));
                }
                Ok(()) => prop_assert_eq!((excess, touching), (0, None)),
                Err(Refusal::Short(short)) => {
                    prop_assert!(excess > 0 && touching.is_none());
                    prop_assert_eq!((short.view, short.required, short.own), (first, required, own));
                    prop_assert_eq!((short.available, short.fixed, short.windows), (available, standing, windows));
                    let fewer = (1..windows).find(|less| required - less <= available.into());
                    prop_assert_eq!(short.fewer_windows, fewer);
                    let view = seen_of.get(first);
                    let bytes = view.and_then(|view| cheapest_filling(view, &unused, own.checked_sub(excess)?));
                    prop_assert_eq!(short.close_gaps, bytes.map(|bytes| Gaps { count: excess, bytes }));
                }
            }
        }
    }

    /// Slots in any state, a few regions to place: against every way of placing them.
    #[test]
    fn a_switch_changes_the_fewest_words(
        held in prop::collection::vec((prop::option::of(regions(0, 256)), any::<bool>()), 0..=5),
        wanted in prop::collection::vec(regions(0, 256), 0..=4),
    ) {
        let words = |(region, on): &(Option<Region>, bool)| {
            let words = region.as_ref().map(Region::words).unwrap_or_default();
            if *on { words } else { words.disabled() }
        };
        let held: Vec<RegionWords> = held.iter().map(words).collect();
        let mut unique: Vec<RegionWords> = wanted.iter().map(Region::words).collect();
        unique.sort_by_key(|words| (words.prbar, words.prlar));
        unique.dedup();
        let mut slots = held.clone();
        match switch::place(&mut slots, &unique) {
            Err(_) => prop_assert!(unique.len() > held.len() && slots == held),
            Ok(cost) => {
                prop_assert_eq!(cost.words, cheapest(&held, &unique));
                let mut placed: Vec<_> = slots.into_iter().filter(RegionWords::enabled).collect();
                placed.sort_by_key(|words| (words.prbar, words.prlar));
                prop_assert_eq!(placed, unique);
            }
        }
    }

    /// One view after the other on the hardware: no write overlaps two regions or uncovers what runs, and each view is there
    /// when the switch returns.
    #[test]
    fn a_switch_of_views_never_overlaps_and_never_uncovers_what_runs(layout in layouts(8), board in boards()) {
        let Layout { fixed, views } = layout;
        let first = u8::try_from(fixed.len()).unwrap();
        let board = board.max(first + 1);
        let mut hardware = Hardware::new(board, &fixed);
        let mut slots = Slots::new(board);
        for (slot, region) in Slot::all(board).zip(&fixed) {
            slots.write(&mut hardware, slot, region.words()).unwrap();
        }
        let mut held = vec![RegionWords::default(); usize::from(board - first)];
        for view in &views {
            let wanted: Vec<_> = view.iter().map(Region::words).collect();
            let before = slots.enabled();
            let writes = hardware.writes();
            if let Ok(cost) = slots.switch(&mut hardware, Slot::new(first), &mut held, &wanted).unwrap() {
                    let made = hardware.writes() - writes;
                    let off = if cost.off == 0 { 0 } else { 1 + cost.off };
                    let banks = 2 * usize::from(board / 16);
                    prop_assert!(cost.words <= made && made <= cost.words + off + banks);
                    let stands: Vec<_> = hardware.mpu().enabled().skip(fixed.len()).map(|(_, words)| words).collect();
                    prop_assert!(wanted.iter().all(|words| stands.contains(words)) && stands.len() == wanted.len());
                    prop_assert_eq!(hardware.mpu().pending().count(), 0);
            } else {
                    prop_assert!(wanted.len() > held.len());
                    prop_assert_eq!(slots.enabled(), before);
                    prop_assert_eq!(hardware.writes(), writes);
            }
            prop_assert_eq!(hardware.broken(), None);
        }
    }
}

/// What becomes of the second of two neighbours and of a third region, in any order.
#[derive(Debug, Clone, Copy)]
enum Change {
    /// The border between the neighbours moves to this granule.
    Border(u64),
    /// A region (0 to 2) moves to this slot.
    Slot(usize, Slot),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let border = (1..63_u64).prop_map(Change::Border);
    let slot = (0..3_usize, prop_oneof![3 => 0..32_u8, 1 => 32..48_u8])
        .prop_map(|(which, slot)| Change::Slot(which, Slot::new(slot)));
    prop::collection::vec(prop_oneof![border, slot], 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Two neighbours that run, one growing into what the other gives up, and regions that change slots: no write overlaps
    /// them, and none uncovers what runs as long as it stays below slot 32.
    #[test]
    fn what_runs_is_resized_and_moved_and_never_uncovered(changes in changes()) {
        let attrs = Reference::fixed().unwrap().attrs();
        let at = |first: u64, behind: u64| Region::with_size(first * 64, (behind - first) * 64, attrs).unwrap();
        // The first and the last granule never change hands; the probes are there.
        let mut held = [at(0, 32), at(32, 64), at(100, 101)];
        let mut mpu = Box::new(Mpu::new(Level::El2, 48, Rules::default()));
        for addr in [0, 63 * 64] {
            mpu.add_probe(Probe { addr, kind: AccessKind::Fetch }).unwrap();
        }
        let (mut table, mut slots) = (Mappings::<48>::new(48), Slots::new(48));
        for region in held {
            slots.apply(&mut *mpu, table.map(region).unwrap()).unwrap();
        }
        mpu.write(MpuReg::Sctlr, 1).unwrap();
        mpu.context_sync();
        let mut hardware = Strict { mpu, runs_low: [true; 2] };
        for change in changes {
            let updates = match change {
                Change::Border(to) => {
                    let [low, high] = [at(0, to), at(to, 64)];
                    let shrink = |table: &mut Mappings<48>, which: usize| {
                        let (old, new) = (held[which], [low, high][which]);
                        let end = if which == 0 { End::Limit(new.limit()) } else { End::Base(new.base()) };
                        table.resize(old.base(), old.limit(), end)
                    };
                    let grows = usize::from(low.limit() < held[0].limit());
                    if to * 64 != held[1].base() {
                        // The other way round they would share granules.
                        let overlaps = matches!(shrink(&mut table, grows), Err(MapError::Overlap { .. }));
                        prop_assert!(overlaps);
                    }
                    let both = [shrink(&mut table, 1 - grows).unwrap(), shrink(&mut table, grows).unwrap()];
                    (held[0], held[1]) = (low, high);
                    both.to_vec()
                }
                Change::Slot(which, slot) => {
                    let region = held[which];
                    match table.move_to(region.base(), region.limit(), slot) {
                        Ok(update) => {
                            if let (true, Update::TakeOver { from, to, .. }) = (which < 2, update) {
                                hardware.runs_low[which] = from.is_within(32) && to.is_within(32);
                            }
                            vec![update]
                        }
                        Err(error) => {
                            prop_assert_eq!(error, MapError::Taken { slot });
                            Vec::new()
                        }
                    }
                }
            };
            for update in updates {
                slots.apply(&mut hardware, update).unwrap();
            }
            hardware.runs_low = [true; 2];
            let stands: Vec<_> = hardware.mpu.enabled().collect();
            prop_assert_eq!(stands, table.iter().map(|(slot, region, _)| (slot, region.words())).collect::<Vec<_>>());
            prop_assert_eq!(hardware.mpu.pending().count(), 0);
        }
    }
}

/// An MPU that refuses a write after which two regions overlap or what runs is bare.
struct Strict {
    mpu: Box<Mpu>,
    /// Of the two that run: they stay below slot 32, so nothing excuses a gap.
    runs_low: [bool; 2],
}

impl Registers for Strict {
    type Fault = String;

    fn read(&mut self, reg: MpuReg) -> u64 {
        self.mpu.read(reg)
    }

    fn write(&mut self, reg: MpuReg, value: u64) -> Result<(), String> {
        self.mpu.write(reg, value).map_err(|hazard| format!("{hazard:?}"))?;
        match self.mpu.failing_probe() {
            Some((_, Denial { kind: DenialKind::NoRegion, .. })) if self.runs_low != [true; 2] => Ok(()),
            Some((_, denial)) => Err(denial.to_string()),
            None => Ok(()),
        }?;
        let mut regions: Vec<_> = self.mpu.enabled().map(|(_, words)| (words.base(), words.limit())).collect();
        regions.sort_unstable();
        match regions.windows(2).find(|pair| pair[1].0 <= pair[0].1) {
            Some(pair) => Err(format!("{pair:x?} overlap")),
            None => Ok(()),
        }
    }

    fn isb(&mut self) -> Result<(), String> {
        self.mpu.context_sync();
        Ok(())
    }

    fn dsb(&mut self) -> Result<(), String> {
        self.mpu.dsb();
        Ok(())
    }
}

/// The fewest words, by trying every slot for every region.
fn cheapest(held: &[RegionWords], wanted: &[RegionWords]) -> usize {
    let Some((first, rest)) = wanted.split_first() else {
        return 0;
    };
    let each = (0..held.len()).map(|slot| {
        let (base, limit) = switch::writes(held[slot], *first);
        let mut others = held.to_vec();
        others.remove(slot);
        usize::from(base) + usize::from(limit) + cheapest(&others, rest)
    });
    each.min().unwrap_or(0)
}
