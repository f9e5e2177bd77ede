//! What values are called, in text and in JSON.

use crate::fault::{Fault, Owner, class};
use crate::report::{Cause, End, Report};
use armv8r::a64::{Barrier, SysEncoding};
use armv8r::hazards::HazardRecord;
use armv8r::machine::StopReason;
use armv8r::pe::Power;
use armv8r::sysreg;
use boards::Kind;
use mpu_model::{AccessKind, DenialKind, El, Level};
use serde_json::{Value, json};
use words::{number, shown};

/// A system register: its name, or its encoding.
pub(crate) fn register(register: SysEncoding) -> String {
    sysreg::name(register).map_or_else(|| register.to_string(), Into::into)
}

/// A barrier.
pub(crate) const fn barrier(barrier: Barrier) -> &'static str {
    match barrier {
        Barrier::Dmb => "DMB",
        Barrier::Dsb => "DSB",
        Barrier::Isb => "ISB",
        Barrier::Sb => "SB",
    }
}

/// What causes an exception. Classes: Arm ARM (DDI 0487), `ESR_EL2`.
pub(crate) fn cause(cause: Cause) -> String {
    let class = match cause {
        Cause::Reset => return "since reset".into(),
        Cause::Irq => return "IRQ".into(),
        Cause::Fiq => return "FIQ".into(),
        Cause::SError => return "SError".into(),
        Cause::Class(class) => class,
    };
    let name = match class {
        class::UNKNOWN => "UNDEFINED",
        0x01 => "WFI or WFE",
        0x07 => "FP access",
        0x09 => "pointer authentication",
        class::ILLEGAL_STATE => "illegal execution state",
        0x15 => "SVC",
        0x16 => "HVC",
        0x17 => "SMC",
        0x18 => "system register",
        0x20 | class::INSTRUCTION_ABORT_SAME => "instruction abort",
        class::PC_ALIGNMENT => "PC alignment",
        0x24 | class::DATA_ABORT_SAME => "data abort",
        class::SP_ALIGNMENT => "SP alignment",
        0x3c => "BRK",
        _ => return format!("class {class:#04x}"),
    };
    name.into()
}

/// Whether a PE executes.
pub(crate) const fn power(power: Power) -> &'static str {
    match power {
        Power::Running => "running",
        Power::WaitsForInterrupt => "in WFI",
        Power::WaitsForEvent => "in WFE",
        Power::Off => "off",
    }
}

/// The masks that are set: `DAIF`, `-A-F`.
pub(crate) fn daif(daif: u8) -> String {
    "DAIF".chars().zip([8, 4, 2, 1]).map(|(name, bit)| if daif & bit == 0 { '-' } else { name }).collect()
}

/// Why a run ended, in JSON.
pub(crate) const fn end_kind(end: &End) -> &'static str {
    match end {
        End::Machine(StopReason::Exit { .. }) => "exit",
        End::Machine(StopReason::PowerOff) => "power-off",
        End::Machine(StopReason::Reset) => "reset",
        End::Machine(StopReason::Asleep) => "asleep",
        End::Machine(StopReason::Hazard { .. }) => "hazard",
        End::Machine(StopReason::NotBuilt { .. }) => "not-built",
        End::Machine(StopReason::MemoryLimit) => "memory-limit",
        End::Machine(StopReason::Budget | StopReason::Observer | StopReason::Output) | End::Max => "max",
        End::Until => "until",
        End::Timeout => "timeout",
        End::Interrupted => "interrupted",
        End::Spinning => "spinning",
        End::FaultLoop => "fault-loop",
        End::Output(_) => "output",
    }
}

impl Report {
    /// Why it ended, on one line.
    #[must_use]
    pub fn reason(&self) -> String {
        end(self)
    }
}

