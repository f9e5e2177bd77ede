//! The state machine against the plain model of it: random operations of several domains in both ABIs, everything
//! compared after each.

use super::ops::{Op, World, apply_model, create, ops};
use crate::testing::{DUMMY, rc};
use evtchn::model::{Model, State};
use evtchn::{AbiKind, Binding, Polling, Port, Vcpu};
use proptest::prelude::*;

fn compare_tables(world: &World, model: &Model) -> Result<(), TestCaseError> {
    let ec = &world.rig.ec;
    for (id, dom) in &model.doms {
        let idx = world.idx(*id);
        let kind = if dom.fifo.is_some() { AbiKind::Fifo } else { AbiKind::TwoLevel };
        prop_assert_eq!(ec.abi_kind(idx), Some(kind));
        let open = dom.chans.iter().filter(|chan| chan.open());
        let counts = [dom.chans.len(), open.clone().count(), open.filter(|chan| chan.xen).count()];
        prop_assert_eq!(world.rig.counts(idx).map(|count| count as usize), counts, "domain {}", id);
        let real: Vec<_> = ec
            .channels(idx)
            .map(|used| {
                (used.port.0, used.status.binding, used.status.vcpu.0, used.xen_owned, u32::from(used.priority))
            })
            .collect();
        let plain: Vec<_> = (0..)
            .zip(&dom.chans)
            .filter(|(_, chan)| chan.open())
            .map(|(port, chan)| (port, binding(chan.state), chan.vcpu, chan.xen, chan.priority))
            .collect();
        prop_assert_eq!(real, plain, "channels of domain {}", id);
        for vcpu in 0..dom.config.vcpus {
            let polling = match dom.polls.get(&vcpu) {
                None => Polling::No,
                Some(None) => Polling::Any,
                Some(Some(port)) => Polling::Port(Port(*port)),
            };
            prop_assert_eq!(ec.polling(idx, Vcpu(vcpu)), Some(polling));
        }
        for virq in [0, 1, 7, 13] {
            for vcpu in 0..dom.config.vcpus {
                let bound = dom.virqs.get(&(virq, vcpu)).map(|port| Port(*port));
                prop_assert_eq!(ec.virq_bound(idx, Vcpu(vcpu), virq), bound);
            }
        }
    }
    for virq in (0..24).filter(|virq| ![0, 1, 7, 11, 13].contains(virq)) {
        prop_assert_eq!(ec.virq_handler(virq), model.handler(virq).map(|id| world.idx(id)));
    }
    Ok(())
}

fn binding(state: State) -> Binding {
    match state {
        State::Free | State::Reserved => Binding::Closed,
        State::Unbound(dom) => Binding::Unbound { dom: evtchn::DomId(dom) },
        State::Interdomain(dom, port) => Binding::Interdomain { dom: evtchn::DomId(dom), port: Port(port) },
        State::Virq(virq) => Binding::Virq(virq),
        State::Ipi => Binding::Ipi,
    }
}

fn is_guest_step(op: &Op) -> bool {
    matches!(op, Op::Mask { .. } | Op::Acknowledge { .. } | Op::Consume { .. } | Op::Scribble { .. })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn both_agree_on_everything(ops in ops(150)) {
        let mut world = World::new();
        let mut model = Model::new(DUMMY, Some(0));
        (0..4).for_each(|id| create(&world, &mut model, id));
        for op in &ops {
            world.rig.mem.clear_signs();
            let real = rc(world.apply(op));
            let plain = apply_model(&world, &mut model, op);
            prop_assert_eq!(real, plain, "{:?}", op);
            if is_guest_step(op) {
                world.copy_to(&mut model);
                continue;
            }
            let id = |dom| (0..4).find(|id| world.idx(*id) == dom).unwrap();
            let kicks: Vec<_> = world.rig.mem.injected.iter().map(|(dom, vcpu)| (id(*dom), *vcpu)).collect();
            prop_assert_eq!(&kicks, &model.signs.kicks, "{:?}", op);
            let wakes: Vec<_> = world.rig.mem.woken.iter().map(|(dom, vcpu)| (id(*dom), *vcpu)).collect();
            prop_assert_eq!(&wakes, &model.signs.wakes, "{:?}", op);
            let hits: Vec<_> = world.rig.mem.notified.iter().map(|(dom, vcpu, port, _)| (id(*dom), *vcpu, *port)).collect();
            prop_assert_eq!(&hits, &model.signs.hits, "{:?}", op);
            prop_assert_eq!(world.first_difference(&model), None, "{:?}", op);
            compare_tables(&world, &model)?;
        }
    }
}
