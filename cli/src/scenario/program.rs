//! From steps as written to the operations a guest carries out.

use super::error::Problem;
use super::links::{self, Channels};
use super::number::{self, Number};
use super::raw::Maybe;
use super::raw_step::{
    NumberOrName, Plain, PortOp, RawBindVirq, RawExpect, RawHypercall, RawPortStep, RawRead, RawStep, RawWrite,
};
use super::source::Sources;
use super::{Program, StepSource, diagnose};
use evtchn::Errno;
use sim_core::convention::TAG;
use sim_core::guest::steps::{Op, PortRef, Step};
use sim_core::outcome::{Expected, StepId};
use sim_core::platform::Width;
use std::collections::HashMap;
use std::rc::Rc;
use toml::Spanned;

/// Repetitions inside repetitions.
const MAX_NESTING: usize = 8;
/// What hypercalls may be expected to return, in the order of their numbers.
const ERRNOS: [Errno; 14] = [
    Errno::EPERM,
    Errno::ENOENT,
    Errno::ESRCH,
    Errno::ENXIO,
    Errno::EAGAIN,
    Errno::ENOMEM,
    Errno::EACCES,
    Errno::EFAULT,
    Errno::EBUSY,
    Errno::EEXIST,
    Errno::EINVAL,
    Errno::ENOSPC,
    Errno::ENOSYS,
    Errno::EOPNOTSUPP,
];

/// Compiles the program of one vCPU, and books its steps.
pub(super) fn compile(
    at: (usize, u32),
    steps: &[Spanned<RawStep>],
    channels: &Channels<'_>,
    sources: &Sources<'_>,
    booked: &mut Vec<StepSource>,
) -> Result<Program, Problem> {
    let (domain, vcpu) = at;
    let mut compiler =
        Compiler { domain, vcpu, channels, sources, booked, variables: HashMap::new(), names: Vec::new(), unnamed: 0 };
    let steps = compiler.steps(steps, 0)?;
    let variables = compiler.names.len() + compiler.unnamed;
    Ok(Program { domain, vcpu, steps, variables })
}

/// The program of a vCPU that has none: it turns the vCPU off. `found` is where the vCPU stands.
pub(super) fn none(at: (usize, u32), found: &std::ops::Range<usize>, sources: &Sources<'_>, booked: &mut Vec<StepSource>) -> Program {
    let id = book(sources, found, booked);
    let (domain, vcpu) = at;
    Program { domain, vcpu, steps: Rc::new([Step { id, op: Op::Halt, expect: None }]), variables: 0 }
}

fn book(sources: &Sources<'_>, span: &std::ops::Range<usize>, booked: &mut Vec<StepSource>) -> StepId {
    let id = StepId(u32::try_from(booked.len()).unwrap_or(u32::MAX));
    let place = sources.place(span);
    booked.push(StepSource {
        line: place.as_ref().map_or(1, |place| place.line),
        column: place.as_ref().map_or(1, |place| place.column),
        text: sources.excerpt(span),
        set: place.and_then(|place| place.set).map(str::to_owned),
    });
    id
}

struct Compiler<'c, 'a> {
    domain: usize,
    vcpu: u32,
    channels: &'c Channels<'a>,
    sources: &'c Sources<'a>,
    booked: &'c mut Vec<StepSource>,
    variables: HashMap<String, usize>,
    /// Names of variables, in the order in which they appear.
    names: Vec<String>,
    /// Ports that no step names afterwards.
    unnamed: usize,
}

impl Compiler<'_, '_> {
    fn steps(&mut self, steps: &[Spanned<RawStep>], depth: usize) -> Result<Rc<[Step]>, Problem> {
        let mut compiled = Vec::with_capacity(steps.len());
        for step in steps {
            let id = book(self.sources, &step.span(), self.booked);
            if let RawStep::Plain(Plain::Setup, expect) = step.get_ref() {
                self.setup(id, expect.as_ref(), &mut compiled)?;
                continue;
            }
            let (op, expect) = self.step(step, depth)?;
            compiled.push(Step { id, op, expect });
        }
        Ok(compiled.into())
    }

    /// What every guest does first. `shared_info` is the domain's, so its first vCPU places it.
    fn setup(&self, id: StepId, expect: Option<&Spanned<RawExpect>>, into: &mut Vec<Step>) -> Result<(), Problem> {
        nothing_to_expect("setup", expect)?;
        let ok = Some(Expected::Rc(0));
        if self.vcpu == 0 {
            into.push(Step { id, op: Op::MapSharedInfo, expect: ok });
        }
        into.push(Step { id, op: Op::RegisterVcpuInfo, expect: ok });
        into.push(Step { id, op: Op::EnableInterrupts, expect: None });
        Ok(())
    }

