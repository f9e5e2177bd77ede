//! Semihosting calls (Arm, Semihosting for `AArch32` and `AArch64`, version 3): what HLT 0xf000 does with the operation in W0 and the
//! parameter in X1.
//!
//! Only the console and the list of features can be opened: a file of the host is never touched, and the host's clock never
//! read. Fields of an argument block are doublewords.

use alloc::vec::Vec;

#[cfg(test)]
mod tests;

/// Operation numbers.
mod operation {
    pub(super) const OPEN: u32 = 0x01;
    pub(super) const CLOSE: u32 = 0x02;
    pub(super) const WRITEC: u32 = 0x03;
    pub(super) const WRITE0: u32 = 0x04;
    pub(super) const WRITE: u32 = 0x05;
    pub(super) const READ: u32 = 0x06;
    pub(super) const READC: u32 = 0x07;
    pub(super) const ISERROR: u32 = 0x08;
    pub(super) const ISTTY: u32 = 0x09;
    pub(super) const SEEK: u32 = 0x0a;
    pub(super) const FLEN: u32 = 0x0c;
    pub(super) const TMPNAM: u32 = 0x0d;
    pub(super) const REMOVE: u32 = 0x0e;
    pub(super) const RENAME: u32 = 0x0f;
    pub(super) const CLOCK: u32 = 0x10;
    pub(super) const TIME: u32 = 0x11;
    pub(super) const SYSTEM: u32 = 0x12;
    pub(super) const ERRNO: u32 = 0x13;
    pub(super) const GET_CMDLINE: u32 = 0x15;
    pub(super) const HEAPINFO: u32 = 0x16;
    pub(super) const EXIT: u32 = 0x18;
    pub(super) const EXIT_EXTENDED: u32 = 0x20;
    pub(super) const ELAPSED: u32 = 0x30;
    pub(super) const TICKFREQ: u32 = 0x31;
}

/// Values of ERRNO, as POSIX has them.
mod errno {
    pub(super) const ENOENT: u64 = 2;
    pub(super) const EBADF: u64 = 9;
    pub(super) const EACCES: u64 = 13;
    pub(super) const EFAULT: u64 = 14;
    pub(super) const EINVAL: u64 = 22;
    pub(super) const EMFILE: u64 = 24;
    pub(super) const ESPIPE: u64 = 29;
    pub(super) const ERANGE: u64 = 34;
    pub(super) const ENOSYS: u64 = 38;
}

/// The reason of an exit that is no failure: `ADP_Stopped_ApplicationExit`.
const APPLICATION_EXIT: u64 = 0x20026;
/// Files that may be open.
const FILES: usize = 16;
/// Bytes that one call moves at most.
const MOST_BYTES: u64 = 1 << 20;
/// Bytes that are read from guest memory at a time.
const CHUNK: usize = 256;
/// ":semihosting-features": a magic number, then a byte with bit 0 for exits with a code and bit 1 for standard error as a
/// file of its own.
const FEATURES: [u8; 5] = [0x53, 0x48, 0x46, 0x42, 0b11];
/// What a call gives that fails.
const FAILED: u64 = u64::MAX;

/// Where bytes for the console go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output, and the debug channel of `SYS_WRITEC` and `SYS_WRITE0`.
    Output,
    /// Standard error.
    Error,
}

/// The guest's memory and the console, as a call needs them.
pub trait Host {
    /// Reads memory of the guest; says whether all of it was there.
    fn read(&mut self, address: u64, bytes: &mut [u8]) -> bool;
    /// Writes memory of the guest; says whether all of it was there.
    fn write(&mut self, address: u64, bytes: &[u8]) -> bool;
    /// Takes bytes for the console.
    fn print(&mut self, stream: Stream, bytes: &[u8]);
}

/// Time as calls tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// Ticks since the start.
    pub ticks: u64,
    /// Ticks of a second; 0 counts as 1.
    pub frequency: u64,
}

/// What a call ends in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The image goes on, with this in X0.
    Return(u64),
    /// The image is at its end.
    Exit {
        /// The reason it gave, `ADP_Stopped_*`.
        reason: u64,
        /// The status to exit with: what it gave with `ADP_Stopped_ApplicationExit`, else 1.
        code: u64,
    },
}

/// What the image is told of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// The command line, without a NUL.
    pub command_line: Vec<u8>,
    /// Heap base, heap limit, stack base, stack limit; 0 where the image is to find out for itself.
    pub heap: [u64; 4],
    /// Seconds since 1970 at the start.
    pub start: u64,
}

/// An open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum File {
    Input,
    Console(Stream),
    Features {
        /// Bytes read.
        at: u64,
    },
}

/// The state that calls leave: open files and the last error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Semihosting {
    environment: Environment,
    files: [Option<File>; FILES],
    errno: u64,
}

/// Why a call failed: its value of ERRNO.
type Attempt = Result<u64, u64>;

impl Semihosting {
    /// Nothing open, no error.
    #[must_use]
    pub const fn new(environment: Environment) -> Self {
        Self { environment, files: [None; FILES], errno: 0 }
    }

