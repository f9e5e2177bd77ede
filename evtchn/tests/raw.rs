//! Raw hypercalls with arguments of any kind: no panic, no overflow, and tables that still make sense.

use crate::testing::*;
use evtchn::{Binding, Caller, DomIdx, Vcpu};
use proptest::prelude::*;

#[derive(Debug, Clone)]
struct Call {
    dom: u16,
    vcpu: u32,
    kind: u8,
    cmd: u32,
    vcpuid: u32,
    /// Words of the block, and where it is relative to the start of RAM.
    block: [u32; 6],
    at: i64,
}

/// Numbers near those that mean something, and any.
fn word() -> impl Strategy<Value = u32> {
    prop_oneof![
        8 => 0u32..5,
        2 => Just(0x7FF0),
        2 => prop_oneof![Just(1 << 16), Just(1 | 2 << 16), Just(0x7FF0 | 1 << 16), Just(2 | 0x7FF0 << 16)],
        2 => 0x1_0000u32..0x5_0000,
        1 => prop_oneof![Just(63), Just(64), Just(4023), Just(4024), Just(4095), Just(4096)],
        2 => any::<u32>(),
        1 => Just(u32::MAX),
    ]
}

fn call() -> impl Strategy<Value = Call> {
    let at =
        prop_oneof![30 => Just(4096i64), 1 => Just(-2), 1 => Just(PAGES.cast_signed() * 4096 - 4), 1 => any::<i64>()];
    let block = prop::array::uniform6(word());
    (0u16..3, 0u32..3, 0u8..12, 0u32..16, 0u32..3, block, at)
        .prop_map(|(dom, vcpu, kind, cmd, vcpuid, block, at)| Call { dom, vcpu, kind, cmd, vcpuid, block, at })
}

/// The invariants between tables.
fn check(rig: &Rig) -> Result<(), TestCaseError> {
    for (id, dom) in rig.ec.domains() {
        let used: Vec<_> = rig.ec.channels(dom).collect();
        let [valid, active, xen] = rig.counts(dom);
        prop_assert_eq!((active as usize, xen), (used.len(), 0));
        prop_assert!(valid.is_multiple_of(64) && used.iter().all(|used| (1..valid).contains(&used.port.0)));
        for used in used {
            prop_assert!(used.status.vcpu.0 < 2);
            match used.status.binding {
                Binding::Interdomain { dom: peer, port } => {
                    let peer = rig.ec.lookup(peer).unwrap();
                    let back = Binding::Interdomain { dom: id, port: used.port };
                    prop_assert_eq!(rig.ec.port_status(peer, port).unwrap().binding, back);
                }
                Binding::Virq(virq) => {
                    let slots = [0, 1].map(|vcpu| rig.ec.virq_bound(dom, Vcpu(vcpu), virq));
                    prop_assert!(slots.contains(&Some(used.port)));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_hypercall_breaks_the_tables(calls in prop::collection::vec(call(), 1..80), preempt in any::<[bool; 8]>()) {
        let mut rig = Rig::new();
        rig.mem.preempt = preempt.into();
        for call in &calls {
            let dom: DomIdx = [rig.d0, rig.d1, rig.d2][usize::from(call.dom)];
            let caller = Caller { dom, vcpu: Vcpu(call.vcpu) };
            let arg = ram(dom).wrapping_add_signed(call.at);
            if call.at == 4096 {
                (arg..).step_by(4).zip(call.block).for_each(|(addr, word)| rig.mem.poke(addr, word));
            }
            match call.kind {
                0 => drop(rc(rig.ec.vcpu_op(&mut rig.mem, caller, 8 + call.cmd % 4, call.vcpuid, arg))),
                1 => drop(rc(rig.ec.sched_poll(&mut rig.mem, caller, arg))),
                _ => drop(rc(rig.ec.event_channel_op(&mut rig.mem, caller, call.cmd, arg))),
            }
            check(&rig)?;
        }
    }
}
