//! How values are named in text, and how text of others is read and quoted: every wording that more than one report uses.
//!
//! The root names what a run and its system consist of: outcomes, owners, hypercalls, results, faults. [`registers`] has what differs
//! between the two architectures, [`waiting`] what is said of vCPUs that wait for ever, [`board`] what a board has. [`failed`] says why a
//! run did not complete. [`bytes`], [`number`] and [`accessed`] write figures. [`near`] is about mistyped names, [`file`](mod@file) about
//! files that may be too large or no text, [`shown`] about characters that a terminal would obey, [`Palette`] about colour.

#![forbid(unsafe_code)]

pub mod board;
mod failure;
mod figures;
pub mod file;
pub mod near;
mod palette;
pub mod registers;
pub mod shown;
pub mod waiting;

use evtchn::op::Shape;
use evtchn::{Errno, Object, abi};
pub use failure::{failed, refused};
pub use figures::{accessed, bytes, hundredths, number};
use mpu_model::{DenialKind, Hazard, Memory, PendingWrite};
pub use palette::{Palette, guarded};
use sim_core::convention::{ec, nr};
use sim_core::layout::{Layout, Owner, Placement};
use sim_core::outcome::{
    Area, Breach, BreachKind, Expected, FaultKind, Got, HazardKind, HypercallId, Limit, Outcome, RegionNeeds, Shortage,
    Trap, VcpuRef, ViewId,
};

/// The outcome of a system that its board has no room for, or on which a strategy cannot be set up.
pub const REFUSED: &str = "refused";

/// The outcome's name in JSON and tables.
#[must_use]
pub fn outcome(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Completed => "completed",
        Outcome::HypervisorFault(_) => "hypervisor-fault",
        Outcome::Hazard(_) => "hazard",
        Outcome::Deadlock(_) => "deadlock",
        Outcome::Refused(_) => REFUSED,
        Outcome::ExpectationFailed(_) => "expectation-failed",
        Outcome::Limit(_) => "limit",
        Outcome::IsolationBroken(_) => "isolation-broken",
    }
}

/// Why a run was ended though guests still run, and what would help, in a sentence without its end.
#[must_use]
pub fn limit(limit: Limit) -> String {
    match limit {
        Limit::Steps(steps) => {
            format!("{} steps were taken and guests still run; raise step_limit or end the programs", number(steps))
        }
        Limit::Time => {
            "simulated time is at its end, cycle 2^64 - 1, and guests still run; lower what `compute` and timers \
                        add up to"
                .into()
        }
        Limit::Quantum { quantum, switch } => format!(
            "no guest acts any more: the quantum of {} cycles is over before its vCPU runs, which takes at least {} cycles of \
             it; raise quantum above that",
            number(quantum),
            number(switch),
        ),
    }
}

/// What a parser of JSON says, with its limit of nesting in words.
#[must_use]
pub fn json_error(said: String) -> String {
    match said.strip_prefix("recursion limit exceeded") {
        Some(place) => format!("arrays and objects are nested too deep, more than 127 levels{place}"),
        None => said,
    }
}

/// Memory attributes.
fn attributes(met: Option<Memory>) -> String {
    met.map_or_else(|| "the default map has it".into(), |memory| memory.to_string())
}

/// What the isolation oracle found, in a sentence without its end.
#[must_use]
pub fn breach(layout: &Layout, breach: &Breach) -> String {
    let Breach { pe, runs, kind, span, owner: owned_by } = *breach;
    let who = runs.map_or_else(|| "no guest".into(), |position| domain(layout, position).to_owned());
    let place = format!("{span}, which belongs to {}", owner(layout, owned_by));
    match kind {
        BreachKind::Exposed => format!("PE {pe} runs {who}, and the EL2 MPU lets guests touch {place}"),
        BreachKind::Withheld => format!("PE {pe} runs {who}, and the EL2 MPU keeps it from {place}"),
        BreachKind::Rights => {
            format!("PE {pe} runs {who}, and the EL2 MPU grants it other rights than it has to {place}")
        }
        BreachKind::Overlap => format!("PE {pe} runs {who}, and two enabled EL2 regions share {place}"),
        BreachKind::Off => format!("PE {pe} runs {who} with the EL2 MPU or stage 2 turned off"),
        BreachKind::NotInForce => format!("PE {pe} runs {who} with writes to the EL2 MPU that are not in force"),
        BreachKind::StageOne => format!("PE {pe} runs {who}, and the EL1 MPU does not hold the regions of its vCPU"),
    }
}

