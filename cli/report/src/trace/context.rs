//! What a trace is of, and what every form of it says alike.

use scenario::Scenario;
use sim_core::layout::Position;
use sim_core::outcome::VcpuRef;
use sim_core::world::observer::Standing;

/// What a trace is of.
#[derive(Clone, Copy, Debug)]
pub struct Of<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// The strategy, as it was asked for.
    pub strategy: &'a str,
    /// The seed.
    pub seed: u64,
}

impl Of<'_> {
    pub(super) fn vcpu(&self, vcpu: VcpuRef) -> String {
        words::vcpu(&self.scenario.layout, vcpu)
    }

    pub(super) fn domain(&self, position: Position) -> &str {
        words::domain(&self.scenario.layout, position)
    }
}

pub(super) const fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Ready => "ready",
        Standing::Blocked => "blocked",
        Standing::Paused => "paused",
        Standing::Off => "off",
    }
}

/// What was written to the console and not told yet: told a line at a time, and at the end of each entry to EL2.
#[derive(Debug, Default)]
pub(super) struct Console(Vec<u8>);

impl Console {
    /// Bytes after which a line is told in parts.
    const MOST: usize = 1024;

    /// Takes a byte; gives the line if it ends.
    pub(super) fn byte(&mut self, byte: u8) -> Option<String> {
        self.0.push(byte);
        if byte == b'\n' || self.0.len() >= Self::MOST { Some(self.take()) } else { None }
    }

    /// What is there of a line that has not ended.
    pub(super) fn rest(&mut self) -> Option<String> {
        if self.0.is_empty() { None } else { Some(self.take()) }
    }

    fn take(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.0)).into_owned()
    }
}
