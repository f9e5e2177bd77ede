//! From steps as written to the operations a guest carries out.

mod mix;

use super::error::Problem;
use super::expect::{Planned, called, nothing_to_expect};
use super::guest_program::{Program, StepSource};
use super::links::{self, Channels};
use super::number::{self, Number};
use super::raw_event::{self, RawArgument, RawEvent};
use super::raw_poll::RawPoll;
use super::raw_step::{NumberOrName, Plain, PortOp, RawPortStep, RawStep};
use super::single;
use super::source::{Source, Sources};
use super::table::Key;
use evtchn::abi::DOMID_SELF;
use evtchn::op::{Kind, Returns};
use sim_core::guest::steps::{EventStep, MAX_POLLED, Op, PortRef, Step};
use sim_core::layout::{Board, Position};
use sim_core::outcome::{Expected, StepId};
use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;
use toml::Spanned;
use words::{near, shown};

/// Repetitions and mixes inside each other.
pub(super) const MAX_NESTING: usize = 8;
/// Compiles the program of one vCPU, and notes its steps.
pub(super) fn compile(
    (domain, vcpu): (Position, u32),
    steps: &[Spanned<RawStep>],
    channels: &Channels<'_>,
    board: &Board,
    booked: &mut Book<'_>,
) -> Result<Program, Problem> {
    let mut compiler =
        Compiler { domain, vcpu, channels, board, booked, variables: HashMap::new(), names: Vec::new(), unnamed: 0 };
    let steps = compiler.steps(steps, 0)?;
    let variables = compiler.names.len() + compiler.unnamed;
    Ok(Program { domain, vcpu, steps, variables })
}

/// The program of a vCPU that has none: it turns the vCPU off. `found` is where the vCPU stands.
pub(super) fn none((domain, vcpu): (Position, u32), found: &Range<usize>, booked: &mut Book<'_>) -> Program {
    let id = booked.step(found);
    Program { domain, vcpu, steps: Rc::new([Step { id, op: Op::Halt, expect: None }]), variables: 0 }
}

/// Where each step stands.
pub(super) struct Book<'a> {
    sources: &'a Sources<'a>,
    steps: Vec<StepSource>,
    last: Option<Range<usize>>,
}

impl<'a> Book<'a> {
    pub(super) const fn new(sources: &'a Sources<'a>) -> Self {
        Self { sources, steps: Vec::new(), last: None }
    }

    /// Notes a step. Those that a table of the file stands for are one: they stand at one place.
    fn step(&mut self, span: &Range<usize>) -> StepId {
        if self.last.as_ref() != Some(span) {
            let place = self.sources.place(span);
            self.steps.push(StepSource {
                line: place.as_ref().map_or(1, |place| place.line),
                column: place.as_ref().map_or(1, |place| place.column),
                text: shown::line(&self.sources.excerpt(span)).into_owned(),
                set: place.and_then(|place| match place.origin {
                    Source::Set(set) => Some(set.to_owned()),
                    Source::File(_) => None,
                }),
            });
            self.last = Some(span.clone());
        }
        StepId(u32::try_from(self.steps.len() - 1).unwrap_or(u32::MAX))
    }

    /// All of them, by number.
    pub(super) fn steps(self) -> Vec<StepSource> {
        self.steps
    }
}

struct Compiler<'c, 'a, 'b> {
    domain: Position,
    vcpu: u32,
    channels: &'c Channels<'a>,
    board: &'c Board,
    booked: &'c mut Book<'b>,
    variables: HashMap<String, usize>,
    /// Names of variables, in the order in which they appear.
    names: Vec<String>,
    /// Ports that no step names afterwards.
    unnamed: usize,
}

