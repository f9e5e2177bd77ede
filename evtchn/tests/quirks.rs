//! The corners of the ABI where an implementation that only seems right differs: one test each.

use crate::testing::*;
use evtchn::abi::fifo::{LINKED, MASKED, PENDING};
use evtchn::abi::virq;
use evtchn::op::command;
use evtchn::{
    AbiKind, Binding, DomId, DomIdx, Errno, EventChannels, Poll, Port, ResetFrom, Vcpu, VcpuInfoPlace, XenHandler,
    XenPort,
};

fn reset(rig: &mut Rig, dom: DomIdx, from: ResetFrom) -> Result<(), Errno> {
    rc(rig.ec.reset(&mut rig.mem, caller(dom), DomId::SELF, from))
}

#[test]
fn q01_the_compat_hypercall_does_not_exist_on_arm() {
    assert_eq!(EventChannels::<Area>::event_channel_op_compat(), Errno::ENOSYS);
}

#[test]
fn q02_a_global_virq_is_busy_not_forbidden_for_a_stranger() {
    let mut rig = Rig::new();
    for virq in [virq::CONSOLE, virq::DOM_EXC, 5, 14, 15, virq::ARCH_0, 23] {
        assert_eq!(rig.virq(rig.d1, virq, 0), Err(Errno::EBUSY));
        assert_eq!(rig.virq(rig.d0, virq, 0).map(|_| ()), Ok(()));
    }
}

#[test]
fn q03_reset_cont_without_a_reset_is_busy() {
    let mut rig = Rig::new();
    let d1 = rig.d1;
    assert_eq!(rig.hypercall(d1, command::RESET_CONT, &[0x7FF0]).0, Err(Errno::EBUSY));
    assert_eq!(rig.hypercall(d1, 15, &[0]).0, Err(Errno::ENOSYS), "while the number after it is unknown");
}

#[test]
fn q04_status_knows_buckets_and_asks_for_rights_last() {
    let mut rig = Rig::new();
    let (d1, d2) = (rig.d1, rig.d2);
    let status = |rig: &Rig, port| rig.ec.status(caller(d1), DomId(2), Port(port)).map(|s| s.binding);
    assert_eq!(status(&rig, 64), Err(Errno::EINVAL));
    assert_eq!(status(&rig, 63), Err(Errno::EPERM));
    for _ in 0..64 {
        rig.ipi(d2, 0).unwrap();
    }
    assert_eq!(status(&rig, 127), Err(Errno::EPERM), "the second bucket is there");
    assert_eq!(rig.ec.status(caller(d2), DomId::SELF, Port(127)).map(|s| s.binding), Ok(Binding::Closed));
}

#[test]
fn q05_a_full_table_is_told_before_a_lack_of_rights() {
    let mut rig = Rig::with(false, |cfg| cfg.max_evtchn_port = 1);
    let (d1, d2) = (rig.d1, rig.d2);
    let alloc = |rig: &mut Rig| rc(rig.ec.alloc_unbound(&mut rig.mem, caller(d1), DomId(2), DomId(1)));
    assert_eq!(alloc(&mut rig), Err(Errno::EPERM));
    rig.ipi(d2, 0).unwrap();
    assert_eq!(alloc(&mut rig), Err(Errno::ENOSPC));
}

#[test]
fn q06_self_as_remote_is_the_caller_not_the_ports_domain() {
    let mut rig = Rig::new();
    let (d0, d2) = (rig.d0, rig.d2);
    let port = rc(rig.ec.alloc_unbound(&mut rig.mem, caller(d0), DomId(2), DomId::SELF)).unwrap();
    assert_eq!(rig.ec.port_status(d2, port).unwrap().binding, Binding::Unbound { dom: DomId(0) });
    assert_eq!(rig.interdomain(d2, 2, port), Err(Errno::EINVAL));
    assert_eq!(rig.interdomain(d0, 2, port), Ok(Port(1)));
}

#[test]
fn q07_a_reused_port_may_start_masked() {
    for mut rig in [Rig::new(), Rig::fifo()] {
        let (d1, d2) = (rig.d1, rig.d2);
        let (_, there) = rig.channel(d1, d2);
        rig.set_mask(d2, there, true);
        rig.close(d2, there).unwrap();
        let again = rig.ipi(d2, 0).unwrap();
        assert_eq!(again, there);
        rig.mem.clear_signs();
        rig.send(d2, again).unwrap();
        assert!(rig.is_pending(d2, again));
        assert!(rig.mem.injected.is_empty(), "{:?}", rig.ec.abi_kind(d2));
    }
}

