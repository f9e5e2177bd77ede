//! The console and the exit of whoever runs the image: a debugger, a model, an emulator (Arm's semihosting, IHI 0108).
//!
//! It needs no device, so it works whatever the MPU maps.

use core::fmt;

const SYS_WRITE0: usize = 0x04;
const SYS_EXIT_EXTENDED: usize = 0x20;
/// The program came to its end.
const APPLICATION_EXIT: usize = 0x2_0026;

/// One call.
///
/// # Safety
///
/// `parameter` is what `operation` takes.
unsafe fn call(operation: usize, parameter: *const u8) -> usize {
    let result;
    // SAFETY: HLT #0xf000 is the call in both states; the host reads memory at `parameter` and answers in the first register.
    // The opcode is written out because assemblers differ in whether they take HLT for every target.
    unsafe {
        #[cfg(target_arch = "arm")]
        core::arch::asm!(".inst 0xe10f0070", inout("r0") operation => result, in("r1") parameter);
        #[cfg(target_arch = "aarch64")]
        core::arch::asm!("hlt #0xf000", inout("x0") operation => result, in("x1") parameter);
    }
    result
}

/// Bytes written at a time.
const LINE: usize = 160;

/// The console: lines are written whole.
#[derive(Debug)]
pub struct Console {
    line: [u8; LINE],
    used: usize,
}

impl Console {
    /// With nothing to write.
    #[must_use]
    pub const fn new() -> Self {
        Self { line: [0; LINE], used: 0 }
    }

    /// Writes what waits for the end of its line.
    pub fn flush(&mut self) {
        // The last place is never used, so a zero ends the text.
        self.line[self.used] = 0;
        // SAFETY: the text ends in a zero, as SYS_WRITE0 takes it.
        unsafe { call(SYS_WRITE0, self.line.as_ptr()) };
        self.used = 0;
    }
}

impl Default for Console {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.line[self.used] = byte;
            self.used += 1;
            if byte == b'\n' || self.used == LINE - 1 {
                self.flush();
            }
        }
        Ok(())
    }
}

/// Ends the run with this exit status.
pub fn exit(status: u8) -> ! {
    let block = [APPLICATION_EXIT, usize::from(status)];
    loop {
        // SAFETY: SYS_EXIT_EXTENDED takes the reason and the status, a word each.
        unsafe { call(SYS_EXIT_EXTENDED, block.as_ptr().cast()) };
    }
}
