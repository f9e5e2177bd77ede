//! Instructions over plain memory.

mod branch;
mod environment;
mod integer;
mod memory;
mod pointer;
mod random;
mod simd;

use super::{Access, Atomic, Barrier, Env, Hint, PointerKey, Regs, SysEncoding, decode, execute};
use crate::exception::Exit;
use crate::features::Features;
use core::fmt::{self, Debug, Formatter};
use std::format;
use std::string::String;
use std::vec;
use std::vec::Vec;

/// Where instructions are.
const PC: u64 = 0x1000;
/// Bytes from here on are 0x80, 0x81 and so on.
const DATA: u64 = 0x2000;
/// How much memory there is.
const BYTES: usize = 0x1_0000;

/// A part of what an instruction reads or writes.
#[derive(Clone, Copy, Debug)]
enum State {
    X(u8, u64),
    Sp(u64),
    Pc(u64),
    Nzcv(u32),
    V(u8, u128),
    /// FPSR.QC is set.
    Qc,
    /// Eight bytes at [`DATA`].
    Memory(u64),
}

/// What is executed, its word, what is set before and what holds after; all else stays as it was.
type Case = (&'static str, u32, &'static [State], &'static [State]);

/// What an instruction asked of its environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Read(Access),
    Write(Access, u128),
    Atomic(Access, Atomic, u128),
    ReadExclusive(Access),
    WriteExclusive(Access, u128),
    ClearExclusive,
    ReadRegister(SysEncoding),
    WriteRegister(SysEncoding, u64),
    WritePstate(u8, u8, u8),
    System(SysEncoding, u64),
    Barrier(Barrier),
    Hint(Hint),
    ExceptionReturn(Option<u64>),
    FpAccess,
}

/// Memory and what was asked.
#[derive(Clone, Debug)]
struct Plain {
    memory: Vec<u8>,
    marked: bool,
    checks_sp: bool,
    key: Option<u128>,
    link: u64,
    asked: Vec<Asked>,
}

impl Plain {
    fn new() -> Self {
        let mut memory = vec![0; BYTES];
        for (byte, value) in memory.iter_mut().skip(DATA as usize).zip(0x80..=0xff) {
            *byte = value;
        }
        Self { memory, marked: false, checks_sp: true, key: None, link: 0, asked: Vec::new() }
    }

    /// The bytes of an access; none outside of memory.
    fn bytes(&mut self, access: Access) -> Result<&mut [u8], Exit> {
        let start = usize::try_from(access.address).map_err(|_| Exit::Taken)?;
        let end = start.checked_add(usize::from(access.bytes)).ok_or(Exit::Taken)?;
        self.memory.get_mut(start..end).ok_or(Exit::Taken)
    }

    fn get(&mut self, access: Access) -> Result<u128, Exit> {
        Ok(self.bytes(access)?.iter().rev().fold(0, |value, byte| (value << 8) | u128::from(*byte)))
    }

    fn put(&mut self, access: Access, value: u128) -> Result<(), Exit> {
        for (byte, new) in self.bytes(access)?.iter_mut().zip(value.to_le_bytes()) {
            *byte = new;
        }
        assert!(
            access.bytes == 16 || value >> (8 * u32::from(access.bytes)) == 0,
            "{value:#x} is wider than {access:?}"
        );
        Ok(())
    }
}

impl Env for Plain {
    fn read(&mut self, access: Access) -> Result<u128, Exit> {
        self.asked.push(Asked::Read(access));
        self.get(access)
    }

    fn write(&mut self, access: Access, value: u128) -> Result<(), Exit> {
        self.asked.push(Asked::Write(access, value));
        self.put(access, value)
    }

    fn atomic(&mut self, access: Access, operation: Atomic, operand: u128) -> Result<u128, Exit> {
        self.asked.push(Asked::Atomic(access, operation, operand));
        let there = self.get(access)?;
        if let Some(value) = operation.result(there, operand, access.bytes) {
            self.put(access, value)?;
        }
        Ok(there)
    }

    fn read_exclusive(&mut self, access: Access) -> Result<u128, Exit> {
        self.asked.push(Asked::ReadExclusive(access));
        self.marked = true;
        self.get(access)
    }

    fn write_exclusive(&mut self, access: Access, value: u128) -> Result<bool, Exit> {
        self.asked.push(Asked::WriteExclusive(access, value));
        if self.marked {
            self.put(access, value)?;
        }
        Ok(core::mem::take(&mut self.marked))
    }

    fn clear_exclusive(&mut self) {
        self.asked.push(Asked::ClearExclusive);
    }

