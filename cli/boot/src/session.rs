//! A machine with its images, and its run.

use crate::accounting::{Accounting, WithAccesses};
use crate::error::BootError;
use crate::options::{Options, Sink};
use crate::place::place;
use crate::report::{End, PeReport, Regions, Report};
use crate::trace::Trace;
use armv8r::bus::{Input, Source};
use armv8r::features::Features;
use armv8r::machine::{Config, Machine, MachineError, StopReason};
use armv8r::pe::{Pe, Power};
use armv8r::semihosting::Environment;
use boards::{Board, PeId};
use mpu_model::{El, Level, Pmsa};
use scenario::BoardFile;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use words::{near, shown};

/// Instructions after which output is passed on, and ends are looked for. A constant, so that a run is the same each time.
const SLICE: u64 = 16_384;
/// Bytes of the console that a report keeps: the last ones.
const CONSOLE: usize = 1 << 20;
/// Branch to itself.
const SPIN: u32 = 0x1400_0000;
/// PSTATE.A, I and F in `daif`.
const INTERRUPTS: u8 = 0b0111;

/// Where the console goes.
pub struct Streams<'a> {
    /// UARTs and semihosting's standard output.
    pub out: &'a mut dyn Write,
    /// Semihosting's standard error.
    pub err: &'a mut dyn Write,
}

impl std::fmt::Debug for Streams<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Streams").finish_non_exhaustive()
    }
}

/// Where one UART goes.
#[derive(Debug)]
enum Place {
    Console,
    Nowhere,
    File(String, BufWriter<File>),
}

/// What is waited for on the console: the last bytes of each source, no more than it has.
#[derive(Debug)]
struct Until {
    text: Vec<u8>,
    tails: Vec<(Source, Vec<u8>)>,
}

impl Until {
    /// Whether it has been said with this byte.
    fn hears(&mut self, source: Source, byte: u8) -> bool {
        let most = self.text.len();
        let place = self.tails.iter().position(|(other, _)| *other == source);
        let place = place.unwrap_or_else(|| {
            self.tails.push((source, Vec::new()));
            self.tails.len() - 1
        });
        let Some((_, tail)) = self.tails.get_mut(place) else { return false };
        if tail.len() == most {
            tail.remove(0);
        }
        tail.push(byte);
        *tail == self.text
    }
}

/// A machine with its images, about to run.
#[derive(Debug)]
pub struct Boot {
    machine: Machine,
    board: Board,
    image: String,
    places: Vec<Place>,
    accounting: Accounting,
    accesses: bool,
    until: Option<Until>,
    max: Option<u64>,
    timeout: Option<Duration>,
    console: Vec<u8>,
    lost: u64,
}

impl Boot {
    /// Reads everything and puts it into a machine. Files of output are made last, when nothing else can go wrong.
    ///
    /// # Errors
    ///
    /// [`BootError`]: what cannot be, and what was expected.
    pub fn new(options: &Options) -> Result<Self, BootError> {
        let board = board(options)?;
        let placement = place(options, &board)?;
        let uarts = board.uarts().count();
        let known = |uart: usize| {
            let known = uart < uarts;
            known.then_some(()).ok_or_else(|| BootError::NoSuchUart { board: board.name.clone(), uart, count: uarts })
        };
        let mut seen = BTreeSet::new();
        for (uart, _) in &options.uarts {
            known(*uart)?;
            if !seen.insert(*uart) {
                return Err(BootError::UartTwice(*uart));
            }
        }
        options.input.iter().try_for_each(|input| known(input.uart))?;
        let mut machine = machine(options, &board, placement.entry)?;
        for piece in &placement.pieces {
            // Where it is memory was looked at, and how much; nothing else can be wrong.
            if !machine.load(piece.span.base(), &piece.bytes) {
                return Err(BootError::TooMuch);
            }
        }
        for pe in 0..machine.pes() {
            if let (Some(regs), Some(tree)) = (machine.regs_mut(pe), placement.tree) {
                regs.set_x(0, tree);
            }
        }
        for input in &options.input {
            for byte in &input.bytes {
                machine.add_input(Input { time: 0, uart: input.uart, byte: *byte });
            }
        }
        let (places, trace) = outputs(options, uarts)?;
        Ok(Self {
            machine,
            accounting: Accounting::new(&board, options.start, trace),
            board,
            image: shown::path(&options.image.path),
            places,
            accesses: options.trace_accesses,
            until: options.until.as_ref().map(|text| Until { text: text.clone().into(), tails: Vec::new() }),
            max: options.max,
            timeout: options.timeout,
            console: Vec::new(),
            lost: 0,
        })
    }

