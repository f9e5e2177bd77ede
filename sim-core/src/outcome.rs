//! What runs end in: typed results and causes. No wording: whoever prints them words them, in one place.

use crate::layout::{Owner, Span};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Sub;
use evtchn::Object;
use mpu_model::{AccessKind, Denial, Hazard, RegionWords, Syndrome, WriteHazard};

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

/// Slots one view takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ViewBudget {
    /// Which view.
    pub view: ViewId,
    /// Fixed regions.
    pub fixed: usize,
    /// Windows.
    pub windows: usize,
    /// The view's own regions.
    pub own: usize,
}

impl ViewBudget {
    /// All slots of the view.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.fixed + self.windows + self.own
    }
}

/// A system whose views do not fit the board.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("needs {required} EL2 regions, and the board has {available}")]
pub struct Refused {
    /// R: the number that would do.
    pub required: usize,
    /// What the board has.
    pub available: u8,
    /// What each view takes.
    pub views: Vec<ViewBudget>,
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

/// Accesses to the registers of one MPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MpuCounts {
    /// Writes to PRSELR.
    pub prselr: u64,
    /// Writes to PRBAR in any of its forms.
    pub prbar: u64,
    /// Writes to PRLAR in any of its forms.
    pub prlar: u64,
    /// Writes to PRENR.
    pub prenr: u64,
    /// Writes to SCTLR.
    pub sctlr: u64,
    /// Reads of any of them.
    pub reads: u64,
}

/// What was done, each kind counted apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The EL2 MPU's registers.
    pub el2: MpuCounts,
    /// The EL1 MPU's registers, accessed at EL2 when vCPUs change.
    pub el1: MpuCounts,
    /// ISBs at EL2.
    pub isb: u64,
    /// DSBs at EL2.
    pub dsb: u64,
    /// Exceptions taken to EL2.
    pub exceptions: u64,
    /// Returns from EL2.
    pub erets: u64,
    /// Loads, stores and atomics made at EL2.
    pub el2_accesses: u64,
    /// Looks through the software copy of the region table.
    pub table_scans: u64,
    /// Other system registers written at EL2 (timer, list register, virtual ids, EL1 context).
    pub sysreg_writes: u64,
    /// Other system registers read at EL2.
    pub sysreg_reads: u64,
    /// Interrupts sent to other PEs.
    pub kicks: u64,
    /// Actions of guests: instructions that touch memory or the interrupt controller, traps, exceptions at EL1.
    pub guest_actions: u64,
}

macro_rules! by_field {
    ($a:expr, $b:expr, $op:ident; $($field:ident),*) => {
        Self { $($field: $a.$field.$op($b.$field)),* }
    };
}

impl Sub for MpuCounts {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        by_field!(self, other, saturating_sub; prselr, prbar, prlar, prenr, sctlr, reads)
    }
}

impl Sub for Counts {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        by_field!(self, other, less; el2, el1, isb, dsb, exceptions, erets, el2_accesses, table_scans, sysreg_writes,
            sysreg_reads, kicks, guest_actions)
    }
}

impl MpuCounts {
    /// Adds field by field.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        by_field!(self, other, saturating_add; prselr, prbar, prlar, prenr, sctlr, reads)
    }

    /// All writes.
    #[must_use]
    pub const fn writes(&self) -> u64 {
        self.prselr + self.prbar + self.prlar + self.prenr + self.sctlr
    }
}

impl Counts {
    /// Adds field by field.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        by_field!(self, other, plus_counts; el2, el1, isb, dsb, exceptions, erets, el2_accesses, table_scans,
            sysreg_writes, sysreg_reads, kicks, guest_actions)
    }

    /// Writes to the EL2 MPU.
    #[must_use]
    pub const fn el2_writes(&self) -> u64 {
        self.el2.writes()
    }
}

/// Lets one macro handle plain and nested counters.
trait Fieldwise {
    fn plus_counts(self, other: Self) -> Self;
    fn less(self, other: Self) -> Self;
}

impl Fieldwise for u64 {
    fn plus_counts(self, other: Self) -> Self {
        self.saturating_add(other)
    }
    fn less(self, other: Self) -> Self {
        self.saturating_sub(other)
    }
}

impl Fieldwise for MpuCounts {
    fn plus_counts(self, other: Self) -> Self {
        self.plus(other)
    }
    fn less(self, other: Self) -> Self {
        self - other
    }
}

/// A distribution kept exactly: how often each value came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    values: BTreeMap<u64, u64>,
    count: u64,
    sum: u64,
}

impl Distribution {
    /// Adds a value.
    pub fn add(&mut self, value: u64) {
        let times = self.values.entry(value).or_default();
        *times = times.saturating_add(1);
        self.count = self.count.saturating_add(1);
        self.sum = self.sum.saturating_add(value);
    }

    /// Adds all values of another.
    pub fn merge(&mut self, other: &Self) {
        for (value, times) in &other.values {
            let known = self.values.entry(*value).or_default();
            *known = known.saturating_add(*times);
        }
        self.count = self.count.saturating_add(other.count);
        self.sum = self.sum.saturating_add(other.sum);
    }

    /// How many values there are.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Their sum.
    #[must_use]
    pub const fn sum(&self) -> u64 {
        self.sum
    }

    /// The smallest.
    #[must_use]
    pub fn min(&self) -> Option<u64> {
        self.values.keys().next().copied()
    }