impl Compiler<'_, '_, '_> {
    fn steps(&mut self, steps: &[Spanned<RawStep>], depth: usize) -> Result<Rc<[Step]>, Problem> {
        let mut compiled = Vec::with_capacity(steps.len());
        for step in steps {
            let id = self.booked.step(&step.span());
            if let RawStep::Plain(Plain::Setup, expect) = step.get_ref() {
                nothing_to_expect("setup", expect.as_ref())?;
                self.setup(id, &mut compiled);
                continue;
            }
            let (op, expect) = self.step(step, depth)?;
            compiled.push(Step { id, op, expect });
        }
        Ok(compiled.into())
    }

    /// What every guest does first. `shared_info` is the domain's, so its first vCPU places it.
    fn setup(&self, id: StepId, into: &mut Vec<Step>) {
        let ok = Some(Expected::Rc(0));
        let map = (self.vcpu == 0).then_some((Op::MapSharedInfo, ok));
        let rest = [(Op::RegisterVcpuInfo, ok), (Op::EnableInterrupts, None)];
        into.extend(map.into_iter().chain(rest).map(|(op, expect)| Step { id, op, expect }));
    }

    fn step(&mut self, step: &Spanned<RawStep>, depth: usize) -> Result<Planned, Problem> {
        match step.get_ref() {
            RawStep::Plain(plain, expect) => single::plain(*plain, expect.as_ref()),
            RawStep::Port(op, found) => self.port_step(*op, found),
            RawStep::Event(found) => self.event(found),
            RawStep::InitControl(found) => single::init_control(found, self.board),
            RawStep::ExpandArray(found) => single::expand_array(found, self.board),
            RawStep::Poll(found) => self.poll(found),
            RawStep::Compute(cycles) => Ok((Op::Compute(cycles.0), None)),
            RawStep::Console(found) => called(Op::Console(found.text.clone()), found.expect.as_ref()),
            RawStep::Hypercall(found) => single::hypercall(found, self.board),
            RawStep::Read(found) => single::read(found, self.board),
            RawStep::Write(found) => single::write(found, self.board),
            RawStep::Execute(found) => single::execute(found, self.board),
            RawStep::Repeat(_) | RawStep::Mix(_) if depth >= MAX_NESTING => {
                let title = format!("steps are nested more than {MAX_NESTING} deep");
                Err(Problem::new(title).at(step.span(), "one too many"))
            }
            RawStep::Repeat(found) => {
                let (times, steps) = (found.times.0, self.steps(&found.steps, depth + 1)?);
                Ok((Op::Repeat { times, steps }, None))
            }
            RawStep::Mix(found) => self.mix(found, depth),
        }
    }

    fn port_step(&mut self, op: PortOp, found: &RawPortStep) -> Result<Planned, Problem> {
        let port = self.port(&found.port)?;
        match op {
            PortOp::Event(op) => called(Op::on(op, port), found.expect.as_ref()),
            PortOp::Wait => nothing_to_expect("wait", found.expect.as_ref()).map(|()| (Op::Wait(port), None)),
            PortOp::Mask => nothing_to_expect("mask", found.expect.as_ref()).map(|()| (Op::Mask(port), None)),
        }
    }

    fn poll(&mut self, found: &RawPoll) -> Result<Planned, Problem> {
        if let Some(port) = found.ports.get(MAX_POLLED) {
            let problem = Problem::new(format!("poll names {} ports", found.ports.len()));
            return Err(problem.at(port.span(), format!("expected at most {MAX_POLLED}")));
        }
        let ports: Result<Vec<PortRef>, Problem> = found.ports.iter().map(|port| self.port(port)).collect();
        let timeout = number::given(found.timeout.as_ref(), Number(0)).0;
        called(Op::Poll { ports: ports?.into(), timeout }, found.expect.as_ref())
    }

    /// An operation of `event_channel_op`, also with numbers that the hypercall refuses.
    fn event(&mut self, found: &RawEvent) -> Result<Planned, Problem> {
        let mut port = None;
        let mut numbers = Vec::with_capacity(found.arguments.len());
        for (argument, given) in found.shape.arguments.iter().zip(&found.arguments) {
            let key = raw_event::key(argument).unwrap_or_default();
            numbers.push(match (given, argument.kind) {
                (Some(RawArgument::Named(virq)), Kind::Virq) => links::virq(virq)?.into(),
                (Some(RawArgument::Named(name)), _) => {
                    port = Some(self.port(name)?);
                    0
                }
                (Some(RawArgument::Number(id)), Kind::Domain) => number::within(id, key, 0..=u16::MAX.into())?,
                (Some(RawArgument::Number(frame)), Kind::Frame) => frame.get_ref().0,
                (Some(RawArgument::Number(number)), _) => number::word(number, key)?.into(),
                (None, Kind::Vcpu) => self.vcpu.into(),
                (None, _) => DOMID_SELF.into(),
            });
        }
        let Some(op) = found.shape.op(&numbers) else {
            return Err(Problem::new(format!("`{}` lacks an argument", found.shape.name)));
        };
        let step = EventStep::new(op);
        let mut step = port.map_or(step, |port| step.on(port));
        if let Returns::Port { .. } = found.shape.returns {
            step.keep = Some(self.variable(found.name.as_ref())?);
        }
        called(Op::Event(step), found.expect.as_ref())
    }

    /// Where a step's new port goes.
    fn variable(&mut self, name: Key<'_, String>) -> Result<usize, Problem> {
        let next = self.names.len() + self.unnamed;
        let Some(name) = name else {
            self.unnamed += 1;
            return Ok(next);
        };
        links::check_name(name)?;
        let text = name.get_ref();
        if self.channels.contains(text) {
            let problem = Problem::new(format!("`{text}` is the name of a channel already"));
            return Err(problem.at(name.span(), "expected another name"));
        }
        if let Some(known) = self.variables.get(text) {
            return Ok(*known);
        }
        self.variables.insert(text.clone(), next);
        self.names.push(text.clone());
        Ok(next)
    }

    /// A port by number, by a name of this program, or by a channel's.
    fn port(&self, found: &Spanned<NumberOrName>) -> Result<PortRef, Problem> {
        let text = match found.get_ref() {
            NumberOrName::Number(number) => {
                return number::word(&Spanned::new(found.span(), *number), "port").map(PortRef::Number);
            }
            NumberOrName::Name(text) => text,
        };
        if let Some(variable) = self.variables.get(text) {
            return Ok(PortRef::Variable(*variable));
        }
        if let Some(end) = self.channels.end(found, text, self.domain) {
            return end.map(|port| PortRef::Number(port.0));
        }
        let known = self.names.iter().map(String::as_str).chain(self.channels.names()).map(str::to_owned);
        let known: Vec<String> = known.take(32).collect();
        let problem = Problem::new(format!("unknown port `{text}`")).at(found.span(), "nothing has this name here");
        Err(problem.help(near::known_names("names here", text, &known)))
    }
}
