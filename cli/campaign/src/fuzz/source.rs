//! Where choices come from: a seed, or bytes that a fuzz engine mutates. The generator is the same.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A stream of choices.
pub trait Source {
    /// The next 16 bits.
    fn bits(&mut self) -> u16;

    /// A number below `n`, which is at least 1 and at most 65536.
    fn below(&mut self, n: u32) -> u32 {
        (u32::from(self.bits()) * n) >> 16
    }

    /// True with `percent` chances in 100.
    fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }

    /// One of several values, the first if there is none.
    fn pick<T: Copy + Default>(&mut self, of: &[T]) -> T {
        let at = self.below(u32::try_from(of.len()).unwrap_or(u32::MAX).clamp(1, 1 << 16));
        of.get(at as usize).copied().unwrap_or_default()
    }
}

/// Choices of one case of a campaign: the same for the same seed and number, on every machine.
#[derive(Debug)]
pub struct Seeded(ChaCha8Rng);

impl Seeded {
    /// The choices of case `case` under `seed`.
    #[must_use]
    pub fn new(seed: u64, case: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(case);
        Self(rng)
    }
}

impl Source for Seeded {
    fn bits(&mut self) -> u16 {
        self.0.next_u32() as u16
    }
}

/// Bytes of a fuzz engine; zeros when they are used up.
#[derive(Debug)]
pub struct Bytes<'a>(pub &'a [u8]);

impl Source for Bytes<'_> {
    fn bits(&mut self) -> u16 {
        let Some((low, rest)) = self.0.split_first() else { return 0 };
        let (high, rest) = rest.split_first().unwrap_or((&0, rest));
        self.0 = rest;
        // The first byte decides most of a choice, so that a change of one byte is a change of one choice.
        u16::from_be_bytes([*low, *high])
    }
}
