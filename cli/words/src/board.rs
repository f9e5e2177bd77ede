//! Words for what a board has.

use sim_core::layout::Board;

/// What is said of the size of its addresses.
#[must_use]
pub fn address_bits(board: &Board) -> String {
    format!("its physical addresses have {} bits", board.pa_bits)
}
