//! The maintenance interrupt and its reasons (IHI 0069, chapter 6, maintenance interrupts, and `ICH_MISR_EL2`).

use super::*;

/// PPI 25 enabled, and what `ICH_HCR_EL2` asks for beside En.
fn asking(bits: u64) -> System {
    let mut system = System::new(1);
    system.enable(MAINTENANCE, 0x20, true);
    system.set(0, Register::IchHcr, 1 | bits);
    system
}

/// `ICH_MISR_EL2`, of which the interrupt has to tell.
fn reasons(system: &mut System) -> u64 {
    let misr = system.get(0, Register::IchMisr);
    assert_eq!(system.gic.outputs(0).maintenance, misr != 0);
    assert_eq!((system.state(MAINTENANCE).0, system.signals(0) == "irq"), (misr != 0, misr != 0));
    misr
}

const ACTIVE: u64 = 1 << 63;
const PENDING: u64 = 1 << 62;
const GROUP_1: u64 = 1 << 60;

#[test]
fn the_end_of_an_interrupt_that_asks_for_it() {
    let mut system = asking(0);
    system.set(0, Register::IchVmcr, 0xf8 << 24 | 0b11);
    system.set(0, Register::IchLr(1), PENDING | GROUP_1 | 1 << 41 | 50);
    assert_eq!(system.guest(Register::Iar1), 50);
    assert_eq!(reasons(&mut system), 0);
    system.guest_set(Register::Eoir1, 50);
    assert_eq!((reasons(&mut system), system.get(0, Register::IchEisr)), (1, 0b10));
    system.set(0, Register::IchLr(1), 0);
    assert_eq!((reasons(&mut system), system.get(0, Register::IchEisr)), (0, 0));
}

#[test]
fn underflow_is_one_valid_list_register_or_none() {
    let mut system = asking(1 << 1);
    assert_eq!(reasons(&mut system), 0b10);
    system.set(0, Register::IchLr(0), ACTIVE | 50);
    assert_eq!(reasons(&mut system), 0b10);
    system.set(0, Register::IchLr(3), ACTIVE | 51);
    assert_eq!(reasons(&mut system), 0);
}

#[test]
fn an_end_without_list_register() {
    let mut system = asking(1 << 2);
    assert_eq!(reasons(&mut system), 0);
    system.set(0, Register::IchAp1r(0), 1 << 16);
    system.guest_set(Register::Eoir1, 50);
    assert_eq!(reasons(&mut system), 0b100);
    system.set(0, Register::IchHcr, 1 | 1 << 2);
    assert_eq!(reasons(&mut system), 0);
}

#[test]
fn none_is_pending() {
    let mut system = asking(1 << 3);
    assert_eq!(reasons(&mut system), 0b1000);
    system.set(0, Register::IchLr(0), PENDING | ACTIVE | 50);
    assert_eq!(reasons(&mut system), 0b1000);
    system.set(0, Register::IchLr(0), PENDING | 50);
    assert_eq!(reasons(&mut system), 0);
}

#[test]
fn groups_are_enabled_and_disabled() {
    for (bit, group, enabled) in
        [(4, Register::Igrpen0, 1), (5, Register::Igrpen0, 0), (6, Register::Igrpen1, 1), (7, Register::Igrpen1, 0)]
    {
        let mut system = asking(1 << bit);
        system.guest_set(group, 1 - enabled);
        assert_eq!(reasons(&mut system), 0);
        system.guest_set(group, enabled);
        assert_eq!(reasons(&mut system), 1 << bit);
    }
}

#[test]
fn nothing_is_asserted_that_was_not_asked_for() {
    let mut system = asking(3 << 27);
    assert_eq!(reasons(&mut system), 0);
    system.guest_set(Register::Igrpen0, 1);
    assert_eq!(reasons(&mut system), 0);
}

#[test]
fn a_disabled_interface_asks_for_no_maintenance() {
    let mut system = asking(1 << 1);
    system.set(0, Register::IchHcr, 1 << 1);
    assert_eq!((system.gic.outputs(0).maintenance, system.signals(0)), (false, ""));
    // Its line is inside.
    system.gic.set_line(MAINTENANCE, 0, true);
    assert_eq!(system.signals(0), "");
}
