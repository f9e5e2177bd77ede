//! Virtual interrupts in list registers, as a guest at EL1 has them (IHI 0069, chapter 6).

use super::*;

const PENDING: u64 = 1 << 62;
const ACTIVE: u64 = 1 << 63;
const HW: u64 = 1 << 61;
const EOI: u64 = 1 << 41;

/// A pending virtual interrupt of Group 1.
fn pending(intid: u64, priority: u64) -> u64 {
    PENDING | GROUP_1 | priority << 48 | intid
}

const GROUP_1: u64 = 1 << 60;

/// A guest with both groups enabled and nothing masked.
fn guest() -> System {
    let mut system = System::new(1);
    system.set(0, Register::IchHcr, 1);
    system.guest_set(Register::Pmr, 0xf8);
    system.guest_set(Register::Igrpen0, 1);
    system.guest_set(Register::Igrpen1, 1);
    system
}

#[test]
fn a_list_register_is_acknowledged_and_ended() {
    let mut system = guest();
    assert_eq!((system.signals(0), system.guest(Register::Iar1)), ("", 1023));
    system.set(0, Register::IchLr(2), pending(27, 0xa0));
    assert_eq!((system.signals(0), system.guest(Register::Hppir1), system.guest(Register::Hppir0)), ("virq", 27, 1023));
    assert_eq!((system.guest(Register::Iar0), system.guest(Register::Iar1), system.signals(0)), (1023, 27, ""));
    assert_eq!(system.get(0, Register::IchLr(2)), ACTIVE | GROUP_1 | 0xa0 << 48 | 27);
    assert_eq!((system.guest(Register::Rpr), system.get(0, Register::IchAp1r(0))), (0xa0, 1 << 20));
    assert_eq!(system.get(0, Register::Rpr), 0xff);
    system.guest_set(Register::Eoir1, 27);
    assert_eq!(system.get(0, Register::IchLr(2)), GROUP_1 | 0xa0 << 48 | 27);
    assert_eq!((system.guest(Register::Rpr), system.get(0, Register::IchElrsr)), (0xff, 0b1111));
}

#[test]
fn group_0_is_a_virtual_fiq() {
    let mut system = guest();
    system.set(0, Register::IchLr(0), PENDING | 0x40 << 48 | 0x64);
    assert_eq!((system.signals(0), system.guest(Register::Iar1), system.guest(Register::Iar0)), ("vfiq", 1023, 100));
    assert_eq!(system.get(0, Register::IchAp0r(0)), 1 << 8);
    system.guest_set(Register::Eoir0, 100);
    assert_eq!((system.get(0, Register::IchAp0r(0)), system.get(0, Register::IchElrsr)), (0, 0b1111));
}

#[test]
fn nothing_virtual_is_signalled_while_the_interface_is_disabled() {
    let mut system = guest();
    system.set(0, Register::IchLr(0), pending(27, 0x80));
    system.set(0, Register::IchHcr, 0);
    assert_eq!((system.signals(0), system.guest(Register::Iar1)), ("", 1023));
    system.set(0, Register::IchHcr, 1);
    system.guest_set(Register::Igrpen1, 0);
    assert_eq!((system.signals(0), system.guest(Register::Hppir1)), ("", 1023));
    system.guest_set(Register::Igrpen1, 1);
    system.guest_set(Register::Pmr, 0x80);
    assert_eq!((system.signals(0), system.guest(Register::Hppir1)), ("", 27));
    system.guest_set(Register::Pmr, 0x88);
    assert_eq!(system.signals(0), "virq");
}

#[test]
fn virtual_priorities_preempt_by_the_virtual_binary_point() {
    let mut system = guest();
    // Bits 7:5, as the virtual binary point of Group 1 splits them.
    system.guest_set(Register::Bpr1, 5);
    system.set(0, Register::IchLr(0), pending(32, 0x98));
    assert_eq!((system.guest(Register::Iar1), system.guest(Register::Rpr)), (32, 0x80));
    system.set(0, Register::IchLr(1), pending(33, 0x80));
    assert_eq!(system.signals(0), "");
    system.set(0, Register::IchLr(2), pending(34, 0x60));
    assert_eq!((system.guest(Register::Iar1), system.guest(Register::Rpr)), (34, 0x60));
    for intid in [34, 32] {
        system.guest_set(Register::Eoir1, intid);
    }
    assert_eq!((system.guest(Register::Iar1), system.get(0, Register::IchElrsr)), (33, 0b1101));
}

#[test]
fn the_first_list_register_of_a_priority_comes_first() {
    let mut system = guest();
    system.set(0, Register::IchLr(3), pending(32, 0x80));
    system.set(0, Register::IchLr(1), pending(40, 0x80));
    assert_eq!(system.guest(Register::Iar1), 40);
}

