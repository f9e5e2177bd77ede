//! Channels bound at boot, and timers.

use super::domains::Ids;
use super::error::Problem;
use super::number::{self, Number, given};
use super::place;
use super::raw::{RawEnd, RawScenario, RawTimer};
use super::raw_step::NumberOrName;
use evtchn::abi::virq;
use evtchn::{Port, Vcpu, VirqKind};
use sim_core::hyp::StaticChannel;
use sim_core::hyp::sched::VirqTimer;
use sim_core::layout::{Layout, PeId};
use std::collections::HashMap;
use toml::Spanned;
use words::near;

/// VIRQs that go by name in scenario files: those of a vCPU.
const VIRQS: [(&str, u32); 4] =
    [("timer", virq::TIMER), ("debug", virq::DEBUG), ("xenoprof", virq::XENOPROF), ("xenpmu", virq::XENPMU)];

/// The static channels by name.
pub(super) struct Channels<'a> {
    by_name: HashMap<&'a str, StaticChannel>,
    /// In file order, for messages.
    names: Vec<&'a str>,
    /// In file order, for the run.
    pub(super) all: Vec<StaticChannel>,
}

impl<'a> Channels<'a> {
    pub(super) fn new(raw: &'a RawScenario, ids: &Ids, layout: &Layout) -> Result<Self, Problem> {
        let mut channels = Self { by_name: HashMap::new(), names: Vec::new(), all: Vec::new() };
        let mut used = HashMap::new();
        for found in &raw.channel {
            let raw = &found.get_ref().0;
            let name = raw.name.get_ref().as_str();
            check_name(&raw.name)?;
            let mut end = |end: &RawEnd| -> Result<(usize, Port), Problem> {
                let end_at = (ids.position(&end.domain)?, port(end, ids, layout)?);
                match used.insert(end_at, end.port.span()) {
                    None => Ok(end_at),
                    Some(first) => {
                        let (port, id) = (end_at.1.0, end.domain.get_ref().0);
                        let problem = Problem::new(format!("port {port} of domain {id} is used twice"));
                        Err(problem.at(end.port.span(), "the second time").and(first, "the first time"))
                    }
                }
            };
            let channel = StaticChannel { listener: end(&raw.listener.0)?, binder: end(&raw.binder.0)? };
            if channels.by_name.insert(name, channel).is_some() {
                let problem = Problem::new(format!("two channels have the name `{name}`"));
                return Err(problem.at(raw.name.span(), "the second"));
            }
            channels.names.push(name);
            channels.all.push(channel);
        }
        Ok(channels)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.names.iter().copied()
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// The end of a channel that `domain` means by `name`; `None` if no channel has that name.
    pub(super) fn end(&self, name: &Spanned<NumberOrName>, text: &str, domain: usize) -> Option<Result<Port, Problem>> {
        let (channel, side) = match text.split_once('.') {
            Some((channel, side)) => (channel, Some(side)),
            None => (text, None),
        };
        let StaticChannel { listener, binder } = *self.by_name.get(channel)?;
        let wrong = |title: String, label: &str| Some(Err(Problem::new(title).at(name.span(), label)));
        let own = |(owner, port): (usize, Port)| (owner == domain).then_some(port);
        let found = match side {
            Some("listener") => own(listener),
            Some("binder") => own(binder),
            Some(side) => {
                return wrong(format!("a channel has no end `{side}`"), "expected .listener or .binder");
            }
            None if listener.0 == binder.0 && listener.0 == domain => {
                let title = format!("both ends of channel `{channel}` are in this domain");
                return wrong(title, &format!("expected {channel}.listener or {channel}.binder"));
            }
            None => own(listener).or(own(binder)),
        };
        match found {
            Some(port) => Some(Ok(port)),
            None => wrong(format!("`{text}` is not an end of a channel in this domain"), "another domain's"),
        }
    }
}

/// Names are words, so that no name can be taken for a number or for an end of a channel.
pub(super) fn check_name(name: &Spanned<String>) -> Result<(), Problem> {
    let mut chars = name.get_ref().chars();
    let starts_well = chars.next().is_some_and(|char| char.is_ascii_alphabetic() || char == '_');
    if starts_well && chars.all(|char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-')) {
        return Ok(());
    }
    let problem = Problem::new(format!("`{}` is not a name", name.get_ref()));
    Err(problem.at(name.span(), "expected a letter, then letters, digits, - and _"))
}

fn port(end: &RawEnd, ids: &Ids, layout: &Layout) -> Result<Port, Problem> {
    let domain = layout.domains().get(ids.position(&end.domain)?);
    // All domains start with two-level ports, and boot code binds before a guest can ask for more.
    let highest = domain.map_or(0, |domain| domain.max_evtchn_port.min(evtchn::abi::TWO_LEVEL_PORTS - 1));
    number::within(&end.port, "port", 1..=highest.into()).map(|port| Port(port as u32))
}

/// The number of a VIRQ.
pub(super) fn virq(found: &Spanned<NumberOrName>) -> Result<u32, Problem> {
    match found.get_ref() {
        NumberOrName::Number(number) => number::word(&Spanned::new(found.span(), *number), "virq"),
        NumberOrName::Name(name) => {
            let number = VIRQS.iter().find(|(known, _)| known == name).map(|(_, number)| *number);
            number.ok_or_else(|| {
                let known: Vec<String> = VIRQS.iter().map(|(name, _)| (*name).to_owned()).collect();
                let problem = Problem::new(format!("unknown VIRQ `{name}`")).at(found.span(), "no VIRQ of this name");
                problem.help(near::known_names("VIRQs", name, &known))
            })
        }
    }
}

/// The timers: PE, time, what they raise.
pub(super) fn timers(raw: &RawScenario, ids: &Ids, layout: &Layout) -> Result<Vec<(PeId, u64, VirqTimer)>, Problem> {
    raw.timer.iter().map(|found| timer(&found.get_ref().0, ids, layout)).collect()
}

fn timer(raw: &RawTimer, ids: &Ids, layout: &Layout) -> Result<(PeId, u64, VirqTimer), Problem> {
    let domain = ids.position(&raw.domain)?;
    let vcpus = layout.domains().get(domain).map_or(&[][..], |domain| &domain.vcpus);
    let vcpu = given(raw.vcpu.as_ref(), Number(0)).0;
    let Some(planned) = usize::try_from(vcpu).ok().and_then(|vcpu| vcpus.get(vcpu)) else {
        let problem = Problem::new(format!("domain {} has no vCPU {vcpu}", raw.domain.get_ref().0));
        let at = raw.vcpu.as_ref().map_or_else(|| place::header(&raw.domain), Spanned::span);
        return Err(problem.at(at, format!("it has {}, counted from 0", vcpus.len())));
    };
    let number = virq(&raw.virq)?;
    if VirqKind::of(number) != Some(VirqKind::Vcpu) {
        let problem = Problem::new(format!("VIRQ {number} is not one of a vCPU"));
        return Err(problem
            .at(raw.virq.span(), "a timer cannot raise this")
            .help("expected 0 (timer), 1 (debug), 7 (xenoprof) or 13 (xenpmu)"));
    }
    let pes = u64::try_from(layout.board().pes).unwrap_or(u64::MAX);
    let pe = match &raw.pe {
        Some(pe) => PeId::new(number::within(pe, "pe", 0..=pes - 1)? as u32),
        None => planned.pe,
    };
    let every = raw.every.as_ref().map(|every| number::within(every, "every", 1..=u64::MAX)).transpose()?;
    let timer = VirqTimer { domain, vcpu: Vcpu(vcpu as u32), virq: number, every };
    Ok((pe, raw.at.get_ref().0, timer))
}
