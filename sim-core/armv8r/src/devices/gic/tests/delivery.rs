//! Delivery, priorities and the end of physical interrupts (IHI 0069, chapter 4).

use super::*;

#[test]
fn an_interrupt_is_acknowledged_and_ended() {
    let mut system = System::new(1);
    system.enable(SPI, 0x80, true);
    assert_eq!((system.signals(0), system.get(0, Register::Iar1)), ("", 1023));
    system.pend(SPI);
    assert_eq!(
        (system.signals(0), system.get(0, Register::Hppir1), system.get(0, Register::Hppir0)),
        ("irq", 40, 1023)
    );
    assert_eq!((system.get(0, Register::Iar0), system.state(SPI)), (1023, (true, false)));
    assert_eq!((system.get(0, Register::Iar1), system.state(SPI), system.signals(0)), (40, (false, true), ""));
    assert_eq!((system.get(0, Register::Rpr), system.get(0, Register::Ap1r(0))), (0x80, 1 << 16));
    assert_eq!(system.get(0, Register::Iar1), 1023);
    system.set(0, Register::Eoir1, SPI.into());
    assert_eq!((system.get(0, Register::Rpr), system.state(SPI)), (0xff, (false, false)));
}

#[test]
fn group_0_is_fiq_and_ends_by_its_own_register() {
    let mut system = System::new(1);
    system.enable(SPI, 0x80, false);
    system.pend(SPI);
    assert_eq!((system.signals(0), system.get(0, Register::Iar1)), ("fiq", 1023));
    assert_eq!((system.get(0, Register::Iar0), system.get(0, Register::Ap0r(0))), (40, 1 << 16));
    system.set(0, Register::Eoir1, SPI.into());
    assert_eq!((system.get(0, Register::Rpr), system.state(SPI)), (0x80, (false, true)));
    system.set(0, Register::Eoir0, SPI.into());
    assert_eq!((system.get(0, Register::Rpr), system.state(SPI)), (0xff, (false, false)));
}

#[test]
fn with_eoi_mode_1_the_drop_and_the_deactivation_are_two_writes() {
    let mut system = System::new(1);
    system.set(0, Register::Ctlr, 0b10);
    for intid in [SPI, SPI + 1] {
        system.enable(intid, 0x80, true);
        system.pend(intid);
    }
    assert_eq!(system.get(0, Register::Iar1), 40);
    system.set(0, Register::Eoir1, SPI.into());
    assert_eq!((system.get(0, Register::Rpr), system.state(SPI)), (0xff, (false, true)));
    // The other one is taken meanwhile, and the first stays active whatever happens to it.
    system.pend(SPI);
    assert_eq!((system.get(0, Register::Iar1), system.state(SPI)), (41, (true, true)));
    system.set(0, Register::Dir, SPI.into());
    assert_eq!((system.state(SPI), system.get(0, Register::Hppir1), system.signals(0)), ((true, false), 40, ""));
    system.set(0, Register::Eoir1, 41);
    assert_eq!(system.signals(0), "irq");
}

#[test]
fn dir_is_ignored_with_eoi_mode_0() {
    let mut system = System::new(1);
    system.enable(SPI, 0x80, true);
    system.pend(SPI);
    system.get(0, Register::Iar1);
    system.set(0, Register::Dir, SPI.into());
    assert_eq!(system.state(SPI), (false, true));
}

#[test]
fn special_intids_end_nothing() {
    let mut system = System::new(1);
    system.enable(SPI, 0x80, true);
    system.pend(SPI);
    system.get(0, Register::Iar1);
    for intid in [1020, 1021, 1022, 1023, 5000, 0xff_ffff] {
        system.set(0, Register::Eoir1, intid);
        assert_eq!(system.get(0, Register::Rpr), 0x80);
    }
}

