//! The formats in which an image may be: an ELF file, an arm64 Image, or raw bytes.
//!
//! The header of an arm64 Image: the kernel's documentation, `arch/arm64/booting`, section 4: two words of code, then
//! `text_offset`, `image_size` and flags of 64 bits each, little-endian, and a magic number at byte 56.

use crate::elf;
use crate::image::{Format, Image, Piece};
use boards::Span;

/// Bytes of the header of an arm64 Image.
const HEADER: usize = 64;
/// `ARM\x64`, at byte 56.
const MAGIC: &[u8] = b"ARM\x64";
/// Where the base of an arm64 Image is aligned to.
const ALIGNMENT: u64 = 0x20_0000;

/// The 64-bit number at a byte of a header.
fn number(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

impl Image {
    /// Reads an image. One without an address says itself where it goes; an arm64 Image goes `text_offset` bytes behind the
    /// first multiple of 2 MiB from `base` on.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and what was expected.
    pub fn read(bytes: Vec<u8>, address: Option<u64>, base: u64) -> Result<Self, String> {
        if bytes.is_empty() {
            return Err("the file is empty; expected an ELF file, an arm64 Image, or bytes".into());
        }
        if let Some(address) = address {
            let size = bytes.len() as u64;
            return Ok(Self { format: Format::Raw, pieces: vec![Piece { address, bytes, size }], entry: address });
        }
        if bytes.starts_with(elf::MAGIC) {
            return elf::read(&bytes);
        }
        if bytes.get(56..60) == Some(MAGIC) {
            return Self::arm64(bytes, base);
        }
        Err("it is neither an ELF file nor an arm64 Image; expected one of them, or FILE@ADDR for raw bytes".into())
    }

    fn arm64(bytes: Vec<u8>, base: u64) -> Result<Self, String> {
        let (Some(offset), Some(size), Some(flags)) = (number(&bytes, 8), number(&bytes, 16), number(&bytes, 24))
        else {
            return Err(format!("its header is cut off; expected {HEADER} bytes"));
        };
        if bytes.len() < HEADER {
            return Err(format!("its header is cut off; expected {HEADER} bytes"));
        }
        if flags & 1 == 1 {
            return Err("it is a big-endian arm64 Image; expected a little-endian one".into());
        }
        let length = bytes.len() as u64;
        // A kernel older than 3.17 says nothing: then it takes what it is long.
        let size = if size == 0 { length } else { size };
        if size < length {
            return Err(format!("its header says that it takes {size:#x} bytes, and it has {length:#x}"));
        }
        let base = base.checked_next_multiple_of(ALIGNMENT);
        let address = base.and_then(|base| base.checked_add(offset));
        let address = address.filter(|address| Span::with_size(*address, size).is_some());
        let Some(address) = address else {
            return Err(format!(
                "its header asks for {size:#x} bytes from offset {offset:#x} on, beyond the last address"
            ));
        };
        Ok(Self { format: Format::Arm64Image, pieces: vec![Piece { address, bytes, size }], entry: address })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn header(offset: u64, size: u64, flags: u64) -> Vec<u8> {
        let mut bytes = vec![0; 128];
        bytes[8..16].copy_from_slice(&offset.to_le_bytes());
        bytes[16..24].copy_from_slice(&size.to_le_bytes());
        bytes[24..32].copy_from_slice(&flags.to_le_bytes());
        bytes[56..60].copy_from_slice(MAGIC);
        bytes
    }

    #[test]
    fn a_kernel_goes_behind_a_multiple_of_two_mebibytes() {
        let image = Image::read(header(0x8_0000, 0x10_0000, 2), None, 0x1000).unwrap();
        assert_eq!((image.format, image.entry), (Format::Arm64Image, 0x28_0000));
        assert_eq!(image.pieces.first().map(|piece| piece.size), Some(0x10_0000));
        let old = Image::read(header(0, 0, 0), None, 0).unwrap();
        assert_eq!(old.pieces.first().map(|piece| (piece.address, piece.size)), Some((0, 128)));
    }

    #[test]
    fn a_kernel_that_cannot_be_says_why() {
        for (bytes, says) in [
            (header(0, 64, 0), "0x40 bytes"),
            (header(0, 0, 1), "big-endian"),
            (header(u64::MAX - 10, 0x1000, 0), "beyond the last address"),
            (header(0, u64::MAX, 0), "beyond the last address"),
            (header(0, 0, 0)[..61].to_vec(), "cut off"),
            (header(0, 0, 0)[..59].to_vec(), "neither"),
            (Vec::new(), "empty"),
        ] {
            let error = Image::read(bytes, None, 0x20_0000).unwrap_err();
            assert!(error.contains(says), "{says}: {error}");
        }
    }

    #[test]
    fn raw_bytes_start_where_they_go() {
        let image = Image::read(vec![1, 2], Some(0x42), 0).unwrap();
        assert_eq!((image.entry, image.pieces.len(), image.format), (0x42, 1, Format::Raw));
    }
}
