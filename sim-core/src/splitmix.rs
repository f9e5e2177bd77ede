//! `SplitMix64`, a generator of numbers (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014).

/// The generator; any state will do.
#[derive(Clone, Debug)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// A generator of which `state` is all that decides.
    #[must_use]
    pub const fn new(state: u64) -> Self {
        Self(state)
    }

    /// The next number.
    pub const fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix64(self.0)
    }
}

/// The generator's output function, in which each bit of `state` decides each bit of the result: Stafford's variant 13 of the
/// 64-bit finaliser of `MurmurHash3`. One to one, and 0 stays 0.
#[must_use]
pub const fn mix64(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers that implementations of the generator are compared by.
    #[test]
    fn the_generator_is_the_published_one() {
        let mut numbers = SplitMix64::new(1_234_567);
        let first = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!(first, core::array::from_fn(|_| numbers.draw()));
        assert_eq!(mix64(0), 0);
    }
}
