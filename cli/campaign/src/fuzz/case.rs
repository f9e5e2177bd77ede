//! A case: a system and a typed sequence of steps. Operands are what earlier steps made, or numbers.

use conformance::Setting;
use conformance::format::{Actor, BadArg, DomainHeader, Op, Stage, VirqFor};
use evtchn::op::{SHAPES, Shape, command};

/// An operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Num {
    /// A number.
    Fixed(u64),
    /// The port that a step made, by the step's id. Without that port there is no step.
    Made(u32),
    /// A frame that the acting domain may hand over.
    Page(u16),
    /// The frame that the acting domain's `shared_info` is in.
    Shared,
}

impl Default for Num {
    fn default() -> Self {
        Self::Fixed(0)
    }
}

/// What a step does. Operands in the order of the operation's arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The operation of `event_channel_op` of this command.
    Event(u32),
    RawOp,
    CompatOp,
    Register,
    VcpuOp,
    Poll,
    RaiseVirq,
    SetVirqHandler,
    Pause,
    Unpause,
    PollTimeout,
    BeginKill,
    Kill,
    Create,
    XenAlloc,
    XenFree,
    XenNotify,
    Mask,
    PlainUnmask,
    Consume,
    Acknowledge,
    FifoMask,
    FifoUnmask,
    FifoConsume,
    SetWord,
    FlipWord,
    AddToPhysmap,
    RemoveFromPhysmap,
    Preempt,
    StaticAlloc,
    StaticBind,
    VirqEnabled,
    DomExcHandler,
}

impl Default for Kind {
    fn default() -> Self {
        Self::Event(command::SEND)
    }
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Planned {
    /// What operands call it by; ids rise.
    pub(crate) id: u32,
    pub(crate) by: Actor,
    pub(crate) kind: Kind,
    pub(crate) args: [Num; 4],
    pub(crate) bad: Option<BadArg>,
}

/// A system and what is done to it.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) setting: Setting,
    /// As `--strategy` takes it.
    pub(crate) strategy: String,
    pub(crate) domains: Vec<DomainHeader>,
    pub(crate) steps: Vec<Planned>,
}

/// The operation with operands as numbers. `None`: the domain to create was never described.
pub(crate) fn op_of(case: &Case, kind: Kind, numbers: [u64; 4], bad_arg: Option<BadArg>) -> Option<Op> {
    let [a, b, c, d] = numbers;
    Some(match kind {
        Kind::Event(command) => {
            let shape = Shape::of_command(command)?;
            Op::Event { op: shape.op(numbers.get(..shape.arguments.len())?)?, bad_arg }
        }
        // Commands from here on are no operation's.
        Kind::RawOp => Op::RawOp { cmd: a.max(SHAPES.len() as u64) },
        Kind::CompatOp => Op::CompatOp { cmd: a },
        Kind::Register => Op::RegisterVcpuInfo { vcpuid: a, mfn: b, offset: c, bad_arg },
        // 10 is `register_vcpu_info`, and 5 the scheduler's.
        Kind::VcpuOp => Op::VcpuOp { cmd: if matches!(a, 5 | 10) { 0 } else { a }, vcpuid: b },
        Kind::Poll => {
            let ports: Vec<u64> = [b, c, d].into_iter().take(usize::try_from(a).unwrap_or(3)).collect();
            let nr_ports = if a > 128 { a } else { ports.len() as u64 };
            Op::Poll {
                ports: if a > 128 { Vec::new() } else { ports },
                nr_ports,
                timeout: 0,
                bad_arg: spoilt_in(bad_arg),
            }
        }
        Kind::RaiseVirq => {
            let kind = match a {
                0 | 1 | 7 | 13 => VirqFor::Vcpu,
                11 => VirqFor::Domain,
                _ => VirqFor::Global,
            };
            Op::RaiseVirq { kind, virq: a, dom: b, vcpu: c }
        }
        Kind::SetVirqHandler => Op::SetVirqHandler { dom: a, virq: b },
        Kind::Pause => Op::Pause { dom: a },
        Kind::Unpause => Op::Unpause { dom: a },
        Kind::PollTimeout => Op::PollTimeout { dom: a, vcpu: b },
        Kind::BeginKill => Op::DomainKill { dom: a, stage: Some(Stage::Begin) },
        Kind::Kill => Op::DomainKill { dom: a, stage: None },
        Kind::Create => {
            let domain = case.domains.iter().find(|domain| u64::from(domain.id) == a)?;
            let DomainHeader { id: dom, vcpus, max_evtchn_port, gfn_base, nr_pages, target, .. } = *domain;
            let (privileged, shared_info_placed) = (domain.privileged.into(), domain.shared_info_placed);
            Op::DomainCreate { dom, vcpus, privileged, max_evtchn_port, gfn_base, nr_pages, target, shared_info_placed }
        }
        Kind::XenAlloc => Op::XenAllocUnbound { dom: a, vcpu: b, remote_dom: c, handler: 1 },
        Kind::XenFree => Op::XenFree { dom: a, port: b },
        Kind::XenNotify => Op::XenNotify { dom: a, port: b },
        Kind::Mask => Op::G2Mask { port: a % 4096 },
        Kind::PlainUnmask => Op::G2Unmask { port: a % 4096 },
        Kind::Consume => Op::G2Consume {},
        Kind::Acknowledge => Op::GAckUpcall {},
        Kind::FifoMask => Op::GfMask { port: a },
        Kind::FifoUnmask => Op::GfUnmask { port: a },
        Kind::FifoConsume => Op::GfConsume { max: a % 64 },
        Kind::SetWord => Op::GfSetWord { port: a, value: b & 0xffff_ffff },
        Kind::FlipWord => Op::GfFlipWord { port: a, times: b as u32 },
        Kind::AddToPhysmap => Op::AddToPhysmap { dom: a, space: b, idx: c, gpfn: d, bad_arg },
        Kind::RemoveFromPhysmap => Op::RemoveFromPhysmap { dom: a, gpfn: b, bad_arg },
        Kind::Preempt => Op::Preempt { n: a },
        Kind::StaticAlloc => Op::StaticAllocUnbound { dom: a, remote_dom: b, port: c },
        Kind::StaticBind => Op::StaticBindInterdomain { dom: a, remote_dom: b, remote_port: c, lport: d },
        Kind::VirqEnabled => Op::VirqEnabled { dom: a, virq: b, vcpu: c },
        Kind::DomExcHandler => Op::DomExcHandler {},
    })
}

/// A poll writes nothing back, and its block is the guest's to read.
fn spoilt_in(bad: Option<BadArg>) -> Option<BadArg> {
    bad.filter(|bad| *bad == BadArg::In)
}