    /// Carries out a call. An operation that does not exist fails, as the specification has it, with -1.
    pub fn call(&mut self, host: &mut impl Host, clock: Clock, operation: u32, parameter: u64) -> Outcome {
        let attempt = match operation {
            operation::EXIT | operation::EXIT_EXTENDED => return exit(host, parameter),
            operation::ERRNO => Ok(self.errno),
            operation::ISERROR => field(host, parameter, 0).map(|status| u64::from(status.cast_signed() < 0)),
            operation::OPEN => self.open(host, parameter),
            operation::CLOSE => self.close(host, parameter),
            operation::WRITEC => print_byte(host, parameter),
            operation::WRITE0 => print_string(host, parameter),
            operation::WRITE => self.write(host, parameter),
            operation::READ => self.read(host, parameter),
            // No byte will ever come from the console.
            operation::READC => Ok(FAILED),
            operation::ISTTY => {
                self.file(host, parameter).map(|file| u64::from(!matches!(file, File::Features { .. })))
            }
            operation::SEEK => self.seek(host, parameter),
            operation::FLEN => self.length(host, parameter),
            operation::CLOCK => Ok(clock.scaled(100)),
            operation::TIME => Ok(self.environment.start.wrapping_add(clock.scaled(1))),
            operation::GET_CMDLINE => self.command_line(host, parameter),
            operation::HEAPINFO => self.heap_info(host, parameter),
            operation::ELAPSED => put(host, parameter, &clock.ticks.to_le_bytes()),
            operation::TICKFREQ => Ok(clock.frequency),
            operation::REMOVE | operation::RENAME | operation::SYSTEM | operation::TMPNAM => Err(errno::EACCES),
            _ => Err(errno::ENOSYS),
        };
        Outcome::Return(attempt.unwrap_or_else(|errno| {
            self.errno = errno;
            FAILED
        }))
    }

    /// `SYS_OPEN`: name, mode, length of the name.
    fn open(&mut self, host: &mut impl Host, block: u64) -> Attempt {
        const FEATURES_NAME: &[u8] = b":semihosting-features";
        let [at, mode, length] = fields(host, block)?;
        let mut name = [0; FEATURES_NAME.len()];
        let length = usize::try_from(length).map_err(|_| errno::ENOENT)?;
        let name = name.get_mut(..length).ok_or(errno::ENOENT)?;
        if !host.read(at, name) {
            return Err(errno::EFAULT);
        }
        let file = match (&*name, mode) {
            (b":tt", 0..=3) => File::Input,
            (b":tt", 4..=7) => File::Console(Stream::Output),
            (b":tt", 8..=11) => File::Console(Stream::Error),
            (FEATURES_NAME, 0 | 1) => File::Features { at: 0 },
            (b":tt", _) => return Err(errno::EINVAL),
            (FEATURES_NAME, _) => return Err(errno::EACCES),
            _ => return Err(errno::ENOENT),
        };
        let (handle, free) = (1..).zip(&mut self.files).find(|(_, place)| place.is_none()).ok_or(errno::EMFILE)?;
        *free = Some(file);
        Ok(handle)
    }

    fn close(&mut self, host: &mut impl Host, block: u64) -> Attempt {
        let place = self.place(field(host, block, 0)?)?;
        place.take().map(|_| 0).ok_or(errno::EBADF)
    }

    /// The place of a handle, which is never 0.
    fn place(&mut self, handle: u64) -> Result<&mut Option<File>, u64> {
        let index = handle.checked_sub(1).and_then(|index| usize::try_from(index).ok());
        index.and_then(|index| self.files.get_mut(index)).ok_or(errno::EBADF)
    }

    /// The file whose handle is the first field of a block.
    fn file(&mut self, host: &mut impl Host, block: u64) -> Result<&mut File, u64> {
        let handle = field(host, block, 0)?;
        self.place(handle)?.as_mut().ok_or(errno::EBADF)
    }

    /// `SYS_WRITE`: handle, bytes, how many. Gives how many were not written.
    fn write(&mut self, host: &mut impl Host, block: u64) -> Attempt {
        let [_, mut at, length] = fields(host, block)?;
        let File::Console(stream) = *self.file(host, block)? else { return Err(errno::EBADF) };
        let mut left = length.min(MOST_BYTES);
        let beyond = length - left;
        let mut chunk = [0; CHUNK];
        while left > 0 {
            let bytes = chunk.split_at_mut(CHUNK.min(left as usize)).0;
            if !host.read(at, bytes) {
                return Err(errno::EFAULT);
            }
            host.print(stream, bytes);
            at = at.wrapping_add(bytes.len() as u64);
            left -= bytes.len() as u64;
        }
        Ok(beyond)
    }