/// The name of the domain at a position.
#[must_use]
pub fn domain(layout: &Layout, position: usize) -> &str {
    layout.domains().get(position).map_or("?", |domain| &domain.name)
}

/// Where `shared_info` and `vcpu_info` live, as a scenario file has it.
#[must_use]
pub const fn placement(placement: Placement) -> &'static str {
    placement.name()
}

/// A vCPU: `domU1 vCPU 0`.
#[must_use]
pub fn vcpu(layout: &Layout, vcpu: VcpuRef) -> String {
    format!("{} vCPU {}", domain(layout, vcpu.domain), vcpu.vcpu)
}

/// Who owns an address.
#[must_use]
pub fn owner(layout: &Layout, owner: Owner) -> String {
    match owner {
        Owner::Stack(pe) => format!("hypervisor stack of PE {pe}"),
        Owner::Pool(Some(position)) => {
            let of = if layout.parts().placement == Placement::Heap { "heap" } else { "pool" };
            format!("{of} pages of {}", domain(layout, position))
        }
        Owner::Ram(position) => domain(layout, position).into(),
        Owner::Granted(position) => format!("shared_info frame of {}", domain(layout, position)),
        Owner::ReadOnly(position) => format!("read-only frame of {}", domain(layout, position)),
        Owner::Shared(index) => {
            let name = layout.parts().shared.get(index).map_or("?", |shared| &shared.name);
            format!("shared memory {name}")
        }
        Owner::Emulated(index) => format!("emulated device {}", emulated(layout, index)),
        Owner::Passthrough(index) => format!("device {}", passthrough(layout, index)),
        alone => alone.place().0.into(),
    }
}

/// Who owns an address, in little room: `hyp text` for the hypervisor's, the domain's name for what is a domain's own.
#[must_use]
pub fn short_owner(layout: &Layout, owned: Owner) -> String {
    match owned {
        Owner::Text => "hyp text".into(),
        Owner::Rodata => "hyp rodata".into(),
        Owner::Data | Owner::Stack(_) => "hyp data".into(),
        Owner::Heap => "hyp heap".into(),
        Owner::Pool(Some(position)) => format!("pool {}", domain(layout, position)),
        Owner::Granted(position) | Owner::ReadOnly(position) => format!("frame {}", domain(layout, position)),
        Owner::Shared(index) => layout.parts().shared.get(index).map_or("?", |shared| &shared.name).into(),
        Owner::Emulated(index) => emulated(layout, index).into(),
        Owner::Passthrough(index) => passthrough(layout, index).into(),
        other => owner(layout, other),
    }
}

/// The name of an emulated device.
#[must_use]
pub fn emulated(layout: &Layout, index: usize) -> &str {
    layout.parts().emulated.get(index).map_or("?", |device| &device.name)
}

/// The name of a device that is passed through.
#[must_use]
pub fn passthrough(layout: &Layout, index: usize) -> &str {
    layout.parts().passthrough.get(index).map_or("?", |device| &device.name)
}

/// Several owners of one merged region.
#[must_use]
pub fn owners(layout: &Layout, owners: &[Owner]) -> String {
    let names: Vec<String> = owners.iter().map(|one| owner(layout, *one)).collect();
    if names.is_empty() { "window".into() } else { names.join(" + ") }
}