#[test]
fn q08_an_event_that_waited_for_its_page_comes_back_with_each_page_that_covers_it() {
    let mut rig = Rig::new();
    let (d1, d2) = (rig.d1, rig.d2);
    rig.init_control(d2, 0).unwrap();
    let there = rig.unbound(d2, 1).unwrap();
    let here = rig.interdomain(d1, 2, there).unwrap();
    rig.send(d1, here).unwrap();
    rig.close(d2, there).unwrap();
    rig.expand(d2, 2).unwrap();
    assert_eq!(rig.word(d2, there), PENDING | LINKED, "though it is closed");
    assert_ne!(rig.ipi(d2, 0).unwrap(), there, "and it cannot be had until it is consumed");
    // Even a reset and a new beginning do not forget it.
    reset(&mut rig, d2, ResetFrom::Start).unwrap();
    rig.init_control(d2, 0).unwrap();
    let other = rig.ipi(d2, 0).unwrap();
    assert_eq!(other, there, "another channel by now");
    rig.expand(d2, 3).unwrap();
    assert!(rig.is_pending(d2, other));
}

#[test]
fn q09_a_closed_port_still_linked_is_skipped() {
    let mut rig = Rig::fifo();
    let (d1, d2) = (rig.d1, rig.d2);
    let (here, there) = rig.channel(d1, d2);
    rig.send(d1, here).unwrap();
    rig.close(d2, there).unwrap();
    assert_eq!(rig.word(d2, there), LINKED);
    assert_eq!(rig.ipi(d2, 0), Ok(Port(2)));
    rig.consume(d2, there);
    assert_eq!(rig.ipi(d2, 0), Ok(there));
}

#[test]
fn q10_unmask_needs_a_mask_in_two_level_but_not_in_fifo() {
    for mut rig in [Rig::new(), Rig::fifo()] {
        let (d1, d2) = (rig.d1, rig.d2);
        let (here, there) = rig.channel(d1, d2);
        let repeats = rig.ec.abi_kind(d2) == Some(AbiKind::Fifo);
        rig.send(d1, here).unwrap();
        // The guest takes the event off its selector or queue but leaves it pending.
        if repeats {
            let addr = rig.word_addr(d2, there);
            rig.mem.poke(addr, PENDING);
        }
        rig.acknowledge(d2, 0);
        rig.mem.clear_signs();
        rig.unmask(d2, there).unwrap();
        assert_eq!(!rig.mem.injected.is_empty(), repeats);
    }
}

#[test]
fn q11_vcpus_without_a_vcpu_info_share_one_dummy_among_all_domains() {
    let mut rig = Rig::new();
    for dom in [rig.d0, rig.d1, rig.d2] {
        assert_eq!(rig.ec.vcpu_info(dom, Vcpu(1)), Some(VcpuInfoPlace::Dummy(DUMMY)));
    }
    let first = rig.ipi(rig.d1, 1).unwrap();
    let second = rig.ipi(rig.d2, 1).unwrap();
    rig.send(rig.d1, first).unwrap();
    rig.send(rig.d2, second).unwrap();
    assert_eq!((rig.mem.peek(DUMMY), rig.mem.peek(DUMMY + 8)), (1, 1));
    assert_eq!(rig.mem.injected, [(rig.d1, 1)], "the second finds the first one's bits");
}

#[test]
fn q12_registering_vcpu_0_with_its_upcall_pending_injects_nothing() {
    let mut rig = Rig::new();
    let d1 = rig.d1;
    rig.mem.poke(shared_info(d1), 1);
    rig.register(d1, 0, 3, 0).unwrap();
    assert!(rig.mem.injected.is_empty());
    assert_eq!((rig.selector(d1, 0), rig.mem.peek(rig.info(d1, 0))), (u64::MAX, 1));
}

#[test]
fn q13_poll_sees_what_is_masked() {
    for mut rig in [Rig::new(), Rig::fifo()] {
        let (d1, d2) = (rig.d1, rig.d2);
        let (here, there) = rig.channel(d1, d2);
        rig.set_mask(d2, there, true);
        assert_eq!(rig.poll(d2, 0, &[there.0], 0), Ok(Poll::Block { timeout: 0 }));
        rig.ec.end_poll(d2, Vcpu(0));
        rig.send(d1, here).unwrap();
        assert_eq!(rig.poll(d2, 0, &[there.0], 0), Ok(Poll::Ready));
    }
}

#[test]
fn q14_without_a_control_block_an_event_is_lost_altogether() {
    let mut rig = Rig::new();
    let (d1, d2) = (rig.d1, rig.d2);
    rig.init_control(d2, 0).unwrap();
    rig.expand(d2, 2).unwrap();
    let (here, there) = rig.channel(d1, d2);
    rig.ec.bind_vcpu(caller(d2), there, Vcpu(1)).unwrap();
    assert_eq!(rig.poll(d2, 0, &[], 0), Ok(Poll::Block { timeout: 0 }));
    rig.mem.clear_signs();
    rig.send(d1, here).unwrap();
    assert_eq!(rig.word(d2, there), 0);
    assert!(rig.mem.log.is_empty() && rig.mem.woken.is_empty());
    // A block that comes later brings nothing back.
    rig.init_control(d2, 1).unwrap();
    assert_eq!(rig.word(d2, there), 0);
    rig.send(d1, here).unwrap();
    assert_eq!(rig.word(d2, there), PENDING | LINKED);
}

