//! Instructions of the image that would not trap here although the PE that is played has another register in that place, or that
//! would act on the exception level that both share: they are made undefined, and remembered.

use crate::played::Played;

/// Where the image's text is: the linker script of v8r has it so.
const TEXT: (usize, usize) = (0x0020_0000, 0x8_0000);
/// `ERET`.
pub(crate) const ERET: u32 = 0xd69f_03e0;
/// How many can be remembered.
const MOST: usize = 512;

/// What was there, by the immediate of the UDF that is there now.
pub(crate) struct Patches {
    words: [u32; MOST],
    used: usize,
}

impl Patches {
    pub(crate) const fn new() -> Self {
        Self { words: [0; MOST], used: 0 }
    }

    /// Goes through the image's text; its address on virt is `offset` up. How many there were, if they could be remembered.
    pub(crate) fn make(&mut self, offset: usize) -> Option<usize> {
        for address in (TEXT.0 + offset..TEXT.0 + offset + TEXT.1).step_by(4) {
            let at = address as *mut u32;
            // SAFETY: the image's text, which nothing runs yet.
            let word = unsafe { at.read() };
            if word == ERET || Played::of(word).is_some_and(Played::is_silent) {
                *self.words.get_mut(self.used)? = word;
                // SAFETY: as before. UDF has its immediate in the lower half, and nothing in the upper.
                unsafe { at.write(self.used as u32) };
                self.used += 1;
            }
        }
        Some(self.used)
    }

    /// The instruction that `word`, which was found undefined, stands for.
    pub(crate) fn original(&self, word: u32) -> u32 {
        self.words[..self.used].get(word as usize).copied().unwrap_or(word)
    }
}
