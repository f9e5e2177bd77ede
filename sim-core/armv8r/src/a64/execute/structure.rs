//! Loads and stores of SIMD&FP registers (Arm ARM, C7.2).

use crate::a64::arithmetic::extended;
use crate::a64::execute::memory::{base, indexed, plain};
use crate::a64::insn::{Address, Index, Op, Structure};
use crate::a64::simd::lane::{broadcast, lane, lanes_mask, with_lane};
use crate::a64::slot::{SINK, Slot, ZERO};
use crate::a64::{Alignment, Env, Regs};
use crate::exception::Exit;

pub(super) fn execute<E: Env>(op: &Op, regs: &mut Regs, env: &mut E) -> Result<(), Exit> {
    match *op {
        Op::LoadVector { size, t, address } => {
            let (at, after) = resolved(address, regs, env)?;
            let value = env.read(plain(at, 1 << (size & 7), Alignment::Natural))?;
            regs.put_vector(t, value);
            write_back(regs, after);
        }
        Op::StoreVector { size, t, address } => {
            let (at, after) = resolved(address, regs, env)?;
            let bytes = 1 << (size & 7);
            env.write(plain(at, bytes, Alignment::Natural), regs.vector(t) & lanes_mask(u32::from(bytes) * 8))?;
            write_back(regs, after);
        }
        Op::LoadVectorPair { size, index, t, t2, n, offset } => {
            let (at, after) = indexed(base(regs, env, n)?, offset, index == Index::Post);
            let bytes = 1 << (size & 7);
            let one = env.read(plain(at, bytes, Alignment::Natural))?;
            let two = env.read(plain(at.wrapping_add(u64::from(bytes)), bytes, Alignment::Natural))?;
            regs.put_vector(t, one);
            regs.put_vector(t2, two);
            write_back(regs, (index != Index::Offset).then_some((n, after)));
        }
        Op::StoreVectorPair { size, index, t, t2, n, offset } => {
            let (at, after) = indexed(base(regs, env, n)?, offset, index == Index::Post);
            let bytes = 1 << (size & 7);
            let mask = lanes_mask(u32::from(bytes) * 8);
            env.write(plain(at, bytes, Alignment::Natural), regs.vector(t) & mask)?;
            let second = plain(at.wrapping_add(u64::from(bytes)), bytes, Alignment::Natural);
            env.write(second, regs.vector(t2) & mask)?;
            write_back(regs, (index != Index::Offset).then_some((n, after)));
        }
        Op::Structures { .. } => multiple(op, regs, env)?,
        Op::Structure { .. } => single(op, regs, env)?,
        _ => {}
    }
    Ok(())
}

/// The address, and what is written back.
fn resolved<E: Env>(address: Address, regs: &Regs, env: &E) -> Result<(u64, Option<(Slot, u64)>), Exit> {
    Ok(match address {
        Address::Immediate { n, offset, index } => {
            let (at, after) = indexed(base(regs, env, n)?, offset, index == Index::Post);
            (at, (index != Index::Offset).then_some((n, after)))
        }
        Address::Register { n, m, extend, amount } => {
            (base(regs, env, n)?.wrapping_add(extended(regs.get(m), extend, amount)), None)
        }
        Address::Literal { offset } => (regs.pc.wrapping_add_signed(i64::from(offset)), None),
    })
}

fn write_back(regs: &mut Regs, after: Option<(Slot, u64)>) {
    if let Some((n, value)) = after {
        regs.put(n, value);
    }
}

/// What LD1 to ST4 write back, where `transferred` bytes were.
fn incremented(regs: &Regs, start: u64, n: Slot, m: Slot, transferred: u64) -> Option<(Slot, u64)> {
    let step = match m {
        SINK => return None,
        ZERO => transferred,
        m => regs.get(m),
    };
    Some((n, start.wrapping_add(step)))
}

/// Elements go one by one, each an access.
fn multiple<E: Env>(op: &Op, regs: &mut Regs, env: &mut E) -> Result<(), Exit> {
    let Op::Structures { structure, repeat } = *op else { return Ok(()) };
    let Structure { load, quad, size, elements, t, n, m } = structure;
    let start = base(regs, env, n)?;
    let bytes = 1_u8 << (size & 3);
    let lanes = (if quad { 16 } else { 8 }) / bytes;
    // Loads are kept until all of them succeeded.
    let mut values = [0_u128; 4];
    if !load {
        for (value, number) in values.iter_mut().zip(0_u8..) {
            *value = regs.vector((t + number) & 31);
        }
    }
    let mut at = start;
    for round in 0..repeat {
        for place in 0..lanes {
            for value in values.iter_mut().skip(usize::from(round)).take(usize::from(elements)) {
                let access = plain(at, bytes, Alignment::Natural);
                if load {
                    *value = with_lane(*value, size, place, env.read(access)? as u64);
                } else {
                    env.write(access, u128::from(lane(*value, size, place)))?;
                }
                at = at.wrapping_add(u64::from(bytes));
            }
        }
    }
    if load {
        for (value, number) in values.iter().zip(0..repeat * elements) {
            regs.put_vector((t + number) & 31, *value);
        }
    }
    let after = incremented(regs, start, n, m, at.wrapping_sub(start));
    write_back(regs, after);
    Ok(())
}

fn single<E: Env>(op: &Op, regs: &mut Regs, env: &mut E) -> Result<(), Exit> {
    let Op::Structure { structure, lane: place } = *op else { return Ok(()) };
    let Structure { load, quad, size, elements, t, n, m } = structure;
    let start = base(regs, env, n)?;
    let bytes = 1_u8 << (size & 3);
    let mut at = start;
    let mut values = [0_u64; 4];
    for (value, number) in values.iter_mut().zip(0..elements) {
        let access = plain(at, bytes, Alignment::Natural);
        if load {
            *value = env.read(access)? as u64;
        } else {
            env.write(access, u128::from(lane(regs.vector((t + number) & 31), size, place)))?;
        }
        at = at.wrapping_add(u64::from(bytes));
    }
    if load {
        for (value, number) in values.iter().zip(0..elements) {
            let register = (t + number) & 31;
            let merged = if place == 255 {
                broadcast(*value, size) & lanes_mask(if quad { 128 } else { 64 })
            } else {
                with_lane(regs.vector(register), size, place, *value)
            };
            regs.put_vector(register, merged);
        }
    }
    let after = incremented(regs, start, n, m, at.wrapping_sub(start));
    write_back(regs, after);
    Ok(())
}
