//! `mpusim parity`.

use super::{CommandError, Done, Io, board_file};
use crate::args::{Parity, Source};
use crate::parity::xen::OnXen;
use crate::parity::{Compared, Difference, Images, ParityTarget, xen};
use crate::{output, parity};
use scenario::Scenario;
use std::fmt::Write;
use words::shown;

/// Runs a scenario here and on a board or on Xen, and compares what is told of both.
pub fn parity(args: &Parity, io: Io) -> Result<Done, CommandError> {
    let Source { scenario, board, sets } = &args.source;
    let board = board_file(board.as_deref())?;
    let scenario = match args.target {
        ParityTarget::Board(target) => parity::load(scenario, board.as_ref(), sets, target)?,
        ParityTarget::Xen => Scenario::load_on(scenario, board.as_ref(), sets)?,
    };
    let images = Images(args.images.clone());
    let (text, same) = match args.target {
        ParityTarget::Board(target) => {
            let compared = parity::compare(&scenario, &args.strategy, args.seed, target, &images)?;
            (text(&scenario.name, &args.strategy, &compared, io), compared.difference.differs.is_none())
        }
        ParityTarget::Xen => {
            let compared = xen::compare(&scenario, &args.strategy, args.seed, &images)?;
            (on_xen(&scenario.name, &args.strategy, &compared, io), compared.is_same())
        }
    };
    output::print(&text, io.out)?;
    Ok(if same { Done::Well } else { Done::Failed })
}

/// A text of whole lines.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn line(&mut self, line: &str) {
        // A string takes every line.
        let _ = writeln!(self.0, "{line}");
    }

    /// Where two texts part, if they do.
    fn difference(&mut self, what: &str, there: &str, difference: &Difference, io: Io) {
        let Some((host, board)) = &difference.differs else { return };
        let ended = "(the end)".to_owned();
        self.line(&io.out.bad(format!("{what}: line {} differs", difference.same + 1)));
        for said in &difference.before {
            self.line(&format!("         {}", shown::line(said)));
        }
        let line = |said: &Option<String>| shown::line(said.as_ref().unwrap_or(&ended)).into_owned();
        self.line(&format!("  host:  {}", line(host)));
        self.line(&format!("  {:6} {}", format!("{there}:"), line(board)));
    }
}

fn text(scenario: &str, strategy: &str, compared: &Compared, io: Io) -> String {
    let mut text = Lines::default();
    for said in &compared.crash {
        text.line(&shown::line(said));
    }
    let difference = &compared.difference;
    if difference.differs.is_none() {
        let same = format!("{scenario}, {strategy}: {} lines, the same on the host and on the board", difference.same);
        text.line(&io.out.good(&same));
        text.line(&format!("the last: {}", shown::line(&difference.last)));
    } else {
        text.difference(&format!("{scenario}, {strategy}"), "board", difference, io);
    }
    text.0
}

fn on_xen(scenario: &str, strategy: &str, compared: &OnXen, io: Io) -> String {
    let mut text = Lines::default();
    for vcpu in &compared.vcpus {
        let whose = format!("{scenario}, {strategy}: {} vCPU {}", vcpu.domain, vcpu.vcpu.vcpu);
        let (program, events) = (&vcpu.program, &vcpu.events);
        if program.differs.is_none() && events.differs.is_none() {
            let (lines, found) = (program.same, events.same);
            let same = format!(
                "{whose}: {lines} calls and loads, {found} events, the same on the host and on Xen {}",
                compared.xen
            );
            text.line(&io.out.good(&same));
        }
        text.difference(&format!("{whose}, calls and loads"), "Xen", program, io);
        text.difference(&format!("{whose}, events"), "Xen", events, io);
        text.line(&format!(
            "  upcalls: {} on the host, {} on Xen, as guests take turns",
            vcpu.upcalls.0, vcpu.upcalls.1
        ));
    }
    if !compared.is_same() {
        for said in &compared.console {
            text.line(&format!("# console: {}", shown::line(said)));
        }
    }
    text.0
}
