//! Scenario files: a system and the programs its guests run, in TOML.
//!
//! [`Scenario::load`] goes through these rooms, one after the other:
//!
//! 1. `source`: the file, the `--set` arguments and a board's file (`board_file`), as one run of bytes that spans point into.
//! 2. `sets`: the files are parsed, and `--set` edits the tree.
//! 3. `raw`, `raw_board`, `raw_step`, `raw_event`, `raw_poll`, `raw_ring`, `raw_value`, `table`, `number`: the tree becomes tables with types; what
//!    `serde` says is worded in `diagnose`. `ring` puts domains, channels and programs behind those of the file.
//! 4. `system`, `board`, `domains`, `devices`, `range`: tables become a checked [`Layout`]; `place` and `board_place` find the
//!    line for what its check says.
//! 5. `links`: channels and timers. `frames`: the fixed schedule. `program`, `single`, `expect`: steps become what guests carry out.
//! 6. `error`: anything wrong on the way, shown at its place.
//!
//! [`profile`]: what operations cost, and how far each figure can be trusted. [`strategy`]: strategies by name.

#![forbid(unsafe_code)]

mod board;
mod board_file;
mod board_place;
mod devices;
mod diagnose;
mod domains;
mod error;
mod expect;
mod frames;
mod guest_program;
mod links;
mod name;
mod number;
mod place;
pub mod profile;
mod program;
mod range;
mod raw;
mod raw_board;
mod raw_event;
mod raw_poll;
mod raw_ring;
mod raw_step;
mod raw_value;
mod ring;
mod sets;
mod single;
mod source;
pub mod strategy;
mod system;
mod table;

pub use board_file::BoardFile;
pub(crate) use diagnose::parsed;
pub use error::{LoadError, Problem};
pub use guest_program::{Program, StepSource};
pub(crate) use name::check as check_name;
pub use number::text as number;
pub(crate) use number::{Number, within};
pub use sets::document;
pub use source::Sources;
pub(crate) use table::{Maybe, Table};

use crate::profile::Profile;
use mpu_model::Pmsa;
use raw::RawScenario;
use serde::Deserialize;
use sim_core::guest::Guest;
use sim_core::guest::steps::StepGuest;
use sim_core::hyp::strategy::{Settings, Strategy};
use sim_core::layout::{Layout, LayoutError, LayoutParts, Placement};
use sim_core::outcome::StepId;
use sim_core::world::watch::Watch;
use sim_core::world::{self, BuildError, Config, World};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use words::file::{self, Unread};
use words::shown;

/// No scenario or profile is larger.
const MAX_BYTES: u64 = 3 << 20;

/// A checked scenario.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it is called: the file's stem unless the file says `name`.
    pub name: String,
    /// What it shows, if the file says so.
    pub description: Option<String>,
    /// The file.
    pub path: PathBuf,
    /// The system.
    pub layout: Layout,
    /// The placement that the file has, whatever that of `layout` is.
    pub own_placement: Placement,
    /// How it is run, with seed 0.
    pub config: Config,
    /// What operations cost, and where the figures come from; `config` has the bare figures.
    pub profile: Rc<Profile>,
    /// Settings of strategies.
    pub settings: Settings,
    /// The program of each vCPU; one that has none in the file turns itself off.
    pub programs: Vec<Program>,
    /// Where each step stands; [`sim_core::outcome::StepId`] counts these.
    pub steps: Vec<StepSource>,
}

impl Scenario {
    /// The architecture of its board.
    #[must_use]
    pub fn pmsa(&self) -> Pmsa {
        self.layout.board().pmsa
    }

    /// Where a step stands, and its text: `thread-2022.toml:31: { send = "link" }`.
    #[must_use]
    pub fn step(&self, step: StepId) -> Option<String> {
        let source = self.steps.get(usize::try_from(step.0).ok()?)?;
        Some(format!("{}:{}: {}", shown::path(&self.path), source.line, source.text))
    }

    /// Reads and checks a file, with `sets` (`key=value`) put in first.
    pub fn load(path: &Path, sets: &[String]) -> Result<Self, LoadError> {
        Self::from_text(path, &Self::text(path)?, sets)
    }

    /// The same on a board of its own file, if one is given, in the place of the board that the scenario names or describes.
    pub fn load_on(path: &Path, board: Option<&BoardFile>, sets: &[String]) -> Result<Self, LoadError> {
        Self::from_text_on(path, &Self::text(path)?, board, sets)
    }

    /// Reads a file's text.
    pub fn text(path: &Path) -> Result<String, LoadError> {
        read(path, "scenario")
    }

    /// Checks a file's text, with `sets` put in first. `path` names it in messages.
    pub fn from_text(path: &Path, text: &str, sets: &[String]) -> Result<Self, LoadError> {
        Self::from_text_on(path, text, None, sets)
    }

