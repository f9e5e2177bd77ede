//! Memory: 4 KiB frames, given when first written. What was never written reads as zero.

use super::attributes::{Mark, PER_FRAME};
use crate::layout::{PAGE_SIZE, Span};
use alloc::boxed::Box;
use alloc::vec::Vec;
use mpu_model::GRANULE;

type Frame = [u8; PAGE_SIZE as usize];

/// A frame, and how each of its granules was last accessed.
#[derive(Debug)]
struct PageFrame {
    bytes: Frame,
    marks: [Mark; PER_FRAME],
    /// Which write the last one to this frame was, counted from 1.
    written: u64,
}

/// Entries of one directory: with 4 KiB frames, 2 MiB.
const DIRECTORY: usize = 512;

/// Directories of one part of the address space: with 2 MiB each, 16 GiB.
const PART: usize = 8192;

/// The directories of 16 GiB, as many as were needed so far.
#[derive(Debug)]
struct Part {
    /// Which 16 GiB of the address space.
    number: u64,
    directories: Vec<Option<Box<[u32; DIRECTORY]>>>,
}

/// Three levels: a directory for every 2 MiB that was ever written, in the part of the address space that has it. What a
/// machine takes of the host follows from what is written, wherever it lies.
#[derive(Debug)]
pub struct Ram {
    /// Where there is memory.
    spans: Vec<Span>,
    /// In order.
    parts: Vec<Part>,
    frames: Vec<Box<PageFrame>>,
    writes: u64,
}

/// Where an address is: number of its part, directory in it, entry of that, byte in the frame.
#[derive(Clone, Copy)]
struct Place {
    part: u64,
    directory: usize,
    entry: usize,
    within: usize,
}

impl Ram {
    /// Memory at `spans`, all zero.
    #[must_use]
    pub const fn new(spans: Vec<Span>) -> Self {
        Self { spans, parts: Vec::new(), frames: Vec::new(), writes: 0 }
    }

    /// Whether all of `size` bytes from `address` are memory.
    #[must_use]
    pub fn holds(&self, address: u64, size: u64) -> bool {
        let covers = |access: Span| self.spans.iter().any(|span| span.covers(&access));
        Span::with_size(address, size).is_some_and(covers)
    }

    const fn place(address: u64) -> Place {
        let frame = address / PAGE_SIZE;
        let directory = frame / DIRECTORY as u64;
        Place {
            part: directory / PART as u64,
            directory: (directory % PART as u64) as usize,
            entry: (frame % DIRECTORY as u64) as usize,
            within: (address % PAGE_SIZE) as usize,
        }
    }

    /// The position among the parts, or where it would be.
    fn part(&self, number: u64) -> Result<usize, usize> {
        match self.parts.first() {
            // All that most systems have lies in one part.
            Some(first) if first.number == number => Ok(0),
            _ => self.parts.binary_search_by_key(&number, |part| part.number),
        }
    }

    /// The number of the frame at `place`, counted from 1; 0: it was never written.
    fn number(&self, place: Place) -> Option<u32> {
        let part = self.parts.get(self.part(place.part).ok()?)?;
        part.directories.get(place.directory)?.as_ref()?.get(place.entry).copied()
    }

    fn frame_at(&self, place: Place) -> Option<&PageFrame> {
        let number = self.number(place)?;
        self.frames.get((number as usize).checked_sub(1)?).map(|frame| &**frame)
    }

    fn frame(&self, place: Place) -> Option<&Frame> {
        self.frame_at(place).map(|frame| &frame.bytes)
    }

    fn frame_mut(&mut self, place: Place) -> Option<&mut Frame> {
        let at = self.part(place.part).unwrap_or_else(|at| {
            self.parts.insert(at, Part { number: place.part, directories: Vec::new() });
            at
        });
        let directories = &mut self.parts.get_mut(at)?.directories;
        if place.directory >= directories.len() {
            directories.resize_with(place.directory + 1, || None);
        }
        let table = directories.get_mut(place.directory)?.get_or_insert_with(|| Box::new([0; DIRECTORY]));
        let number = table.get_mut(place.entry)?;
        if *number == 0 {
            self.frames.push(Box::new(PageFrame { bytes: [0; PAGE_SIZE as usize], marks: [0; PER_FRAME], written: 0 }));
            *number = u32::try_from(self.frames.len()).ok()?;
        }
        let frame = self.frames.get_mut((*number as usize).checked_sub(1)?)?;
        self.writes += 1;
        frame.written = self.writes;
        Some(&mut frame.bytes)
    }

    /// How the granule that holds `address` was last accessed; `None` if it was never written.
    pub(super) fn mark_mut(&mut self, address: u64) -> Option<&mut Mark> {
        let place = Self::place(address);
        let number = self.number(place)?;
        let frame = self.frames.get_mut((number as usize).checked_sub(1)?)?;
        frame.marks.get_mut(place.within / GRANULE as usize)
    }

    /// Reads up to 8 bytes, little-endian.
    #[must_use]
    pub fn read(&self, address: u64, size: usize) -> u64 {
        let place = Self::place(address);
        if let Some(bytes) = place.within.checked_add(size).and_then(|end| self.frame(place)?.get(place.within..end)) {
            return bytes.iter().rev().fold(0, |value, byte| (value << 8) | u64::from(*byte));
        }
        // Never written, or across a frame's end.
        (0..size).rev().fold(0, |value, at| (value << 8) | u64::from(self.byte(address.wrapping_add(at as u64))))
    }