/// Why a run ended, on one line.
fn end(report: &Report) -> String {
    let executed: u64 = report.pes.iter().map(|pe| pe.instructions).sum();
    let after = format!("after {} {}", number(executed), if executed == 1 { "instruction" } else { "instructions" });
    let why = match &report.end {
        End::Machine(reason) => stop(reason),
        End::Until => "what --until waits for was said".into(),
        End::Max => "--max is reached".into(),
        End::Timeout => "--timeout is reached".into(),
        End::Interrupted => "interrupted".into(),
        End::Spinning => "every PE that is on branches to itself with interrupts masked".into(),
        End::FaultLoop => "EL2 faults in its own handler again and again".into(),
        End::Output(why) => format!("output cannot be written: {}", shown::line(why)),
    };
    let fault = match &report.fault {
        Some(fault) if !fault.returned => format!("; {}, not returned from", fault_line(fault)),
        _ => String::new(),
    };
    format!("{why} {after}{fault}")
}

fn stop(reason: &StopReason) -> String {
    match reason {
        StopReason::Exit { code, .. } if *code > 255 => {
            format!("the image ended itself with status {code:#x} (told as 1)")
        }
        StopReason::Exit { code, .. } => format!("the image ended itself with status {code}"),
        StopReason::PowerOff => "the image turned the machine off".into(),
        StopReason::Reset => "the image asked for a reset".into(),
        StopReason::Asleep => "every PE is asleep or off for ever".into(),
        StopReason::Hazard { pe, pc } => format!("a hazard on PE {pe} at {pc:#x}"),
        StopReason::NotBuilt { pe, name, pc, word } => {
            format!("PE {pe} met {name}, which is not built, at {pc:#x} (word {word:#010x})")
        }
        StopReason::MemoryLimit => "the image wrote more than 1 GiB of memory".into(),
        StopReason::Budget | StopReason::Observer | StopReason::Output => "stopped".into(),
    }
}

/// A fault on one line.
pub(crate) fn fault_line(fault: &Fault) -> String {
    let name = cause(Cause::Class(fault.ec));
    let access = fault.access.filter(|access| *access != AccessKind::Fetch);
    let access = access.map(|access| format!(" ({access})")).unwrap_or_default();
    let far = fault.far.map(|far| format!(" at {far:#x}")).unwrap_or_default();
    format!("{name} of EL2 on PE {}{access}{far} by the instruction at {:#x}", fault.pe, fault.pc)
}

/// The status code of an abort (Arm ARM DDI 0487, ISS encodings; DDI 0600 for PMSA).
pub(crate) fn status(fault: &Fault) -> Option<String> {
    let status = fault.access.map(|_| fault.esr & 0x3f)?;
    let name = match status {
        0x00 => "address size fault, level 0",
        0x04 => "translation fault, level 0",
        0x0c => "permission fault, level 0",
        0x10 => "synchronous external abort",
        0x21 => "alignment fault",
        _ => return Some(format!("status {status:#04x}")),
    };
    Some(name.into())
}

/// Who answers at an address.
pub(crate) fn owner(owner: &Owner) -> String {
    let named = |name: &str| if name.is_empty() { String::new() } else { format!(" {}", shown::line(name)) };
    match owner {
        Owner::Memory { name, kind, span } => {
            let kind = match kind {
                Kind::Ram => "RAM".into(),
                Kind::Tcm { pe } => format!("the TCM of PE {}", pe.get()),
                Kind::Flash => "flash".into(),
                Kind::Device => "a device".into(),
            };
            format!("{kind}{} ({span})", named(name))
        }
        Owner::Uart { number, span } => format!("UART {number} ({span})"),
        Owner::Distributor => "the GIC's distributor".into(),
        Owner::Redistributor(pe) => format!("the GIC's redistributor of PE {pe}"),
        Owner::Gic => "the GIC's frames, where no register of a PE is".into(),
        Owner::Counter => "the counter's frame".into(),
        Owner::Device(name) => format!("a device{} that is not built", named(name)),
        Owner::Nobody => "nothing of the board".into(),
    }
}