    fn read_register(&mut self, _: &Regs, register: SysEncoding) -> Result<u64, Exit> {
        self.asked.push(Asked::ReadRegister(register));
        Ok(0x5555)
    }

    fn write_register(&mut self, _: &mut Regs, register: SysEncoding, value: u64) -> Result<(), Exit> {
        self.asked.push(Asked::WriteRegister(register, value));
        Ok(())
    }

    fn write_pstate(&mut self, _: &mut Regs, op1: u8, op2: u8, immediate: u8) -> Result<(), Exit> {
        self.asked.push(Asked::WritePstate(op1, op2, immediate));
        Ok(())
    }

    fn system(&mut self, _: &Regs, operation: SysEncoding, value: u64) -> Result<(), Exit> {
        self.asked.push(Asked::System(operation, value));
        Ok(())
    }

    fn barrier(&mut self, barrier: Barrier) -> Result<(), Exit> {
        self.asked.push(Asked::Barrier(barrier));
        Ok(())
    }

    fn hint(&mut self, hint: Hint) -> Result<(), Exit> {
        self.asked.push(Asked::Hint(hint));
        Ok(())
    }

    fn exception_return(&mut self, regs: &mut Regs, link: Option<u64>) -> Result<(), Exit> {
        self.asked.push(Asked::ExceptionReturn(link));
        regs.pc = link.unwrap_or(self.link);
        Ok(())
    }

    fn fp_access(&mut self) -> Result<(), Exit> {
        self.asked.push(Asked::FpAccess);
        Ok(())
    }

    fn link(&self) -> u64 {
        self.link
    }

    fn checks_sp(&self) -> bool {
        self.checks_sp
    }

    fn pointer_key(&mut self, _: PointerKey) -> Result<Option<u128>, Exit> {
        Ok(self.key)
    }
}

/// Registers of a PE with FP and Advanced SIMD, at [`PC`].
fn registers() -> Regs {
    let mut regs = Regs::new(true);
    regs.pc = PC;
    regs
}

/// Executes a word on a PE with FP and Advanced SIMD.
fn step(word: u32, regs: &mut Regs, env: &mut Plain) -> Result<(), Exit> {
    execute(&decode(word, Features { fp_simd: true }), regs, env)
}

fn set(state: &[State], regs: &mut Regs) {
    for part in state {
        match *part {
            State::X(number, value) => regs.set_x(number, value),
            State::Sp(value) => regs.set_sp(value),
            State::Pc(value) => regs.pc = value,
            State::Nzcv(value) => regs.nzcv = value << 28,
            State::V(number, value) => regs.put_vector(number, value),
            State::Qc => regs.fpsr |= 1 << 27,
            State::Memory(_) => {}
        }
    }
}

/// Each case from a state where all that it does not name is a pattern.
fn check(cases: &[Case]) {
    let wrong: Vec<_> = cases.iter().filter_map(wrong).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What is wrong with a case.
fn wrong((text, word, before, after): &Case) -> Option<String> {
    let mut env = Plain::new();
    let mut regs = registers();
    for number in 0..31 {
        regs.set_x(number, 0xdead_beef_0000_0000 | u64::from(number));
    }
    regs.set_sp(0x3000);
    set(before, &mut regs);
    let mut expected = regs.clone();
    expected.pc = PC + 4;
    set(after, &mut expected);
    let outcome = step(*word, &mut regs, &mut env);
    if outcome.is_err() || regs != expected {
        return Some(format!("{text}: {outcome:?}, {:x?} and not {:x?}", Brief(&regs), Brief(&expected)));
    }
    let memory = after.iter().find_map(|part| if let State::Memory(value) = part { Some(*value) } else { None });
    let bytes = env.memory.get(DATA as usize..DATA as usize + 8)?;
    let there = bytes.iter().rev().fold(0, |value, byte| (value << 8) | u64::from(*byte));
    (there != memory.unwrap_or(0x8786_8584_8382_8180)).then(|| format!("{text}: memory {there:#x}"))
}

/// The registers that cases name.
struct Brief<'a>(&'a Regs);

impl Debug for Brief<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let regs = self.0;
        let x: Vec<_> = (0..4).map(|number| regs.x(number)).collect();
        let v: Vec<_> = (0..4).map(|number| regs.vector(number)).collect();
        write!(
            f,
            "pc {:#x}, sp {:#x}, nzcv {:#x}, fpsr {:#x}, x {x:x?}, v {v:x?}",
            regs.pc,
            regs.sp(),
            regs.nzcv,
            regs.fpsr
        )
    }
}
