//! The software machine: PEs, memory, MPUs, interrupts, clocks, and guests' programs.
//!
//! It knows nothing of the hypervisor. What runs at EL2 is plugged in from above: [`Machine::step`] lets a PE act until
//! it does something that EL2 has to answer, and says so; [`Machine::resume`] is the way back.

mod attributes;
pub mod bus;
pub mod clock;
mod interrupts;
pub mod pe;
pub mod ram;
mod run;

pub use attributes::Attributes;
pub use bus::Cpu;
pub use run::{GuestSlot, Refusal, Stop};

use crate::convention::Frame;
use crate::guest::{Guest, Mark};
use crate::layout::{Kind, Layout, Span};
use crate::outcome::{Counts, El2Fault, HazardReport};
use crate::platform::{Event, Vmid};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use boards::{PeId, PerPe};
use clock::Costs;
use core::fmt;
use mpu_model::{AccessKind, Probe, Rules};
use pe::Pe;
use ram::Ram;

/// Hazards kept; the first tell most.
const MAX_HAZARDS: usize = 16;

/// The machine stopped: what happened is in [`Machine::faults`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faulted(());

/// The machine.
pub struct Machine {
    /// The PEs.
    pes: PerPe<Pe>,
    /// Memory.
    ram: Ram,
    /// What was written to the console.
    console: Vec<u8>,
    /// Uses of the MPU that hardware may answer either way.
    hazards: Vec<HazardReport>,
    attributes: attributes::Known,
    devices: Vec<Span>,
    guests: Vec<GuestSlot>,
    rules: Rules,
    costs: Costs,
    fault: Option<El2Fault>,
    second_fault: Option<El2Fault>,
    /// Kicks that still arrive before one is lost.
    until_lost_kick: Option<u64>,
    events: Vec<Event>,
    marks: Vec<(usize, Mark)>,
}

impl Machine {
    /// The board of `layout`, out of reset.
    #[must_use]
    pub fn new(layout: &Layout, rules: Rules, costs: Costs) -> Self {
        Self::with(Vec::new(), layout, rules, costs)
    }

    /// The same, with what is large of a machine that is needed no more. Nothing of its state is left.
    #[must_use]
    pub fn again(self, layout: &Layout, rules: Rules, costs: Costs) -> Self {
        Self::with(self.pes.into_values(), layout, rules, costs)
    }

    fn with(mut spare: Vec<Pe>, layout: &Layout, rules: Rules, costs: Costs) -> Self {
        let board = layout.board();
        let rules = Rules { default_map: board.rules.default_map, ..rules };
        let image = &layout.parts().image;
        let passed = layout.parts().passthrough.iter().map(|device| device.span);
        let pes = PerPe::new(board.pes, |pe| {
            let mut state = match spare.pop() {
                Some(pe) => pe.again(board, rules),
                None => Pe::new(board, rules),
            };
            if let Some(stack) = layout.stack(pe) {
                state.watch([
                    Probe { addr: image.text.base(), kind: AccessKind::Fetch },
                    Probe { addr: image.rodata.base(), kind: AccessKind::Read },
                    Probe { addr: stack.base(), kind: AccessKind::Rmw },
                ]);
            }
            state
        });
        Self {
            pes,
            ram: Ram::new(board.ranges(|kind| kind != Kind::Device).collect()),
            console: Vec::new(),
            hazards: Vec::new(),
            attributes: attributes::Known::default(),
            devices: [board.console.span, board.gic.span].into_iter().chain(passed).collect(),
            guests: Vec::new(),
            rules,
            costs,
            fault: None,
            second_fault: None,
            until_lost_kick: None,
            events: Vec::new(),
            marks: Vec::new(),
        }
    }

    /// Puts a program on the vCPU that the hypervisor calls `vcpu` of the virtual machine `vmid`.
    pub fn add_guest(&mut self, vmid: Vmid, vcpu: u64, program: Box<dyn Guest>) {
        self.guests.push(GuestSlot::new(vmid, vcpu, program));
        self.guests.sort_by_key(GuestSlot::key);
    }

