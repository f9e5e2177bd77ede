//! SGIs (IHI 0069, 4.4 and the registers `ICC_SGI<n>R_EL1`), and which accesses are refused.

use super::*;

const NONE: [&str; 3] = ["", "", ""];

fn all(system: &System) -> [&'static str; 3] {
    [0, 1, 2].map(|pe| system.signals(pe))
}

fn three() -> System {
    let mut system = System::new(3);
    for pe in 0..3 {
        system.gicr(pe, 0x100, 0xffff);
    }
    system
}

#[test]
fn an_sgi_goes_to_each_pe_of_its_list() {
    let mut system = three();
    system.set(0, Register::Sgi1r, 5 << 24 | 0b1101);
    assert_eq!(all(&system), ["irq", "", "irq"]);
    for pe in [0, 2] {
        assert_eq!(system.get(pe, Register::Iar1), 5);
        system.set(pe, Register::Eoir1, 5);
    }
    assert_eq!(all(&system), NONE);
    // Another cluster.
    for cluster in [1 << 16, 1 << 32] {
        system.set(0, Register::Sgi1r, 5 << 24 | cluster | 0b111);
        assert_eq!(all(&system), NONE);
    }
}

#[test]
fn an_sgi_goes_to_all_but_its_sender() {
    let mut system = three();
    system.set(1, Register::Sgi1r, 1 << 40 | 9 << 24);
    assert_eq!(all(&system), ["irq", "", "irq"]);
}

#[test]
fn an_sgi_is_of_the_group_that_it_is_configured_for() {
    let mut system = three();
    system.gicr(1, 0x80, 0xffff_fffe);
    system.set(0, Register::Sgi0r, 0b111);
    assert_eq!(all(&system), ["", "fiq", ""]);
    assert_eq!(system.get(1, Register::Iar0), 0);
    system.set(1, Register::Eoir0, 0);
    system.set(0, Register::Asgi1r, 0b111);
    assert_eq!(all(&system), ["", "fiq", ""]);
    system.set(0, Register::Sgi1r, 0b111);
    assert_eq!(all(&system), ["irq", "fiq", "irq"]);
}

#[test]
fn an_sgi_that_is_active_is_pending_again() {
    let mut system = three();
    system.set(0, Register::Sgi1r, 0b1);
    assert_eq!(system.get(0, Register::Iar1), 0);
    system.set(1, Register::Sgi1r, 0b1);
    assert_eq!((system.state(0), system.signals(0)), ((true, true), ""));
    system.set(0, Register::Eoir1, 0);
    assert_eq!(system.signals(0), "irq");
}

#[test]
fn affinities_name_the_pes() {
    let affinities = [0x8100_0100, 0x8101_0003, 0x81_0000_0213].map(affinity);
    assert_eq!(affinities, [0x100, 0x1_0003, 0x8100_0213]);
}

#[test]
fn ranges_reach_affinities_from_16_on() {
    let mut gic = Gic::new(Config::new([0x00, 0x13, 0x0102_0313].to_vec()));
    assert_eq!(gic.read(Frame::Distributor, 0x4, 4) & (1 << 24 | 1 << 26), 1 << 24 | 1 << 26);
    assert_eq!(gic.read_register(0, Register::Ctlr, EL2), Ok(1 << 18 | 1 << 15 | 4 << 8));
    let pending = |gic: &Gic| [0, 1, 2].map(|pe| gic.read(Frame::Sgi(pe), 0x200, 4));
    gic.write_register(0, Register::Sgi1r, EL2, 1 << 44 | 1 << 24 | 1 << 3).unwrap();
    assert_eq!(pending(&gic), [0, 2, 0]);
    gic.write_register(0, Register::Sgi1r, EL2, 1 << 48 | 1 << 44 | 2 << 32 | 3 << 16 | 2 << 24 | 1 << 3).unwrap();
    assert_eq!(pending(&gic), [0, 2, 4]);
}