    fn step(&mut self, step: &Spanned<RawStep>, depth: usize) -> Result<(Op, Option<Expected>), Problem> {
        match step.get_ref() {
            RawStep::Plain(plain, expect) => plain_step(*plain, expect),
            RawStep::Port(op, found) => self.port_step(*op, found),
            RawStep::BindVcpu(found) => {
                let vcpu = number::word(&found.vcpu, "vcpu")?;
                called(Op::BindVcpu { port: self.port(&found.port)?, vcpu }, &found.expect)
            }
            RawStep::AllocUnbound(found) => {
                let remote = domid(&found.remote)?;
                called(Op::AllocUnbound { remote, port: self.variable(&found.name)? }, &found.expect)
            }
            RawStep::BindInterdomain(found) => {
                let (remote, remote_port) = (domid(&found.remote)?, number::word(&found.port, "port")?);
                called(Op::BindInterdomain { remote, remote_port, port: self.variable(&found.name)? }, &found.expect)
            }
            RawStep::BindIpi(found) => {
                let vcpu = number::word(&found.vcpu, "vcpu")?;
                called(Op::BindIpi { vcpu, port: self.variable(&found.name)? }, &found.expect)
            }
            RawStep::BindVirq(found) => self.bind_virq(found),
            RawStep::Compute(cycles) => Ok((Op::Compute(cycles.0), None)),
            RawStep::Console(found) => called(Op::Console(found.text.clone()), &found.expect),
            RawStep::Hypercall(found) => hypercall(found),
            RawStep::Read(found) => read(found),
            RawStep::Write(found) => write(found),
            RawStep::Execute(found) => Ok((Op::Execute { address: found.at.0 }, Some(refusal(&found.expect, "execute")?))),
            RawStep::Repeat(found) => {
                if depth >= MAX_NESTING {
                    let problem = Problem::new(format!("repeat is nested more than {MAX_NESTING} deep"));
                    return Err(problem.at(step.span(), "one too many"));
                }
                Ok((Op::Repeat { times: found.times.0, steps: self.steps(&found.steps, depth + 1)? }, None))
            }
        }
    }

    fn port_step(&mut self, op: PortOp, found: &RawPortStep) -> Result<(Op, Option<Expected>), Problem> {
        let port = self.port(&found.port)?;
        match op {
            PortOp::Send => called(Op::Send(port), &found.expect),
            PortOp::Unmask => called(Op::Unmask(port), &found.expect),
            PortOp::Close => called(Op::Close(port), &found.expect),
            PortOp::Wait => nothing_to_expect("wait", found.expect.as_ref()).map(|()| (Op::Wait(port), None)),
            PortOp::Mask => nothing_to_expect("mask", found.expect.as_ref()).map(|()| (Op::Mask(port), None)),
        }
    }

    fn bind_virq(&mut self, found: &RawBindVirq) -> Result<(Op, Option<Expected>), Problem> {
        let virq = links::virq(&found.virq)?;
        let vcpu = found.vcpu.as_ref().map_or(Ok(self.vcpu), |vcpu| number::word(vcpu, "vcpu"))?;
        called(Op::BindVirq { virq, vcpu, port: self.variable(&found.name)? }, &found.expect)
    }

    /// Where a step's new port goes.
    fn variable(&mut self, name: &Maybe<String>) -> Result<usize, Problem> {
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
        Err(problem.help(diagnose::known_names("names here", text, &known)))
    }
}

fn plain_step(plain: Plain, expect: &Maybe<RawExpect>) -> Result<(Op, Option<Expected>), Problem> {
    match plain {
        Plain::MapSharedInfo => called(Op::MapSharedInfo, expect),
        Plain::RegisterVcpuInfo => called(Op::RegisterVcpuInfo, expect),
        Plain::Yield => called(Op::Yield, expect),
        Plain::Setup | Plain::EnableIrqs => {
            nothing_to_expect("enable_irqs", expect.as_ref()).map(|()| (Op::EnableInterrupts, None))
        }
        Plain::Halt => nothing_to_expect("halt", expect.as_ref()).map(|()| (Op::Halt, None)),
    }
}

fn nothing_to_expect(step: &str, expect: Option<&Spanned<RawExpect>>) -> Result<(), Problem> {
    match expect {
        None => Ok(()),
        Some(expect) => {
            Err(Problem::new(format!("step `{step}` gives nothing to expect")).at(expect.span(), "leave `expect` out"))
        }
    }
}

fn domid(number: &Spanned<Number>) -> Result<u16, Problem> {
    number::within(number, "remote", 0..=u16::MAX.into()).map(|id| id as u16)
}

/// A hypercall that is to return 0 unless the file says otherwise.
fn called(op: Op, expect: &Maybe<RawExpect>) -> Result<(Op, Option<Expected>), Problem> {
    Ok((op, Some(expect.as_ref().map_or(Ok(Expected::Rc(0)), result)?)))
}

