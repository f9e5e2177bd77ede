//! What an image said, until it is taken.

use alloc::vec::Vec;

/// Where bytes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A UART, the console being 0.
    Uart(usize),
    /// Semihosting's standard output.
    Semihosting,
    /// Semihosting's standard error.
    SemihostingError,
}

/// Bytes that are kept; a run stops to have them taken.
const MOST: usize = 1 << 16;

/// Bytes that an image sent. What was taken already is not in it, so that it is no part of the state.
#[derive(Clone, Debug, Default)]
pub(crate) struct Output {
    bytes: Vec<(Source, u8)>,
}

impl PartialEq for Output {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Output {
    pub(crate) fn push(&mut self, uart: usize, byte: u8) {
        self.bytes.push((Source::Uart(uart), byte));
    }

    pub(crate) fn print(&mut self, source: Source, bytes: &[u8]) {
        self.bytes.extend(bytes.iter().map(|byte| (source, *byte)));
    }

    /// Whether it is time to take it.
    #[inline]
    pub(crate) const fn is_full(&self) -> bool {
        self.bytes.len() >= MOST
    }

    pub(crate) fn take(&mut self) -> Vec<(Source, u8)> {
        core::mem::take(&mut self.bytes)
    }
}
