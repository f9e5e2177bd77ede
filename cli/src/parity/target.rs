//! The boards, and the emulator that plays them.

use super::ParityError;
use mpu_model::Pmsa;
use sim_core::export::{self, Program, System};
use sim_core::layout::{Layout, Span};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// A board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Target {
    /// Cortex-R52 with its own EL2 MPU: QEMU's mps3-an536. The system is that of board qemu-an536.
    R52,
}

/// Where images are.
#[derive(Clone, Debug)]
pub struct Images(pub PathBuf);

/// Where a guest's image stands in the first bank of its RAM (`examples/board/common/src/places.rs`).
const GUEST_IMAGE: u64 = 0x10_0000;
/// Where the program of the first vCPU stands, and how far it is to the next.
const PROGRAMS: (u64, u64) = (0x20_0000, 0x1_0000);
/// vCPUs that have room for a program.
const MAX_VCPUS: usize = 8;
/// The end of what a guest takes for itself.
const GUEST_END: u64 = 0x40_0000;

/// Seconds after which a board is stopped.
const PATIENCE: u64 = 120;

impl Target {
    /// What the scenario is changed by, before anything the user asks for.
    #[must_use]
    pub const fn sets(self) -> &'static [&'static str] {
        match self {
            Self::R52 => &["board=qemu-an536", "pes=1"],
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::R52 => "r52",
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
        let image = images.0.join("r52");
        let guest = images.0.join("guest.bin");
        for file in [&image, &guest] {
            if !file.exists() {
                return Err(ParityError::NoImage(file.clone()));
            }
        }
        let place = std::env::temp_dir();
        let failed = |why| ParityError::Files { path: place.clone(), why };
        let folder = tempfile::tempdir().map_err(failed)?;
        let mut loads = vec![self.system(system, layout, folder.path())?];
        loads.extend(self.guests(programs, layout, folder.path(), &guest)?);
        let mut command = Command::new("qemu-system-arm");
        command.args(["-M", "mps3-an536", "-cpu", "cortex-r52", "-smp", "1"]);
        command.args(["-display", "none", "-monitor", "none", "-no-reboot"]);
        // The console of the layout is the third UART, the first that all cores share.
        command.args(["-serial", "null", "-serial", "null", "-serial"]);
        command.arg(format!("file:{}", folder.path().join("uart").display()));
        command.args(["-chardev", "stdio,id=story", "-semihosting-config", "enable=on,target=native,chardev=story"]);
        command.arg("-kernel").arg(&image);
        for (file, address) in &loads {
            command.arg("-device");
            command.arg(format!("loader,file={},addr={address:#x},force-raw=on", file.display()));
        }
        let said = wait(command)?;
        let uart = std::fs::read_to_string(folder.path().join("uart")).unwrap_or_default();
        let console = uart.lines().map(|line| ["# console: ", line, "\n"].concat());
        Ok(said + &console.collect::<String>())
    }

    fn unfit(self, why: impl Into<String>) -> ParityError {
        ParityError::Unfit { target: self.name(), why: why.into() }
    }

    /// The system, where a device tree would be.
    fn system(self, system: &System, layout: &Layout, folder: &Path) -> Result<(PathBuf, u64), ParityError> {
        if layout.board().pmsa != Pmsa::V32 {
            return Err(self.unfit("its MPUs are PMSAv8-64; expected board = \"qemu-an536\""));
        }
        let tree = layout.parts().image.boot.device_tree;
        let bytes = export::pack(system)?;
        if bytes.len() as u64 > tree.size() {
            return Err(self.unfit(format!("it takes {} bytes, and there is room for {}", bytes.len(), tree.size())));
        }
        Ok((put(folder, "system", &bytes)?, tree.base()))
    }

    /// The image of every domain and the programs of its vCPUs.
    fn guests(
        self,
        programs: &[Program],
        layout: &Layout,
        folder: &Path,
        image: &Path,
    ) -> Result<Vec<(PathBuf, u64)>, ParityError> {
        let mut loads = Vec::new();
        for (position, domain) in layout.domains().iter().enumerate() {
            let bank = domain.ram.first().ok_or_else(|| self.unfit(format!("{} has no RAM", domain.name)))?;
            let taken = Span::with_size(bank.base() + GUEST_IMAGE, GUEST_END - GUEST_IMAGE);
            let taken = taken.filter(|taken| bank.covers(taken)).ok_or_else(|| {
                self.unfit(format!(
                    "{} needs {GUEST_END:#x} bytes in its first bank of RAM for a guest's image",
                    domain.name
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
                    return Err(
                        self.unfit(format!("a program of {} takes more than {:#x} bytes", domain.name, PROGRAMS.1))
                    );
                }
                let file = put(folder, &format!("program-{position}-{}", home.vcpu), &bytes)?;
                loads.push((file, bank.base() + PROGRAMS.0 + u64::from(home.vcpu) * PROGRAMS.1));
            }
        }
        Ok(loads)
    }
}

fn put(folder: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf, ParityError> {
    let path = folder.join(name);
    std::fs::write(&path, bytes).map_err(|why| ParityError::Files { path: path.clone(), why })?;
    Ok(path)
}

/// Waits for the emulator's end, for as long as patience lasts; what it wrote.
fn wait(mut command: Command) -> Result<String, ParityError> {
    let failed = |why| ParityError::NoEmulator { program: "qemu-system-arm", why };
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(failed)?;
    let out = child.stdout.take();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut said = String::new();
        let read = out.map_or(Ok(0), |mut out| out.read_to_string(&mut said));
        // Nobody listens any more once patience is over.
        let _ = sender.send(read.map(|_| said));
    });
    let said = receiver.recv_timeout(Duration::from_secs(PATIENCE));
    // It has ended, or is to.
    let _ = child.kill();
    let _ = child.wait();
    let said = said.map_err(|_| ParityError::Endless(PATIENCE))?.map_err(failed)?;
    match said.lines().find_map(|line| line.strip_prefix("refused: ")) {
        Some(why) => Err(ParityError::Refused(why.into())),
        None => Ok(said),
    }
}