/// A view.
#[must_use]
pub fn view(layout: &Layout, view: ViewId) -> String {
    match view {
        ViewId::Idle => "idle view".into(),
        ViewId::Guest(position) => format!("guest view of {}", domain(layout, position)),
        ViewId::Hypervisor => "hypervisor view".into(),
    }
}

/// A field of `shared_info` by byte offset.
fn shared_info_field(offset: u64) -> String {
    let pending = u64::from(abi::shared_info::PENDING);
    let mask = u64::from(abi::shared_info::MASK);
    match offset {
        _ if offset < pending => format!("shared_info.vcpu_info[0].{}", vcpu_info_field(offset)),
        _ if offset < mask => format!("shared_info.evtchn_pending[{}]", (offset - pending) / 8),
        _ if offset < u64::from(abi::shared_info::WALL_CLOCK) => {
            format!("shared_info.evtchn_mask[{}]", (offset - mask) / 8)
        }
        _ => format!("shared_info+{offset}"),
    }
}

fn control_block_field(offset: u64) -> String {
    let head = u64::from(abi::control_block::HEAD);
    if offset < 4 { "ready".into() } else { format!("head[{}]", offset.saturating_sub(head) / 4) }
}

fn vcpu_info_field(offset: u64) -> String {
    match offset {
        0..8 => "evtchn_upcall_pending".into(),
        8..16 => "evtchn_pending_sel".into(),
        _ => format!("time+{}", offset - 16),
    }
}

/// What lives at an offset of an area: `domU2's shared_info.evtchn_pending[0]`.
#[must_use]
pub fn object(layout: &Layout, area: &Area, offset: u64) -> String {
    let field = match area.object {
        Object::SharedInfo => shared_info_field(offset),
        Object::VcpuInfo(number) => {
            format!("vcpu_info of vCPU {number}: {}", vcpu_info_field(offset))
        }
        Object::EventArray(page) => {
            let port = u64::from(page) * u64::from(abi::fifo::WORDS_PER_PAGE) + offset / 4;
            format!("event word of port {port}")
        }
        Object::ControlBlock(number) => format!("control block of vCPU {number}: {}", control_block_field(offset)),
    };
    match area.domain {
        Some(position) => format!("{}'s {field}", domain(layout, position)),
        None => format!("the stand-in {field}"),
    }
}

/// A hypercall: `event_channel_op.send`.
#[must_use]
pub fn hypercall(id: HypercallId) -> String {
    let command = |names: &[(u32, &str)]| {
        let cmd = id.cmd.unwrap_or(u32::MAX);
        names.iter().find(|(number, _)| *number == cmd).map_or_else(|| format!("{cmd}"), |(_, name)| (*name).into())
    };
    match id.nr {
        nr::MEMORY_OP => format!("memory_op.{}", command(&[(7, "add_to_physmap"), (15, "remove_from_physmap")])),
        nr::CONSOLE_IO => format!("console_io.{}", command(&[(0, "write"), (1, "read")])),
        nr::VCPU_OP => format!("vcpu_op.{}", command(&[(10, "register_vcpu_info")])),
        nr::SCHED_OP => {
            format!("sched_op.{}", command(&[(0, "yield"), (1, "block"), (2, "shutdown"), (3, "poll")]))
        }
        nr::EVENT_CHANNEL_OP => match id.cmd.and_then(Shape::of_command) {
            Some(shape) => format!("event_channel_op.{}", shape.name),
            None => format!("event_channel_op.{}", command(&[])),
        },
        nr::MULTICALL => "multicall".into(),
        nr::XEN_VERSION => format!("xen_version.{}", command(&[(0, "version"), (6, "get_features"), (7, "pagesize")])),
        nr::HVM_OP => format!("hvm_op.{}", command(&[(0, "set_param"), (1, "get_param")])),
        number => format!("hypercall.{number}"),
    }
}

