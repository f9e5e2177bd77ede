//! Branches, hints and barriers.

use super::State::{Nzcv, Pc, X};
use super::{Case, check};

/// What is executed, its word, what is set before and what holds after.
#[rustfmt::skip]
const CASES: &[Case] = &[
    ("b .+8", 0x14000002, &[], &[Pc(0x1008)]),
    ("b .-0x1000", 0x17fffc00, &[], &[Pc(0)]),
    ("bl .+0x100", 0x94000040, &[], &[Pc(0x1100), X(30, 0x1004)]),
    ("b.eq .+8", 0x54000040, &[Nzcv(0b0100)], &[Pc(0x1008)]),
    ("b.ne .+8", 0x54000041, &[Nzcv(0b0100)], &[Pc(0x1004)]),
    ("b.cs .+8", 0x54000042, &[Nzcv(0b0010)], &[Pc(0x1008)]),
    ("b.mi .-8", 0x54ffffc4, &[Nzcv(0b1000)], &[Pc(0xff8)]),
    ("b.vs .+8", 0x54000046, &[Nzcv(0b0001)], &[Pc(0x1008)]),
    ("b.hi .+8", 0x54000048, &[Nzcv(0b0110)], &[Pc(0x1004)]),
    ("b.ls .+8", 0x54000049, &[Nzcv(0b0110)], &[Pc(0x1008)]),
    ("b.ge .+8", 0x5400004a, &[Nzcv(0b1001)], &[Pc(0x1008)]),
    ("b.lt .+8", 0x5400004b, &[Nzcv(0b1001)], &[Pc(0x1004)]),
    ("b.gt .+8", 0x5400004c, &[Nzcv(0b0000)], &[Pc(0x1008)]),
    ("b.le .+8", 0x5400004d, &[Nzcv(0b0100)], &[Pc(0x1008)]),
    ("b.al .+8", 0x5400004e, &[], &[Pc(0x1008)]),
    ("cbz x1, .+0x20", 0xb4000101, &[X(1, 0)], &[Pc(0x1020)]),
    ("cbz w1, .+0x20", 0x34000101, &[X(1, 0xf00000000)], &[Pc(0x1020)]),
    ("cbz x1, .+0x20", 0xb4000101, &[X(1, 0xf00000000)], &[Pc(0x1004)]),
    ("cbnz w1, .-0x20", 0x35ffff01, &[X(1, 1)], &[Pc(0xfe0)]),
    ("tbz x1, #63, .+8", 0xb6f80041, &[X(1, 0x8000000000000000)], &[Pc(0x1004)]),
    ("tbz w1, #3, .+8", 0x36180041, &[X(1, 7)], &[Pc(0x1008)]),
    ("tbnz x1, #33, .-8", 0xb70fffc1, &[X(1, 0x200000000)], &[Pc(0xff8)]),
    ("br x1", 0xd61f0020, &[X(1, 0x4000)], &[Pc(0x4000)]),
    ("blr x30", 0xd63f03c0, &[X(30, 0x4000)], &[Pc(0x4000), X(30, 0x1004)]),
    ("ret", 0xd65f03c0, &[X(30, 0x4000)], &[Pc(0x4000)]),
    ("ret x1", 0xd65f0020, &[X(1, 0x4000)], &[Pc(0x4000)]),
    ("nop", 0xd503201f, &[], &[Pc(0x1004)]),
    ("yield", 0xd503203f, &[], &[Pc(0x1004)]),
    ("csdb", 0xd503229f, &[], &[Pc(0x1004)]),
    ("bti c", 0xd503245f, &[], &[Pc(0x1004)]),
    ("clrex", 0xd5033f5f, &[], &[Pc(0x1004)]),
    ("dsb sy", 0xd5033f9f, &[], &[Pc(0x1004)]),
    ("dmb ish", 0xd5033bbf, &[], &[Pc(0x1004)]),
    ("isb", 0xd5033fdf, &[], &[Pc(0x1004)]),
    ("sb", 0xd50330ff, &[], &[Pc(0x1004)]),
];

#[test]
fn each_does_what_the_manual_says() {
    check(CASES);
}
