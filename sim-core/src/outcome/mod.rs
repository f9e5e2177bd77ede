//! What runs end in: typed results and causes. No wording: whoever prints them words them, in one place.

mod boot;
mod counts;
mod regions;
mod report;

pub use boot::{BootPhase, PhaseUse};
pub use counts::{Counts, Distribution, MpuCounts};
pub use regions::{Refused, RegionNeeds, Shortage, SmallestChange, ViewBudget};
pub use report::{EventTotals, PortEvents, RegionUse, Report, TrapCost, ViewUse};

use crate::layout::{Owner, Span};
use alloc::vec::Vec;
use boards::PeId;
use evtchn::Object;
use mpu_model::{AccessKind, Denial, Hazard, Memory, RegionWords, Syndrome, WriteHazard};

/// Which set of regions a PE has enabled beyond the fixed ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ViewId {
    /// Fixed regions only: no vCPU runs here.
    Idle,
    /// The domain at that position runs here.
    Guest(usize),
    /// All domains' memory, for EL2 alone.
    Hypervisor,
}

/// An accepted area of memory that an event-channel structure lives in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    /// Its first byte.
    pub address: u64,
    /// The owner's range it lies in; a mapping of the area never leaves it.
    pub within: Span,
    /// Position of the domain whose it is; `None`: the hypervisor's stand-in for the `vcpu_info` of vCPUs that registered
    /// none.
    pub domain: Option<usize>,
    /// What lives there.
    pub object: Object,
}

/// Which step of a guest's program, as its author numbers them.
#[cfg_attr(feature = "export", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepId(pub u32);

/// A vCPU as reports name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VcpuRef {
    /// Position of its domain.
    pub domain: usize,
    /// Its number in the domain.
    pub vcpu: u32,
}

/// A hypercall by number and, where it has one, command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HypercallId {
    /// x16.
    pub nr: u64,
    /// The command, for hypercalls that take one in x0.
    pub cmd: Option<u32>,
}

/// Why EL2 was running.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trap {
    /// A hypercall.
    Hypercall(HypercallId),
    /// `HVC #0`: PSCI and its kin.
    Smccc,
    /// An HVC whose immediate is neither.
    UnknownHvc(u16),
    /// `WFI`.
    WaitForInterrupt,
    /// A guest's access that stage 2 refused.
    StageTwoAbort,
    /// A guest's access to an emulated device.
    Mmio,
    /// A physical interrupt.
    Interrupt,
    /// Boot code.
    Boot,
}

/// What an EL2 exception from EL2 was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The EL2 MPU refused an access the hypervisor made.
    Access(Denial),
    /// The EL2 MPU no longer lets the hypervisor's own code run: its text, rodata or stack is not reachable.
    OwnImage(Denial),
    /// The MPU let the access through and nothing answers at that address.
    External {
        /// The address.
        address: u64,
        /// The kind of access.
        access: AccessKind,
    },
}

/// An EL2 exception taken from EL2, as the machine saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct El2Fault {
    /// On which PE.
    pub pe: PeId,
    /// What it was.
    pub kind: FaultKind,
    /// `ESR_EL2` and `FAR_EL2`.
    pub syndrome: Syndrome,
    /// The pending register write on which the verdict hung.
    pub hazard: Option<Hazard>,
}

impl El2Fault {
    /// The kind of access that was refused.
    #[must_use]
    pub const fn access(&self) -> AccessKind {
        match self.kind {
            FaultKind::Access(denial) | FaultKind::OwnImage(denial) => denial.access.kind,
            FaultKind::External { access, .. } => access,
        }
    }
}

/// A use of the MPU that hardware may answer either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HazardKind {
    /// An access whose verdict depends on a write that no barrier has put in force.
    Unsynchronised(Hazard, Denial),
    /// A region register written through a PRSELR that is not in force.
    StaleSelector(WriteHazard),
    /// Memory accessed with other attributes than last time, one of the two a write. `None`: those of the default map.
    Attributes {
        /// The address.
        address: u64,
        /// The access.
        access: AccessKind,
        /// The attributes of the last access.
        before: Option<Memory>,
        /// Those of this one.
        now: Option<Memory>,
    },
}

/// A hazard, where it was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HazardReport {
    /// On which PE.
    pub pe: PeId,
    /// What it was.
    pub kind: HazardKind,
}

/// On whose behalf the hypervisor was running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnBehalf {
    /// Why EL2 was entered.
    pub trap: Trap,
    /// The vCPU that trapped, unless nobody ran.
    pub vcpu: Option<VcpuRef>,
    /// The hypercall's arguments x0 to x4, if it was one.
    pub args: Option<[u64; 5]>,
    /// The step of the guest's program.
    pub step: Option<StepId>,
}

/// One slot of the EL2 MPU as a report shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotLine {
    /// The slot.
    pub slot: u8,
    /// Its register words.
    pub words: RegionWords,
    /// Whose memory it covers; empty for a window.
    pub owners: Vec<Owner>,
}

