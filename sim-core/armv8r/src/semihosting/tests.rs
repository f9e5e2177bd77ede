use super::*;
use proptest::prelude::*;
use std::vec;

/// Memory from [`BASE`] on, and what was printed.
struct Memory {
    bytes: Vec<u8>,
    output: Vec<u8>,
    error: Vec<u8>,
}

const BASE: u64 = 0x1000;
const SIZE: usize = 0x1000;
/// Argument blocks, strings.
const BLOCK: u64 = BASE;
const TEXT: u64 = BASE + 0x100;
const CLOCK: Clock = Clock { ticks: 250, frequency: 100 };

impl Memory {
    fn new() -> Self {
        Self { bytes: vec![0; SIZE], output: Vec::new(), error: Vec::new() }
    }

    fn range(address: u64, length: usize) -> Option<core::ops::Range<usize>> {
        let start = usize::try_from(address.checked_sub(BASE)?).ok()?;
        Some(start..start.checked_add(length)?)
    }

    fn block(&mut self, fields: &[u64]) {
        for (n, field) in (0..).zip(fields) {
            assert!(self.write(BLOCK + 8 * n, &field.to_le_bytes()));
        }
    }

    fn text(&mut self, text: &[u8]) -> u64 {
        assert!(self.write(TEXT, text));
        text.len() as u64
    }
}

impl Host for Memory {
    fn read(&mut self, address: u64, bytes: &mut [u8]) -> bool {
        let there = Self::range(address, bytes.len()).and_then(|range| self.bytes.get(range));
        there.map(|there| bytes.copy_from_slice(there)).is_some()
    }

    fn write(&mut self, address: u64, bytes: &[u8]) -> bool {
        let there = Self::range(address, bytes.len()).and_then(|range| self.bytes.get_mut(range));
        there.map(|there| there.copy_from_slice(bytes)).is_some()
    }

    fn print(&mut self, stream: Stream, bytes: &[u8]) {
        match stream {
            Stream::Output => &mut self.output,
            Stream::Error => &mut self.error,
        }
        .extend_from_slice(bytes);
    }
}

fn semihosting() -> Semihosting {
    Semihosting::new(Environment { command_line: b"image -v".to_vec(), heap: [1, 2, 3, 4], start: 1_000 })
}

fn call(semihosting: &mut Semihosting, memory: &mut Memory, operation: u32, block: &[u64]) -> u64 {
    memory.block(block);
    match semihosting.call(memory, CLOCK, operation, BLOCK) {
        Outcome::Return(value) => value,
        Outcome::Exit { .. } => panic!("exited"),
    }
}

fn open(semihosting: &mut Semihosting, memory: &mut Memory, name: &[u8], mode: u64) -> u64 {
    let length = memory.text(name);
    call(semihosting, memory, operation::OPEN, &[TEXT, mode, length])
}

#[test]
fn the_console_is_opened_by_mode_and_written() {
    let (mut calls, mut memory) = (semihosting(), Memory::new());
    let handles = [0, 4, 8].map(|mode| open(&mut calls, &mut memory, b":tt", mode));
    assert_eq!(handles, [1, 2, 3]);
    let length = memory.text(b"hello");
    assert_eq!(call(&mut calls, &mut memory, operation::WRITE, &[2, TEXT, length]), 0);
    assert_eq!(call(&mut calls, &mut memory, operation::WRITE, &[3, TEXT, 2]), 0);
    assert_eq!(call(&mut calls, &mut memory, operation::WRITE, &[1, TEXT, 2]), FAILED);
    assert_eq!((&*memory.output, &*memory.error), (&b"hello"[..], &b"he"[..]));
    assert_eq!(call(&mut calls, &mut memory, operation::READ, &[1, TEXT, 7]), 7);
    for (operation, expected) in [(operation::ISTTY, 1), (operation::FLEN, FAILED), (operation::SEEK, FAILED)] {
        assert_eq!(call(&mut calls, &mut memory, operation, &[2, 0]), expected);
    }
    assert_eq!(call(&mut calls, &mut memory, operation::CLOSE, &[2]), 0);
    assert_eq!(call(&mut calls, &mut memory, operation::CLOSE, &[2]), FAILED);
    assert_eq!(call(&mut calls, &mut memory, operation::ERRNO, &[]), errno::EBADF);
    assert_eq!(open(&mut calls, &mut memory, b":tt", 4), 2);
}

