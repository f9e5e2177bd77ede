//! Probes against the full check, and what reports ask for against a plain search.

use mpu_model::naive::Op;
use mpu_model::{Access, El, Level, Mpu, Probe, ProbeId, Regime, Slot};
use proptest::prelude::*;

use super::oracle;
use super::sync::{apply, op};

#[derive(Debug, Clone, Copy)]
enum Change {
    Op(Op),
    Add(Probe),
    Set(usize, Probe),
}

fn probe() -> impl Strategy<Value = Probe> {
    (oracle::address(), oracle::kind(), prop::bool::weighted(0.1)).prop_map(|(addr, kind, beyond)| Probe {
        addr: if beyond { addr + mpu_model::PA_LIMIT - 100 } else { addr },
        kind,
    })
}

fn step() -> impl Strategy<Value = Change> {
    prop_oneof![
        12 => op().prop_map(Change::Op),
        2 => probe().prop_map(Change::Add),
        1 => (0..4_usize, probe()).prop_map(|(index, probe)| Change::Set(index, probe)),
    ]
}

proptest! {
    #[test]
    fn failing_probe_is_the_full_check_of_the_newest_state(
        regions in oracle::count(),
        rules in oracle::rules(),
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let mut mpu = Mpu::new(Level::El2, regions, rules);
        let mut probes = Vec::new();
        for step in steps {
            match step {
                Change::Op(op) => apply(&mut mpu, op),
                Change::Add(probe) => {
                    let id = mpu.add_probe(probe);
                    prop_assert_eq!(id.map(ProbeId::index), (probes.len() < 4).then_some(probes.len()));
                    probes.extend(id.map(|id| (id, probe)));
                }
                Change::Set(index, probe) => {
                    if let Some((id, place)) = probes.get_mut(index) {
                        mpu.set_probe(*id, probe);
                        *place = probe;
                    }
                }
            }
            let mut settled = mpu.clone();
            settled.dsb();
            settled.context_sync();
            let expected = probes.iter().find_map(|(id, Probe { addr, kind })| {
                let access = Access { addr: *addr, size: 1, kind: *kind, el: El::El2 };
                Some((*id, settled.check(Regime::El2, access).result.err()?))
            });
            prop_assert_eq!(mpu.failing_probe(), expected);
        }
    }

    #[test]
    fn nearest_and_enabled_as_a_search_finds_them(
        regs in oracle::regs(),
        addr in oracle::address(),
    ) {
        let mpu = oracle::program(&regs, Level::El2, mpu_model::Rules::default());
        let enabled: Vec<_> = Slot::all(regs.regions)
.map(|slot| (slot, mpu.words(slot)))
            .filter(|(slot, _)| regs.slots[slot.index()].1 & 1 == 1)
            .collect();
        prop_assert_eq!(mpu.enabled().collect::<Vec<_>>(), enabled.clone());

        let (below, above) = mpu.nearest(addr);
        let real = || enabled.iter().filter(|(_, words)| words.base() <= words.limit());
        let ends = real().map(|(_, words)| words.limit()).filter(|limit| *limit < addr).max();
        let starts = real().map(|(_, words)| words.base()).filter(|base| *base > addr).min();
        prop_assert_eq!(below.map(|(_, words)| words.limit()), ends);
        prop_assert_eq!(above.map(|(_, words)| words.base()), starts);
        for found in [below, above].into_iter().flatten() {
            prop_assert!(real().any(|region| *region == found));
        }
    }
}