#[test]
fn a_higher_priority_preempts_and_the_lower_resumes() {
    let mut system = System::new(1);
    for (intid, priority) in [(SPI, 0xa0), (41, 0x80), (42, 0x40)] {
        system.enable(intid, priority, true);
    }
    system.pend(SPI);
    assert_eq!(system.get(0, Register::Iar1), 40);
    system.pend(42);
    assert_eq!((system.signals(0), system.get(0, Register::Iar1), system.get(0, Register::Rpr)), ("irq", 42, 0x40));
    system.pend(41);
    assert_eq!((system.signals(0), system.get(0, Register::Iar1), system.get(0, Register::Hppir1)), ("", 1023, 41));
    system.set(0, Register::Eoir1, 42);
    assert_eq!((system.get(0, Register::Rpr), system.get(0, Register::Iar1)), (0xa0, 41));
    assert_eq!(system.get(0, Register::Ap1r(0)), 1 << 16 | 1 << 20);
    system.set(0, Register::Eoir1, 41);
    system.set(0, Register::Eoir1, SPI.into());
    assert_eq!((system.get(0, Register::Rpr), system.get(0, Register::Ap1r(0))), (0xff, 0));
}

#[test]
fn a_group_0_interrupt_preempts_group_1_and_drops_first() {
    let mut system = System::new(1);
    system.enable(SPI, 0x80, true);
    system.enable(41, 0x40, false);
    system.pend(SPI);
    system.get(0, Register::Iar1);
    system.pend(41);
    assert_eq!((system.signals(0), system.get(0, Register::Iar0)), ("fiq", 41));
    // The group of the running priority decides which EOIR is listened to.
    system.set(0, Register::Eoir1, SPI.into());
    assert_eq!((system.get(0, Register::Rpr), system.state(SPI)), (0x40, (false, true)));
    system.set(0, Register::Eoir0, 41);
    system.set(0, Register::Eoir1, SPI.into());
    assert_eq!(system.get(0, Register::Rpr), 0xff);
}

#[test]
fn priorities_in_one_group_priority_do_not_preempt() {
    let mut system = System::new(1);
    // Bits 7:5 decide over preemption: 0x80 and 0x98 are the same, 0x60 is not.
    system.set(0, Register::Bpr1, 4);
    for (intid, priority) in [(SPI, 0x98), (41, 0x80), (42, 0x60)] {
        system.enable(intid, priority, true);
    }
    system.pend(SPI);
    assert_eq!((system.get(0, Register::Iar1), system.get(0, Register::Rpr)), (40, 0x80));
    system.pend(41);
    assert_eq!(system.signals(0), "");
    system.pend(42);
    assert_eq!(system.get(0, Register::Iar1), 42);
    system.set(0, Register::Eoir1, 42);
    system.set(0, Register::Eoir1, SPI.into());
    // Among those that wait, the whole priority decides.
    system.pend(SPI);
    assert_eq!(system.get(0, Register::Iar1), 41);
}

#[test]
fn the_mask_and_the_enables_hide_interrupts() {
    let mut system = System::new(1);
    system.enable(SPI, 0x80, true);
    system.pend(SPI);
    system.set(0, Register::Pmr, 0x80);
    assert_eq!((system.signals(0), system.get(0, Register::Iar1), system.get(0, Register::Hppir1)), ("", 1023, 40));
    system.set(0, Register::Pmr, 0x8f);
    assert_eq!((system.get(0, Register::Pmr), system.signals(0)), (0x88, "irq"));
    system.set(0, Register::Igrpen1, 0);
    assert_eq!((system.signals(0), system.get(0, Register::Hppir1)), ("", 1023));
    system.set(0, Register::Igrpen1, 1);
    system.gicd(0x0, 1);
    assert_eq!(system.signals(0), "");
    system.gicd(0x0, 2);
    assert_eq!(system.signals(0), "irq");
    system.gicd(0x184, 1 << 8);
    assert_eq!((system.signals(0), system.state(SPI)), ("", (true, false)));
    system.gicd(0x104, 1 << 8);
    system.gic.write(Frame::Redistributor(0), 0x14, 4, 0b10);
    assert_eq!((system.signals(0), system.gic.read(Frame::Redistributor(0), 0x14, 4)), ("", 0b110));
}

