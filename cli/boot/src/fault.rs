//! A fault of EL2 to itself: a synchronous exception that EL2 takes from EL2 because of what it accesses or executes, other
//! than a call.

use crate::shadow::Shadow;
use armv8r::exception::{Exception, ExceptionKind};
use armv8r::observe::At;
use boards::{Board, Kind, PeId, Span};
use mpu_model::{Access, AccessKind, DenialKind, El, Regime, RegionWords, Slot};

/// Exception classes (Arm ARM DDI 0487, `ESR_EL2`).
pub(crate) mod class {
    pub(crate) const UNKNOWN: u8 = 0x00;
    pub(crate) const ILLEGAL_STATE: u8 = 0x0e;
    pub(crate) const INSTRUCTION_ABORT_SAME: u8 = 0x21;
    pub(crate) const PC_ALIGNMENT: u8 = 0x22;
    pub(crate) const DATA_ABORT_SAME: u8 = 0x25;
    pub(crate) const SP_ALIGNMENT: u8 = 0x26;
}

/// Who answers at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Memory, with the name that the board gives it, if it has one.
    Memory {
        /// The name.
        name: String,
        /// What memory it is.
        kind: Kind,
        /// All of it.
        span: Span,
    },
    /// A UART.
    Uart {
        /// Which, the console being 0.
        number: usize,
        /// Its frame.
        span: Span,
    },
    /// The distributor of the GIC.
    Distributor,
    /// The redistributor of a PE.
    Redistributor(usize),
    /// The interrupt controller's frames, where nothing is known to be.
    Gic,
    /// The counter's frame.
    Counter,
    /// Another device of the board, with its name.
    Device(String),
    /// Nobody.
    Nobody,
}

/// A region of the MPU of EL2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Programmed {
    /// Its slot.
    pub slot: Slot,
    /// What is programmed.
    pub words: RegionWords,
}

/// A fault of EL2 to itself, and what was in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// The PE.
    pub pe: usize,
    /// Instructions that it had executed.
    pub count: u64,
    /// Time of the machine.
    pub time: u64,
    /// The instruction.
    pub pc: u64,
    /// The exception class.
    pub ec: u8,
    /// The syndrome register.
    pub esr: u64,
    /// The address, of classes that have one.
    pub far: Option<u64>,
    /// What was done there: of aborts.
    pub access: Option<AccessKind>,
    /// Who answers there.
    pub owner: Option<Owner>,
    /// Why the MPU of EL2 denies it; `None`: it does not.
    pub denial: Option<DenialKind>,
    /// Whether the MPU of EL2 was on.
    pub mpu_on: bool,
    /// Every enabled region.
    pub slots: Vec<Programmed>,
    /// Those that lie nearest below and above the address.
    pub nearest: (Option<Programmed>, Option<Programmed>),
    /// Writes to the MPU that were not in force.
    pub pending: usize,
    /// More faults of EL2 to itself that followed on this PE before an exception return.
    pub more: u64,
    /// Instruction and address of the last of them.
    pub last: Option<(u64, Option<u64>)>,
    /// An exception return from EL2 of this PE followed.
    pub returned: bool,
}

/// Whether an exception is one.
pub(crate) fn is_own(at: &At, exception: &Exception) -> bool {
    let classes = [
        class::UNKNOWN,
        class::ILLEGAL_STATE,
        class::INSTRUCTION_ABORT_SAME,
        class::PC_ALIGNMENT,
        class::DATA_ABORT_SAME,
        class::SP_ALIGNMENT,
    ];
    at.el == El::El2
        && exception.target == El::El2
        && exception.kind == ExceptionKind::Synchronous
        && classes.contains(&exception.ec)
}

/// Who answers at an address of a board.
pub(crate) fn owner(board: &Board, address: u64) -> Owner {
    if let Some((number, uart)) = board.uarts().enumerate().find(|(_, uart)| uart.span.contains(address)) {
        return Owner::Uart { number, span: uart.span };
    }
    if board.gic.span.contains(address) {
        const DISTRIBUTOR: u64 = 0x1_0000;
        if address - board.gic.span.base() < DISTRIBUTOR {
            return Owner::Distributor;
        }
        let frames = |pe: &PeId| board.gic.redistributor(*pe).is_some_and(|frames| frames.contains(address));
        return board.pe_ids().find(frames).map_or(Owner::Gic, |pe| Owner::Redistributor(pe.get()));
    }
    if board.timers.control.is_some_and(|control| control.contains(address)) {
        return Owner::Counter;
    }
    match board.memory.iter().find(|memory| memory.span.contains(address)) {
        Some(memory) if memory.kind == Kind::Device => Owner::Device(memory.name.clone()),
        Some(memory) => Owner::Memory { name: memory.name.clone(), kind: memory.kind, span: memory.span },
        None => Owner::Nobody,
    }
}

impl Fault {
    /// A fault, with the MPU of its PE as it is.
    pub(crate) fn new(at: &At, exception: &Exception, shadow: &Shadow, board: &Board) -> Self {
        const WNR: u32 = 1 << 6;
        let access = match exception.ec {
            class::INSTRUCTION_ABORT_SAME => Some(AccessKind::Fetch),
            class::DATA_ABORT_SAME if exception.iss & WNR != 0 => Some(AccessKind::Write),
            class::DATA_ABORT_SAME => Some(AccessKind::Read),
            _ => None,
        };
        let far = exception.far.filter(|_| access.is_some() || exception.ec == class::PC_ALIGNMENT);
        let mpu = &shadow.el2;
        let denial = access.zip(far).and_then(|(kind, addr)| {
            let asked = Access { addr, size: 1, kind, el: El::El2 };
            // A write that waits denies as well: then what is newest is told, if that denies.
            let settled = mpu.with_all_in_force().check(Regime::El2, asked).result;
            settled.or_else(|_| mpu.check(Regime::El2, asked).result).err().map(|denial| denial.kind)
        });
        let programmed = |(slot, words)| Programmed { slot, words };
        let (below, above) = far.map_or((None, None), |far| mpu.nearest(far));
        Self {
            pe: at.pe,
            count: at.count,
            time: at.time,
            pc: at.pc,
            ec: exception.ec,
            esr: exception.esr(),
            far,
            access,
            owner: far.map(|far| owner(board, far)),
            denial,
            mpu_on: mpu.read(mpu_model::MpuReg::Sctlr) & 1 == 1,
            slots: mpu.enabled().map(programmed).collect(),
            nearest: (below.map(programmed), above.map(programmed)),
            pending: mpu.pending().count(),
            more: 0,
            last: None,
            returned: false,
        }
    }
}