#[test]
fn features_are_a_file_that_is_read() {
    let (mut calls, mut memory) = (semihosting(), Memory::new());
    assert_eq!(open(&mut calls, &mut memory, b":semihosting-features", 4), FAILED);
    let handle = open(&mut calls, &mut memory, b":semihosting-features", 1);
    assert_eq!(call(&mut calls, &mut memory, operation::ISTTY, &[handle]), 0);
    assert_eq!(call(&mut calls, &mut memory, operation::FLEN, &[handle]), 5);
    assert_eq!(call(&mut calls, &mut memory, operation::READ, &[handle, TEXT, 4]), 0);
    assert_eq!(call(&mut calls, &mut memory, operation::READ, &[handle, TEXT + 4, 100]), 99);
    assert_eq!(memory.bytes.get(0x100..0x105), Some(&FEATURES[..]));
    assert_eq!(call(&mut calls, &mut memory, operation::READ, &[handle, TEXT, 3]), 3);
    assert_eq!(call(&mut calls, &mut memory, operation::SEEK, &[handle, 4]), 0);
    assert_eq!(call(&mut calls, &mut memory, operation::READ, &[handle, TEXT, 1]), 0);
    assert_eq!(call(&mut calls, &mut memory, operation::SEEK, &[handle, 5]), 0);
    assert_eq!(call(&mut calls, &mut memory, operation::READ, &[handle, TEXT, 2]), 2);
    assert_eq!(call(&mut calls, &mut memory, operation::SEEK, &[handle, 6]), FAILED);
    assert_eq!(call(&mut calls, &mut memory, operation::WRITE, &[handle, TEXT, 1]), FAILED);
}

#[test]
fn files_of_the_host_are_refused() {
    let (mut calls, mut memory) = (semihosting(), Memory::new());
    for name in [&b"/etc/passwd"[..], b"x", b"", b":t", b":ttx", b":semihosting-features-and-more"] {
        assert_eq!(open(&mut calls, &mut memory, name, 0), FAILED);
        assert_eq!(call(&mut calls, &mut memory, operation::ERRNO, &[]), errno::ENOENT);
    }
    assert_eq!(open(&mut calls, &mut memory, b":tt", 12), FAILED);
    for operation in [operation::REMOVE, operation::RENAME, operation::SYSTEM, operation::TMPNAM, 0x14, 0x55, u32::MAX]
    {
        assert_eq!(call(&mut calls, &mut memory, operation, &[TEXT, 3, TEXT, 3]), FAILED);
    }
    for _ in 0..FILES {
        assert_ne!(open(&mut calls, &mut memory, b":tt", 4), FAILED);
    }
    assert_eq!(open(&mut calls, &mut memory, b":tt", 4), FAILED);
}

#[test]
fn characters_and_strings_are_printed() {
    let (mut calls, mut memory) = (semihosting(), Memory::new());
    memory.text(b"ab\0c");
    calls.call(&mut memory, CLOCK, operation::WRITEC, TEXT);
    assert_eq!(calls.call(&mut memory, CLOCK, operation::WRITE0, TEXT), Outcome::Return(0));
    assert_eq!(memory.output, b"aab");
    let long = vec![b'x'; 1000];
    memory.text(&long);
    memory.output.clear();
    calls.call(&mut memory, CLOCK, operation::WRITE0, TEXT);
    assert_eq!(memory.output, long);
    // A string that no NUL ends before memory does.
    memory.bytes.fill(b'y');
    memory.output.clear();
    assert_eq!(calls.call(&mut memory, CLOCK, operation::WRITE0, BASE), Outcome::Return(FAILED));
    assert_eq!(memory.output.len(), SIZE);
}

