//! Words to instructions: the top level of the encodings (Arm ARM, C4.1).
//!
//! Where a word is CONSTRAINED UNPREDICTABLE, one behaviour is chosen, and it is the same each time:
//!
//! * Bits that should be zero or one and are not: SB, CFINV and LDAPR are UNDEFINED; the unused register fields of exclusive, ordered
//!   and multiply-high instructions are ignored, as are the unused ones of PSTATE immediates.
//! * Writeback to a base that is also transferred: the store stores the base as it was; after a load, the writeback stays.
//! * A load of a pair into one register: of general registers by LDP, the first value stays, otherwise the second.
//! * STXR and STXP whose status register is the base or the data: the status is written last.

mod branch;
mod immediate;
mod memory;
mod register;
mod simd;
mod structure;
mod vector;

use crate::a64::bits::bits;
use crate::a64::insn::{Insn, Op};
use crate::features::Features;

/// The instruction that a word is for a PE of these features.
#[must_use]
pub fn decode(word: u32, features: Features) -> Insn {
    let op = match bits(word, 25, 4) {
        0b1000 | 0b1001 => immediate::decode(word),
        0b1010 | 0b1011 => branch::decode(word),
        0b0101 | 0b1101 => register::decode(word),
        0b0100 | 0b1100 => memory::decode(word),
        0b0110 | 0b1110 if features.fp_simd => vector::decode(word),
        0b0111 | 0b1111 if features.fp_simd => simd::decode(word),
        _ => Op::Unallocated,
    };
    Insn(op)
}
