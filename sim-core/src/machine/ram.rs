//! Memory: 4 KiB frames, given when first written. What was never written reads as zero.

use super::attributes::{Mark, PER_FRAME};
use crate::layout::{PAGE_SIZE, Span};
use alloc::boxed::Box;
use alloc::vec::Vec;
use mpu_model::GRANULE;

type Frame = [u8; PAGE_SIZE as usize];

/// A frame, and how each of its granules was last accessed.
#[derive(Debug)]
struct Given {
    bytes: Frame,
    marks: [Mark; PER_FRAME],
    /// Which write the last one to this frame was, counted from 1.
    written: u64,
}

/// Entries of one directory: with 4 KiB frames, 2 MiB.
const DIRECTORY: usize = 512;

/// Two levels: a directory per 2 MiB that was ever written.
#[derive(Debug)]
pub struct Ram {
    span: Span,
    directories: Vec<Option<Box<[u32; DIRECTORY]>>>,
    frames: Vec<Box<Given>>,
    writes: u64,
}

/// More memory than this is not simulated: the directory table alone would outgrow the host.
pub const MAX_MEMORY: u64 = 1 << 40;

impl Ram {
    /// Memory at `span`, all zero. Beyond [`MAX_MEMORY`] bytes it answers nothing.
    #[must_use]
    pub fn new(span: Span) -> Self {
        Self { span, directories: Vec::new(), frames: Vec::new(), writes: 0 }
    }

    /// Whether all of `size` bytes from `address` are memory.
    #[must_use]
    pub fn holds(&self, address: u64, size: u64) -> bool {
        Span::with_size(address, size).is_some_and(|access| self.span.covers(&access))
            && address - self.span.base() < MAX_MEMORY
    }

    fn place(&self, address: u64) -> (usize, usize, usize) {
        let offset = address.wrapping_sub(self.span.base());
        let frame = offset / PAGE_SIZE;
        let within = (offset % PAGE_SIZE) as usize;
        ((frame / DIRECTORY as u64) as usize, (frame % DIRECTORY as u64) as usize, within)
    }

    fn given(&self, directory: usize, entry: usize) -> Option<&Given> {
        let number = *self.directories.get(directory)?.as_ref()?.get(entry)?;
        self.frames.get((number as usize).checked_sub(1)?).map(|frame| &**frame)
    }

    fn frame(&self, directory: usize, entry: usize) -> Option<&Frame> {
        self.given(directory, entry).map(|frame| &frame.bytes)
    }

    fn frame_mut(&mut self, directory: usize, entry: usize) -> Option<&mut Frame> {
        if directory >= self.directories.len() {
            self.directories.resize_with(directory + 1, || None);
        }
        let table = self.directories.get_mut(directory)?.get_or_insert_with(|| Box::new([0; DIRECTORY]));
        let number = table.get_mut(entry)?;
        if *number == 0 {
            self.frames.push(Box::new(Given { bytes: [0; PAGE_SIZE as usize], marks: [0; PER_FRAME], written: 0 }));
            *number = u32::try_from(self.frames.len()).ok()?;
        }
        let frame = self.frames.get_mut((*number as usize).checked_sub(1)?)?;
        self.writes += 1;
        frame.written = self.writes;
        Some(&mut frame.bytes)
    }

    /// How the granule that holds `address` was last accessed; `None` if it was never written.
    pub(super) fn mark_mut(&mut self, address: u64) -> Option<&mut Mark> {
        let (directory, entry, within) = self.place(address);
        let number = *self.directories.get(directory)?.as_ref()?.get(entry)?;
        let frame = self.frames.get_mut((number as usize).checked_sub(1)?)?;
        frame.marks.get_mut(within / GRANULE as usize)
    }

    /// Reads up to 8 bytes, little-endian.
    #[must_use]
    pub fn read(&self, address: u64, size: usize) -> u64 {
        let (directory, entry, within) = self.place(address);
        if let Some(bytes) = within.checked_add(size).and_then(|end| self.frame(directory, entry)?.get(within..end)) {
            return bytes.iter().rev().fold(0, |value, byte| (value << 8) | u64::from(*byte));
        }
        // Never written, or across a frame's end.
        (0..size).rev().fold(0, |value, at| (value << 8) | u64::from(self.byte(address.wrapping_add(at as u64))))
    }

    fn byte(&self, address: u64) -> u8 {
        let (directory, entry, within) = self.place(address);
        self.frame(directory, entry).and_then(|frame| frame.get(within)).copied().unwrap_or(0)
    }

    /// Writes the low `size` bytes of `value`, up to 8, little-endian.
    pub fn write(&mut self, address: u64, size: usize, value: u64) {
        let value = value.to_le_bytes();
        let (directory, entry, within) = self.place(address);
        let end = within.wrapping_add(size);
        if value == [0; 8] && end <= PAGE_SIZE as usize && self.frame(directory, entry).is_none() {
            // Zeros over what was never written need no frame: clearing a bank costs no memory.
            return;
        }
        if let Some(bytes) = self.frame_mut(directory, entry).and_then(|frame| frame.get_mut(within..end)) {
            for (to, from) in bytes.iter_mut().zip(value) {
                *to = from;
            }
            return;
        }
        for (at, byte) in (0u64..).zip(value.iter().take(size)) {
            let (directory, entry, within) = self.place(address.wrapping_add(at));
            if let Some(to) = self.frame_mut(directory, entry).and_then(|frame| frame.get_mut(within)) {
                *to = *byte;
            }
        }
    }

    /// The frame that holds `address`, with its bytes; `None` if nothing was ever written there.
    #[must_use]
    pub fn page(&self, address: u64) -> Option<&[u8; PAGE_SIZE as usize]> {
        let (directory, entry, _) = self.place(address);
        self.frame(directory, entry)
    }

    /// How many writes there were: one that wants to know later what was written since keeps this.
    #[must_use]
    pub const fn writes(&self) -> u64 {
        self.writes
    }

    /// Which write was the last to the frame that holds `address`, by [`Ram::writes`]; 0 if nothing was ever written there.
    #[must_use]
    pub fn written(&self, address: u64) -> u64 {
        let (directory, entry, _) = self.place(address);
        self.given(directory, entry).map_or(0, |frame| frame.written)
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
        let mut ram = Ram::new(Span::with_size(base, 0x1000_0000).unwrap());
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

    #[test]
    fn the_last_write_to_a_frame_is_known() {
        let mut ram = Ram::new(Span::with_size(0, 0x10_0000).unwrap());
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
