//! A scenario in the simulator and on Xen: the same guests, and what each of them does and is given, line by line.
//!
//! Xen on arm64 runs on a PE with page tables, so nothing below EL1 can be compared; what guests see can
//! ([`sim_core::guest::recorder`]). `system` is the scenario as Xen's device tree, `tree` puts it into QEMU's.

mod system;
mod tree;

use super::target::{self, Images};
use super::{Difference, ParityError};
use analysis::judgement::System;
use scenario::{Scenario, strategy};
use sim_core::guest::recorder::{Bank, Kind, Recorder};
use sim_core::layout::Position;
use sim_core::outcome::{Outcome, VcpuRef};
use std::cell::RefCell;
use std::fmt;
use std::path::Path;
use std::process::Command;
use std::rc::Rc;
pub use tree::TreeError;

/// A vCPU here and on Xen.
#[derive(Debug)]
pub struct Vcpu {
    /// Which.
    pub vcpu: VcpuRef,
    /// The name of its domain.
    pub domain: String,
    /// What its program does and is given.
    pub program: Difference,
    /// The events that its handler finds, by port: their order hangs on who runs when.
    pub events: Difference,
    /// Upcalls here and on Xen: how many events one finds depends on who runs when.
    pub upcalls: (usize, usize),
}

/// How a scenario compares.
#[derive(Debug)]
pub struct OnXen {
    /// What Xen calls itself.
    pub xen: String,
    /// Each vCPU.
    pub vcpus: Vec<Vcpu>,
    /// Xen's console.
    pub console: Vec<String>,
}

impl OnXen {
    /// Whether there is no difference.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.vcpus.iter().all(|vcpu| vcpu.program.differs.is_none() && vcpu.events.differs.is_none())
    }
}

/// A text that several guests write.
#[derive(Clone, Debug, Default)]
struct Shared(Rc<RefCell<String>>);

impl fmt::Write for Shared {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.borrow_mut().push_str(text);
        Ok(())
    }
}

/// Runs the scenario here and on Xen.
pub fn compare(scenario: &Scenario, name: &str, seed: u64, images: &Images) -> Result<OnXen, ParityError> {
    let rule = strategy::parse(name, scenario.settings)?;
    let scenario = System::new(scenario, name, &rule)?.scenario;
    system::check(&scenario)?;
    let programs = super::programs(&scenario, seed);
    let trace = Shared::default();
    let world = scenario.hosted(rule, seed, |program, guest| {
        let who = VcpuRef { domain: program.domain, vcpu: program.vcpu };
        // A program without RAM has nowhere to be.
        let bank = super::bank(&scenario.layout, program.domain).unwrap_or(Bank { base: 0, size: 0 });
        Box::new(Recorder::new(guest, trace.clone(), who, bank))
    })?;
    let report = world.run();
    if !matches!(report.outcome, Outcome::Completed | Outcome::ExpectationFailed(_)) {
        return Err(system::unfit(format!("here it ends as {}", words::outcome(&report.outcome))));
    }
    let here = trace.0.take();

    let guest = images.file("guest-aarch64.bin")?;
    let guest = std::fs::read(&guest).map_err(|why| ParityError::Files { path: guest, why })?;
    let xen = images.file("xen").map_err(|_| ParityError::NoXen(images.0.join("xen")))?;
    let folder = tempfile::tempdir().map_err(|why| ParityError::Files { path: std::env::temp_dir(), why })?;
    let (said, console) = boot(&scenario, &programs, &guest, &xen, folder.path())?;
    let version = console.lines().find_map(|line| line.strip_prefix("(XEN) Xen version ")).unwrap_or("of no version");
    let version = version.split(' ').next().unwrap_or_default().to_owned();

    let vcpus = programs.iter().map(|program| {
        let vcpu = VcpuRef { domain: program.domain, vcpu: program.home.vcpu };
        let domain = scenario.layout.domain(vcpu.domain).map(|domain| domain.name.clone()).unwrap_or_default();
        let head = &format!("{}.{} ", vcpu.domain, vcpu.vcpu);
        let lines = |kind| {
            let mine = move |line: &&str| line.starts_with(head.as_str()) && Kind::of(line) == kind;
            (here.lines().filter(mine), said.lines().filter(mine))
        };
        let program = {
            let (here, there) = lines(Kind::Program);
            super::first_difference(here, there)
        };
        let events = {
            let (here, there) = lines(Kind::Event);
            super::first_difference(by_port(here).into_iter(), by_port(there).into_iter())
        };
        let (here, there) = lines(Kind::Upcall);
        let upcalls = (here.count(), there.count());
        Vcpu { vcpu, domain, program, events, upcalls }
    });
    let vcpus = vcpus.collect();
    let console = console.lines().map(str::to_owned).collect();
    Ok(OnXen { xen: version, vcpus, console })
}