    /// Runs it to its end, or until `stop` is set.
    pub fn run(mut self, mut streams: Streams<'_>, stop: &AtomicBool) -> Report {
        let mut end = self.go_on(&mut streams, stop);
        if let Some(why) = self.flush() {
            end = End::Output(why);
        }
        self.report(end)
    }

    fn go_on(&mut self, streams: &mut Streams<'_>, stop: &AtomicBool) -> End {
        // The one use of a clock: where a time limit ends a run differs from run to run.
        let started = Instant::now();
        loop {
            if stop.load(Ordering::Relaxed) {
                return End::Interrupted;
            }
            if self.timeout.is_some_and(|timeout| started.elapsed() >= timeout) {
                return End::Timeout;
            }
            let left = self.max.map_or(u64::MAX, |max| max.saturating_sub(self.executed()));
            if left == 0 {
                return End::Max;
            }
            let budget = SLICE.min(left);
            let reason = if self.accesses {
                self.machine.run_with(&mut WithAccesses(&mut self.accounting), budget)
            } else {
                self.machine.run_with(&mut self.accounting, budget)
            };
            match self.pass_on(streams) {
                Err(why) => return End::Output(why),
                Ok(true) => return End::Until,
                Ok(false) => {}
            }
            match reason {
                StopReason::Budget if self.spins() => return End::Spinning,
                StopReason::Budget | StopReason::Output => {}
                StopReason::Observer if self.accounting.looped => return End::FaultLoop,
                StopReason::Observer => return End::Output("the log".into()),
                reason => return End::Machine(reason),
            }
        }
    }

    fn executed(&self) -> u64 {
        (0..self.machine.pes()).filter_map(|pe| self.machine.pe(pe)).map(Pe::executed).sum()
    }

    /// Whether no PE will do anything else: each is off, or branches to itself at EL2 with all interrupts masked.
    fn spins(&self) -> bool {
        let mut spinning = 0;
        for number in 0..self.machine.pes() {
            let (Some(regs), Some(pe)) = (self.machine.regs(number), self.machine.pe(number)) else { continue };
            if pe.power() == Power::Off {
                continue;
            }
            let pstate = pe.pstate();
            let masked = pstate.el == El::El2 && pstate.daif & INTERRUPTS == INTERRUPTS;
            let mut word = [0; 4];
            self.machine.memory().read(regs.pc, &mut word);
            if pe.power() != Power::Running || !masked || u32::from_le_bytes(word) != SPIN {
                return false;
            }
            spinning += 1;
        }
        spinning > 0
    }

    /// Passes on what the image said; whether what is waited for was among it.
    fn pass_on(&mut self, streams: &mut Streams<'_>) -> Result<bool, String> {
        let said = self.machine.take_output();
        if said.is_empty() {
            return Ok(false);
        }
        let mut heard = false;
        let (mut out, mut err) = (Vec::new(), Vec::new());
        for (source, byte) in said {
            heard |= self.until.as_mut().is_some_and(|until| until.hears(source, byte));
            let Source::Uart(uart) = source else {
                (if source == Source::SemihostingError { &mut err } else { &mut out }).push(byte);
                self.console.push(byte);
                continue;
            };
            match self.places.get_mut(uart) {
                Some(Place::File(name, file)) => {
                    file.write_all(&[byte]).map_err(|error| format!("{name}: {error}"))?;
                }
                Some(Place::Console) => {
                    out.push(byte);
                    self.console.push(byte);
                }
                Some(Place::Nowhere) | None => {}
            }
        }
        if self.console.len() > 2 * CONSOLE {
            let old = self.console.len() - CONSOLE;
            self.console.drain(..old);
            self.lost += old as u64;
        }
        put(streams.out, &out, "standard output")?;
        put(streams.err, &err, "standard error")?;
        Ok(heard)
    }

    /// Writes what is held back; why not, if it cannot be.
    fn flush(&mut self) -> Option<String> {
        for place in &mut self.places {
            if let Place::File(name, file) = place
                && let Err(error) = file.flush()
            {
                return Some(format!("{name}: {error}"));
            }
        }
        let trace = self.accounting.trace.as_mut()?;
        trace.finish().err().map(|error| format!("the log: {error}"))
    }

    fn report(mut self, end: End) -> Report {
        let pes = (0..self.machine.pes()).filter_map(|pe| self.pe(pe)).collect();
        if self.console.len() > CONSOLE {
            let old = self.console.len() - CONSOLE;
            self.console.drain(..old);
            self.lost += old as u64;
        }
        let hazards = self.machine.hazards();
        let executed = |pe| self.machine.pe(pe).map_or(0, Pe::executed);
        Report {
            image: self.image,
            board: self.board,
            end,
            time: self.machine.time(),
            pes,
            exceptions: self.accounting.exceptions.clone(),
            entries: self.accounting.entries(executed),
            hazards: hazards.seen().to_vec(),
            hazards_beyond: hazards.beyond(),
            undefined: self.machine.unknown_registers().iter().map(ToString::to_string).collect(),
            faults: self.accounting.faults,
            fault: self.accounting.fault(),
            console: self.console,
            console_lost: self.lost,
        }
    }