    fn byte(&self, address: u64) -> u8 {
        let place = Self::place(address);
        self.frame(place).and_then(|frame| frame.get(place.within)).copied().unwrap_or(0)
    }

    /// Writes the low `size` bytes of `value`, up to 8, little-endian.
    pub fn write(&mut self, address: u64, size: usize, value: u64) {
        let value = value.to_le_bytes();
        let place = Self::place(address);
        let end = place.within.wrapping_add(size);
        if value == [0; 8] && end <= PAGE_SIZE as usize && self.frame(place).is_none() {
            // Zeros over what was never written need no frame: clearing a bank costs no memory.
            return;
        }
        if let Some(bytes) = self.frame_mut(place).and_then(|frame| frame.get_mut(place.within..end)) {
            for (to, from) in bytes.iter_mut().zip(value) {
                *to = from;
            }
            return;
        }
        for (at, byte) in (0u64..).zip(value.iter().take(size)) {
            let place = Self::place(address.wrapping_add(at));
            if let Some(to) = self.frame_mut(place).and_then(|frame| frame.get_mut(place.within)) {
                *to = *byte;
            }
        }
    }

    /// The frame that holds `address`, with its bytes; `None` if nothing was ever written there.
    #[must_use]
    pub fn page(&self, address: u64) -> Option<&[u8; PAGE_SIZE as usize]> {
        let place = Self::place(address);
        self.frame(place)
    }

    /// How many writes there were: one that wants to know later what was written since keeps this.
    #[must_use]
    pub const fn writes(&self) -> u64 {
        self.writes
    }

    /// Which write was the last to the frame that holds `address`, by [`Ram::writes`]; 0 if nothing was ever written there.
    #[must_use]
    pub fn written(&self, address: u64) -> u64 {
        let place = Self::place(address);
        self.frame_at(place).map_or(0, |frame| frame.written)
    }

    /// Sets `size` bytes to zero.
    pub fn zero(&mut self, address: u64, size: u64) {
        for at in 0..size {
            self.write(address.wrapping_add(at), 1, 0);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop")]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_across_frames_and_directories() {
        let base = 0x2000_0000;
        let mut ram = Ram::new(Vec::from([Span::with_size(base, 0x1000_0000).unwrap()]));
        for address in [base, base + 0xffc, base + 0x1f_fffd, base + 0xfff_fff8] {
            assert_eq!(ram.read(address, 8), 0);
            ram.write(address, 8, 0x1122_3344_5566_7788);
            assert_eq!(ram.read(address, 8), 0x1122_3344_5566_7788, "{address:#x}");
            assert_eq!(ram.read(address + 2, 2), 0x5566);
        }
        assert!(ram.holds(base, 8));
        assert!(!ram.holds(base - 1, 8));
        assert!(!ram.holds(u64::MAX, 8));
    }

    /// Up to the last byte of 52 bits, in ranges far apart; what is read back is what was written there, and what the host
    /// gives is what was written.
    #[test]
    fn memory_is_sparse_over_all_of_the_address_space() {
        let span = |base, size| Span::with_size(base, size).unwrap();
        let spans = [span(0, 0x8000_0000), span(1 << 40, 1 << 20), span(1 << 48, (1 << 52) - (1 << 48))];
        let mut ram = Ram::new(Vec::from(spans));
        let addresses =
            [(1 << 52) - 8, 0x1000, 1 << 40, (1 << 48) + 0x7ff8, 0x7fff_fff8, (1 << 51) - 4, (1 << 34) * 7 + (1 << 48)];
        for (value, address) in (1..).zip(addresses) {
            assert!(ram.holds(address, 8), "{address:#x}");
            ram.write(address, 8, value);
        }
        for (value, address) in (1..).zip(addresses) {
            assert_eq!(ram.read(address, 8), value, "{address:#x}");
            assert_eq!(ram.read(address ^ (1 << 33), 8), 0, "{address:#x}");
        }
        assert_eq!(ram.frames.len(), addresses.len() + 1, "one address lies across two frames");
        for (beyond, size) in [(0x8000_0000, 1), (0x7fff_fffc, 8), ((1 << 40) - 1, 1), (1 << 52, 1), ((1 << 52) - 4, 8)]
        {
            assert!(!ram.holds(beyond, size), "{beyond:#x}");
        }
    }

    #[test]
    fn the_last_write_to_a_frame_is_known() {
        let mut ram = Ram::new(Vec::from([Span::with_size(0, 0x10_0000).unwrap()]));
        ram.write(0x1000, 4, 1);
        let before = ram.writes();
        assert!(ram.written(0x1ffc) <= before && ram.written(0x2000) == 0);
        // Zeros over what was never written; then across two frames.
        ram.write(0x5000, 8, 0);
        assert_eq!((ram.written(0x5000), ram.writes()), (0, before));
        ram.write(0x2ffc, 8, u64::MAX);
        assert!(ram.written(0x2000) > before && ram.written(0x3000) > before && ram.written(0x1000) <= before);
        let before = ram.writes();
        ram.write(0x1000, 1, 0);
        assert!(ram.written(0x1000) > before && ram.written(0x2000) <= before);
    }
}