    /// `SYS_READ`: handle, where to, how many. Gives how many were not read: all of them at the end of the file, where the
    /// console is always.
    fn read(&mut self, host: &mut impl Host, block: u64) -> Attempt {
        let [_, to, length] = fields(host, block)?;
        match self.file(host, block)? {
            File::Input => Ok(length),
            File::Console(_) => Err(errno::EBADF),
            File::Features { at } => {
                let rest = usize::try_from(*at).ok().and_then(|at| FEATURES.get(at..)).unwrap_or(&[]);
                let bytes = rest.get(..length.min(rest.len() as u64) as usize).unwrap_or(&[]);
                if !host.write(to, bytes) {
                    return Err(errno::EFAULT);
                }
                *at += bytes.len() as u64;
                Ok(length - bytes.len() as u64)
            }
        }
    }

    /// `SYS_SEEK`: handle, absolute position.
    fn seek(&mut self, host: &mut impl Host, block: u64) -> Attempt {
        let position = field(host, block, 1)?;
        match self.file(host, block)? {
            File::Features { at } if position <= FEATURES.len() as u64 => {
                *at = position;
                Ok(0)
            }
            File::Features { .. } => Err(errno::EINVAL),
            File::Input | File::Console(_) => Err(errno::ESPIPE),
        }
    }

    fn length(&mut self, host: &mut impl Host, block: u64) -> Attempt {
        match self.file(host, block)? {
            File::Features { .. } => Ok(FEATURES.len() as u64),
            File::Input | File::Console(_) => Err(errno::ESPIPE),
        }
    }

    /// `SYS_GET_CMDLINE`: a buffer and its length, which becomes that of the string.
    fn command_line(&self, host: &mut impl Host, block: u64) -> Attempt {
        let [buffer, room] = fields(host, block)?;
        let line = &self.environment.command_line;
        if room <= line.len() as u64 {
            return Err(errno::ERANGE);
        }
        put(host, buffer, line)?;
        put(host, buffer.wrapping_add(line.len() as u64), &[0])?;
        put(host, block.wrapping_add(8), &(line.len() as u64).to_le_bytes())
    }

    /// `SYS_HEAPINFO`: a pointer to a block of four addresses.
    fn heap_info(&self, host: &mut impl Host, block: u64) -> Attempt {
        let at = field(host, block, 0)?;
        for (n, address) in (0..).zip(self.environment.heap) {
            put(host, at.wrapping_add(8 * n), &address.to_le_bytes())?;
        }
        Ok(0)
    }
}

impl Clock {
    /// Parts of `parts` to the second since the start.
    fn scaled(self, parts: u64) -> u64 {
        (u128::from(self.ticks) * u128::from(parts) / u128::from(self.frequency.max(1))) as u64
    }
}

/// Doubleword `n` of an argument block.
fn field(host: &mut impl Host, block: u64, n: u64) -> Attempt {
    let mut bytes = [0; 8];
    let there = host.read(block.wrapping_add(8 * n), &mut bytes);
    there.then(|| u64::from_le_bytes(bytes)).ok_or(errno::EFAULT)
}

/// The first doublewords of an argument block.
fn fields<const N: usize>(host: &mut impl Host, block: u64) -> Result<[u64; N], u64> {
    let mut values = [0; N];
    for (n, value) in (0..).zip(&mut values) {
        *value = field(host, block, n)?;
    }
    Ok(values)
}

fn put(host: &mut impl Host, address: u64, bytes: &[u8]) -> Attempt {
    if host.write(address, bytes) { Ok(0) } else { Err(errno::EFAULT) }
}

/// `SYS_EXIT` and `SYS_EXIT_EXTENDED`, which are one where blocks hold doublewords: reason and code.
fn exit(host: &mut impl Host, block: u64) -> Outcome {
    match fields(host, block) {
        Ok([APPLICATION_EXIT, code]) => Outcome::Exit { reason: APPLICATION_EXIT, code },
        Ok([reason, _]) => Outcome::Exit { reason, code: 1 },
        Err(_) => Outcome::Exit { reason: 0, code: 1 },
    }
}

fn print_byte(host: &mut impl Host, at: u64) -> Attempt {
    let mut byte = [0];
    if !host.read(at, &mut byte) {
        return Err(errno::EFAULT);
    }
    host.print(Stream::Output, &byte);
    Ok(0)
}

/// `SYS_WRITE0`: bytes up to a NUL, which may be the last byte before memory ends.
fn print_string(host: &mut impl Host, mut at: u64) -> Attempt {
    let mut chunk = [0; CHUNK];
    let mut held = 0;
    for _ in 0..MOST_BYTES {
        let mut byte = [0];
        let there = host.read(at, &mut byte);
        let [value] = byte;
        let more = there && value != 0;
        if more && let Some(place) = chunk.get_mut(held) {
            *place = value;
            held += 1;
        }
        if held == CHUNK || !more {
            host.print(Stream::Output, chunk.split_at(held).0);
            held = 0;
        }
        if !more {
            return if there { Ok(0) } else { Err(errno::EFAULT) };
        }
        at = at.wrapping_add(1);
    }
    host.print(Stream::Output, chunk.split_at(held).0);
    Ok(0)
}
