//! Devices: each a value that its owner reads and writes, and whose outputs it looks at. None calls anyone.
//!
//! What the owner does:
//!
//! * An access to memory of a device goes to `read` or `write` with its offset in the frame and its bytes. Any offset, any
//!   width and any value are answered: what the device has not is RAZ/WI.
//! * After a write to a UART it takes what is transmitted, and sets the line of its SPI to what `interrupt` says after each
//!   access and each byte received.
//! * After a write to a timer, and at the count of `next_deadline`, it sets the lines of the PPIs to the timers' outputs.
//! * Between instructions it looks at the outputs of the GIC for the PE. Which of them are taken is up to the PE's `PSTATE` and
//!   `HCR_EL2`.

pub mod gic;
pub mod pl011;
pub mod timer;

#[cfg(test)]
mod tests;