/// Why EL2 was entered.
#[must_use]
pub fn trap(trap: Trap) -> String {
    match trap {
        Trap::Hypercall(id) => hypercall(id),
        Trap::Smccc => "psci".into(),
        Trap::UnknownHvc(imm) => format!("hvc #{imm:#x}"),
        Trap::WaitForInterrupt => "wfi".into(),
        Trap::StageTwoAbort => "stage-2 abort".into(),
        Trap::Mmio => "mmio".into(),
        Trap::Interrupt => "interrupt".into(),
        Trap::Boot => "boot".into(),
    }
}

/// A result of a hypercall: `0`, or `-EINVAL`.
#[must_use]
pub fn rc(rc: i64) -> String {
    errno(rc).map_or_else(|| rc.to_string(), |errno| format!("-{}", errno.name()))
}

fn errno(rc: i64) -> Option<Errno> {
    use Errno::{
        EACCES, EAGAIN, EBUSY, EEXIST, EFAULT, EINVAL, ENOENT, ENOMEM, ENOSPC, ENOSYS, ENXIO, EOPNOTSUPP, EPERM,
        ERESTART, ESRCH,
    };
    let all = [
        EPERM, ENOENT, ESRCH, ENXIO, EAGAIN, ENOMEM, EACCES, EFAULT, EBUSY, EEXIST, EINVAL, ENOSPC, ENOSYS, ERESTART,
        EOPNOTSUPP,
    ];
    all.into_iter().find(|errno| errno.rc() == rc)
}

/// The fault's kind in JSON.
#[must_use]
pub fn fault_kind(kind: &FaultKind) -> &'static str {
    match kind {
        FaultKind::Access(denial) => denial_kind(denial.kind),
        FaultKind::OwnImage(_) => "own-image",
        FaultKind::External { .. } => "external",
    }
}

/// Why an access was denied, in JSON.
#[must_use]
pub fn denial_kind(kind: DenialKind) -> &'static str {
    match kind {
        DenialKind::NoRegion => "no-region",
        DenialKind::Overlap { .. } => "overlap",
        DenialKind::Permission { .. } => "permission",
        DenialKind::MixedAttributes => "mixed-attributes",
        DenialKind::AddressSize => "address-size",
    }
}

/// An EL2 exception from EL2, by class.
#[must_use]
pub fn abort(class: u8) -> &'static str {
    if u64::from(class) == ec::INSTRUCTION_ABORT_SAME { "instruction abort" } else { "data abort" }
}

/// A hazard.
#[must_use]
pub fn hazard(kind: &HazardKind) -> String {
    match kind {
        HazardKind::Unsynchronised(hazard, denial) => format!("{denial}; {}", pending(hazard)),
        HazardKind::StaleSelector(hazard) => hazard.to_string(),
        HazardKind::Attributes { address, access, before, now } => format!(
            "{access} at {address:#x} as {}, last accessed as {}, no cache maintenance between",
            attributes(*now),
            attributes(*before)
        ),
    }
}

/// The write that is not in force, and the barrier it lacks; where another may come before it, that one too.
#[must_use]
pub fn pending(hazard: &Hazard) -> String {
    let write = hazard.write;
    let told = |write: PendingWrite| {
        let slot = write.slot.map(|slot| format!(" of slot {slot}")).unwrap_or_default();
        format!("the write of {:#x} to {}{slot}", write.value, write.reg)
    };
    if let Some(ahead) = hazard.ahead {
        return format!(
            "{} may be in force before {}, which was made earlier: {} is missing between them",
            told(ahead),
            told(write),
            write.missing
        );
    }
    let lost = if hazard.overflow { "; more writes are pending than the model keeps" } else { "" };
    format!("{} is not in force: {} is missing{lost}", told(write), write.missing)
}

/// What a step expected.
#[must_use]
pub fn expected(expected: Expected) -> String {
    match expected {
        Expected::Rc(value) => format!("a result of {}", rc(value)),
        Expected::Success => "the access to succeed".into(),
        Expected::Value(value) => format!("the value {value:#x}"),
        Expected::Fault => "the access to be refused".into(),
        Expected::StageOne => "the access to be refused by stage 1 (the EL1 MPU)".into(),
        Expected::StageTwo => "the access to be refused by stage 2 (the EL2 MPU)".into(),
    }
}