/// Lines that tell of events, one port behind the other.
fn by_port<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut lines: Vec<&str> = lines.collect();
    lines.sort_by_key(|line| line.rsplit(' ').next().and_then(|port| port.parse::<u32>().ok()));
    lines
}

/// Boots Xen with the scenario's domains; what the guests told, and Xen's console.
fn boot(
    scenario: &Scenario,
    programs: &[sim_core::export::Program],
    guest: &[u8],
    xen: &Path,
    folder: &Path,
) -> Result<(String, String), ParityError> {
    let mut payloads = Vec::new();
    for program in programs {
        payloads.push(system::payload(guest, program)?);
    }
    let base = folder.join("base.dtb");
    machine(Command::new(target::AARCH64), &format!(",dumpdtb={}", base.display()), |command| {
        let done = command.output().map_err(|why| ParityError::NoEmulator { program: target::AARCH64.into(), why });
        done.map(drop)
    })?;
    let tree = std::fs::read(&base).map_err(|why| ParityError::Files { path: base.clone(), why })?;
    let sizes: Vec<usize> = payloads.iter().map(Vec::len).collect();
    let tree = tree::with(&tree, &system::chosen(scenario, &sizes)).map_err(ParityError::Tree)?;
    let tree = target::put(folder, "xen.dtb", &tree)?;
    let uart = folder.join("uart");
    let said = machine(target::emulator(target::AARCH64, xen), "", |command| {
        // Guests take turns by instructions executed, not by the time of the machine that emulates.
        command.args(["-icount", "shift=4,sleep=off"]);
        command.arg("-dtb").arg(&tree).arg("-serial").arg(format!("file:{}", uart.display()));
        for (position, payload) in Position::all().zip(&payloads) {
            let file = target::put(folder, &format!("domain-{position}"), payload)?;
            target::load(command, &file, system::module(position));
        }
        // Xen never ends by itself: the last guest's last line is the end.
        let mut running = programs.len();
        target::wait(command, |line| {
            running -= usize::from(line.contains(" psci "));
            running == 0
        })
    });
    let console = std::fs::read_to_string(&uart).unwrap_or_default();
    match said {
        Ok(said) => Ok((said, console)),
        Err(ParityError::Endless { seconds, said }) if console.contains("(XEN)") => {
            // What came is compared; where a guest went another way it stands in the first difference.
            tracing::warn!(seconds, "not every guest came to its end");
            Ok((said, console))
        }
        Err(error) => Err(error),
    }
}

/// A machine with EL2 and an interrupt controller of version 3, as Xen takes it.
fn machine<T>(
    mut command: Command,
    more: &str,
    run: impl FnOnce(&mut Command) -> Result<T, ParityError>,
) -> Result<T, ParityError> {
    command.arg("-M").arg(format!("virt,virtualization=on,gic-version=3,dtb-randomness=off{more}"));
    command.args(["-cpu", "cortex-a57", "-smp", "1", "-m", "512", "-nic", "none", "-display", "none"]);
    run(&mut command)
}
