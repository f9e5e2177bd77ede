//! Data processing of SIMD&FP registers (Arm ARM, C4.1.90 in issue I.a).
//!
//! Built are the integer instructions of Advanced SIMD and the moves. Floating-point arithmetic, comparison and conversion are not:
//! their words name their groups. Half precision (`FEAT_FP16`) and the Cryptographic Extension are not declared, so that their words
//! are unallocated.

mod copy;
mod different;
mod element;
mod float;
mod immediate;
mod miscellaneous;
mod same;
mod shape;

use crate::a64::bits::{bit, bits};
use crate::a64::insn::Op;
use shape::{built, lanes};

pub(super) fn decode(word: u32) -> Op {
    match (bit(word, 31), bit(word, 30), bits(word, 24, 5)) {
        (false, _, 0b01110) => vector(word),
        (false, _, 0b01111) => immediate_or_element(word, false),
        (false, true, 0b11110) => scalar(word),
        (false, true, 0b11111) => immediate_or_element(word, true),
        (_, false, 0b11110 | 0b11111) => float::decode(word),
        _ => Op::Unallocated,
    }
}

/// What is common to `0 Q U 01110` words.
fn vector(word: u32) -> Op {
    let quad = bit(word, 30);
    let unsigned = bit(word, 29);
    let size = bits(word, 22, 2) as u8;
    match (bit(word, 21), bit(word, 15), bit(word, 11), bit(word, 10)) {
        (true, _, _, true) => same::decode(word, false),
        (true, _, false, false) => built(different::decode(word, false)),
        (true, _, true, false) => match bits(word, 17, 4) {
            0b0000 => miscellaneous::decode(word, false),
            0b1000 => miscellaneous::across(word),
            _ => Op::Unallocated,
        },
        (false, true, _, true) => same::extra(word, false),
        (false, false, _, true) if size == 0 => built(copy::decode(word)),
        (false, false, _, false) if unsigned && size == 0 => built(copy::extract(word)),
        (false, false, true, false) if !unsigned => built(copy::permute(word, lanes(quad, size))),
        (false, false, false, false) if !unsigned && size == 0 => built(Some(copy::table(word))),
        _ => Op::Unallocated,
    }
}

/// What is common to `01 U 11110` words.
fn scalar(word: u32) -> Op {
    match (bit(word, 21), bit(word, 15), bit(word, 11), bit(word, 10)) {
        (true, _, _, true) => same::decode(word, true),
        (true, _, false, false) => built(different::decode(word, true)),
        (true, _, true, false) => match bits(word, 17, 4) {
            0b0000 => miscellaneous::decode(word, true),
            0b1000 => miscellaneous::pairwise(word),
            _ => Op::Unallocated,
        },
        (false, true, _, true) => same::extra(word, true),
        (false, false, _, true) if bits(word, 22, 2) == 0 => built(copy::scalar(word)),
        _ => Op::Unallocated,
    }
}

/// `01111` words: shifts by an immediate, modified immediates, and operations with one element.
fn immediate_or_element(word: u32, scalar: bool) -> Op {
    match (bit(word, 10), bit(word, 23), bits(word, 19, 4)) {
        (false, ..) => element::decode(word, scalar),
        (true, true, _) => Op::Unallocated,
        (true, false, 0) if scalar => Op::Unallocated,
        (true, false, 0) => immediate::modified(word),
        (true, false, _) => immediate::shift(word, scalar),
    }
}