/// What a step got.
#[must_use]
pub fn got(got: Got) -> String {
    match got {
        Got::Rc(value) => format!("a result of {}", rc(value)),
        Got::Value(value) => format!("success, value {value:#x}"),
        Got::Abort { esr, far } => {
            format!("an abort at EL1 (EC {:#04x}, status {:#04x}, FAR_EL1 {far:#x})", esr >> 26, esr & 0x3f)
        }
    }
}

/// What a system needs of EL2 regions, of those its strategy can use: `9 of 32 EL2 regions`.
#[must_use]
pub fn regions_of(needs: &RegionNeeds) -> String {
    let of_board =
        if needs.available == needs.total { String::new() } else { format!(" (the board has {})", needs.total) };
    format!("{} of {} EL2 regions{of_board}", needs.needed(), needs.available)
}

/// The parts of which the larger one is what a system needs: `boot 9 in phase devices, views 7`.
#[must_use]
pub fn region_parts(needs: &RegionNeeds) -> String {
    format!("boot {} in phase {}, views {}", needs.boot, needs.phase, needs.views)
}

/// Whether a board runs a system, or what it lacks, in few words.
#[must_use]
pub const fn fits(shortage: Option<Shortage>) -> &'static str {
    match shortage {
        None => "fits",
        Some(Shortage::Regions) => "does not fit",
        Some(Shortage::DefaultMap) => "refused, for the board declares no default map",
    }
}

/// What a region grants, in little room: `EL2 rw-`, or `all rwx` where EL1 and EL0 may as well.
#[must_use]
pub fn short_rights(attrs: mpu_model::Attrs) -> String {
    let who = if attrs.ap.lower() { "all" } else { "EL2" };
    let write = if attrs.ap.writable() { 'w' } else { '-' };
    let execute = if attrs.xn.bit1() { '-' } else { 'x' };
    format!("{who} r{write}{execute}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hazard_names_the_write_that_came_first_and_what_is_missing_between() {
        use mpu_model::{Missing, MpuReg};
        let write = |reg, slot, value, missing| PendingWrite { reg, slot, value, missing };
        let limit = write(MpuReg::PrlarN(1), Some(17), 0x1fc1, Missing::DsbThenContextSync);
        let hazard = Hazard { write: limit, ahead: None, in_force_allows: true, newest_allows: true, overflow: false };
        assert_eq!(
            pending(&hazard),
            "the write of 0x1fc1 to PRLAR1 of slot 17 is not in force: DSB and then ISB is missing"
        );
        let ahead = Some(write(MpuReg::Sctlr, None, 0x1, Missing::ContextSync));
        assert_eq!(
            pending(&Hazard { ahead, ..hazard }),
            "the write of 0x1 to SCTLR may be in force before the write of 0x1fc1 to PRLAR1 of slot 17, which was made \
             earlier: DSB and then ISB is missing between them"
        );
    }

    #[test]
    fn rights_in_little_room() {
        use sim_core::hyp::plan::{GUEST_RAM, GUEST_RODATA, PRIVATE, TEXT};
        let rights = [TEXT, PRIVATE, GUEST_RAM, GUEST_RODATA].map(short_rights);
        assert_eq!(rights, ["EL2 r-x", "EL2 rw-", "all rwx", "all r--"]);
    }

    #[test]
    fn fields_are_named_by_offset() {
        assert_eq!(shared_info_field(48), "shared_info.evtchn_pending[0]");
        assert_eq!(shared_info_field(559), "shared_info.evtchn_pending[63]");
        assert_eq!(shared_info_field(560), "shared_info.evtchn_mask[0]");
        assert_eq!(shared_info_field(0), "shared_info.vcpu_info[0].evtchn_upcall_pending");
        assert_eq!(shared_info_field(1080), "shared_info+1080");
    }
}
