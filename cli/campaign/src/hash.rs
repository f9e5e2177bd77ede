//! A hash that is the same on every machine and in every version.

use sim_core::splitmix::mix64;

/// FNV-1a over 64 bits (Fowler, Noll, Vo), finished by [`mix64`], as the low bits of FNV alone follow the low bits of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    pub(crate) fn number(&mut self, number: u64) {
        self.bytes(&number.to_le_bytes());
    }

    /// A text, with its length, so that two texts are not one.
    pub(crate) fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.bytes(text.as_bytes());
    }

    pub(crate) const fn finish(self) -> u64 {
        mix64(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(put: impl FnOnce(&mut Fnv)) -> Fnv {
        let mut hash = Fnv::default();
        put(&mut hash);
        hash
    }

    /// Values that the authors of FNV publish.
    #[test]
    fn the_hash_is_the_published_one() {
        for (text, hash) in
            [("", 0xcbf2_9ce4_8422_2325), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8)]
        {
            assert_eq!(of(|fnv| fnv.bytes(text.as_bytes())), Fnv(hash), "{text}");
        }
    }

    #[test]
    fn where_one_text_ends_counts() {
        let two = |texts: [&str; 2]| of(|fnv| texts.iter().for_each(|text| fnv.text(text))).finish();
        assert_ne!(two(["ab", "c"]), two(["a", "bc"]));
    }
}
