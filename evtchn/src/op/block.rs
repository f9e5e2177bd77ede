//! Argument blocks as words, and the fields in them.

/// 32-bit words of the largest blocks, `evtchn_status` and `evtchn_init_control`.
pub const WORDS: usize = 6;

/// An argument block as 32-bit words, those behind its end zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Block(pub [u32; WORDS]);

/// What an argument or an output is: where it stands in the block, and how wide it is.
pub(super) trait Field: Copy {
    fn get(block: &Block, at: usize) -> Self;
    fn put(self, block: &mut Block, at: usize);
    /// From a number of any width, cut as a C assignment cuts it.
    fn cut(value: u64) -> Self;
    fn to_number(self) -> u64;
}

impl Block {
    pub(super) fn word(&self, word: usize) -> u32 {
        self.0.get(word).copied().unwrap_or(0)
    }

    pub(super) fn set(&mut self, word: usize, value: u32) {
        if let Some(place) = self.0.get_mut(word) {
            *place = value;
        }
    }

    /// From the bytes that stand in guest memory; a short last word is zero-extended, bytes behind the largest block are
    /// not looked at.
    #[must_use]
    #[inline]
    pub fn from_bytes(bytes: &[u8; WORDS * 4]) -> Self {
        let mut block = Self::default();
        for (word, bytes) in block.0.iter_mut().zip(bytes.as_chunks::<4>().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        block
    }

    /// As bytes that stand in guest memory.
    #[must_use]
    #[inline]
    pub fn to_bytes(&self) -> [u8; WORDS * 4] {
        let mut bytes = [0; WORDS * 4];
        for (bytes, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(self.0) {
            *bytes = word.to_le_bytes();
        }
        bytes
    }
}

/// Byte offsets within a block; a 16-bit field may stand in either half of its word.
impl Field for u16 {
    fn get(block: &Block, at: usize) -> Self {
        (block.word(at / 4) >> (at % 4 * 8)) as Self
    }

    fn put(self, block: &mut Block, at: usize) {
        let shift = at % 4 * 8;
        let others = block.word(at / 4) & !(u32::from(Self::MAX) << shift);
        block.set(at / 4, others | u32::from(self) << shift);
    }

    fn cut(value: u64) -> Self {
        value as Self
    }

    fn to_number(self) -> u64 {
        self.into()
    }
}

impl Field for u32 {
    fn get(block: &Block, at: usize) -> Self {
        block.word(at / 4)
    }

    fn put(self, block: &mut Block, at: usize) {
        block.set(at / 4, self);
    }

    fn cut(value: u64) -> Self {
        value as Self
    }

    fn to_number(self) -> u64 {
        self.into()
    }
}

impl Field for u64 {
    fn get(block: &Block, at: usize) -> Self {
        Self::from(block.word(at / 4 + 1)) << 32 | Self::from(block.word(at / 4))
    }

    fn put(self, block: &mut Block, at: usize) {
        block.set(at / 4, self as u32);
        block.set(at / 4 + 1, (self >> 32) as u32);
    }

    fn cut(value: u64) -> Self {
        value
    }

    fn to_number(self) -> u64 {
        self
    }
}