    /// The largest.
    #[must_use]
    pub fn max(&self) -> Option<u64> {
        self.values.keys().next_back().copied()
    }

    /// The mean in hundredths, rounded down, so that it prints alike everywhere.
    #[must_use]
    pub fn mean_hundredths(&self) -> Option<u64> {
        self.sum.saturating_mul(100).checked_div(self.count)
    }

    /// The smallest value that at least `percent` of all values do not exceed (nearest rank).
    #[must_use]
    pub fn percentile(&self, percent: u64) -> Option<u64> {
        let rank = self.count.saturating_mul(percent).div_ceil(100).max(1);
        let mut seen = 0u64;
        self.values.iter().find_map(|(value, times)| {
            seen = seen.saturating_add(*times);
            (seen >= rank).then_some(*value)
        })
    }
}

/// Which step of a guest's program, as its author numbers them.
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
    pub pe: usize,
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
}

/// A hazard, where it was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HazardReport {
    /// On which PE.
    pub pe: usize,
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

/// A vCPU that will never go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiter {
    /// Which.
    pub vcpu: VcpuRef,
    /// For what.
    pub waits_for: WaitsFor,
    /// At which step.
    pub step: Option<StepId>,
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
    /// The limit of steps was reached.
    Limit(u64),
}

/// What became of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventTotals {
    /// Sends that reached a port.
    pub sent: u64,
    /// Of these, the ones a guest's handler found.
    pub delivered: u64,
    /// Of these, the ones that found the port pending already.
    pub coalesced: u64,
    /// Of these, the ones on an unmasked port that no handler found by the end of the run.
    pub lost: u64,
    /// Events nobody sent: the one a bind raises, VIRQs.
    pub raised: u64,
    /// Of these, the ones a guest's handler found.
    pub raised_delivered: u64,
}

/// What became of the events of one port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortEvents {
    /// Position of the receiving domain.
    pub domain: usize,
    /// Its port.
    pub port: u32,
    /// What became of its events.
    pub totals: EventTotals,
    /// Cycles from the trap of a send to the handler that found the event.
    pub latency: Distribution,
}

/// What traps of one kind cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrapCost {
    /// How many there were.
    pub calls: u64,
    /// Of hypercalls: how many returned which errno.
    pub errors: BTreeMap<i64, u64>,
    /// What they did.
    pub counts: Counts,
    /// Cycles from the exception to the return.
    pub cycles: Distribution,
}

/// Use of one view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ViewUse {
    /// Which view.
    pub view: ViewId,
    /// Slots of fixed regions.
    pub fixed: usize,
    /// Slots of windows.
    pub windows: usize,
    /// Slots of its own.
    pub own: usize,
    /// Bytes that belong to guests and can be reached at EL2 in it.
    pub guest_bytes: u64,
}

/// Use of regions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegionUse {
    /// What the board has.
    pub el2_total: u8,
    /// R: what the system needs under this strategy.
    pub required: usize,
    /// Fixed regions.
    pub fixed: usize,
    /// The most that were enabled at once on any PE.
    pub peak: usize,
    /// Per view.
    pub views: Vec<ViewUse>,
}

impl Trap {
    /// Whether it is `EVTCHNOP_send`.
    #[must_use]
    pub fn is_send(&self) -> bool {
        let send = HypercallId { nr: crate::convention::nr::EVENT_CHANNEL_OP, cmd: Some(evtchn::abi::op::SEND) };
        *self == Self::Hypercall(send)
    }
}

impl Report {
    /// Cycles from the trap of a send to the handler that found the event, over all ports.
    #[must_use]
    pub fn send_to_upcall(&self) -> Distribution {
        let mut all = Distribution::default();
        self.ports.iter().for_each(|port| all.merge(&port.latency));
        all
    }

    /// The report of a system that does not fit: nothing ran.
    #[must_use]
    pub fn refused(refused: Refused) -> Self {
        let views = refused.views.iter().map(|budget| ViewUse {
            view: budget.view,
            fixed: budget.fixed,
            windows: budget.windows,
            own: budget.own,
            guest_bytes: 0,
        });
        let regions = RegionUse {
            el2_total: refused.available,
            required: refused.required,
            fixed: refused.views.first().map_or(0, |budget| budget.fixed),
            peak: 0,
            views: views.collect(),
        };
        Self {
            outcome: Outcome::Refused(refused),
            hazards: Vec::new(),
            events: EventTotals::default(),
            ports: Vec::new(),
            traps: BTreeMap::new(),
            regions,
            counts: Counts::default(),
            boot_counts: Counts::default(),
            cycles: 0,
            lock_wait: 0,
            steps: 0,
            console: String::new(),
        }
    }
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// Uses of the MPU that hardware may answer either way, the first of them.
    pub hazards: Vec<HazardReport>,
    /// Events, all ports together.
    pub events: EventTotals,
    /// Events per port.
    pub ports: Vec<PortEvents>,
    /// Cost per kind of trap.
    pub traps: BTreeMap<Trap, TrapCost>,
    /// Regions.
    pub regions: RegionUse,
    /// All that was done since the first guest ran.
    pub counts: Counts,
    /// All that was done before.
    pub boot_counts: Counts,
    /// The latest clock of all PEs.
    pub cycles: u64,
    /// Cycles PEs waited for the hypervisor lock.
    pub lock_wait: u64,
    /// Actions taken.
    pub steps: u64,
    /// What was written to the console.
    pub console: String,
}