/// What a hypercall is expected to return.
fn result(expect: &Spanned<RawExpect>) -> Result<Expected, Problem> {
    let at = |problem: Problem| problem.at(expect.span(), "expected a number, or an error such as \"-EINVAL\"");
    match expect.get_ref() {
        RawExpect::Number(number) => i64::try_from(*number)
            .map(Expected::Rc)
            .map_err(|_| at(Problem::new(format!("{number} is not what a hypercall returns")))),
        RawExpect::Word(word) => {
            let named = |errno: &&Errno| word.strip_prefix('-') == Some(errno.name());
            let errno = ERRNOS.iter().find(named).map(|errno| Expected::Rc(errno.rc()));
            errno.ok_or_else(|| {
                let known: Vec<String> = ERRNOS.iter().map(|errno| format!("-{}", errno.name())).collect();
                let problem = at(Problem::new(format!("`{word}` is not what a hypercall returns")));
                problem.help(diagnose::known_names("errors", word, &known))
            })
        }
    }
}

fn hypercall(found: &RawHypercall) -> Result<(Op, Option<Expected>), Problem> {
    let mut args = [0; 5];
    if let Some(sixth) = found.args.get(args.len()) {
        let problem = Problem::new(format!("a hypercall has {} arguments", found.args.len()));
        return Err(problem.at(sixth.span(), "expected at most 5: x0 to x4"));
    }
    for (to, from) in args.iter_mut().zip(&found.args) {
        *to = from.get_ref().0;
    }
    let imm = found.imm.as_ref().map_or(Ok(TAG.into()), |imm| number::within(imm, "imm", 0..=u16::MAX.into()))?;
    let expect = found.expect.as_ref().map(result).transpose()?;
    Ok((Op::Hypercall { imm: imm as u16, nr: found.nr.0, args }, expect))
}

fn width(width: &Maybe<Number>) -> Result<Width, Problem> {
    let Some(width) = width else { return Ok(Width::Word) };
    match width.get_ref().0 {
        1 => Ok(Width::Byte),
        4 => Ok(Width::Word),
        8 => Ok(Width::Double),
        other => {
            let problem = Problem::new(format!("an access cannot be {other} bytes wide"));
            Err(problem.at(width.span(), "expected 1, 4 or 8"))
        }
    }
}

/// Refuses a number that an access of this width cannot carry.
fn fits(value: u64, width: Width, at: std::ops::Range<usize>) -> Result<u64, Problem> {
    let bytes = width.bytes();
    if bytes == 8 || value >> (bytes * 8) == 0 {
        return Ok(value);
    }
    let problem = Problem::new(format!("{value:#x} does not fit in {bytes} bytes"));
    Err(problem.at(at, "expected a smaller number, or width = 8"))
}

fn read(found: &RawRead) -> Result<(Op, Option<Expected>), Problem> {
    let width = width(&found.width)?;
    let expected = match &found.expect {
        Some(expect) => match expect.get_ref() {
            RawExpect::Number(number) => {
                let value = u64::try_from(*number).map_err(|_| {
                    let problem = Problem::new(format!("{number} is not what a read gives"));
                    problem.at(expect.span(), "expected a number from 0 up")
                })?;
                Expected::Value(fits(value, width, expect.span())?)
            }
            RawExpect::Word(word) if word.starts_with(|char: char| char.is_ascii_digit()) => {
                let value = number::text(word).ok_or_else(|| {
                    Problem::new(format!("`{word}` is not a number")).at(expect.span(), "expected one such as \"0x1_0000\"")
                })?;
                Expected::Value(fits(value, width, expect.span())?)
            }
            RawExpect::Word(_) => refusal(&found.expect, "read")?,
        },
        None => Expected::Success,
    };
    Ok((Op::Read { address: found.at.0, width }, Some(expected)))
}

fn write(found: &RawWrite) -> Result<(Op, Option<Expected>), Problem> {
    let width = width(&found.width)?;
    let value = fits(found.value.get_ref().0, width, found.value.span())?;
    Ok((Op::Write { address: found.at.0, width, value }, Some(refusal(&found.expect, "write")?)))
}

/// Whether an access is to be let through.
fn refusal(expect: &Maybe<RawExpect>, step: &str) -> Result<Expected, Problem> {
    /// The words there are.
    const WORDS: [&str; 4] = ["ok", "fault", "stage-1", "stage-2"];
    let Some(expect) = expect else { return Ok(Expected::Success) };
    let shown = match expect.get_ref() {
        RawExpect::Word(word) => match word.as_str() {
            "ok" => return Ok(Expected::Success),
            "fault" => return Ok(Expected::Fault),
            "stage-1" => return Ok(Expected::StageOne),
            "stage-2" => return Ok(Expected::StageTwo),
            other => other.to_owned(),
        },
        RawExpect::Number(number) => number.to_string(),
    };
    let problem = Problem::new(format!("step `{step}` cannot be expected to give `{shown}`"));
    let problem = problem.at(expect.span(), format!("expected \"{}\"", WORDS.join("\", \"")));
    Err(problem)
}
