//! What instructions do (Arm ARM, C6.2).

mod memory;
mod pointer;
mod structure;

use crate::a64::arithmetic::{
    C, add_with_carry, bitfield, crc32, extended, extract, holds, narrow, one_source, rotated_flags, set_flags,
    shifted, sign_and_zero, signed_divide, unsigned_divide, width,
};
use crate::a64::insn::{Call, Insn, Logic, Op, Two};
use crate::a64::slot::{LINK, Slot};
use crate::a64::{Alignment, Env, Regs, simd};
use crate::exception::Exit;

/// Executes an instruction at `regs.pc`, and advances that. At an [`Exit`], `regs` are as they were but for what
/// [`Env`] did to them; the PC is the instruction's own.
#[inline]
pub fn execute<E: Env>(insn: &Insn, regs: &mut Regs, env: &mut E) -> Result<(), Exit> {
    match insn.0 {
        Op::Branch { offset } => {
            jump(regs, offset);
            return Ok(());
        }
        Op::BranchLink { offset } => {
            regs.put(LINK, regs.pc.wrapping_add(4));
            jump(regs, offset);
            return Ok(());
        }
        Op::BranchIf { condition, offset } => {
            jump_if(regs, holds(condition, regs.nzcv), offset);
            return Ok(());
        }
        Op::CompareBranch { wide, nonzero, t, offset } => {
            let zero = narrow(wide, regs.get(t)) == 0;
            jump_if(regs, zero != nonzero, offset);
            return Ok(());
        }
        Op::TestBranch { bit, nonzero, t, offset } => {
            let set = (regs.get(t) >> (bit & 63)) & 1 == 1;
            jump_if(regs, set == nonzero, offset);
            return Ok(());
        }
        Op::BranchRegister { link, n } => {
            jump_to(regs, link, regs.get(n));
            return Ok(());
        }
        Op::Nop => {}
        Op::Adr { d, offset } => regs.put(d, regs.pc.wrapping_add_signed(offset)),
        Op::AdrPage { d, offset } => regs.put(d, (regs.pc & !0xfff).wrapping_add_signed(offset)),
        Op::Move { d, value } => regs.put(d, value),
        Op::MoveKeep { wide, d, shift, value } => {
            let shift = u32::from(shift & 63);
            let kept = regs.get(d) & !(0xffff << shift);
            regs.put_wide(wide, d, kept | (u64::from(value) << shift));
        }
        Op::AddImmediate { wide, d, n, value } => regs.put_wide(wide, d, regs.get(n).wrapping_add(value)),
        Op::AddImmediateFlags { wide, carry, d, n, value } => add(regs, (wide, true), d, regs.get(n), (value, carry)),
        Op::LogicalImmediate { wide, logic, d, n, value } => logical(regs, wide, logic, d, regs.get(n), value),
        Op::Logical { wide, logic, invert, d, n, m, shift, amount } => {
            let value = shifted(wide, regs.get(m), shift, u32::from(amount));
            logical(regs, wide, logic, d, regs.get(n), if invert { !value } else { value });
        }
        Op::AddShifted { wide, sub, flags, d, n, m, shift, amount } => {
            let value = shifted(wide, regs.get(m), shift, u32::from(amount));
            add(regs, (wide, flags), d, regs.get(n), (if sub { !value } else { value }, sub));
        }
        Op::Bitfield { wide, kind, d, n, rotate, last } => {
            let value = bitfield(wide, kind, regs.get(d), regs.get(n), u32::from(rotate), u32::from(last));
            regs.put_wide(wide, d, value);
        }
        Op::Select { wide, invert, increment, condition, d, n, m } => {
            let value = if holds(condition, regs.nzcv) {
                regs.get(n)
            } else {
                let other = regs.get(m);
                (if invert { !other } else { other }).wrapping_add(u64::from(increment))
            };
            regs.put_wide(wide, d, value);
        }
        Op::Load { shape, t, n, offset } => {
            let address = memory::base(regs, env, n)?.wrapping_add_signed(i64::from(offset));
            memory::load(regs, env, shape, t, (address, Alignment::Natural, true))?;
        }
        Op::Store { shape, t, n, offset } => {
            let address = memory::base(regs, env, n)?.wrapping_add_signed(i64::from(offset));
            memory::store(regs, env, shape, t, (address, Alignment::Natural, true))?;
        }
        Op::LoadRegister { shape, t, n, m, extend, amount } => {
            let address = memory::base(regs, env, n)?.wrapping_add(extended(regs.get(m), extend, amount));
            memory::load(regs, env, shape, t, (address, Alignment::Natural, true))?;
        }
        Op::StoreRegister { shape, t, n, m, extend, amount } => {
            let address = memory::base(regs, env, n)?.wrapping_add(extended(regs.get(m), extend, amount));
            memory::store(regs, env, shape, t, (address, Alignment::Natural, true))?;
        }
        Op::LoadIndexed { shape, t, n, offset, post } => {
            let (address, after) = memory::indexed(memory::base(regs, env, n)?, offset, post);
            memory::load(regs, env, shape, t, (address, Alignment::Natural, false))?;
            regs.put(n, after);
        }
        Op::StoreIndexed { shape, t, n, offset, post } => {
            let (address, after) = memory::indexed(memory::base(regs, env, n)?, offset, post);
            memory::store(regs, env, shape, t, (address, Alignment::Natural, false))?;
            regs.put(n, after);
        }
        Op::LoadPair { .. } | Op::StorePair { .. } => memory::pair(&insn.0, regs, env)?,
        Op::BranchAuthenticated { .. } | Op::ExceptionReturn | Op::ExceptionReturnAuthenticated { .. } => {
            return leave(&insn.0, regs, env);
        }
        ref op => rare(op, regs, env)?,
    }
    regs.pc = regs.pc.wrapping_add(4);
    Ok(())
}

