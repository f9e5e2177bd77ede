//! Who tells what happens at EL2: with the feature `story` every happening is a line on the debugger's console, else nobody does.

use super::Board;
use super::pe::Pe;
use sim_core::story::Seen;

#[cfg(feature = "story")]
use {
    crate::semihosting::Console,
    sim_core::story::{Story, Telling},
};

/// Who tells.
#[cfg(feature = "story")]
#[derive(Debug)]
pub(super) struct Voice(Story<Console>);

#[cfg(feature = "story")]
impl Voice {
    pub(super) const fn new() -> Self {
        Self(Story::new(Console::new()))
    }

    /// There is nobody to tell of a console that fails.
    pub(super) fn tell(&mut self, seen: Seen<'_>) {
        let _ = self.0.tell(0, seen);
    }

    /// The PE, told of.
    pub(super) fn platform<'a, B: Board>(&'a mut self, pe: &'a mut Pe<B>) -> Telling<'a, Pe<B>, Console> {
        Telling { p: pe, story: &mut self.0 }
    }
}

/// Who tells: nobody.
#[cfg(not(feature = "story"))]
#[derive(Debug)]
pub(super) struct Voice;

#[cfg(not(feature = "story"))]
impl Voice {
    pub(super) const fn new() -> Self {
        Self
    }

    pub(super) fn tell(&mut self, _: Seen<'_>) {}

    /// The PE as it is.
    pub(super) fn platform<B: Board>(&mut self, _: &mut Pe<B>) -> Pe<B> {
        Pe::new()
    }
}
