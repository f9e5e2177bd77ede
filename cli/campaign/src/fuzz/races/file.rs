//! A race of a user's own, from a TOML file: what is set up, and what each PE does.
//!
//! A step is a word or a table that begins with one, as in scenarios. What is wrong is told with the line it stands in.

use super::step::{ACTS, SETUP, StepTable, Value, array, number, table, text, unknown, wrong};
use crate::interleave::{
    Act, Call, Name, Own as Place, PES, Prep, Program, RaceCase, Script, ScriptCall, Who, domain_of, id_of,
};
use evtchn::op::command::BIND_VIRQ;
use evtchn::op::{Argument, Kind};
use scenario::{LoadError, Problem, Sources};
use sim_core::layout::Position;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A race that a user wrote, and where.
#[derive(Debug)]
pub struct Own {
    pub(super) path: PathBuf,
    pub(super) case: RaceCase,
}

impl Own {
    /// Reads it.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        let text = scenario::read(path, "race")?;
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("race");
        let read = scenario::document(&text).and_then(|root| race(stem, root.get_ref()));
        let case = read.map_err(|problem| problem.found_in(&Sources::new(path, &text, &[])))?;
        Ok(Self { path: path.to_owned(), case })
    }
}

/// Ports there may be.
const PORTS: u64 = 1024;
/// Domains there are.
const DOMAINS: u64 = 3;
/// vCPUs that the largest of them has.
const VCPUS: u64 = 2;

fn pe(value: &Value<'_>) -> Result<Who, Problem> {
    number(value, "PE", PES as u64).map(|number| number as Who)
}

fn domain(value: &Value<'_>) -> Result<Position, Problem> {
    number(value, "domain", DOMAINS).map(|number| Position::new(number as usize))
}

fn only<'k>(table: &DeTable<'_>, known: impl IntoIterator<Item = &'k str> + Clone) -> Result<(), Problem> {
    let strange = table.keys().find(|key| !known.clone().into_iter().any(|known| known == key.get_ref()));
    strange.map_or(Ok(()), |key| Err(unknown("key", key.get_ref(), key.span(), known)))
}

fn race(stem: &str, root: &DeTable<'_>) -> Result<RaceCase, Problem> {
    only(root, ["name", "about", "setup", "pe"])?;
    let strange = |char: char| "/,".contains(char) || char.is_control() || char.is_whitespace();
    let name = root.get("name").map_or(Ok(stem), text)?;
    if name.is_empty() || name.contains(strange) {
        let problem = Problem::new(format!("a race cannot be called {name:?}"));
        let expected = "expected `name = \"...\"`, one word without `/` and `,`, which tokens and --case take apart";
        return Err(match root.get("name") {
            Some(value) => problem.at(value.span(), expected),
            None => problem.help(expected),
        });
    }
    let about = root.get("about").map_or(Ok("a race of a file"), text)?;
    let mut reader = Reader::default();
    let mut script = Script::default();
    for step in root.get("setup").map(array).transpose()?.unwrap_or_default() {
        reader.setup(table(step)?, step.span(), &mut script.setup)?;
    }
    for (key, value) in root.get("pe").map(table).transpose()?.into_iter().flatten() {
        let number = key.get_ref().parse::<Who>().ok();
        let Some(program) = number.and_then(|pe| script.programs.get_mut(pe)) else {
            let last = PES - 1;
            let problem = Problem::new(format!("there is no PE {:?}", key.get_ref()));
            return Err(problem.at(key.span(), format!("expected [pe.0] to [pe.{last}]")));
        };
        *program = reader.program(number.unwrap_or_default(), table(value)?)?;
    }
    if script.programs.iter().filter(|program| !program.acts.is_empty() || program.handles).count() < 2 {
        let problem = Problem::new("a race takes two PEs that do something");
        return Err(problem.help("expected `do = [...]` or `interrupts = true` in two tables [pe.0] to [pe.3]"));
    }
    Ok(RaceCase::new(name.to_owned(), about.to_owned(), script))
}

/// The PE at the other end.
fn peer(here: Who, value: &Value<'_>) -> Result<Who, Problem> {
    let there = pe(value)?;
    if domain_of(there) != domain_of(here) {
        return Ok(there);
    }
    let problem = Problem::new(format!("PE {there} runs the same domain as PE {here}"));
    Err(problem.at(value.span(), "expected a PE of another domain"))
}

/// Knows which domain has an end of what.
#[derive(Default)]
struct Reader {
    names: BTreeSet<(String, Position)>,
}