#[test]
fn a_hardware_interrupt_is_deactivated_with_the_virtual_one() {
    let mut system = guest();
    system.set(0, Register::Ctlr, 0b10);
    system.enable(TIMER, 0x80, true);
    system.gic.set_line(TIMER, 0, true);
    // EL2 takes it, drops its priority, and lets the guest end it.
    assert_eq!(system.get(0, Register::Iar1), 27);
    system.set(0, Register::Eoir1, 27);
    system.set(0, Register::IchLr(0), pending(27, 0xa0) | HW | 27 << 32);
    assert_eq!((system.signals(0), system.guest(Register::Iar1)), ("virq", 27));
    system.gic.set_line(TIMER, 0, false);
    assert_eq!(system.state(TIMER), (false, true));
    system.guest_set(Register::Eoir1, 27);
    assert_eq!((system.state(TIMER), system.signals(0)), ((false, false), ""));
    assert_eq!((system.get(0, Register::IchElrsr), system.get(0, Register::IchEisr)), (0b1111, 0));
}

#[test]
fn a_level_that_stays_comes_to_el2_again_when_the_guest_ends_it() {
    let mut system = guest();
    system.set(0, Register::Ctlr, 0b10);
    system.enable(SPI, 0x80, true);
    system.gic.set_line(SPI, 0, true);
    system.get(0, Register::Iar1);
    system.set(0, Register::Eoir1, SPI.into());
    system.set(0, Register::IchLr(0), pending(SPI.into(), 0xa0) | HW | u64::from(SPI) << 32);
    system.guest(Register::Iar1);
    assert_eq!(system.signals(0), "");
    system.guest_set(Register::Eoir1, SPI.into());
    assert_eq!(system.signals(0), "irq");
}

#[test]
fn a_guest_with_eoi_mode_1_deactivates_by_dir() {
    let mut system = guest();
    system.guest_set(Register::Ctlr, 0b10);
    assert_eq!(system.guest(Register::Ctlr), 0x402);
    system.set(0, Register::IchLr(0), pending(50, 0x80) | HW | u64::from(SPI) << 32);
    system.gicd(0x304, 1 << 8);
    system.guest(Register::Iar1);
    system.guest_set(Register::Eoir1, 50);
    assert_eq!((system.guest(Register::Rpr), system.get(0, Register::IchElrsr)), (0xff, 0b1110));
    assert_eq!(system.state(SPI), (false, true));
    system.guest_set(Register::Dir, 50);
    assert_eq!((system.get(0, Register::IchElrsr), system.state(SPI)), (0b1111, (false, false)));
}

#[test]
fn dir_of_a_guest_is_ignored_with_eoi_mode_0() {
    let mut system = guest();
    system.set(0, Register::IchLr(0), pending(50, 0x80));
    system.guest(Register::Iar1);
    system.guest_set(Register::Dir, 50);
    assert_eq!((system.get(0, Register::IchElrsr), system.get(0, Register::IchHcr)), (0b1110, 1));
}

#[test]
fn an_interrupt_that_is_pending_and_active_waits_for_its_end() {
    let mut system = guest();
    system.set(0, Register::IchLr(0), pending(50, 0x80));
    system.guest(Register::Iar1);
    system.set(0, Register::IchLr(0), pending(50, 0x80) | ACTIVE);
    assert_eq!((system.signals(0), system.guest(Register::Iar1)), ("", 1023));
    system.guest_set(Register::Eoir1, 50);
    assert_eq!((system.get(0, Register::IchLr(0)), system.signals(0)), (pending(50, 0x80), "virq"));
}

#[test]
fn the_end_of_what_is_in_no_list_register_is_counted() {
    let mut system = guest();
    system.set(0, Register::IchLr(0), pending(50, 0x80));
    system.guest(Register::Iar1);
    system.set(0, Register::IchLr(0), 0);
    system.guest_set(Register::Eoir1, 50);
    assert_eq!((system.get(0, Register::IchHcr), system.guest(Register::Rpr)), (1 << 27 | 1, 0xff));
    // Nothing was active: no priority drops, and none is counted.
    system.guest_set(Register::Eoir1, 50);
    assert_eq!(system.get(0, Register::IchHcr), 1 << 27 | 1);
    system.guest_set(Register::Ctlr, 0b10);
    for intid in [50, 1023, 9000] {
        system.guest_set(Register::Dir, intid);
    }
    assert_eq!(system.get(0, Register::IchHcr), 2 << 27 | 1);
    system.set(0, Register::IchHcr, 31 << 27 | 1);
    system.guest_set(Register::Dir, 50);
    assert_eq!(system.get(0, Register::IchHcr), 1);
}