#[test]
fn time_is_what_its_owner_counted() {
    let (mut calls, mut memory) = (semihosting(), Memory::new());
    for (operation, expected) in [(operation::CLOCK, 250), (operation::TIME, 1_002), (operation::TICKFREQ, 100)] {
        assert_eq!(call(&mut calls, &mut memory, operation, &[]), expected);
    }
    assert_eq!(calls.call(&mut memory, CLOCK, operation::ELAPSED, TEXT), Outcome::Return(0));
    assert_eq!(field(&mut memory, TEXT, 0), Ok(250));
    let stopped = Clock { ticks: u64::MAX, frequency: 0 };
    assert_ne!(calls.call(&mut memory, stopped, operation::TIME, 0), Outcome::Return(FAILED));
}

#[test]
fn the_image_is_told_its_command_line_and_heap() {
    let (mut calls, mut memory) = (semihosting(), Memory::new());
    assert_eq!(call(&mut calls, &mut memory, operation::GET_CMDLINE, &[TEXT, 8]), FAILED);
    assert_eq!(call(&mut calls, &mut memory, operation::GET_CMDLINE, &[TEXT, 9]), 0);
    assert_eq!(memory.bytes.get(0x100..0x109), Some(&b"image -v\0"[..]));
    assert_eq!(field(&mut memory, BLOCK, 1), Ok(8));
    assert_eq!(call(&mut calls, &mut memory, operation::HEAPINFO, &[TEXT]), 0);
    assert_eq!(fields(&mut memory, TEXT), Ok([1, 2, 3, 4]));
}

#[test]
fn an_exit_has_a_reason_and_a_code() {
    let (mut calls, mut memory) = (semihosting(), Memory::new());
    for operation in [operation::EXIT, operation::EXIT_EXTENDED] {
        memory.block(&[APPLICATION_EXIT, 101]);
        let outcome = calls.call(&mut memory, CLOCK, operation, BLOCK);
        assert_eq!(outcome, Outcome::Exit { reason: APPLICATION_EXIT, code: 101 });
        memory.block(&[0x20023, 0]);
        let outcome = calls.call(&mut memory, CLOCK, operation, BLOCK);
        assert_eq!(outcome, Outcome::Exit { reason: 0x20023, code: 1 });
        assert_eq!(calls.call(&mut memory, CLOCK, operation, 0), Outcome::Exit { reason: 0, code: 1 });
    }
}

#[test]
fn an_error_is_a_negative_status() {
    let (mut calls, mut memory) = (semihosting(), Memory::new());
    assert_eq!(call(&mut calls, &mut memory, operation::ISERROR, &[0]), 0);
    assert_eq!(call(&mut calls, &mut memory, operation::ISERROR, &[FAILED]), 1);
    assert_eq!(call(&mut calls, &mut memory, operation::READC, &[]), FAILED);
}

proptest! {
    #[test]
    fn no_call_panics_or_prints_without_bound(
        calls in prop::collection::vec((0_u32..0x40, prop::array::uniform4(prop_oneof![
            Just(0), Just(1), Just(2), Just(4), Just(TEXT), Just(u64::MAX), any::<u64>(), BASE..BASE + SIZE as u64,
        ])), 1..40),
    ) {
        let (mut semihosting, mut memory) = (semihosting(), Memory::new());
        memory.text(b":tt");
        for (operation, block) in calls {
            memory.block(&block);
            let before = memory.output.len() + memory.error.len();
            semihosting.call(&mut memory, CLOCK, operation, BLOCK);
            prop_assert!(memory.output.len() + memory.error.len() - before <= SIZE);
        }
    }
}