impl Reader {
    /// A port of the domain on a PE: its number or its name.
    fn port(&self, pe: Who, value: &Value<'_>) -> Result<Name, Problem> {
        let DeValue::String(name) = value.get_ref() else {
            return number(value, "port", PORTS).map(Name::Number);
        };
        let of = domain_of(pe);
        if self.names.contains(&(name.clone().into_owned(), of)) {
            return Ok(Name::Of(name.clone().into_owned()));
        }
        let known: Vec<&str> =
            self.names.iter().filter(|(_, domain)| *domain == of).map(|(name, _)| name.as_str()).collect();
        let expected = if known.is_empty() { "a number".to_owned() } else { format!("a number, {}", known.join(", ")) };
        let problem = Problem::new(format!("domain {of}, on PE {pe}, has no port {name:?}"));
        Err(problem.at(value.span(), format!("expected {expected}")))
    }

    /// A name that both PEs' domains have an end of from now on.
    fn new_name(&mut self, value: &Value<'_>, (one, other): (Who, Who)) -> Result<String, Problem> {
        let name = text(value)?;
        let mut fresh = self.names.insert((name.to_owned(), domain_of(one)));
        if domain_of(one) != domain_of(other) {
            fresh &= self.names.insert((name.to_owned(), domain_of(other)));
        }
        if fresh {
            return Ok(name.to_owned());
        }
        Err(Problem::new(format!("there is a port {name:?} already")).at(value.span(), "expected another name"))
    }

    fn setup(
        &mut self,
        entry: &DeTable<'_>,
        at: std::ops::Range<usize>,
        setup: &mut Vec<(Who, Prep)>,
    ) -> Result<(), Problem> {
        only(entry, ["pe", "do"])?;
        let lacks = |key: &str| {
            Problem::new(format!("a step of the set-up lacks `{key}`"))
                .at(at.clone(), "expected `{ pe = N, do = [...] }`")
        };
        let here = pe(entry.get("pe").ok_or_else(|| lacks("pe"))?)?;
        for step in array(entry.get("do").ok_or_else(|| lacks("do"))?)? {
            let step = StepTable::read(step, SETUP)?;
            let place = |place| (here, Prep::Place(place));
            match step.word {
                "two_level" | "fifo" => {
                    let all = [Place::SharedInfo, Place::VcpuInfo, Place::ControlBlock, Place::EventWords];
                    let used = if step.word == "fifo" { 4 } else { 2 };
                    // The page of event words and shared_info are the domain's, not the vCPU's.
                    let again = |what: Place| {
                        let once = matches!(what, Place::SharedInfo | Place::EventWords);
                        once && setup
                            .iter()
                            .any(|(pe, prep)| domain_of(*pe) == domain_of(here) && *prep == Prep::Place(what))
                    };
                    let places: Vec<_> = all.into_iter().take(used).filter(|what| !again(*what)).map(place).collect();
                    setup.extend(places);
                }
                _ => {
                    let prep = self.prep(here, &step)?;
                    setup.push((here, prep));
                }
            }
        }
        Ok(())
    }

    fn prep(&mut self, here: Who, step: &StepTable<'_, '_>) -> Result<Prep, Problem> {
        Ok(match step.word {
            "shared_info" => Prep::Place(Place::SharedInfo),
            "vcpu_info" => Prep::Place(Place::VcpuInfo),
            "control_block" => Prep::Place(Place::ControlBlock),
            "event_words" => Prep::Place(Place::EventWords),
            "quiet" => Prep::Quiet,
            "channel" | "static_channel" => {
                let to = peer(here, step.needed("to")?)?;
                let name = self.new_name(step.given()?, (here, to))?;
                if step.word == "channel" { Prep::Channel { name, to } } else { Prep::Static { name, to } }
            }
            "xen_channel" => {
                let peer = peer(here, step.needed("peer")?)?;
                Prep::Xen { name: self.new_name(step.given()?, (here, peer))?, peer }
            }
            "ipi" => Prep::Ipi(self.new_name(step.given()?, (here, here))?),
            "virq" => {
                let virq = number(step.needed("number")?, "VIRQ", evtchn::abi::virq::COUNT.into())?;
                Prep::Virq { name: self.new_name(step.given()?, (here, here))?, virq }
            }
            "port" => {
                let peer = step.key("peer").map(|value| peer(here, value)).transpose()?;
                let name = self.new_name(step.given()?, (here, peer.unwrap_or(here)))?;
                Prep::Port { name, number: number(step.needed("number")?, "port", PORTS)?, peer }
            }
            "mask" => Prep::Mask(self.port(here, step.given()?)?),
            "pause" => Prep::Pause(domain(step.given()?)?),
            _ => Prep::Call(self.call(here, step)?),
        })
    }

