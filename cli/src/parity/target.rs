//! The boards, and the emulator that plays them.

use super::ParityError;
use mpu_model::Pmsa;
use scenario::Scenario;
use sim_core::export::{self, Program, System};
use sim_core::hyp::sched::Scheduler;
use sim_core::layout::{Layout, Position, Span};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// A board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Target {
    /// `AArch64` at EL2 without an MPU: QEMU's virt, with the simulator's machine and all. Any scenario.
    #[value(help = "AArch64 at EL2 without an MPU: QEMU's virt, with the simulator's machine and all. Any scenario")]
    Aarch64,
    /// Cortex-R52 with its own EL2 MPU: QEMU's mps3-an536. The system is that of board qemu-an536.
    R52,
    /// Armv8-R `AArch64`: QEMU's virt, whose MMU plays the MPUs. The system is that of board fvp-baser.
    #[value(help = "Armv8-R AArch64: QEMU's virt, whose MMU plays the MPUs. The system is that of board fvp-baser")]
    V8r,
}

/// What a board has that the hypervisor itself runs on.
struct Own {
    /// Memory large enough for guests: from its first address to its last.
    memory: (u64, u64),
    /// How far up the emulator has that memory.
    offset: u64,
    /// The MPUs, and the preset that has them.
    pmsa: (Pmsa, &'static str),
    /// The image of a guest.
    guest: &'static str,
}

const R52: Own =
    Own { memory: (0x2000_0000, 0xdfff_ffff), offset: 0, pmsa: (Pmsa::V32, "qemu-an536"), guest: "guest.bin" };
/// `examples/board/v8r-on-virt` has the offset.
const V8R: Own =
    Own { memory: (0, 0x7fff_ffff), offset: 0x4000_0000, pmsa: (Pmsa::V64, "fvp-baser"), guest: "guest-aarch64.bin" };

/// Where images are.
#[derive(Clone, Debug)]
pub struct Images(pub PathBuf);

impl Images {
    pub(super) fn file(&self, name: &str) -> Result<PathBuf, ParityError> {
        let file = self.0.join(name);
        if file.exists() { Ok(file) } else { Err(ParityError::NoImage(file)) }
    }
}

/// The emulator of `AArch64`.
pub(super) const AARCH64: &str = "qemu-system-aarch64";

/// Where the whole of a scenario goes on virt (`examples/board/virt/image.ld`).
const SCENARIO: u64 = 0x4400_0000;

/// Where the image of v8r is loaded (`examples/board/v8r/image.ld`).
const V8R_IMAGE: u64 = 0x0020_0000;
/// Where a guest's image stands in the first bank of its RAM (`examples/board/common/src/places.rs`).
pub(super) const GUEST_IMAGE: u64 = 0x10_0000;
/// Where the program of the first vCPU stands, and how far it is to the next.
pub(super) const PROGRAMS: (u64, u64) = (0x20_0000, 0x1_0000);
/// vCPUs that have room for a program.
const MAX_VCPUS: usize = 8;
/// The end of what a guest takes for itself.
const GUEST_END: u64 = 0x40_0000;

/// What stands before the reason why an image runs nothing.
const REFUSED: &str = "refused: ";

/// Seconds after which a board is stopped.
const PATIENCE: u64 = 60;

impl Target {
    /// What the scenario is changed by, before anything the user asks for.
    #[must_use]
    pub const fn sets(self) -> &'static [&'static str] {
        match self {
            Self::Aarch64 => &[],
            Self::R52 => &["board=qemu-an536", "image_base=0x70000000", "pes=1"],
            Self::V8r => &["board=fvp-baser", "image_base=0x200000", "pes=1"],
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Aarch64 => "aarch64",
            Self::R52 => "r52",
            Self::V8r => "v8r",
        }
    }

    /// The scenario as the board can run it: without time on the board vCPUs give way by themselves, so their quantum never
    /// ends on the host either.
    pub(super) fn adapt(self, scenario: &mut Scenario) -> Result<(), ParityError> {
        if self == Self::Aarch64 {
            return Ok(());
        }
        match &mut scenario.config.scheduler {
            Scheduler::Null => {}
            Scheduler::RoundRobin { quantum } => *quantum = u64::MAX,
            Scheduler::Arinc653(_) => {
                return Err(self.unfit("it has no time for fixed frames; expected scheduler = \"rr\" or \"null\""));
            }
        }
        if let Some(step) = super::timed_poll(scenario) {
            return Err(
                self.unfit(format!("it has no time for a poll to run out, and there is {step}; leave the timeout out"))
            );
        }
        if scenario.config.timers.is_empty() {
            Ok(())
        } else {
            Err(self.unfit("it has no time for timers; leave them out"))
        }
    }