    /// The guests in order of virtual machine and vCPU.
    #[must_use]
    pub fn guests(&self) -> &[GuestSlot] {
        &self.guests
    }

    /// The PEs.
    #[must_use]
    pub const fn pes(&self) -> &PerPe<Pe> {
        &self.pes
    }

    /// A PE.
    #[must_use]
    pub fn pe(&self, pe: PeId) -> &Pe {
        &self.pes[pe]
    }

    /// A PE.
    #[must_use]
    pub fn pe_mut(&mut self, pe: PeId) -> &mut Pe {
        &mut self.pes[pe]
    }

    /// The time of a PE, in cycles.
    #[must_use]
    pub fn now(&self, pe: PeId) -> u64 {
        self.pes[pe].clock
    }

    /// The registers of the guest on a PE.
    #[must_use]
    pub fn frame(&self, pe: PeId) -> Frame {
        self.pes[pe].frame
    }

    /// The `size` bytes at `address`, at most 8, as nobody's access: 0 where there is no memory.
    #[must_use]
    pub fn look_at(&self, address: u64, size: usize) -> u64 {
        self.ram.read(address, size)
    }

    /// Writes the low `size` bytes of `value` to `address`, at most 8, as nobody's access: nothing where there is no memory.
    pub fn put(&mut self, address: u64, size: usize, value: u64) {
        self.ram.write(address, size, value);
    }

    /// Memory.
    #[must_use]
    pub const fn memory(&self) -> &Ram {
        &self.ram
    }

    /// Uses of the MPU that hardware may answer either way, the first of them.
    #[must_use]
    pub fn hazards(&self) -> &[HazardReport] {
        &self.hazards
    }

    /// What was written to the console; bytes that are no UTF-8 are replaced.
    #[must_use]
    pub fn console(&self) -> String {
        String::from_utf8_lossy(&self.console).into_owned()
    }

    /// All that was done since the clocks were last started.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.pes.values().fold(Counts::default(), |all, pe| all.plus(pe.counts))
    }

    /// The latest clock of all PEs.
    #[must_use]
    pub fn cycles(&self) -> u64 {
        self.pes.values().map(|pe| pe.clock).max().unwrap_or(0)
    }

    /// Starts all clocks and counters at zero; gives what was counted until then.
    pub fn start_clocks(&mut self) -> Counts {
        self.pes.values_mut().fold(Counts::default(), |all, pe| {
            pe.clock = 0;
            all.plus(core::mem::take(&mut pe.counts))
        })
    }

    /// The costs in force.
    #[must_use]
    pub fn costs(&self) -> &Costs {
        &self.costs
    }

    /// The first EL2 exception taken from EL2, and the one raised while that was being reported.
    #[must_use]
    pub fn faults(&self) -> (Option<El2Fault>, Option<El2Fault>) {
        (self.fault, self.second_fault)
    }

    /// Whether the machine stopped at EL2.
    pub fn running(&self) -> Result<(), Faulted> {
        self.fault.map_or(Ok(()), |_| Err(Faulted(())))
    }

    /// For fault injection: of the kicks sent from now on the one of this number, from 0, never arrives.
    pub fn lose_kick(&mut self, which: u64) {
        self.until_lost_kick = Some(which);
    }

    /// Takes what the hypervisor told since the last call.
    pub fn take_events(&mut self, into: &mut Vec<Event>) {
        into.append(&mut self.events);
    }

    /// Takes what guests told since the last call: the guest's place, and what.
    pub fn take_marks(&mut self, into: &mut Vec<(usize, Mark)>) {
        into.append(&mut self.marks);
    }
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine").field("pes", &self.pes).field("guests", &self.guests).finish_non_exhaustive()
    }
}
