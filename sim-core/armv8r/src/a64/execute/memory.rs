//! Loads and stores of general registers (Arm ARM, C6.2; syndromes: `ESR_ELx`, ISS encoding of a data abort).

use crate::a64::bits::{ones, sign_extend};
use crate::a64::execute::pointer::authenticated;
use crate::a64::insn::{Index, Modify, Op, Shape};
use crate::a64::slot::{SP, Slot, ZERO};
use crate::a64::{Access, Alignment, Atomic, Env, Regs};
use crate::exception::{Exit, Transfer};

pub(super) fn execute<E: Env>(op: &Op, regs: &mut Regs, env: &mut E) -> Result<(), Exit> {
    match *op {
        Op::LoadLiteral { shape, t, offset } => {
            let address = regs.pc.wrapping_add_signed(i64::from(offset));
            load(regs, env, shape, t, (address, Alignment::Natural, true))
        }
        Op::LoadOrdered { shape, t, n, offset } => {
            let address = base(regs, env, n)?.wrapping_add_signed(i64::from(offset));
            load(regs, env, shape, t, (address, Alignment::Ordered, true))
        }
        Op::StoreOrdered { shape, t, n, offset } => {
            let address = base(regs, env, n)?.wrapping_add_signed(i64::from(offset));
            store(regs, env, shape, t, (address, Alignment::Ordered, true))
        }
        Op::LoadAuthenticated { key, writeback, t, n, offset } => {
            let pointer = base(regs, env, n)?;
            let address = authenticated(pointer, 0, key, env)?.wrapping_add_signed(i64::from(offset));
            let shape = Shape { size: 3, signed: false, wide: true, unprivileged: false };
            load(regs, env, shape, t, (address, Alignment::Natural, !writeback))?;
            if writeback {
                regs.put(n, address);
            }
            Ok(())
        }
        Op::LoadExclusive { .. }
        | Op::LoadExclusivePair { .. }
        | Op::StoreExclusive { .. }
        | Op::StoreExclusivePair { .. } => exclusive(op, regs, env),
        _ => atomic(op, regs, env),
    }
}

/// The base of an access; SP where it is has to be aligned if that is checked.
#[inline]
pub(super) fn base<E: Env>(regs: &Regs, env: &E, n: Slot) -> Result<u64, Exit> {
    let value = regs.get(n);
    if n == SP && value & 15 != 0 && env.checks_sp() { Err(Exit::SpAlignment) } else { Ok(value) }
}

/// The address of an access with writeback, and what is written back.
pub(super) const fn indexed(base: u64, offset: i32, post: bool) -> (u64, u64) {
    let moved = base.wrapping_add_signed(offset as i64);
    (if post { base } else { moved }, moved)
}

/// An access that no syndrome tells more of.
pub(super) const fn plain(address: u64, bytes: u8, alignment: Alignment) -> Access {
    Access { address, bytes, alignment, unprivileged: false, transfer: None }
}

/// An access of one register; `told`: a syndrome tells of it.
#[inline]
fn single(shape: Shape, t: Slot, (address, alignment, told): (u64, Alignment, bool)) -> Access {
    let transfer = told.then_some(Transfer {
        size: shape.size,
        sign_extend: shape.signed,
        register: if t >= ZERO { 31 } else { t },
        sixty_four: shape.wide,
        ordered: matches!(alignment, Alignment::Ordered),
    });
    Access { address, bytes: 1 << (shape.size & 3), alignment, unprivileged: shape.unprivileged, transfer }
}

#[inline]
pub(super) fn load<E: Env>(
    regs: &mut Regs,
    env: &mut E,
    shape: Shape,
    t: Slot,
    how: (u64, Alignment, bool),
) -> Result<(), Exit> {
    let value = env.read(single(shape, t, how))? as u64;
    let count = 8 << (shape.size & 3);
    if shape.signed {
        regs.put_wide(shape.wide, t, sign_extend(value & ones(count), count));
    } else {
        regs.put(t, value & ones(count));
    }
    Ok(())
}

#[inline]
pub(super) fn store<E: Env>(
    regs: &mut Regs,
    env: &mut E,
    shape: Shape,
    t: Slot,
    how: (u64, Alignment, bool),
) -> Result<(), Exit> {
    env.write(single(shape, t, how), truncated(regs.get(t), shape.size))
}

/// The low bytes of a register.
const fn truncated(value: u64, size: u8) -> u128 {
    (value & ones(8 << (size & 3))) as u128
}