/// A hypervisor fault with everything its report needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HypervisorFault {
    /// The exception.
    pub fault: El2Fault,
    /// For whom.
    pub on_behalf: OnBehalf,
    /// Who owns the address.
    pub owner: Owner,
    /// What lives there, and the byte offset in it.
    pub object: Option<(Area, u64)>,
    /// The view in force.
    pub view: ViewId,
    /// Every enabled slot.
    pub slots: Vec<SlotLine>,
    /// The enabled region below the address.
    pub below: Option<SlotLine>,
    /// The enabled region above the address.
    pub above: Option<SlotLine>,
    /// The fault raised while the hypervisor printed its last words, if it got no further.
    pub recursive: Option<El2Fault>,
}

/// What a vCPU waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitsFor {
    /// An event on this port of its own.
    Event(u32),
    /// Any interrupt.
    Interrupt,
    /// Its turn: it could run and does not.
    Turn,
}

/// Why no handler finds the event of a pending port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unseen {
    /// The port is masked.
    Masked,
    /// Two-level ABI: its bit in `evtchn_pending_sel` is clear, so the handler does not look at its word.
    Unselected,
    /// FIFO ABI: its event word is not linked, so it is on no queue.
    Unlinked,
    /// FIFO ABI: it is linked, and the control block has no queue ready.
    NotReady,
    /// FIFO ABI: its page of event words is not handed over, so there is no word to be pending in.
    NoEventWord,
    /// `evtchn_upcall_pending` is 0.
    NoUpcall,
    /// All of these lead to it, and the vCPU takes no event interrupt.
    NotTaken,
}

/// A port that is pending when nothing happens any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingPort {
    /// Its number, in the waiter's domain.
    pub port: u32,
    /// The vCPU that it notifies.
    pub told: u32,
    /// Why nobody finds its event.
    pub unseen: Unseen,
}

/// A vCPU that will never go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiter {
    /// Which.
    pub vcpu: VcpuRef,
    /// For what.
    pub waits_for: WaitsFor,
    /// At which step.
    pub step: Option<StepId>,
    /// Sends to the port that it waits for that found the port pending; 0 if it waits for no port.
    pub coalesced: u64,
    /// Pending ports that notify it, and the one that it waits for if that is pending.
    pub pending: Vec<PendingPort>,
}

/// A step whose result was not the expected one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepFailure {
    /// Whose.
    pub vcpu: VcpuRef,
    /// Which.
    pub step: StepId,
    /// What was expected.
    pub expected: Expected,
    /// What came.
    pub got: Got,
}

/// What a step expects.
#[cfg_attr(feature = "export", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// A hypercall returns this.
    Rc(i64),
    /// An access succeeds.
    Success,
    /// A load gives this value.
    Value(u64),
    /// The access is refused by either stage.
    Fault,
    /// The access is refused by stage 1.
    StageOne,
    /// The access is refused by stage 2.
    StageTwo,
}

/// What came instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Got {
    /// A hypercall returned this.
    Rc(i64),
    /// The access succeeded, with this value if it was a load.
    Value(u64),
    /// The guest took an exception.
    Abort {
        /// `ESR_EL1`.
        esr: u64,
        /// `FAR_EL1`.
        far: u64,
    },
}

/// Isolation that did not hold: an MPU let a guest touch what it must not, or kept its own from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breach {
    /// On which PE.
    pub pe: PeId,
    /// Position of the domain that ran there; `None`: nobody did.
    pub runs: Option<usize>,
    /// What was wrong.
    pub kind: BreachKind,
    /// Where.
    pub span: Span,
    /// Who owns its first byte.
    pub owner: Owner,
}

/// How isolation can be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreachKind {
    /// A guest can touch what it has no share in.
    Exposed,
    /// A guest cannot touch what is its own.
    Withheld,
    /// A guest can do something else with what is its own than it should.
    Rights,
    /// Two enabled regions share bytes.
    Overlap,
    /// The EL2 MPU is off, or stage 2 is, while a guest runs.
    Off,
    /// Writes to the EL2 MPU are not in force while a guest runs.
    NotInForce,
    /// The EL1 MPU does not hold the regions of the vCPU that runs, is off though there are some or on though there are none,
    /// or has writes that are not in force.
    StageOne,
}

/// Why a run was ended though guests still run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// It took as many steps as it may.
    Steps(u64),
    /// Every PE that could go on is at the end of simulated time, cycle 2^64 - 1.
    Time,
    /// No guest ever acts again: each turn is over before its vCPU can do anything in it.
    Quantum {
        /// Cycles of a turn.
        quantum: u64,
        /// Cycles of it that pass at EL2 before its vCPU can act, where they are the fewest.
        switch: u64,
    },
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every vCPU came to its end.
    Completed,
    /// The hypervisor took an exception from itself.
    HypervisorFault(alloc::boxed::Box<HypervisorFault>),
    /// The run leaned on a register write not in force. With the fault it led to, if it led to one.
    Hazard(Option<alloc::boxed::Box<HypervisorFault>>),
    /// Nothing can happen any more, and somebody still waits.
    Deadlock(Vec<Waiter>),
    /// The views do not fit the board; nothing ran.
    Refused(Refused),
    /// Steps did not give what they were expected to.
    ExpectationFailed(Vec<StepFailure>),
    /// Guests still run, and the run was ended.
    Limit(Limit),
    /// The isolation oracle found the MPUs at odds with the layout.
    IsolationBroken(Breach),
}
