//! What cases are made of: strategies, domains, and how often each kind of step comes.

use super::case::Kind;
use super::events::EVENTS;
use super::source::Source;
use conformance::Setting;
use conformance::format::DomainHeader;
use scenario::strategy;
use scenario::strategy::StrategyError;
use sim_core::hyp::strategy::Settings;

/// The strategies that a campaign draws from by default: all that reach other domains' memory and come without a known hazard.
pub const STRATEGIES: [&str; 11] = [
    "map-page",
    "map-page:2",
    "pin",
    "switch-view",
    "switch-view:lazy",
    "hybrid",
    "enable-mask",
    "ku-window",
    "background",
    "xen-pool",
    "static-map",
];

/// What cases are made of.
#[derive(Clone, Debug)]
pub struct Recipe {
    first: (String, Setting),
    others: Vec<(String, Setting)>,
    pub(super) steps: usize,
}

impl Recipe {
    /// Cases of `steps` steps under these strategies, as `--strategy` takes them.
    pub fn new(first: &str, others: &[&str], steps: usize) -> Result<Self, StrategyError> {
        let parse = |name: &str| Ok((name.to_owned(), Setting::of(strategy::parse(name, Settings::default())?)));
        let others = others.iter().map(|name| parse(name)).collect::<Result<_, _>>()?;
        Ok(Self { first: parse(first)?, others, steps })
    }

    /// What tells `mpusim fuzz` of it.
    pub(super) fn arguments(&self) -> String {
        let all: Vec<&str> = std::iter::once(&self.first).chain(&self.others).map(|(name, _)| name.as_str()).collect();
        let steps = format!("--steps {}", self.steps);
        if all == STRATEGIES { steps } else { format!("{steps} --strategies {}", all.join(",")) }
    }

    pub(super) fn pick(&self, source: &mut impl Source) -> (String, Setting) {
        let count = u32::try_from(self.others.len()).unwrap_or(0).min(255) + 1;
        let at = (source.below(count) as usize).checked_sub(1);
        at.and_then(|at| self.others.get(at)).unwrap_or(&self.first).clone()
    }
}

/// How often each kind of step comes beside the operations of `event_channel_op`.
const WEIGHTS: [(Kind, u32); 32] = [
    (Kind::RawOp, 2),
    (Kind::CompatOp, 2),
    (Kind::Register, 30),
    (Kind::VcpuOp, 3),
    (Kind::Poll, 30),
    (Kind::RaiseVirq, 25),
    (Kind::SetVirqHandler, 8),
    (Kind::Pause, 6),
    (Kind::Unpause, 5),
    (Kind::PollTimeout, 6),
    (Kind::BeginKill, 3),
    (Kind::Kill, 4),
    (Kind::Create, 6),
    (Kind::XenAlloc, 10),
    (Kind::XenFree, 3),
    (Kind::XenNotify, 8),
    (Kind::Mask, 20),
    (Kind::PlainUnmask, 12),
    (Kind::Consume, 30),
    (Kind::Acknowledge, 12),
    (Kind::FifoMask, 15),
    (Kind::FifoUnmask, 12),
    (Kind::FifoConsume, 25),
    (Kind::SetWord, 6),
    (Kind::FlipWord, 12),
    (Kind::AddToPhysmap, 12),
    (Kind::RemoveFromPhysmap, 6),
    (Kind::Preempt, 10),
    (Kind::StaticAlloc, 20),
    (Kind::StaticBind, 12),
    (Kind::VirqEnabled, 4),
    (Kind::DomExcHandler, 4),
];

/// A kind of step.
pub(super) fn kind(source: &mut impl Source) -> Kind {
    let kinds = || EVENTS.iter().map(|(command, weight, _)| (Kind::Event(*command), *weight)).chain(WEIGHTS);
    let mut at = source.below(kinds().map(|(_, weight)| weight).sum());
    for (kind, weight) in kinds() {
        match at.checked_sub(weight) {
            Some(rest) => at = rest,
            None => return kind,
        }
    }
    Kind::default()
}

/// Domains as they are at the start.
pub(super) fn domains(source: &mut impl Source) -> Vec<DomainHeader> {
    let count = 2 + source.below(3) as u16;
    (0..count)
        .map(|id| DomainHeader {
            id,
            vcpus: u64::from(source.below(3)) + 1,
            privileged: id == 0,
            max_evtchn_port: if id == 0 { u32::MAX } else { source.pick(&[1023, 1023, 2, 4, 100, u32::MAX]) },
            gfn_base: 0x4_0000 + u64::from(id) * 0x1000,
            nr_pages: 16,
            target: (id == 1 && count > 2).then_some(2),
            shared_info_placed: source.chance(30).then_some(false),
        })
        .collect()
}