/// LDP, STP and their kin.
pub(super) fn pair<E: Env>(op: &Op, regs: &mut Regs, env: &mut E) -> Result<(), Exit> {
    let (Op::LoadPair { size, index, n, offset, .. } | Op::StorePair { size, index, n, offset, .. }) = *op else {
        return Ok(());
    };
    let (address, after) = indexed(base(regs, env, n)?, offset, index == Index::Post);
    let bytes = 1 << (size & 3);
    let first = plain(address, bytes, Alignment::Natural);
    let second = plain(address.wrapping_add(u64::from(bytes)), bytes, Alignment::Natural);
    match *op {
        Op::LoadPair { signed, t, t2, .. } => {
            let (one, two) = (env.read(first)? as u64, env.read(second)? as u64);
            regs.put(t2, if signed { sign_extend(two, 32) } else { two });
            regs.put(t, if signed { sign_extend(one, 32) } else { one });
        }
        Op::StorePair { t, t2, .. } => {
            env.write(first, truncated(regs.get(t), size))?;
            env.write(second, truncated(regs.get(t2), size))?;
        }
        _ => {}
    }
    if index != Index::Offset {
        regs.put(n, after);
    }
    Ok(())
}

/// Two registers as they lie in memory.
const fn joined(low: u64, high: u64, size: u8) -> u128 {
    truncated(low, size) | (truncated(high, size) << (8 << (size & 3)))
}

fn exclusive<E: Env>(op: &Op, regs: &mut Regs, env: &mut E) -> Result<(), Exit> {
    let access = |regs: &Regs, env: &E, n: Slot, bytes: u8| {
        base(regs, env, n).map(|address| plain(address, bytes, Alignment::Atomic))
    };
    match *op {
        Op::LoadExclusive { size, t, n } => {
            let value = env.read_exclusive(access(regs, env, n, 1 << (size & 3))?)? as u64;
            regs.put(t, value);
        }
        Op::LoadExclusivePair { size, t, t2, n } => {
            let value = env.read_exclusive(access(regs, env, n, 2 << (size & 3))?)?;
            let count = 8 << (size & 3);
            regs.put(t, value as u64 & ones(count));
            regs.put(t2, (value >> count) as u64);
        }
        Op::StoreExclusive { size, s, t, n } => {
            let access = access(regs, env, n, 1 << (size & 3))?;
            let done = env.write_exclusive(access, truncated(regs.get(t), size))?;
            regs.put(s, u64::from(!done));
        }
        Op::StoreExclusivePair { size, s, t, t2, n } => {
            let access = access(regs, env, n, 2 << (size & 3))?;
            let done = env.write_exclusive(access, joined(regs.get(t), regs.get(t2), size))?;
            regs.put(s, u64::from(!done));
        }
        _ => {}
    }
    Ok(())
}

const fn operation(modify: Modify) -> Atomic {
    match modify {
        Modify::Add => Atomic::Add,
        Modify::Clear => Atomic::Clear,
        Modify::Eor => Atomic::Eor,
        Modify::Set => Atomic::Set,
        Modify::SignedMax => Atomic::SignedMax,
        Modify::SignedMin => Atomic::SignedMin,
        Modify::UnsignedMax => Atomic::UnsignedMax,
        Modify::UnsignedMin => Atomic::UnsignedMin,
        Modify::Swap => Atomic::Swap,
    }
}

/// `FEAT_LSE`'s.
fn atomic<E: Env>(op: &Op, regs: &mut Regs, env: &mut E) -> Result<(), Exit> {
    match *op {
        Op::Atomic { modify, size, s, t, n } => {
            let access = plain(base(regs, env, n)?, 1 << (size & 3), Alignment::Atomic);
            let there = env.atomic(access, operation(modify), truncated(regs.get(s), size))?;
            regs.put(t, there as u64);
        }
        Op::CompareSwap { size, s, t, n } => {
            let access = plain(base(regs, env, n)?, 1 << (size & 3), Alignment::Atomic);
            let expected = Atomic::CompareAndSwap(truncated(regs.x(s), size));
            let there = env.atomic(access, expected, truncated(regs.get(t), size))?;
            regs.set_x(s, there as u64);
        }
        Op::CompareSwapPair { size, s, t, n } => {
            let access = plain(base(regs, env, n)?, 2 << (size & 3), Alignment::Atomic);
            let expected = Atomic::CompareAndSwap(joined(regs.x(s), regs.x(s + 1), size));
            let there = env.atomic(access, expected, joined(regs.x(t), regs.x(t + 1), size))?;
            let count = 8 << (size & 3);
            regs.set_x(s, there as u64 & ones(count));
            regs.set_x(s + 1, (there >> count) as u64);
        }
        _ => {}
    }
    Ok(())
}