    fn pe(&self, number: usize) -> Option<PeReport> {
        let (regs, pe) = (self.machine.regs(number)?, self.machine.pe(number)?);
        let [most1, most2] = self.accounting.most_regions(number);
        let regions = |level, most| {
            let mpu = pe.mpu(level);
            Regions { total: mpu.regions(), now: mpu.enabled().count(), most }
        };
        let pstate = pe.pstate();
        Some(PeReport {
            instructions: pe.executed(),
            pc: regs.pc,
            el: pstate.el,
            daif: pstate.daif,
            power: pe.power(),
            regions: [regions(Level::El1, most1), regions(Level::El2, most2)],
        })
    }
}

fn put(stream: &mut dyn Write, bytes: &[u8], name: &str) -> Result<(), String> {
    if bytes.is_empty() {
        return Ok(());
    }
    stream.write_all(bytes).and_then(|()| stream.flush()).map_err(|error| format!("{name}: {error}"))
}

/// The board that is asked for.
fn board(options: &Options) -> Result<Board, BootError> {
    let name = &options.board;
    let path = Path::new(name);
    let is_file = path.exists() || path.extension().is_some_and(|extension| extension == "toml");
    let mut board = match Board::preset(name) {
        Some(board) => board,
        None if is_file => BoardFile::read(path)?.board()?,
        None => {
            let known = near::there_are(name, &Board::preset_names());
            return Err(BootError::NoSuchBoard { name: name.clone(), known });
        }
    };
    if board.pmsa != Pmsa::V64 {
        return Err(BootError::Machine { board: board.name, why: MachineError::Width });
    }
    if let Some(pes) = options.pes {
        board.pes = pes;
    }
    if let Some(sync) = options.sync {
        board.rules.sync = sync;
    }
    // Found before PEs are made, of which there may be asked for any number.
    let most = (0..256).take_while(|pe| board.gic.redistributor(PeId::new(*pe)).is_some()).count();
    if board.gic.redistributors.is_some() && !(1..=most).contains(&board.pes) {
        return Err(BootError::Pes { board: board.name, most });
    }
    board.check_map()?;
    Ok(board)
}

fn machine(options: &Options, board: &Board, entry: u64) -> Result<Machine, BootError> {
    let name = options.image.path.to_string_lossy();
    let line: Vec<&str> = std::iter::once(&*name).chain(options.args.iter().map(String::as_str)).collect();
    let config = Config {
        features: Features { fp_simd: options.fp },
        start: options.start,
        entry,
        hazards: options.hazards,
        psci: options.firmware.conduit(options.start),
        semihosting: Some(Environment { command_line: line.join(" ").into_bytes(), ..Environment::default() }),
        ..Config::new(board)
    };
    Machine::new(board, config).map_err(|why| BootError::Machine { board: board.name.clone(), why })
}

/// Makes the files of output.
fn outputs(options: &Options, uarts: usize) -> Result<(Vec<Place>, Option<Trace>), BootError> {
    let mut files = BTreeSet::new();
    let mut once = |path: &Path| {
        let new = files.insert(path.to_owned());
        new.then_some(()).ok_or_else(|| BootError::FileTwice(path.to_owned()))
    };
    let named = options.uarts.iter().filter_map(|(_, sink)| match sink {
        Sink::File(path) => Some(path),
        Sink::Stdio | Sink::Null => None,
    });
    named.chain(&options.trace).try_for_each(|path| once(path))?;
    let unwritable = |what: String, path: &Path, error: std::io::Error| {
        let why = if path.is_dir() { "it is a directory".into() } else { error.to_string() };
        BootError::Unwritable { what, path: path.to_owned(), why }
    };
    let mut places: Vec<Place> = (0..uarts).map(|_| Place::Console).collect();
    for (uart, sink) in &options.uarts {
        let Some(place) = places.get_mut(*uart) else { continue };
        *place = match sink {
            Sink::Stdio => Place::Console,
            Sink::Null => Place::Nowhere,
            Sink::File(path) => {
                let file = File::create(path).map_err(|error| unwritable(format!("--uart {uart}"), path, error))?;
                Place::File(shown::path(path), BufWriter::new(file))
            }
        };
    }
    let trace = options.trace.as_ref().map(|path| {
        Trace::new(path, options.trace_accesses).map_err(|error| unwritable("--trace".into(), path, error))
    });
    Ok((places, trace.transpose()?))
}
