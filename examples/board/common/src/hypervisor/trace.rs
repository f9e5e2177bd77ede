//! Who tells what happens at EL2: with the feature `trace` every happening is a line on the debugger's console, else nobody does.

use super::Board;
use super::pe::Pe;
use sim_core::trace::TraceEvent;

#[cfg(feature = "trace")]
use {
    crate::semihosting::Console,
    sim_core::layout::PeId,
    sim_core::trace::{Recorder, TraceWriter},
};

/// Who tells.
#[cfg(feature = "trace")]
#[derive(Debug)]
pub(super) struct ConsoleTrace(TraceWriter<Console>);

#[cfg(feature = "trace")]
impl ConsoleTrace {
    pub(super) const fn new() -> Self {
        Self(TraceWriter::new(Console::new()))
    }

    /// There is nobody to tell of a console that fails.
    pub(super) fn record(&mut self, seen: TraceEvent<'_>) {
        let _ = self.0.record(PeId::PRIMARY, seen);
    }

    /// The PE, told of.
    pub(super) fn platform<'a, B: Board>(&'a mut self, pe: &'a mut Pe<B>) -> Recorder<'a, Pe<B>, Console> {
        Recorder { p: pe, trace: &mut self.0 }
    }
}

/// Who tells: nobody.
#[cfg(not(feature = "trace"))]
#[derive(Debug)]
pub(super) struct ConsoleTrace;

#[cfg(not(feature = "trace"))]
impl ConsoleTrace {
    pub(super) const fn new() -> Self {
        Self
    }

    pub(super) fn record(&mut self, _: TraceEvent<'_>) {}

    /// The PE as it is.
    pub(super) fn platform<B: Board>(&mut self, _: &mut Pe<B>) -> Pe<B> {
        Pe::new()
    }
}