/// Authenticated branches, and exception returns.
fn leave<E: Env>(op: &Op, regs: &mut Regs, env: &mut E) -> Result<(), Exit> {
    match *op {
        Op::BranchAuthenticated { link, key, n, modifier } => {
            let to = pointer::authenticated(regs.get(n), regs.get(modifier), key, env)?;
            jump_to(regs, link, to);
            Ok(())
        }
        Op::ExceptionReturn => env.exception_return(regs, None),
        Op::ExceptionReturnAuthenticated { key } => {
            let link = pointer::authenticated(env.link(), regs.sp(), key, env)?;
            env.exception_return(regs, Some(link))
        }
        _ => Ok(()),
    }
}

#[inline]
fn jump(regs: &mut Regs, offset: i32) {
    regs.pc = regs.pc.wrapping_add_signed(i64::from(offset));
}

#[inline]
fn jump_if(regs: &mut Regs, condition: bool, offset: i32) {
    jump(regs, if condition { offset } else { 4 });
}

#[inline]
fn jump_to(regs: &mut Regs, link: bool, to: u64) {
    if link {
        regs.put(LINK, regs.pc.wrapping_add(4));
    }
    regs.pc = to;
}

/// What programs execute less often.
fn rare<E: Env>(op: &Op, regs: &mut Regs, env: &mut E) -> Result<(), Exit> {
    match *op {
        Op::Unallocated => return Err(Exit::Undefined),
        Op::NotBuilt(name) => return Err(Exit::NotBuilt(name)),
        Op::Raise { call, value } => {
            return Err(match call {
                Call::Svc => Exit::Svc(value),
                Call::Hvc => Exit::Hvc(value),
                Call::Smc => Exit::Smc(value),
                Call::Brk => Exit::Brk(value),
                Call::Hlt => Exit::Hlt(value),
            });
        }
        Op::ReadSystem { register, t } => {
            let value = env.read_register(regs, register)?;
            regs.put(t, value);
        }
        Op::WriteSystem { register, t } => env.write_register(regs, register, regs.get(t))?,
        Op::WritePstate { op1, op2, value } => env.write_pstate(regs, op1, op2, value)?,
        Op::System { operation, t } => env.system(regs, operation, regs.get(t))?,
        Op::Hint(hint) => env.hint(hint)?,
        Op::Barrier(barrier) => env.barrier(barrier)?,
        Op::ClearExclusive => env.clear_exclusive(),
        Op::Sign { .. } | Op::Authenticate { .. } | Op::Strip { .. } | Op::SignGeneric { .. } => {
            pointer::execute(op, regs, env)?;
        }
        Op::LoadVector { .. }
        | Op::StoreVector { .. }
        | Op::LoadVectorPair { .. }
        | Op::StoreVectorPair { .. }
        | Op::Structures { .. }
        | Op::Structure { .. } => {
            env.fp_access()?;
            structure::execute(op, regs, env)?;
        }
        Op::Simd(operation) => {
            env.fp_access()?;
            simd::execute(operation, regs);
        }
        Op::SimdImmediate { immediate, quad, d, value } => {
            env.fp_access()?;
            simd::immediate(immediate, value, quad, d, regs);
        }
        _ => {
            if !integer(op, regs) {
                memory::execute(op, regs, env)?;
            }
        }
    }
    Ok(())
}

