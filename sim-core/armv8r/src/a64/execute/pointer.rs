//! Instructions of `FEAT_PAuth` (Arm ARM, C6.2; D5.1.5).
//!
//! XPACI, XPACD and XPACLRI need no key and ask for none, so that nothing traps them.

use crate::a64::insn::Op;
use crate::a64::pauth::{authenticate, generic, sign, strip};
use crate::a64::{Env, PointerKey, Regs};
use crate::exception::Exit;

/// A pointer authenticated, or as it is where the key is disabled.
pub(super) fn authenticated<E: Env>(pointer: u64, modifier: u64, key: PointerKey, env: &mut E) -> Result<u64, Exit> {
    Ok(env.pointer_key(key)?.map_or(pointer, |value| authenticate(pointer, modifier, value, key)))
}

pub(super) fn execute<E: Env>(op: &Op, regs: &mut Regs, env: &mut E) -> Result<(), Exit> {
    match *op {
        Op::Sign { key, d, modifier } => {
            if let Some(value) = env.pointer_key(key)? {
                regs.put(d, sign(regs.get(d), regs.get(modifier), value));
            }
        }
        Op::Authenticate { key, d, modifier } => {
            let pointer = authenticated(regs.get(d), regs.get(modifier), key, env)?;
            regs.put(d, pointer);
        }
        Op::Strip { d } => regs.put(d, strip(regs.get(d))),
        Op::SignGeneric { d, n, m } => {
            let key = env.pointer_key(PointerKey::Generic)?.unwrap_or(0);
            regs.put(d, generic(regs.get(n), regs.get(m), key));
        }
        _ => {}
    }
    Ok(())
}
