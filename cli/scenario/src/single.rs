//! Steps that stand on their own: no port of the program's, no name.

use super::error::Problem;
use super::expect::{Planned, called, nothing_to_expect, refusal, result};
use super::number::{self, Number};
use super::raw_step::{Plain, RawExecute, RawExpandArray, RawExpect, RawHypercall, RawInitControl, RawRead, RawWrite};
use super::table::Key;
use sim_core::convention::{Arch, TAG};
use sim_core::guest::steps::Op;
use sim_core::layout::{Board, PAGE_SIZE};
use sim_core::outcome::Expected;
use sim_core::platform::Width;
use std::ops::Range;
use toml::Spanned;

/// Bytes of an instruction.
const INSTRUCTION: u64 = 4;

pub(super) fn plain(plain: Plain, expect: Key<'_, RawExpect>) -> Result<Planned, Problem> {
    match plain {
        Plain::MapSharedInfo => called(Op::MapSharedInfo, expect),
        Plain::RegisterVcpuInfo => called(Op::RegisterVcpuInfo, expect),
        Plain::Yield => called(Op::Yield, expect),
        Plain::Setup | Plain::EnableIrqs => {
            nothing_to_expect("enable_irqs", expect).map(|()| (Op::EnableInterrupts, None))
        }
        Plain::Halt => nothing_to_expect("halt", expect).map(|()| (Op::Halt, None)),
    }
}

pub(super) fn hypercall(found: &RawHypercall, board: &Board) -> Result<Planned, Problem> {
    let mut args = [0; 5];
    if let Some(sixth) = found.args.get(args.len()) {
        let problem = Problem::new(format!("a hypercall has {} arguments", found.args.len()));
        return Err(problem.at(sixth.span(), "expected at most 5: x0 to x4"));
    }
    for (to, from) in args.iter_mut().zip(&found.args) {
        *to = register(from, board)?;
    }
    let imm = found.imm.as_ref().map_or(Ok(TAG.into()), |imm| number::within(imm, "imm", 0..=u16::MAX.into()))?;
    let expect = found.expect.as_ref().map(result).transpose()?;
    Ok((Op::Hypercall { imm: imm as u16, nr: register(&found.nr, board)?, args }, expect))
}

/// Refuses a number that a register of the board's PEs cannot hold.
fn register(found: &Spanned<Number>, board: &Board) -> Result<u64, Problem> {
    let value = found.get_ref().0;
    if board.pmsa.register(value) == value {
        return Ok(value);
    }
    let problem = Problem::new(format!("{value:#x} does not fit in a register of board {}", board.name));
    Err(problem.at(found.span(), "expected at most 0xffffffff"))
}

pub(super) fn init_control(found: &RawInitControl, board: &Board) -> Result<Planned, Problem> {
    let at = found.at.as_ref().map(|at| address(at, 1, board)).transpose()?;
    called(Op::InitControl { at }, found.expect.as_ref())
}

/// The hypercall names a frame, so an address inside one cannot be said.
pub(super) fn expand_array(found: &RawExpandArray, board: &Board) -> Result<Planned, Problem> {
    let at = found.at.as_ref().map(|at| address(at, 1, board)).transpose()?;
    if let Some(found) = found.at.as_ref().filter(|at| !at.get_ref().0.is_multiple_of(PAGE_SIZE)) {
        let problem = Problem::new(format!("{:#x} is not the address of a page", found.get_ref().0));
        return Err(problem.at(found.span(), format!("expected a multiple of {PAGE_SIZE:#x}")));
    }
    called(Op::ExpandArray { at }, found.expect.as_ref())
}

/// The address of `size` bytes, if the board has physical addresses that high.
fn address(found: &Spanned<Number>, size: u64, board: &Board) -> Result<u64, Problem> {
    let (address, limit) = (found.get_ref().0, board.address_limit());
    if address.saturating_add(size - 1) <= limit {
        return Ok(address);
    }
    let title =
        format!("board {} has no {size} bytes at {address:#x}: {}", board.name, words::board::address_bits(board));
    Err(Problem::new(title).at(found.span(), format!("expected no address above {limit:#x}")))
}

fn width(width: Key<'_, Number>) -> Result<Width, Problem> {
    let Some(width) = width else {
        return Ok(Width::Word);
    };
    match width.get_ref().0 {
        1 => Ok(Width::Byte),
        4 => Ok(Width::Word),
        8 => Ok(Width::Double),
        other => {
            let problem = Problem::new(format!("an access cannot be {other} bytes wide"));
            Err(problem.at(width.span(), "expected 1, 4 or 8"))
        }
    }
}

/// Refuses a number that an access of this width cannot carry.
fn fits(value: u64, width: Width, at: Range<usize>) -> Result<u64, Problem> {
    let bytes = width.bytes();
    if bytes == 8 || value >> (bytes * 8) == 0 {
        return Ok(value);
    }
    let problem = Problem::new(format!("{value:#x} does not fit in {bytes} bytes"));
    Err(problem.at(at, "expected a smaller number, or width = 8"))
}

pub(super) fn read(found: &RawRead, board: &Board) -> Result<Planned, Problem> {
    let width = width(found.width.as_ref())?;
    let expected = match &found.expect {
        Some(expect) => match expect.get_ref() {
            RawExpect::Number(number) => {
                let value = u64::try_from(*number).map_err(|_| {
                    let problem = Problem::new(format!("{number} is not what a read gives"));
                    problem.at(expect.span(), "expected a number from 0 up")
                })?;
                Expected::Value(fits(value, width, expect.span())?)
            }
            RawExpect::Word(word) if word.starts_with(|char: char| char.is_ascii_digit()) => {
                let value = number::text(word).ok_or_else(|| {
                    let problem = Problem::new(format!("`{word}` is not a number"));
                    problem.at(expect.span(), "expected one such as \"0x1_0000\"")
                })?;
                Expected::Value(fits(value, width, expect.span())?)
            }
            RawExpect::Word(_) => refusal(found.expect.as_ref(), "read")?,
        },
        None => Expected::Success,
    };
    Ok((Op::Read { address: address(&found.at, width.bytes(), board)?, width }, Some(expected)))
}

pub(super) fn write(found: &RawWrite, board: &Board) -> Result<Planned, Problem> {
    let width = width(found.width.as_ref())?;
    let value = fits(found.value.get_ref().0, width, found.value.span())?;
    let address = address(&found.at, width.bytes(), board)?;
    Ok((Op::Write { address, width, value }, Some(refusal(found.expect.as_ref(), "write")?)))
}

pub(super) fn execute(found: &RawExecute, board: &Board) -> Result<Planned, Problem> {
    let expected = refusal(found.expect.as_ref(), "execute")?;
    Ok((Op::Execute { address: address(&found.at, INSTRUCTION, board)? }, Some(expected)))
}