    /// Runs a system on the board; what the board said.
    pub fn run(
        self,
        system: &System,
        programs: &[Program],
        layout: &Layout,
        images: &Images,
    ) -> Result<String, ParityError> {
        let place = std::env::temp_dir();
        let failed = |why| ParityError::Files { path: place, why };
        let folder = tempfile::tempdir().map_err(failed)?;
        let (mut command, loads) = match self {
            Self::Aarch64 => {
                let mut command = emulator(AARCH64, &images.file("virt")?);
                command.args(["-M", "virt,virtualization=on", "-cpu", "cortex-a57", "-m", "512M", "-nic", "none"]);
                command.args(["-serial", "null"]);
                let bytes = export::pack(&(system, programs))?;
                (command, vec![(put(folder.path(), "scenario", &bytes)?, SCENARIO)])
            }
            Self::R52 => {
                let mut command = emulator("qemu-system-arm", &images.file("r52")?);
                command.args(["-M", "mps3-an536", "-cpu", "cortex-r52", "-smp", "1"]);
                // The console of the layout is the third UART, the first that all cores share.
                command.args(["-serial", "null", "-serial", "null", "-serial"]);
                command.arg(format!("file:{}", folder.path().join("uart").display()));
                (command, self.loads(&R52, system, programs, layout, folder.path(), images)?)
            }
            Self::V8r => {
                let mut command = emulator("qemu-system-aarch64", &images.file("v8r-on-virt")?);
                command.args(["-M", "virt,virtualization=on,gic-version=3", "-cpu", "max", "-m", "3G", "-nic", "none"]);
                command.arg("-serial").arg(format!("file:{}", folder.path().join("uart").display()));
                let mut loads = vec![(images.file("v8r.bin")?, V8R_IMAGE + V8R.offset)];
                loads.extend(self.loads(&V8R, system, programs, layout, folder.path(), images)?);
                (command, loads)
            }
        };
        for (file, address) in &loads {
            load(&mut command, file, *address);
        }
        let said = wait(&mut command, |_| false)?;
        let uart = std::fs::read_to_string(folder.path().join("uart")).unwrap_or_default();
        let console = uart.lines().map(|line| ["# console: ", line, "\n"].concat());
        Ok(said + &console.collect::<String>())
    }

    pub(super) fn unfit(self, why: impl Into<String>) -> ParityError {
        ParityError::Unfit { target: self.name(), why: why.into() }
    }

    /// What is put into a board's memory beside the hypervisor.
    fn loads(
        self,
        own: &Own,
        system: &System,
        programs: &[Program],
        layout: &Layout,
        folder: &Path,
        images: &Images,
    ) -> Result<Vec<(PathBuf, u64)>, ParityError> {
        let (pmsa, preset) = own.pmsa;
        if layout.board().pmsa != pmsa {
            return Err(self.unfit(format!("its MPUs are of the other width; expected board = \"{preset}\"")));
        }
        if let Some(device) = layout.parts().passthrough.first() {
            return Err(self.unfit(format!("its devices are its own; leave {} out", device.name)));
        }
        let mut loads = vec![self.system(system, layout, folder)?];
        loads.extend(self.guests(own.memory, programs, layout, folder, &images.file(own.guest)?)?);
        for (_, address) in &mut loads {
            *address += own.offset;
        }
        Ok(loads)
    }

    /// The system, where a device tree would be.
    fn system(self, system: &System, layout: &Layout, folder: &Path) -> Result<(PathBuf, u64), ParityError> {
        let tree = layout.parts().image.boot.device_tree;
        let bytes = export::pack(system)?;
        if bytes.len() as u64 > tree.size() {
            return Err(self.unfit(format!(
                "it takes {}, and there is room for {}",
                words::bytes(bytes.len() as u64),
                words::bytes(tree.size())
            )));
        }
        Ok((put(folder, "system", &bytes)?, tree.base()))
    }