    /// The same on a board of its own file.
    pub fn from_text_on(
        path: &Path,
        text: &str,
        board: Option<&BoardFile>,
        sets: &[String],
    ) -> Result<Self, LoadError> {
        if u64::try_from(text.len()).unwrap_or(u64::MAX) > MAX_BYTES {
            return Err(too_large(path, "scenario"));
        }
        let texts = Texts { text, board: board.map(BoardFile::text), sets };
        let sources = Sources::with_board(path, text, board.map(BoardFile::path_and_text), sets);
        checked(&sources, texts).map_err(|problem| problem.found_in(&sources))
    }

    /// Whether all keys are known and have values of the kind they take; a system that cannot be is not found here.
    pub fn check_keys(path: &Path, text: &str, board: Option<&BoardFile>, sets: &[String]) -> Result<(), LoadError> {
        let texts = Texts { text, board: board.map(BoardFile::text), sets };
        let sources = Sources::with_board(path, text, board.map(BoardFile::path_and_text), sets);
        raw(&sources, texts).map(drop).map_err(|problem| problem.found_in(&sources))
    }

    /// This scenario as `strategy` runs it: with `shared_info` and `vcpu_info` where that strategy needs them, or else where the
    /// file has them.
    pub fn under<S: Strategy>(&self, strategy: &S) -> Result<Self, Box<LayoutError>> {
        self.placed(strategy.placement().unwrap_or(self.own_placement))
    }

    /// This scenario with `shared_info` and `vcpu_info` elsewhere.
    pub fn placed(&self, placement: Placement) -> Result<Self, Box<LayoutError>> {
        if placement == self.layout.parts().placement {
            return Ok(self.clone());
        }
        self.with(LayoutParts { placement, ..self.layout.parts().clone() })
    }

    /// This scenario with another system.
    pub fn with(&self, parts: LayoutParts) -> Result<Self, Box<LayoutError>> {
        Ok(Self { layout: Layout::new(parts)?, ..self.clone() })
    }

    /// This scenario with what that profile says operations cost; a loaded one starts with `counts`.
    #[must_use]
    pub fn costing(mut self, profile: Profile) -> Self {
        self.config.costs = profile.costs();
        self.profile = Rc::new(profile);
        self
    }

    /// A world of this scenario, ready to run.
    pub fn world<S: Strategy>(&self, strategy: S, seed: u64) -> Result<World<S>, BuildError> {
        self.watched(strategy, seed, ())
    }

    /// A world of this scenario, ready to run, whose run `watch` is told of.
    pub fn watched<S: Strategy, W: Watch>(&self, strategy: S, seed: u64, watch: W) -> Result<World<S, W>, BuildError> {
        self.populated(strategy, seed, watch, |_, guest| Box::new(guest))
    }

    /// A world of this scenario, ready to run, in which each program runs as `host` has it.
    pub fn hosted<S: Strategy>(
        &self,
        strategy: S,
        seed: u64,
        host: impl Fn(&Program, StepGuest) -> Box<dyn Guest>,
    ) -> Result<World<S>, BuildError> {
        self.populated(strategy, seed, (), host)
    }

    fn populated<S: Strategy, W: Watch>(
        &self,
        strategy: S,
        seed: u64,
        watch: W,
        host: impl Fn(&Program, StepGuest) -> Box<dyn Guest>,
    ) -> Result<World<S, W>, BuildError> {
        let config = Config { seed, ..self.config.clone() };
        let mut world = World::watched(self.layout.clone(), strategy, config, watch)?;
        for program in &self.programs {
            // A checked layout has a home for every vCPU.
            if let Some(home) = world::home(&self.layout, program.domain, program.vcpu) {
                let guest = StepGuest::new(home, Rc::clone(&program.steps), program.variables).seeded(seed);
                world.add_guest(program.domain, program.vcpu, host(program, guest));
            }
        }
        Ok(world)
    }
}

fn too_large(path: &Path, what: &str) -> LoadError {
    let title = format!("larger than {}, which no {what} is", words::bytes(MAX_BYTES));
    LoadError::unread(path, title, Some("is this the right file?"))
}

/// The text of a `what` file that is not too large.
pub fn read(path: &Path, what: &str) -> Result<String, LoadError> {
    if path.is_dir() {
        return Err(LoadError::unread(path, "is a directory", Some(&format!("expected a {what} file (*.toml)"))));
    }
    file::text(path, MAX_BYTES).map_err(|error| match error {
        Unread::Io(error) => LoadError::unread(path, format!("cannot be read: {error}"), None),
        Unread::TooLarge => too_large(path, what),
        Unread::NotUtf8 { line, offset, byte, .. } => {
            let title = format!("not UTF-8: byte {byte:#04x} in line {line}, at offset {offset}");
            LoadError::unread(path, title, Some(&format!("{what} files are TOML, and TOML is UTF-8")))
        }
    })
}

