//! Whoever looks on at a run.

use crate::a64::{Barrier, SysEncoding};
use crate::exception::Exception;
use crate::hazards::HazardRecord;
use mpu_model::{AccessKind, El};

/// When and where something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// The PE.
    pub pe: usize,
    /// The address of the instruction.
    pub pc: u64,
    /// Instructions that the PE had executed before.
    pub count: u64,
    /// Time of the machine, in instructions.
    pub time: u64,
    /// The level.
    pub el: El,
    /// What `VSCTLR_EL2` names.
    pub vmid: u16,
}

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An exception is taken. [`At`] is where from.
    Exception(Exception),
    /// An exception return was made.
    Return {
        /// From this level.
        from: El,
        /// To this one.
        to: El,
        /// Where it goes on.
        address: u64,
        /// It was illegal: the level has stayed.
        illegal: bool,
    },
    /// A system register was written.
    Write {
        /// The register.
        register: SysEncoding,
        /// What MSR wrote.
        value: u64,
    },
    /// A barrier was executed.
    Barrier(Barrier),
    /// A system instruction was executed: maintenance, or address translation.
    Maintenance {
        /// Which.
        operation: SysEncoding,
        /// Its argument.
        value: u64,
    },
    /// Data was accessed.
    Access {
        /// How.
        kind: AccessKind,
        /// Where.
        address: u64,
        /// Bytes.
        bytes: u8,
        /// What was read, or written.
        value: u128,
    },
    /// A use of an MPU that hardware may answer either way.
    Hazard(HazardRecord),
}

/// Whether the run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// It goes on.
    Go,
    /// It stops behind the instruction.
    Stop,
}

/// Looks on at a run. It changes nothing in it.
pub trait Observer {
    /// Whether it looks at all: where it does not, nothing is put together to be told.
    const OBSERVES: bool = true;
    /// Whether it is told of accesses to data.
    const ACCESSES: bool = Self::OBSERVES;

    /// Told of what happens, behind it but for an exception; says whether the run goes on.
    fn observe(&mut self, at: &At, event: &Event) -> Flow;
}

/// Nobody.
impl Observer for () {
    const OBSERVES: bool = false;

    fn observe(&mut self, _: &At, _: &Event) -> Flow {
        Flow::Go
    }
}

impl<O: Observer> Observer for &mut O {
    const OBSERVES: bool = O::OBSERVES;
    const ACCESSES: bool = O::ACCESSES;

    fn observe(&mut self, at: &At, event: &Event) -> Flow {
        O::observe(self, at, event)
    }
}
