//! Words by chance.

use super::{Plain, registers};
use crate::a64::{decode, execute};
use crate::exception::Exit;
use crate::features::Features;

/// A generator of numbers that look random (Steele, Lea, Flood: `SplitMix64`).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// Every word decodes and executes without a panic, advances or ends, and without FP and Advanced SIMD touches none of it.
#[test]
fn no_word_panics() {
    let mut numbers = Numbers(0x0a64);
    let mut env = Plain::new();
    env.checks_sp = false;
    env.key = Some(1);
    let mut regs = registers();
    let mut built = 0;
    for _ in 0..1 << 20 {
        let word = numbers.next() as u32;
        for fp_simd in [true, false] {
            let insn = decode(word, Features { fp_simd });
            // Registers point into memory half of the time.
            let register = (numbers.next() & 31) as u8;
            regs.set_x(register, numbers.next() & if word & 1 == 0 { u64::MAX } else { 0xfff8 });
            regs.set_sp(numbers.next() & 0xfff0);
            regs.pc = super::PC;
            env.asked.clear();
            let outcome = execute(&insn, &mut regs, &mut env);
            assert_eq!(insn.is_unallocated(), outcome == Err(Exit::Undefined), "{word:#010x} {insn:?}");
            assert_eq!(insn.not_built().is_some(), matches!(outcome, Err(Exit::NotBuilt(_))), "{word:#010x}");
            assert!(fp_simd || !env.asked.contains(&super::Asked::FpAccess), "{word:#010x}");
            built += u32::from(outcome.is_ok());
        }
    }
    assert!(built > 1 << 18, "{built} words of {} were executed", 1 << 21);
}