/// What a scenario is made of.
#[derive(Clone, Copy)]
struct Texts<'a> {
    text: &'a str,
    /// Of the board's file.
    board: Option<&'a str>,
    sets: &'a [String],
}

/// The tables of a file with the board and then `sets` put in, and what `[ring]` stands for.
fn raw(sources: &Sources<'_>, texts: Texts<'_>) -> Result<RawScenario, Problem> {
    let mut document = sets::document(texts.text)?;
    if let Some(board) = texts.board {
        sets::put_board(document.get_mut(), board, sources.board_start())?;
    }
    for (index, set) in texts.sets.iter().enumerate() {
        sets::apply(document.get_mut(), set, sources.set_start(index))?;
    }
    let raw = RawScenario::deserialize(toml::de::Deserializer::from(document));
    let mut raw = raw.map_err(|error| diagnose::problem(&error))?;
    ring::expand(&mut raw)?;
    Ok(raw)
}

fn checked(sources: &Sources<'_>, texts: Texts<'_>) -> Result<Scenario, Problem> {
    let raw = raw(sources, texts)?;
    let ids = domains::Ids::new(&raw);
    let layout = system::layout(&raw, &ids)?;
    let channels = links::Channels::new(&raw, &ids, &layout)?;
    let mut book = program::Book::new(sources);
    let mut programs = Vec::new();
    for (domain, found) in raw.domain.iter().enumerate() {
        for (vcpu, found) in (0u32..).zip(&found.get_ref().vcpu) {
            let at = (domain, vcpu);
            programs.push(match &found.get_ref().program {
                Some(program) => program::compile(at, program, &channels, layout.board(), &mut book)?,
                None => program::none(at, &place::header(found), &mut book),
            });
        }
    }
    let config = Config {
        timers: links::timers(&raw, &ids, &layout)?,
        channels: channels.all,
        ..system::config(&raw, &ids, &layout)?
    };
    let stem = sources.path().file_stem().map(|stem| shown::line(&stem.to_string_lossy()).into_owned());
    raw.name.as_ref().map_or(Ok(()), name::check)?;
    Ok(Scenario {
        name: raw.name.as_ref().map(|name| name.get_ref().clone()).or(stem).unwrap_or_default(),
        description: raw.description.clone(),
        path: sources.path().to_owned(),
        profile: Rc::default(),
        settings: system::settings(&raw)?,
        own_placement: layout.parts().placement,
        layout,
        config,
        programs,
        steps: book.steps(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use words::number;

    #[allow(clippy::panic, reason = "a test fails by panicking")]
    /// The limit that a row of the documentation's table has.
    fn documented(what: &str) -> &'static str {
        let text = include_str!("../../../docs/scenarios.md");
        let start = format!("| {what} | ");
        let row = text.lines().find_map(|line| line.strip_prefix(start.as_str()));
        row.unwrap_or_else(|| panic!("no row for {what}")).trim_end_matches(" |")
    }

    #[test]
    fn limits_stand_in_the_documentation() {
        let [domains, vcpus, rounds] = [ring::DOMAINS, ring::VCPUS, ring::ROUNDS].map(|range| number(*range.end()));
        let fifo = format!(
            "{}, numbers 0 to {}, {} for each page of event words",
            number(evtchn::abi::FIFO_PORTS.into()),
            number(u64::from(evtchn::abi::FIFO_PORTS) - 1),
            number(evtchn::abi::fifo::WORDS_PER_PAGE.into())
        );
        let rows = [
            ("size of a scenario or profile file", words::bytes(MAX_BYTES)),
            ("levels of arrays, tables and parts of a key (`--set` too)", diagnose::MAX_LEVELS.to_string()),
            ("PEs", board::MAX_PES.to_string()),
            ("EL2 or EL1 regions", mpu_model::MAX_REGIONS.to_string()),
            (
                "domains; their ids",
                format!("{}; up to {:#x}", number(domains::MAX_DOMAINS as u64), evtchn::abi::DOMID_FIRST_RESERVED - 1),
            ),
            ("ports of a domain, FIFO", fifo),
            ("queues, FIFO", evtchn::abi::fifo::QUEUES.to_string()),
            ("ports of one `poll` step", sim_core::guest::steps::MAX_POLLED.to_string()),
            ("nested `repeat` and `mix`", program::MAX_NESTING.to_string()),
            ("`[ring]`: domains; vCPUs of each; rounds", format!("2 to {domains}; {vcpus}; {rounds}")),
            ("cycles of a profile's figure", number(crate::profile::MAX_CYCLES)),
        ];
        for (what, limit) in rows {
            assert_eq!(documented(what), limit, "{what}");
        }
        assert!(documented("vCPUs of a domain").starts_with(&evtchn::abi::MAX_VCPUS.to_string()));
        assert!(documented("ports of a domain, two-level").starts_with(&number(evtchn::abi::TWO_LEVEL_PORTS.into())));
    }
}
