//! What a port costs to allocate, counted rather than timed: reads of guest memory, and the pages they are in.

use crate::testing::Access::Load;
use crate::testing::{Access, *};
use evtchn::Port;
use evtchn::abi::fifo;

/// Domain 1 with ports 1 to `used` in use, in FIFO mode if there are pages to hand over, the first of them page 2.
fn filled(used: u32, pages: u64) -> Rig {
    let mut rig = Rig::with(false, |cfg| cfg.max_evtchn_port = u32::MAX);
    let d1 = rig.d1;
    if pages != 0 {
        rig.init_control(d1, 0).unwrap();
    }
    for page in 0..pages {
        rig.expand(d1, 2 + page).unwrap();
    }
    for port in 1..=used {
        assert_eq!(rig.ipi(d1, 0), Ok(Port(port)));
    }
    rig.mem.clear_signs();
    rig
}

/// Closes a port whose event is then still on a queue.
fn leave_linked(rig: &mut Rig, port: Port) {
    let d1 = rig.d1;
    rig.close(d1, port).unwrap();
    let addr = rig.word_addr(d1, port);
    rig.mem.poke(addr, fifo::LINKED);
}

#[test]
fn two_level_never_reads_guest_memory() {
    let mut rig = filled(4_000, 0);
    let d1 = rig.d1;
    assert_eq!(rig.ipi(d1, 0), Ok(Port(4_001)));
    for port in [17, 2_500, 4_000] {
        rig.close(d1, Port(port)).unwrap();
        rig.mem.clear_signs();
        assert_eq!(rig.ipi(d1, 0), Ok(Port(port)));
        assert!(rig.mem.log.is_empty());
    }
}

#[test]
fn fifo_reads_one_word_however_many_ports_are_in_use() {
    for used in [10, 500, 4_000, 8_000] {
        let mut rig = filled(used, 8);
        let d1 = rig.d1;
        rig.close(d1, Port(used - 1)).unwrap();
        rig.mem.clear_signs();
        assert_eq!(rig.ipi(d1, 0), Ok(Port(used - 1)));
        assert_eq!(rig.mem.log, [Load(rig.word_addr(d1, Port(used - 1)))], "{used} in use");
    }
}

#[test]
fn fifo_reads_the_free_but_linked_ports_once_each_and_each_page_in_one_go() {
    let mut rig = filled(8_000, 8);
    let d1 = rig.d1;
    let linked: Vec<_> = (1..8_000).step_by(5).map(Port).collect();
    // Closed in another order than they are looked at.
    for port in linked.iter().rev() {
        leave_linked(&mut rig, *port);
    }
    rig.close(d1, Port(7_999)).unwrap();
    rig.mem.clear_signs();
    assert_eq!(rig.ipi(d1, 0), Ok(Port(7_999)));
    let looked_at = linked.iter().chain([&Port(7_999)]);
    let expected: Vec<_> = looked_at.map(|port| Load(rig.word_addr(d1, *port))).collect();
    assert_eq!(rig.mem.log, expected);
    // One mapping for each 1,024 ports does: no page is come back to.
    let page_of = |access: &Access| if let Load(addr) = access { addr / 4096 } else { panic!("{access:?}") };
    let mut pages: Vec<_> = rig.mem.log.iter().map(page_of).collect();
    pages.dedup();
    assert_eq!(pages.len(), 8);
}

#[test]
fn each_end_of_the_largest_table_is_found() {
    let mut rig = filled(0, 0);
    let d1 = rig.d1;
    rig.init_control(d1, 0).unwrap();
    for port in 1..131_072 {
        assert_eq!(rig.ipi(d1, 0), Ok(Port(port)));
    }
    assert_eq!(rig.ipi(d1, 0), Err(evtchn::Errno::ENOSPC));
    for port in [131_071, 1] {
        rig.close(d1, Port(port)).unwrap();
        assert_eq!(rig.ipi(d1, 0), Ok(Port(port)));
    }
}
