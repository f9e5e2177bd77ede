//! Files of text that others wrote: none is read beyond the size that it may have.

use std::fs::File;
use std::io::{Error, Read};
use std::path::Path;
use std::str::Utf8Error;

/// Why there is no text.
#[derive(Debug)]
pub enum Unread {
    /// The file cannot be opened or read.
    Io(Error),
    /// The file has more bytes than it may have.
    TooLarge,
    /// The file is not UTF-8.
    NotUtf8 {
        /// The line of the first byte that is wrong, from 1.
        line: usize,
        /// Bytes before it.
        offset: usize,
        /// The byte.
        byte: u8,
        /// What is wrong with it.
        error: Utf8Error,
    },
}

/// The text of a file of at most `most` bytes.
pub fn text(path: &Path, most: u64) -> Result<String, Unread> {
    of(File::open(path).map_err(Unread::Io)?, most)
}

fn of(file: impl Read, most: u64) -> Result<String, Unread> {
    let mut bytes = Vec::new();
    // A pipe or a device does not say how long it is: one byte more than allowed tells that it is too large.
    file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(Unread::Io)?;
    if bytes.len() as u64 > most {
        return Err(Unread::TooLarge);
    }
    String::from_utf8(bytes).map_err(|wrong| {
        let (error, bytes) = (wrong.utf8_error(), wrong.as_bytes());
        let offset = error.valid_up_to();
        let line = bytes.iter().take(offset).filter(|byte| **byte == b'\n').count() + 1;
        Unread::NotUtf8 { line, offset, byte: bytes.get(offset).copied().unwrap_or_default(), error }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_the_last_size_that_is_read() {
        assert!(of(&b"four"[..], 4).is_ok_and(|text| text == "four"));
        assert!(matches!(of(&b"five5"[..], 4), Err(Unread::TooLarge)));
        assert!(matches!(of(std::io::repeat(b'a'), 4), Err(Unread::TooLarge)), "without an end");
    }

    #[test]
    fn the_first_byte_that_is_not_utf8_has_its_place() {
        let wrong = of(&b"one\n\xc3\xbc\n ab\xff\xfe\n"[..], 100);
        assert!(matches!(wrong, Err(Unread::NotUtf8 { line: 3, offset: 10, byte: 0xff, .. })), "{wrong:?}");
    }

    #[test]
    fn a_file_that_is_not_there_is_an_error() {
        assert!(matches!(text(Path::new("no/such/file"), 4), Err(Unread::Io(_))));
    }
}