#[test]
fn an_end_of_the_wrong_priority_or_group_leaves_the_list_register_active() {
    let mut system = guest();
    system.set(0, Register::IchLr(0), pending(50, 0x80));
    system.guest(Register::Iar1);
    system.set(0, Register::IchLr(1), pending(51, 0x40));
    system.guest(Register::Iar1);
    // 51 has the running priority.
    system.guest_set(Register::Eoir1, 50);
    assert_eq!((system.get(0, Register::IchElrsr), system.guest(Register::Rpr)), (0b1100, 0x80));
    system.guest_set(Register::Eoir0, 50);
    assert_eq!((system.get(0, Register::IchElrsr), system.guest(Register::Rpr)), (0b1100, 0xff));
}

#[test]
fn a_virtual_lpi_needs_no_dir_and_a_special_intid_has_no_priority() {
    let mut system = guest();
    system.guest_set(Register::Ctlr, 0b10);
    system.set(0, Register::IchLr(0), pending(8192, 0x80));
    assert_eq!((system.guest(Register::Iar1), system.guest(Register::Rpr)), (8192, 0x80));
    system.guest_set(Register::Dir, 8192);
    assert_eq!(system.get(0, Register::IchElrsr), 0b1110);
    system.guest_set(Register::Eoir1, 8192);
    assert_eq!((system.guest(Register::Rpr), system.get(0, Register::IchElrsr)), (0xff, 0b1111));
    system.set(0, Register::IchAp1r(0), 1);
    system.guest_set(Register::Eoir1, 8192);
    assert_eq!((system.guest(Register::Rpr), system.get(0, Register::IchHcr)), (0xff, 1));
    system.set(0, Register::IchLr(0), pending(1022, 0x80));
    assert_eq!((system.guest(Register::Iar1), system.signals(0), system.guest(Register::Rpr)), (1022, "", 0xff));
}

#[test]
fn el2_sees_the_registers_of_the_guest_in_vmcr() {
    let mut system = guest();
    system.guest_set(Register::Bpr0, 3);
    system.guest_set(Register::Bpr1, 5);
    system.guest_set(Register::Ctlr, 0b10);
    assert_eq!(system.get(0, Register::IchVmcr), 0xf8 << 24 | 3 << 21 | 5 << 18 | 1 << 9 | 1 << 3 | 0b11);
    system.set(0, Register::IchVmcr, 0);
    let registers =
        [Register::Pmr, Register::Bpr0, Register::Bpr1, Register::Ctlr, Register::Igrpen0, Register::Igrpen1];
    assert_eq!(registers.map(|register| system.guest(register)), [0, 2, 3, 0x400, 0, 0]);
    system.set(0, Register::IchVmcr, u64::MAX);
    assert_eq!(registers.map(|register| system.guest(register)), [0xf8, 7, 7, 0x403, 1, 1]);
    assert_eq!(system.get(0, Register::IchVmcr), 0xf8fc_021b);
    // Those of EL2 are others.
    assert_eq!(
        [Register::Pmr, Register::Bpr1, Register::Ctlr].map(|register| system.get(0, register)),
        [0xf8, 2, 0x400]
    );
}

#[test]
fn physical_and_virtual_interrupts_are_apart() {
    let mut system = guest();
    system.enable(SPI, 0x40, true);
    system.pend(SPI);
    system.set(0, Register::IchLr(0), pending(50, 0x80));
    assert_eq!(system.signals(0), "irq virq");
    assert_eq!((system.guest(Register::Iar1), system.get(0, Register::Iar1)), (50, 40));
    assert_eq!((system.guest(Register::Rpr), system.get(0, Register::Rpr)), (0x80, 0x40));
    system.guest_set(Register::Eoir1, 40);
    assert_eq!((system.guest(Register::Rpr), system.get(0, Register::Rpr)), (0xff, 0x40));
}

#[test]
fn each_group_is_virtual_by_its_own_bit_of_hcr() {
    let mut system = guest();
    system.set(0, Register::Igrpen0, 0);
    let irq_only = Requester { el: 1, imo: true, fmo: false };
    assert_eq!((system.by(0, irq_only, Register::Igrpen0), system.by(0, irq_only, Register::Igrpen1)), (Ok(0), Ok(1)));
    system.guest_set(Register::Pmr, 0x50);
    assert_eq!(system.by(0, irq_only, Register::Pmr), Ok(0x50));
    assert_eq!(system.by(0, EL1, Register::Pmr), Ok(0xf8));
}

#[test]
fn reserved_bits_of_a_list_register_are_zero() {
    let mut system = guest();
    system.set(0, Register::IchLr(0), u64::MAX);
    assert_eq!(system.get(0, Register::IchLr(0)), 0xf0f8_1fff_0000_ffff);
    assert_eq!(system.get(0, Register::IchVtr), 0x9018_0003);
    system.set(0, Register::IchLr(0), EOI);
    assert_eq!((system.get(0, Register::IchEisr), system.get(0, Register::IchElrsr)), (1, 0b1110));
}