    fn program(&self, here: Who, entry: &DeTable<'_>) -> Result<Program, Problem> {
        only(entry, ["do", "interrupts"])?;
        let handles = match entry.get("interrupts") {
            None => false,
            Some(value) => {
                let found = value.get_ref().as_bool();
                found.ok_or_else(|| wrong(value.get_ref(), value.span(), "true or false"))?
            }
        };
        let mut acts: Vec<Act> = Vec::new();
        for step in entry.get("do").map(array).transpose()?.unwrap_or_default() {
            let at = step.span();
            let act = self.act(here, &StepTable::read(step, ACTS)?)?;
            let tool = act.is_tool() || acts.iter().any(Act::is_tool);
            if tool && (handles || act.is_guest() || acts.iter().any(Act::is_guest)) {
                let problem = Problem::new(format!("PE {here} does a toolstack's or Xen's work and a guest's"));
                return Err(problem.at(at, "expected this on another PE, or no interrupts here"));
            }
            acts.push(act);
        }
        Ok(Program { handles, acts })
    }

    fn act(&self, here: Who, step: &StepTable<'_, '_>) -> Result<Act, Problem> {
        let own = |place| -> Result<Act, Problem> {
            let of = step.given.map_or(Ok(here), pe)?;
            if domain_of(of) == domain_of(here) {
                return Ok(Act::Place(place, of));
            }
            let at = step.given.map_or(step.at.clone(), Spanned::span);
            Err(Problem::new(format!("PE {of} runs another domain than PE {here}")).at(at, "expected a PE of the same"))
        };
        Ok(match step.word {
            "wait" => Act::Wait,
            "shared_info" => own(Place::SharedInfo)?,
            "vcpu_info" => own(Place::VcpuInfo)?,
            "control_block" => own(Place::ControlBlock)?,
            "event_words" => own(Place::EventWords)?,
            "mask" => Act::Mask(self.port(here, step.given()?)?),
            "unmask" => Act::Unmask(self.port(here, step.given()?)?),
            "kill" => Act::Kill(domain(step.given()?)?),
            "create" => Act::Create(domain(step.given()?)?),
            "pause" => Act::Pause(domain(step.given()?)?),
            "unpause" => Act::Unpause(domain(step.given()?)?),
            "raise_virq" => Act::Virq {
                virq: number(step.given()?, "VIRQ", evtchn::abi::virq::COUNT.into())?,
                domain: step.key("domain").map_or(Ok(domain_of(here)), domain)?,
                vcpu: step.key("vcpu").map_or(Ok(0), |value| number(value, "vCPU", VCPUS))?,
            },
            "notify" => Act::Notify(self.port(here, step.given()?)?),
            _ => Act::Call(self.call(here, step)?),
        })
    }

    fn call(&self, here: Who, step: &StepTable<'_, '_>) -> Result<ScriptCall, Problem> {
        if step.word == "poll" {
            return Ok(ScriptCall::on(Call::Poll(0), self.port(here, step.given()?)?));
        }
        // Every word is an operation's, or read above or by whoever called.
        let unknown = || unknown("step", step.word, step.at.clone(), []);
        let shape = step.operation().ok_or_else(unknown)?;
        let mut port = None;
        let mut numbers = Vec::with_capacity(shape.arguments.len());
        for argument in shape.arguments {
            numbers.push(match (step.argument(argument), argument.kind) {
                (Some(value), Kind::Port) => {
                    port = Some(self.port(here, value)?);
                    0
                }
                (Some(value), _) => self::argument(value, argument)?,
                (None, Kind::Domain) => id_of(domain_of(here)).into(),
                (None, Kind::Vcpu) if shape.command == BIND_VIRQ => 0,
                (None, _) => return Err(step.lacks(argument)),
            });
        }
        let call = Call::Event(shape.op(&numbers).ok_or_else(unknown)?);
        Ok(ScriptCall { call, port })
    }
}

/// An argument of an operation, a port of the caller's aside.
fn argument(value: &Value<'_>, argument: &Argument) -> Result<u64, Problem> {
    let (what, end) = match argument.kind {
        Kind::Domain => return Ok(id_of(domain(value)?).into()),
        Kind::Port | Kind::RemotePort => ("port", PORTS),
        Kind::Vcpu => ("vCPU", VCPUS),
        Kind::Virq => ("VIRQ", evtchn::abi::virq::COUNT.into()),
        Kind::Priority => ("priority", evtchn::abi::fifo::QUEUES.into()),
        Kind::Frame | Kind::Offset | Kind::Number => (argument.name, 1 << 32),
    };
    number(value, what, end).map(u64::from)
}
