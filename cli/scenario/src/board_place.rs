//! Where in a table the parts of a board stand, for errors that are found once all of it is known.

use super::error::Problem;
use super::number::Number;
use super::raw_board::RawBoardTable;
use sim_core::layout::{BoardError, Part};
use std::ops::Range;
use toml::Spanned;

/// Base and size of a part.
fn numbers<'a>(table: &'a RawBoardTable, part: &Part) -> Option<(&'a Spanned<Number>, &'a Spanned<Number>)> {
    Some(match part {
        Part::Memory { index, .. } => {
            let memory = &table.memory.get_ref().get(*index)?.get_ref().0;
            (&memory.base, &memory.size)
        }
        Part::Uart { index, .. } => {
            let uart = &table.uarts.get_ref().get(*index)?.get_ref().0;
            (&uart.base, &uart.size)
        }
        Part::Gic => (&table.gic.get_ref().base, &table.gic.get_ref().size),
        Part::TimerControl => {
            let control = &table.timers.as_ref()?.get_ref().control.as_ref()?.get_ref().0;
            (&control.base, &control.size)
        }
        _ => return None,
    })
}

/// Where a part stands.
fn at(table: &RawBoardTable, part: &Part) -> Option<Range<usize>> {
    numbers(table, part).map(|(base, _)| base.span())
}

/// What a board's check found, at its place in the table.
pub(super) fn problem(table: &RawBoardTable, error: &BoardError) -> Problem {
    let (title, advice) = split(error);
    let problem = Problem::new(title);
    let put = |problem: Problem, at: Option<Range<usize>>, label: String| match at {
        Some(at) => problem.at(at, label),
        None => problem,
    };
    let problem = match error {
        BoardError::PaBits { .. } => {
            let at = table.pa_bits.as_ref().map_or_else(|| table.pmsa.span(), Spanned::span);
            problem.at(at, "no such size")
        }
        BoardError::VmidBits { .. } => {
            let at = table.vmid_bits.as_ref().map_or_else(|| table.pmsa.span(), Spanned::span);
            problem.at(at, "no such size")
        }
        BoardError::BeyondAddressSpace { part, limit, pa_bits, .. } => {
            let problem = put(problem, at(table, part), format!("expected no address above {limit:#x}"));
            let bits = table.pa_bits.as_ref().map_or_else(|| table.pmsa.span(), Spanned::span);
            problem.and(bits, format!("physical addresses have {pa_bits} bits here"))
        }
        BoardError::Overlap { a, a_span, b, b_span } => {
            let problem = put(problem, at(table, b), format!("{b} is {b_span}"));
            match at(table, a) {
                Some(at) => problem.and(at, format!("{a} is {a_span}")),
                None => problem,
            }
        }
        BoardError::NoSuchPe { part: Part::Memory { index, .. }, pes, .. } => {
            let memory = table.memory.get_ref().get(*index);
            let pe = memory.and_then(|memory| memory.get_ref().pe.as_ref()).map(Spanned::span);
            put(problem, pe, format!("expected 0 to {}", pes.saturating_sub(1)))
        }
        BoardError::NoRam { .. } => problem.at(table.memory.span(), "expected one with kind = \"ram\""),
        _ => problem,
    };
    match help(error).or(advice) {
        Some(help) => problem.help(help),
        None => problem,
    }
}

/// What is wrong, and what to do where the text says that behind it.
pub(super) fn split(error: &dyn std::error::Error) -> (String, Option<String>) {
    let text = error.to_string();
    match text.split_once("; ") {
        Some((title, advice)) => (title.to_owned(), Some(advice.to_owned())),
        None => (text, None),
    }
}

/// What to do, where the text does not say.
pub(super) fn help(error: &BoardError) -> Option<String> {
    Some(match error {
        BoardError::BeyondAddressSpace { longer, .. } => too_high(*longer),
        BoardError::NoSuchPe { pe, .. } => format!("say pes = {}, or name another PE", pe.get().saturating_add(1)),
        _ => return None,
    })
}

/// What to do about an address that the board does not have.
pub(super) fn too_high(longer: bool) -> String {
    let text =
        if longer { "move it, or say pa_bits = .. (up to 52) if the part has longer addresses" } else { "move it" };
    text.to_owned()
}