    /// The image of every domain and the programs of its vCPUs.
    fn guests(
        self,
        memory: (u64, u64),
        programs: &[Program],
        layout: &Layout,
        folder: &Path,
        image: &Path,
    ) -> Result<Vec<(PathBuf, u64)>, ParityError> {
        let mut loads = Vec::new();
        for (position, domain) in Position::all().zip(layout.domains()) {
            if let Some(outside) =
                domain.own().find(|span| !Span::new(memory.0, memory.1).is_some_and(|memory| memory.covers(span)))
            {
                let why = format!(
                    "{} has memory at {outside}, and the board has it at {:#x}-{:#x}",
                    domain.name, memory.0, memory.1
                );
                return Err(self.unfit(why));
            }
            let bank = domain.ram.first().ok_or_else(|| self.unfit(format!("{} has no RAM", domain.name)))?;
            let taken = Span::with_size(bank.base() + GUEST_IMAGE, GUEST_END - GUEST_IMAGE);
            let taken = taken.filter(|taken| bank.covers(taken)).ok_or_else(|| {
                self.unfit(format!(
                    "{} needs {} in its first bank of RAM for a guest's image",
                    domain.name,
                    words::bytes(GUEST_END)
                ))
            })?;
            if domain.vcpus.len() > MAX_VCPUS {
                return Err(self.unfit(format!("{} has more than {MAX_VCPUS} vCPUs", domain.name)));
            }
            loads.push((image.to_owned(), taken.base()));
            for program in programs.iter().filter(|program| program.domain == position) {
                let home = &program.home;
                let pages = [home.shared_info, home.vcpu_info, home.scratch, home.control_block, home.event_words];
                if let Some(page) = pages.iter().find(|page| taken.contains(**page)) {
                    let why = format!(
                        "{} has a page at {page:#x}, where its image is to be ({:#x}-{:#x}); move it",
                        domain.name,
                        taken.base(),
                        taken.limit()
                    );
                    return Err(self.unfit(why));
                }
                let bytes = export::pack(program)?;
                if bytes.len() as u64 > PROGRAMS.1 {
                    return Err(self.unfit(format!(
                        "a program of {} takes more than {}",
                        domain.name,
                        words::bytes(PROGRAMS.1)
                    )));
                }
                let file = put(folder, &format!("program-{position}-{}", home.vcpu), &bytes)?;
                loads.push((file, bank.base() + PROGRAMS.0 + u64::from(home.vcpu) * PROGRAMS.1));
            }
        }
        Ok(loads)
    }
}

/// Has a file put at an address before the machine starts.
pub(super) fn load(command: &mut Command, file: &Path, address: u64) {
    command.arg("-device").arg(format!("loader,file={},addr={address:#x},force-raw=on", file.display()));
}

pub(super) fn put(folder: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf, ParityError> {
    let path = folder.join(name);
    std::fs::write(&path, bytes).map_err(|why| ParityError::Files { path: path.clone(), why })?;
    Ok(path)
}

/// An emulator with an image, whose semihosting console is standard output.
pub(super) fn emulator(program: &'static str, image: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(["-display", "none", "-monitor", "none", "-no-reboot"]);
    command.args(["-chardev", "stdio,id=trace", "-semihosting-config", "enable=on,target=native,chardev=trace"]);
    command.arg("-kernel").arg(image);
    command
}

/// Waits for the emulator's end, or for a line that `is_last`, for as long as patience lasts; what it wrote.
pub(super) fn wait(command: &mut Command, mut is_last: impl FnMut(&str) -> bool) -> Result<String, ParityError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let failed = |why| ParityError::NoEmulator { program: program.clone(), why };
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(failed)?;
    let out = child.stdout.take();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in out.into_iter().flat_map(|out| BufReader::new(out).lines()) {
            // Nobody listens any more once patience is over.
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    let started = Instant::now();
    let mut said = String::new();
    let ended = loop {
        let left = Duration::from_secs(PATIENCE).saturating_sub(started.elapsed());
        match receiver.recv_timeout(left) {
            Ok(Ok(line)) => {
                said += &line;
                said.push('\n');
                if is_last(&line) || line.starts_with(REFUSED) {
                    break Ok(());
                }
            }
            Ok(Err(why)) => break Err(failed(why)),
            Err(RecvTimeoutError::Disconnected) => break Ok(()),
            Err(RecvTimeoutError::Timeout) => {
                break Err(ParityError::Endless { seconds: PATIENCE, said: said.clone() });
            }
        }
    };
    // It has ended, or is to.
    let _ = child.kill();
    let _ = child.wait();
    ended?;
    match said.lines().find_map(|line| line.strip_prefix(REFUSED)) {
        Some(why) => Err(ParityError::Refused(why.into())),
        None => Ok(said),
    }
}