#[test]
fn a_guest_that_sends_an_sgi_traps() {
    let mut system = three();
    for (imo, fmo) in [(true, false), (false, true), (true, true)] {
        for register in [Register::Sgi0r, Register::Sgi1r, Register::Asgi1r] {
            let by = Requester { el: 1, imo, fmo };
            assert_eq!(system.gic.write_register(0, register, by, 1), Err(Refused::TrapToEl2));
        }
    }
    assert_eq!(system.gic.write_register(0, Register::Sgi1r, EL1, 1), Ok(()));
    assert_eq!(all(&system), ["irq", "", ""]);
}

#[test]
fn el2_traps_the_registers_of_a_group_or_of_both() {
    let mut system = System::new(1);
    let refused = |system: &mut System, register: Register| {
        let read = system.by(0, GUEST, register);
        let written = system.gic.clone().write_register(0, register, GUEST, 0);
        match register.rights() {
            Rights::Read => read.err(),
            _ => written.err(),
        }
    };
    let of = |system: &mut System, bit: u64| -> Vec<Register> {
        system.set(0, Register::IchHcr, bit);
        Register::all()
            .filter(|register| register.owner() == Owner::El1)
            .filter(|&register| !matches!(register, Register::Ap0r(1..) | Register::Ap1r(1..)))
            .filter(|&register| refused(system, register) == Some(Refused::TrapToEl2))
            .collect()
    };
    let sgis = [Register::Sgi1r, Register::Asgi1r, Register::Sgi0r];
    assert_eq!(of(&mut system, 0), sgis);
    assert_eq!(
        of(&mut system, 1 << 10),
        [
            Register::Pmr,
            Register::Dir,
            Register::Rpr,
            Register::Sgi1r,
            Register::Asgi1r,
            Register::Sgi0r,
            Register::Ctlr
        ]
    );
    assert_eq!(
        of(&mut system, 1 << 11),
        [
            Register::Iar0,
            Register::Eoir0,
            Register::Hppir0,
            Register::Bpr0,
            Register::Sgi1r,
            Register::Asgi1r,
            Register::Sgi0r,
            Register::Igrpen0,
            Register::Ap0r(0)
        ]
    );
    assert_eq!(
        of(&mut system, 1 << 12),
        [
            Register::Sgi1r,
            Register::Asgi1r,
            Register::Sgi0r,
            Register::Iar1,
            Register::Eoir1,
            Register::Hppir1,
            Register::Bpr1,
            Register::Igrpen1,
            Register::Ap1r(0)
        ]
    );
    assert_eq!(of(&mut system, 1 << 14), [Register::Dir, Register::Sgi1r, Register::Asgi1r, Register::Sgi0r]);
}

#[test]
fn what_is_not_there_is_undefined() {
    let mut system = System::new(1);
    for register in Register::all() {
        let by = |el| Requester { el, ..EL1 };
        assert_eq!(system.by(0, by(0), register), Err(Refused::Undefined));
        if register.owner() == Owner::El2 || register.rights() == Rights::Write {
            assert_eq!(system.by(0, by(1), register), Err(Refused::Undefined));
        }
        if register.rights() == Rights::Read {
            assert_eq!(system.gic.write_register(0, register, EL2, 0), Err(Refused::Undefined));
        }
        assert_eq!(system.by(1, EL2, register), Err(Refused::Undefined));
    }
    for register in
        [Register::Ap0r(1), Register::Ap1r(3), Register::IchAp0r(1), Register::IchAp1r(1), Register::IchLr(4)]
    {
        assert_eq!(system.by(0, EL2, register), Err(Refused::Undefined));
        assert_eq!(system.gic.write_register(0, register, EL2, 0), Err(Refused::Undefined));
    }
}

#[test]
fn system_registers_are_always_enabled() {
    let mut system = System::new(1);
    for register in [Register::SreEl1, Register::SreEl2] {
        system.set(0, register, 0);
    }
    assert_eq!((system.get(0, Register::SreEl1), system.get(0, Register::SreEl2)), (0b111, 0b1111));
    assert_eq!(system.guest(Register::SreEl1), 0b111);
}