#[test]
fn an_interrupt_of_a_disabled_group_hides_no_other() {
    let mut system = System::new(1);
    system.enable(SPI, 0x40, false);
    system.enable(41, 0x80, true);
    system.pend(SPI);
    system.pend(41);
    assert_eq!(system.signals(0), "fiq");
    system.set(0, Register::Igrpen0, 0);
    assert_eq!((system.signals(0), system.get(0, Register::Iar1)), ("irq", 41));
}

#[test]
fn the_lowest_intid_of_a_priority_comes_first() {
    let mut system = System::new(1);
    for intid in [SPI, TIMER, 3] {
        system.enable(intid, 0x80, true);
        system.pend(intid);
    }
    for intid in [3, 27, 40] {
        assert_eq!(system.get(0, Register::Iar1), intid);
        system.set(0, Register::Eoir1, intid);
    }
}

#[test]
fn a_timer_that_is_masked_while_active_is_done_when_it_is_ended() {
    let mut system = System::new(1);
    system.enable(TIMER, 0x80, true);
    system.gic.set_line(TIMER, 0, true);
    assert_eq!((system.get(0, Register::Iar1), system.state(TIMER)), (27, (true, true)));
    // The handler masks the timer: the level falls, and nothing is left.
    system.gic.set_line(TIMER, 0, false);
    assert_eq!(system.state(TIMER), (false, true));
    system.set(0, Register::Eoir1, TIMER.into());
    assert_eq!((system.signals(0), system.state(TIMER)), ("", (false, false)));
    // Where it does not, the interrupt is there again.
    system.gic.set_line(TIMER, 0, true);
    system.get(0, Register::Iar1);
    system.set(0, Register::Eoir1, TIMER.into());
    assert_eq!(system.signals(0), "irq");
    // A level that falls before its acknowledgement leaves none.
    system.gic.set_line(TIMER, 0, false);
    assert_eq!((system.signals(0), system.get(0, Register::Iar1)), ("", 1023));
}

#[test]
fn spis_go_where_they_are_routed() {
    let mut system = System::new(3);
    system.enable(SPI, 0x80, true);
    system.gic.write(Frame::Distributor, 0x6000 + 8 * u64::from(SPI), 8, 2);
    system.gic.set_line(SPI, 0, true);
    assert_eq!([0, 1, 2].map(|pe| system.signals(pe)), ["", "", "irq"]);
    assert_eq!(system.get(2, Register::Iar1), 40);
    system.gic.write(Frame::Distributor, 0x6000 + 8 * u64::from(SPI), 8, 1);
    assert_eq!([0, 1, 2].map(|pe| system.signals(pe)), ["", "", ""]);
    system.set(2, Register::Eoir1, SPI.into());
    assert_eq!([0, 1, 2].map(|pe| system.signals(pe)), ["", "irq", ""]);
    // No such PE.
    system.gic.write(Frame::Distributor, 0x6000 + 8 * u64::from(SPI), 8, 0x100);
    assert_eq!([0, 1, 2].map(|pe| system.signals(pe)), ["", "", ""]);
}

#[test]
fn an_spi_for_any_pe_goes_to_one_that_takes_part() {
    let mut system = System::new(3);
    system.enable(SPI, 0x80, true);
    system.gic.write(Frame::Distributor, 0x6000 + 8 * u64::from(SPI), 4, 1 << 31);
    system.pend(SPI);
    assert_eq!([0, 1, 2].map(|pe| system.signals(pe)), ["irq", "", ""]);
    system.gic.write(Frame::Redistributor(0), 0x14, 4, 0b10);
    assert_eq!([0, 1, 2].map(|pe| system.signals(pe)), ["", "irq", ""]);
    system.set(1, Register::Igrpen1, 0);
    assert_eq!([0, 1, 2].map(|pe| system.signals(pe)), ["", "", "irq"]);
}

#[test]
fn el1_has_the_physical_registers_where_interrupts_are_not_virtual() {
    let mut system = System::new(1);
    system.enable(SPI, 0x80, true);
    system.pend(SPI);
    assert_eq!(system.by(0, EL1, Register::Iar1), Ok(40));
    assert_eq!(system.gic.write_register(0, Register::Eoir1, EL1, 40), Ok(()));
    assert_eq!(system.state(SPI), (false, false));
}
