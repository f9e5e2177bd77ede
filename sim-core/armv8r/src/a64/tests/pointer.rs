//! Pointer authentication.

use super::{Asked, PC, Plain, registers, step};
use crate::a64::pauth;
use crate::exception::Exit;

const KEY: u128 = 0x84be85ce9804e94b_ec2802d4e0a488e9;

fn keyed() -> Plain {
    Plain { key: Some(KEY), link: 0x4000, ..Plain::new() }
}

#[test]
fn pointers_are_signed_and_authenticated_with_the_register_named() {
    // PACIA X0, X1; AUTIA X0, X1; PACDZB X0; AUTDZB X0.
    for (sign, authenticate, modifier) in [(0xdac10020, 0xdac11020, 9), (0xdac12fe0, 0xdac13fe0, 0)] {
        let (mut regs, mut env) = (registers(), keyed());
        regs.set_x(0, 0x1234);
        regs.set_x(1, 9);
        assert_eq!(step(sign, &mut regs, &mut env), Ok(()));
        assert_eq!(regs.x(0), pauth::sign(0x1234, modifier, KEY));
        assert_eq!(step(authenticate, &mut regs, &mut env), Ok(()));
        assert_eq!((regs.x(0), regs.pc), (0x1234, PC + 8));
    }
}

#[test]
fn hints_sign_the_link_register_and_x17() {
    // PACIASP, AUTIASP, PACIBZ, AUTIBZ, PACIA1716, AUTIA1716.
    let cases =
        [(0xd503233f, 0xd50323bf, 30, 0x8000), (0xd503235f, 0xd50323df, 30, 0), (0xd503211f, 0xd503219f, 17, 5)];
    for (sign, authenticate, register, modifier) in cases {
        let (mut regs, mut env) = (registers(), keyed());
        regs.set_sp(0x8000);
        regs.set_x(16, 5);
        regs.set_x(register, 0x1000);
        assert_eq!(step(sign, &mut regs, &mut env), Ok(()));
        assert_eq!(regs.x(register), pauth::sign(0x1000, modifier, KEY));
        assert_eq!(step(authenticate, &mut regs, &mut env), Ok(()));
        assert_eq!(regs.x(register), 0x1000);
    }
}

#[test]
fn a_disabled_key_leaves_pointers_alone() {
    let (mut regs, mut env) = (registers(), Plain::new());
    regs.set_x(0, 0x1234);
    assert_eq!(step(0xdac10020, &mut regs, &mut env), Ok(()));
    assert_eq!(regs.x(0), 0x1234);
}

#[test]
fn codes_are_stripped_without_a_key() {
    let (mut regs, mut env) = (registers(), Plain::new());
    regs.set_x(0, 0x1234_0000_0000_1000);
    regs.set_x(30, 0x1280_0000_0000_1000);
    // XPACI X0; XPACLRI.
    assert_eq!(step(0xdac143e0, &mut regs, &mut env), Ok(()));
    assert_eq!(step(0xd50320ff, &mut regs, &mut env), Ok(()));
    assert_eq!((regs.x(0), regs.x(30)), (0x1000, 0xffff_0000_0000_1000));
}

#[test]
fn a_generic_code_is_in_the_upper_half() {
    let (mut regs, mut env) = (registers(), keyed());
    regs.set_x(1, 0xfb623599da6e8127);
    regs.set_x(2, 0x477d469dec0b8762);
    // PACGA X0, X1, X2.
    assert_eq!(step(0x9ac23020, &mut regs, &mut env), Ok(()));
    assert_eq!(regs.x(0), 0xc003b93900000000);
}

#[test]
fn branches_authenticate_first() {
    let (mut regs, mut env) = (registers(), keyed());
    regs.set_sp(7);
    regs.set_x(30, pauth::sign(0x5000, 7, KEY));
    // RETAA.
    assert_eq!(step(0xd65f0bff, &mut regs, &mut env), Ok(()));
    assert_eq!(regs.pc, 0x5000);
    regs.set_x(1, pauth::sign(0x6000, 0, KEY));
    // BLRAAZ X1.
    assert_eq!(step(0xd63f083f, &mut regs, &mut env), Ok(()));
    assert_eq!((regs.pc, regs.x(30)), (0x6000, 0x5004));
    regs.set_x(2, 3);
    // BRAB X1, X2: a wrong modifier leaves the error of the key.
    assert_eq!(step(0xd71f0c22, &mut regs, &mut env), Ok(()));
    assert_eq!(regs.pc, 0x4000_0000_0000_6000);
}

#[test]
fn an_exception_return_authenticates_its_link() {
    let (mut regs, mut env) = (registers(), keyed());
    regs.set_sp(0x10);
    env.link = pauth::sign(0x5000, 0x10, KEY);
    // ERETAA.
    assert_eq!(step(0xd69f0bff, &mut regs, &mut env), Ok(()));
    assert_eq!((regs.pc, env.asked.as_slice()), (0x5000, [Asked::ExceptionReturn(Some(0x5000))].as_slice()));
}

#[test]
fn a_load_authenticates_its_base() {
    let (mut regs, mut env) = (registers(), keyed());
    regs.set_x(1, pauth::sign(0x2008, 0, KEY));
    // LDRAA X0, [X1, #-8]!
    assert_eq!(step(0xf87ffc20, &mut regs, &mut env), Ok(()));
    assert_eq!((regs.x(0), regs.x(1)), (0x8786_8584_8382_8180, 0x2000));
    regs.set_x(1, 0x0001_0000_0000_2000);
    // LDRAB X0, [X1]: no code of it.
    assert_eq!(step(0xf8a00420, &mut regs, &mut env), Err(Exit::Taken));
}
