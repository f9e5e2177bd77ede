//! `boot`.

use super::replay::SyncArg;
use super::shared::Format;
use super::values::{address, duration};
use armv8r::hazards::HazardMode;
use boot::{BootError, File, Firmware, Options, Scripted, Sink};
use clap::{Args, ValueEnum};
use mpu_model::{El, SyncRule};
use std::path::PathBuf;
use std::time::Duration;

/// `boot`.
///
/// Options precede IMAGE; everything behind it is the guest's. Exit status: the image's own by semihosting; 0 turned off, or --until met;
/// 1 anything else the run ends in; 2 nothing was run; 130 interrupted.
#[derive(Debug, Args)]
#[command(override_usage = "mpusim boot [OPTIONS] IMAGE [ARGS]...")]
pub struct Boot {
    /// Load the bytes of another file at an address.
    #[arg(long = "load", value_name = "FILE@ADDR", value_parser = placed)]
    pub loads: Vec<File>,

    /// Load a device tree; X0 holds its address at the start [default address: behind what else is loaded].
    #[arg(long, value_name = "FILE[@ADDR]", value_parser = file)]
    pub dtb: Option<File>,

    /// Start here [default: where the image says, or its first byte].
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub entry: Option<u64>,

    /// The board: a preset, or a file of TOML with the keys of a scenario's table board (docs/scenarios.md).
    #[arg(long, value_name = "NAME|FILE", default_value = "fvp-baser")]
    pub board: String,

    /// Number of PEs [default: the board's].
    #[arg(long, value_name = "N")]
    pub pes: Option<usize>,

    /// The exception level at which PEs start.
    #[arg(long, value_name = "EL", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=2))]
    pub start_el: u8,

    /// What brings a write to an MPU into force: a DSB and a context synchronisation event, or the latter alone
    /// [default: the board's rule].
    #[arg(long, value_name = "RULE", value_enum)]
    pub sync: Option<SyncArg>,

    /// How the run goes on where an access hangs on a write that may not be in force.
    #[arg(long, value_name = "MODE", value_enum, default_value_t = HazardArg::Newest)]
    pub hazard: HazardArg,

    /// Firmware: none, so that all PEs start at the entry; or PSCI, by SMC, or by HVC where PEs start at EL1.
    #[arg(long, value_enum, default_value_t = FirmwareArg::None)]
    pub firmware: FirmwareArg,

    /// Where UART N goes, the console being 0: stdio, null or a file [default: stdio].
    #[arg(long = "uart", value_name = "N=stdio|null|FILE", value_parser = uart)]
    pub uarts: Vec<(usize, Sink)>,

    /// What arrives at UART N from the start, as fast as it takes it; \n, \r, \t, \\ and \xHH stand for bytes.
    #[arg(long = "input", value_name = "N:TEXT", value_parser = input)]
    pub input: Vec<Scripted>,

    /// End well as soon as a UART or semihosting has said this.
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub until: Option<String>,

    /// End after so many instructions of all PEs.
    #[arg(long, value_name = "N", value_parser = count)]
    pub max: Option<u64>,

    /// End after so much time, e.g. 60s, 10m: where, differs from run to run.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,

    /// The PEs have floating point and Advanced SIMD.
    #[arg(long)]
    pub fp: bool,

    /// Write exceptions, writes to system registers, barriers and hazards into this file as JSON lines (docs/boot.md).
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,

    /// Write every access to data into the trace too.
    #[arg(long, requires = "trace")]
    pub trace_accesses: bool,

    /// How to print the report: text goes to standard error, JSON to standard output, and the guest's console then to standard
    /// error.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,

    /// An ELF file, an arm64 Image, or raw bytes with their address: FILE@ADDR. What stands behind it is the guest's command line,
    /// as semihosting tells it behind the image's name.
    #[arg(value_name = "IMAGE", required = true, num_args = 1.., trailing_var_arg = true)]
    pub image: Vec<String>,
}

/// How a run goes on at a hazard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HazardArg {
    /// As if all writes were in force: as a core would most of the time.
    Newest,
    /// As if the writes that wait had not been made.
    InForce,
    /// Not at all: the run ends there.
    Stop,
}

/// Firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FirmwareArg {
    /// None.
    None,
    /// PSCI 1.1.
    Psci,
}

impl Boot {
    /// As the library takes them.
    ///
    /// # Errors
    ///
    /// The image's name has an address that is none.
    pub fn options(&self) -> Result<Options, BootError> {
        let (image, args) =
            self.image.split_first().map_or((String::new(), &[][..]), |(image, args)| (image.clone(), args));
        let image = file(&image).map_err(|why| BootError::Unfit { path: image.into(), why })?;
        Ok(Options {
            args: args.to_vec(),
            loads: self.loads.clone(),
            dtb: self.dtb.clone(),
            entry: self.entry,
            pes: self.pes,
            start: if self.start_el == 1 { El::El1 } else { El::El2 },
            sync: self.sync.map(|sync| match sync {
                SyncArg::DsbCse => SyncRule::DsbThenContextSync,
                SyncArg::Cse => SyncRule::ContextSyncOnly,
            }),
            hazards: match self.hazard {
                HazardArg::Newest => HazardMode::Newest,
                HazardArg::InForce => HazardMode::InForce,
                HazardArg::Stop => HazardMode::Stop,
            },
            firmware: match self.firmware {
                FirmwareArg::None => Firmware::None,
                FirmwareArg::Psci => Firmware::Psci,
            },
            fp: self.fp,
            uarts: self.uarts.clone(),
            input: self.input.clone(),
            until: self.until.clone(),
            max: self.max,
            timeout: self.timeout,
            trace: self.trace.clone(),
            trace_accesses: self.trace_accesses,
            ..Options::new(image, self.board.clone())
        })
    }
}