#[test]
fn q15_set_priority_in_two_level_minds_the_port_first() {
    let mut rig = Rig::new();
    assert_eq!(rig.ec.set_priority(caller(rig.d1), Port(64), 99), Err(Errno::EINVAL));
    assert_eq!(rig.ec.set_priority(caller(rig.d1), Port(63), 99), Err(Errno::ENOSYS));
}

#[test]
fn q16_a_failing_init_control_writes_no_link_bits() {
    let mut rig = Rig::new();
    let d1 = rig.d1;
    let block = |gfn: u64| [gfn as u32, 0, 0, 0, 0xEE, 0xEE];
    assert_eq!(rig.hypercall(d1, command::INIT_CONTROL, &block(5)).1[4], 0xEE);
    assert_eq!(rig.hypercall(d1, command::INIT_CONTROL, &block(gfn(d1, 1))).1[4], 17);
}

#[test]
fn q17_after_a_reset_high_ports_stay_valid_but_cannot_be_had() {
    let mut rig = Rig::with(false, |cfg| cfg.max_evtchn_port = u32::MAX);
    let d1 = rig.d1;
    rig.init_control(d1, 0).unwrap();
    for port in 1..=4097 {
        assert_eq!(rig.ipi(d1, 0), Ok(Port(port)));
    }
    reset(&mut rig, d1, ResetFrom::Start).unwrap();
    assert_eq!(rig.ec.port_status(d1, Port(4159)).unwrap().binding, Binding::Closed);
    assert_eq!(rig.unmask(d1, Port(4159)), Ok(()));
    assert_eq!(rig.send(d1, Port(4159)), Err(Errno::EINVAL));
    for port in 1..4096 {
        assert_eq!(rig.ipi(d1, 0), Ok(Port(port)));
    }
    assert_eq!(rig.ipi(d1, 0), Err(Errno::ENOSPC));
}

#[test]
fn q18_unmask_of_a_closed_port_is_fine() {
    let mut rig = Rig::new();
    let d1 = rig.d1;
    for port in [0, 1, 63] {
        rig.set_mask(d1, Port(port), true);
        assert_eq!(rig.unmask(d1, Port(port)), Ok(()));
        assert!(rig.mem.bit(shared_info(d1) + 560, port), "and has no effect");
    }
}

#[test]
fn q19_send_on_a_virq_is_an_error_and_on_a_waiting_port_is_not() {
    let mut rig = Rig::new();
    let d1 = rig.d1;
    let virq = rig.virq(d1, virq::TIMER, 0).unwrap();
    let waiting = rig.unbound(d1, 9).unwrap();
    assert_eq!((rig.send(d1, virq), rig.send(d1, waiting)), (Err(Errno::EINVAL), Ok(())));
}

#[test]
fn q20_an_event_behind_a_mask_wakes_pollers() {
    for mut rig in [Rig::new(), Rig::fifo()] {
        let (d1, d2) = (rig.d1, rig.d2);
        let (here, there) = rig.channel(d1, d2);
        rig.set_mask(d2, there, true);
        assert_eq!(rig.poll(d2, 1, &[], 0), Ok(Poll::Block { timeout: 0 }));
        rig.send(d1, here).unwrap();
        assert_eq!(rig.mem.woken, [(d2, 1)]);
        assert!(rig.mem.injected.is_empty());
    }
}

#[test]
fn fifo_mode_knows_no_default_priority_for_xens_ports_and_far_ends() {
    let mut rig = Rig::new();
    let (d1, d2) = (rig.d1, rig.d2);
    rig.init_control(d2, 0).unwrap();
    let guests = rig.unbound(d2, 1).unwrap();
    rig.ec.set_priority(caller(d2), guests, 3).unwrap();
    rig.interdomain(d1, 2, guests).unwrap();
    let priority = |rig: &Rig, port| rig.ec.channels(d2).find(|used| used.port == port).unwrap().priority;
    assert_eq!(priority(&rig, guests), 3, "the far end keeps its priority");
    rig.close(d2, guests).unwrap();
    let wanted = XenPort { dom: d2, vcpu: Vcpu(0), remote_dom: DomId(1), handler: XenHandler::DEFAULT };
    let xens = rc(rig.ec.xen_alloc_unbound(&mut rig.mem, None, wanted)).unwrap();
    assert_eq!((xens, priority(&rig, xens)), (guests, 3), "left over from its last owner");
}

#[test]
fn a_masked_word_of_a_new_page_masks_a_port_bound_before() {
    let mut rig = Rig::new();
    let (d1, d2) = (rig.d1, rig.d2);
    let (here, there) = rig.channel(d1, d2);
    rig.init_control(d2, 0).unwrap();
    rig.send(d1, here).unwrap();
    rig.mem.poke(ram(d2) + 2 * 4096 + 4 * u64::from(there.0), MASKED);
    rig.mem.clear_signs();
    rig.expand(d2, 2).unwrap();
    assert_eq!(rig.word(d2, there), MASKED | PENDING);
    assert!(rig.mem.injected.is_empty());
}
