//! A small assembler: instructions as words, at addresses that go up.

use crate::a64::SysEncoding;
use std::vec::Vec;

/// Words from an address on.
pub(super) struct Program {
    base: u64,
    words: Vec<u32>,
}

/// `B .`
pub(super) const LOOP: u32 = 0x1400_0000;
pub(super) const NOP: u32 = 0xd503_201f;
pub(super) const ISB: u32 = 0xd503_3fdf;
pub(super) const DSB: u32 = 0xd503_3f9f;
pub(super) const ERET: u32 = 0xd69f_03e0;
pub(super) const WFI: u32 = 0xd503_207f;
pub(super) const WFE: u32 = 0xd503_205f;
pub(super) const SEV: u32 = 0xd503_209f;

pub(super) const fn svc(imm: u16) -> u32 {
    0xd400_0001 | (imm as u32) << 5
}
pub(super) const fn hvc(imm: u16) -> u32 {
    0xd400_0002 | (imm as u32) << 5
}
pub(super) const fn smc(imm: u16) -> u32 {
    0xd400_0003 | (imm as u32) << 5
}
pub(super) const fn brk(imm: u16) -> u32 {
    0xd420_0000 | (imm as u32) << 5
}
pub(super) const fn msr(register: SysEncoding, t: u32) -> u32 {
    0xd500_0000 | (register.0 as u32) << 5 | t
}
pub(super) const fn mrs(t: u32, register: SysEncoding) -> u32 {
    0xd520_0000 | (register.0 as u32) << 5 | t
}
/// `STR Xt, [Xn]`.
pub(super) const fn str64(t: u32, n: u32) -> u32 {
    0xf900_0000 | n << 5 | t
}
pub(super) const fn ldr64(t: u32, n: u32) -> u32 {
    0xf940_0000 | n << 5 | t
}
pub(super) const fn str32(t: u32, n: u32) -> u32 {
    0xb900_0000 | n << 5 | t
}
pub(super) const fn ldr32(t: u32, n: u32) -> u32 {
    0xb940_0000 | n << 5 | t
}
/// `LDRSB Wt, [Xn]`.
pub(super) const fn ldrsb(t: u32, n: u32) -> u32 {
    0x39c0_0000 | n << 5 | t
}
pub(super) const fn ldxr(t: u32, n: u32) -> u32 {
    0xc85f_7c00 | n << 5 | t
}
pub(super) const fn stxr(s: u32, t: u32, n: u32) -> u32 {
    0xc800_7c00 | s << 16 | n << 5 | t
}
pub(super) const fn stlr(t: u32, n: u32) -> u32 {
    0xc89f_fc00 | n << 5 | t
}
/// `LDADD Xs, Xt, [Xn]`.
pub(super) const fn ldadd(s: u32, t: u32, n: u32) -> u32 {
    0xf820_0000 | s << 16 | n << 5 | t
}
pub(super) const fn add(d: u32, n: u32, imm: u32) -> u32 {
    0x9100_0000 | imm << 10 | n << 5 | d
}
pub(super) const fn sub(d: u32, n: u32, imm: u32) -> u32 {
    0xd100_0000 | imm << 10 | n << 5 | d
}

impl Program {
    pub(super) const fn at(base: u64) -> Self {
        Self { base, words: Vec::new() }
    }

    /// The address of the next word.
    pub(super) fn here(&self) -> u64 {
        self.base + 4 * self.words.len() as u64
    }

    pub(super) fn put(&mut self, word: u32) -> &mut Self {
        self.words.push(word);
        self
    }

    pub(super) fn puts(&mut self, words: &[u32]) -> &mut Self {
        self.words.extend_from_slice(words);
        self
    }

    /// MOVZ and MOVK.
    pub(super) fn mov(&mut self, d: u32, value: u64) -> &mut Self {
        self.put(0xd280_0000 | (value as u32 & 0xffff) << 5 | d);
        for part in 1..4 {
            let bits = (value >> (16 * part)) as u32 & 0xffff;
            if bits != 0 {
                self.put(0xf280_0000 | part << 21 | bits << 5 | d);
            }
        }
        self
    }

    /// MSR of a value, by X9.
    pub(super) fn set(&mut self, register: SysEncoding, value: u64) -> &mut Self {
        self.mov(9, value).put(msr(register, 9))
    }

    /// A store of a word, by X9 and X10.
    pub(super) fn store32(&mut self, address: u64, value: u32) -> &mut Self {
        self.mov(10, address).mov(9, value.into()).put(str32(9, 10))
    }

    fn offset(&self, to: u64, bits: u32) -> u32 {
        (to.wrapping_sub(self.here()) as u32 >> 2) & ((1 << bits) - 1)
    }

    pub(super) fn cbz(&mut self, t: u32, to: u64) -> &mut Self {
        let word = 0xb400_0000 | self.offset(to, 19) << 5 | t;
        self.put(word)
    }

    pub(super) fn cbnz(&mut self, t: u32, to: u64) -> &mut Self {
        let word = 0xb500_0000 | self.offset(to, 19) << 5 | t;
        self.put(word)
    }

    pub(super) fn b(&mut self, to: u64) -> &mut Self {
        let word = 0x1400_0000 | self.offset(to, 26);
        self.put(word)
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }
}