/// A file, with an address behind an @ if what stands there is one.
fn file(text: &str) -> Result<File, String> {
    if text.is_empty() {
        return Err("expected FILE or FILE@ADDR".into());
    }
    let Some((path, at)) = text.rsplit_once('@') else {
        return Ok(File { path: text.into(), address: None });
    };
    match scenario::number(at) {
        Some(address) if !path.is_empty() => Ok(File { path: path.into(), address: Some(address) }),
        _ if std::path::Path::new(text).exists() => Ok(File { path: text.into(), address: None }),
        _ => Err("expected FILE@ADDR, with an address such as 0x200000, from 0 to 0xffff_ffff_ffff_ffff".into()),
    }
}

/// A file with an address.
fn placed(text: &str) -> Result<File, String> {
    let file = file(text)?;
    if file.address.is_none() {
        return Err("expected FILE@ADDR, with an address such as 0x200000".into());
    }
    Ok(file)
}

fn uart(text: &str) -> Result<(usize, Sink), String> {
    let wrong = || "expected N=stdio, N=null or N=FILE, N being the number of a UART from 0".to_owned();
    let (number, place) = text.split_once('=').ok_or_else(wrong)?;
    let number = number.parse().map_err(|_| wrong())?;
    let sink = match place {
        "" => return Err(wrong()),
        "stdio" => Sink::Stdio,
        "null" => Sink::Null,
        file => Sink::File(file.into()),
    };
    Ok((number, sink))
}

fn input(text: &str) -> Result<Scripted, String> {
    let wrong = || "expected N:TEXT, N being the number of a UART from 0".to_owned();
    let (number, text) = text.split_once(':').ok_or_else(wrong)?;
    let uart = number.parse().map_err(|_| wrong())?;
    Ok(Scripted { uart, bytes: unescaped(text)? })
}

/// The bytes that a text with escapes stands for.
fn unescaped(text: &str) -> Result<Vec<u8>, String> {
    let wrong = || "expected \\n, \\r, \\t, \\\\ or \\xHH behind a backslash".to_owned();
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next() {
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'\\') => b'\\',
            Some(b'x') => {
                let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16)).ok_or_else(wrong);
                let (high, low) = (digit()?, digit()?);
                (high << 4 | low) as u8
            }
            _ => return Err(wrong()),
        });
    }
    Ok(bytes)
}

/// At least one.
fn count(text: &str) -> Result<u64, String> {
    let found = scenario::number(text).filter(|count| *count > 0);
    found.ok_or_else(|| "expected a number of instructions from 1 to 0xffff_ffff_ffff_ffff".into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser;

    fn parsed(args: &[&str]) -> Result<Boot, clap::Error> {
        let cli = Cli::try_parse_from(["mpusim", "boot"].iter().chain(args))?;
        let Command::Boot(boot) = cli.command else { panic!("another command") };
        Ok(*boot)
    }

    #[test]
    fn what_stands_behind_the_image_is_the_guests() {
        let boot = parsed(&["--max", "9", "image@0x1000", "--max", "x", "-v"]).unwrap();
        let options = boot.options().unwrap();
        assert_eq!((boot.max, options.image.address), (Some(9), Some(0x1000)));
        assert_eq!(options.args, ["--max", "x", "-v"]);
        assert!(parsed(&["--no-such-option", "image"]).is_err() && parsed(&[]).is_err());
    }

    #[test]
    fn bytes_are_read() {
        assert_eq!(input("1:a\\n\\x00\\\\").unwrap(), Scripted { uart: 1, bytes: b"a\n\0\\".to_vec() });
        for wrong in ["a", ":x", "x:a", "0:\\", "0:\\q", "0:\\x0", "0:\\xg0", "99999999999999999999:a"] {
            assert!(input(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn uarts_and_files_are_read() {
        assert_eq!(uart("2=null").unwrap(), (2, Sink::Null));
        assert_eq!(uart("0=a=b").unwrap(), (0, Sink::File("a=b".into())));
        for wrong in ["", "0", "=stdio", "0=", "-1=null", "x=null"] {
            assert!(uart(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "@", "@0x10", "a@", "a@x", "a@-1", "a@0x10000000000000000"] {
            assert!(file(wrong).is_err(), "{wrong}");
        }
        assert!(placed("a").is_err());
        assert_eq!(file("a@b@16").unwrap(), File { path: "a@b".into(), address: Some(16) });
    }
}