/// Multiplication, division and the rest. False: it is something else.
fn integer(op: &Op, regs: &mut Regs) -> bool {
    match *op {
        Op::AddExtended { wide, sub, flags, d, n, m, extend, amount } => {
            let value = extended(regs.get(m), extend, amount);
            add(regs, (wide, flags), d, regs.get(n), (if sub { !value } else { value }, sub));
        }
        Op::AddCarry { wide, sub, flags, d, n, m } => {
            let value = regs.get(m);
            let carry = regs.nzcv & C != 0;
            add(regs, (wide, flags), d, regs.get(n), (if sub { !value } else { value }, carry));
        }
        Op::Extract { wide, d, n, m, lsb } => {
            let value = extract(wide, regs.get(n), regs.get(m), u32::from(lsb));
            regs.put_wide(wide, d, value);
        }
        Op::Compare { wide, sub, condition, flags, n, m } => {
            compare(regs, (wide, sub), (condition, flags), regs.get(n), regs.get(m));
        }
        Op::CompareImmediate { wide, sub, condition, flags, n, value } => {
            compare(regs, (wide, sub), (condition, flags), regs.get(n), u64::from(value));
        }
        Op::Two { wide, two, d, n, m } => {
            let (one, other) = (regs.get(n), regs.get(m));
            let value = match two {
                Two::UnsignedDivide => unsigned_divide(wide, one, other),
                Two::SignedDivide => signed_divide(wide, one, other),
                Two::Shift(shift) => shifted(wide, one, shift, other as u32 & (width(wide) - 1)),
            };
            regs.put_wide(wide, d, value);
        }
        Op::One { wide, one, d, n } => regs.put_wide(wide, d, one_source(wide, one, regs.get(n))),
        Op::Crc32 { castagnoli, size, d, n, m } => {
            let value = crc32(castagnoli, regs.get(n) as u32, regs.get(m), 1 << (size & 3));
            regs.put(d, u64::from(value));
        }
        Op::MultiplyAdd { wide, sub, d, n, m, a } => {
            let product = regs.get(n).wrapping_mul(regs.get(m));
            regs.put_wide(wide, d, accumulate(sub, regs.get(a), product));
        }
        Op::MultiplyAddLong { signed, sub, d, n, m, a } => {
            let (one, two) = (regs.get(n) as u32, regs.get(m) as u32);
            let product = if signed {
                (i64::from(one.cast_signed()) * i64::from(two.cast_signed())).cast_unsigned()
            } else {
                u64::from(one) * u64::from(two)
            };
            regs.put(d, accumulate(sub, regs.get(a), product));
        }
        Op::MultiplyHigh { signed, d, n, m } => {
            let (one, two) = (regs.get(n), regs.get(m));
            let high = if signed {
                ((i128::from(one.cast_signed()) * i128::from(two.cast_signed())) >> 64).cast_unsigned() as u64
            } else {
                ((u128::from(one) * u128::from(two)) >> 64) as u64
            };
            regs.put(d, high);
        }
        Op::RotateFlags { n, amount, mask } => {
            regs.nzcv = rotated_flags(regs.nzcv, regs.get(n), u32::from(amount), mask);
        }
        Op::SetFlags { n, bits } => regs.nzcv = set_flags(regs.nzcv, regs.get(n), u32::from(bits)),
        Op::InvertCarry => regs.nzcv ^= C,
        _ => return false,
    }
    true
}

const fn accumulate(sub: bool, there: u64, product: u64) -> u64 {
    if sub { there.wrapping_sub(product) } else { there.wrapping_add(product) }
}

/// A sum with a carry, and its flags where asked for.
#[inline]
fn add(regs: &mut Regs, (wide, flags): (bool, bool), d: Slot, one: u64, (two, carry): (u64, bool)) {
    if flags {
        let (sum, nzcv) = add_with_carry(wide, one, two, carry);
        regs.nzcv = nzcv;
        regs.put(d, sum);
    } else {
        regs.put_wide(wide, d, one.wrapping_add(two).wrapping_add(u64::from(carry)));
    }
}

#[inline]
fn logical(regs: &mut Regs, wide: bool, logic: Logic, d: Slot, one: u64, two: u64) {
    let value = match logic {
        Logic::And | Logic::Ands => one & two,
        Logic::Orr => one | two,
        Logic::Eor => one ^ two,
    };
    if logic == Logic::Ands {
        regs.nzcv = sign_and_zero(wide, value);
    }
    regs.put_wide(wide, d, value);
}

fn compare(regs: &mut Regs, (wide, sub): (bool, bool), (condition, flags): (u8, u8), one: u64, two: u64) {
    regs.nzcv = if holds(condition, regs.nzcv) {
        add_with_carry(wide, one, if sub { !two } else { two }, sub).1
    } else {
        u32::from(flags) << 28
    };
}
