//! Devices: each a value that its owner reads and writes, and whose outputs it looks at. None calls anyone.

pub mod gic;
pub mod pl011;
pub mod timer;

#[cfg(test)]
mod tests;