/// What would have let an access through.
pub(crate) fn remedy(fault: &Fault) -> String {
    const EXTERNAL: u64 = 0x10;
    const ALIGNMENT: u64 = 0x21;
    let right = match fault.access {
        Some(AccessKind::Write | AccessKind::Rmw) => "write",
        Some(AccessKind::Fetch) => "execute",
        _ => "read",
    };
    let at = fault.far.map(|far| format!("{far:#x}")).unwrap_or_default();
    match (fault.ec, fault.denial) {
        (_, Some(DenialKind::NoRegion)) => format!("an enabled region that holds {at} and lets EL2 {right}"),
        (_, Some(DenialKind::Overlap { first, second })) => {
            format!("only one of the regions {first} and {second}, which both hold {at}")
        }
        (_, Some(DenialKind::Permission { slot: Some(slot), .. })) => {
            let bits = match right {
                "write" => "AP[1] of its PRBAR_EL2 clear",
                "execute" => "XN of its PRBAR_EL2 clear, and SCTLR_EL2.WXN clear where it can be written",
                _ => "an AP that grants reads",
            };
            format!("region {slot} with the right to {right}: {bits}")
        }
        (_, Some(DenialKind::Permission { slot: None, .. })) => {
            format!("a region that holds {at} and lets EL2 {right}: the background region does not")
        }
        (_, Some(DenialKind::MixedAttributes)) => "one region for all of the access".into(),
        (_, Some(DenialKind::AddressSize)) => "an address that there is".into(),
        (class::UNKNOWN, None) => "an instruction or register that this machine's features allocate at EL2".into(),
        (class::ILLEGAL_STATE, None) => "an SPSR_EL2 that names a level and a stack pointer that there are".into(),
        (class::PC_ALIGNMENT, None) => "a branch to a multiple of 4".into(),
        (class::SP_ALIGNMENT, None) => "a stack pointer that is a multiple of 16, or SCTLR_EL2.SA clear".into(),
        (_, None) if fault.esr & 0x3f == EXTERNAL => "an address at which memory or a device of the board answers such an access".into(),
        (_, None) if fault.esr & 0x3f == ALIGNMENT => {
            "an aligned address, or Normal memory and SCTLR_EL2.A clear: with the MPU off, or without a region that says so, \
             what is no RAM is Device memory"
                .into()
        }
        (_, None) => "the writes to the MPU in force: a DSB and an ISB behind them".into(),
    }
}

/// A hazard.
pub(crate) fn hazard(hazard: &HazardRecord) -> String {
    let level = level(hazard.level);
    let what = match hazard.access {
        Some(access) => format!("{} {} of {:#x}", access.el, access.kind, access.addr),
        None => "a write of a region".into(),
    };
    format!(
        "PE {} at {:#x}: {what} hangs on the write of {}_{level} at {:#x}: {} is missing; {}",
        hazard.pe,
        hazard.pc,
        hazard.write,
        hazard.write_pc,
        hazard.missing,
        times(hazard.times)
    )
}

/// How often.
pub(crate) fn times(times: u64) -> String {
    if times == 1 { "once".into() } else { format!("{} times", number(times)) }
}

/// A hazard in JSON. In a log each is one time.
pub(crate) fn hazard_json(hazard: &HazardRecord, counted: bool) -> Value {
    let level = level(hazard.level);
    let mut value = json!({
        "mpu": level.to_string(),
        "access": hazard.access.map(|access| access.kind.to_string()),
        "address": hazard.access.map(|access| format!("{:#x}", access.addr)),
        "write_pc": format!("{:#x}", hazard.write_pc),
        "write": format!("{}_{level}", hazard.write),
        "missing": hazard.missing.to_string(),
    });
    if let (true, Some(value)) = (counted, value.as_object_mut()) {
        value.insert("pe".into(), hazard.pe.into());
        value.insert("pc".into(), format!("{:#x}", hazard.pc).into());
        value.insert("times".into(), hazard.times.into());
    }
    value
}

const fn level(level: Level) -> El {
    match level {
        Level::El1 => El::El1,
        Level::El2 => El::El2,
    }
}
