//! `mpusim parity`.

use super::{CommandError, Done, Io};
use crate::args::Parity;
use crate::output;
use crate::parity::{self, Compared, Images};
use crate::scenario::Scenario;
use std::fmt::Write;

/// Runs a scenario here and on a board, and compares what is told of both.
pub fn parity(args: &Parity, io: Io) -> Result<Done, CommandError> {
    let sets: Vec<String> =
        args.target.sets().iter().map(|set| (*set).to_owned()).chain(args.source.sets.clone()).collect();
    let scenario = Scenario::load(&args.source.scenario, &sets)?;
    let images = Images(args.images.clone());
    let compared = parity::compare(&scenario, &args.strategy, args.seed, args.target, &images)?;
    output::print(&text(&scenario.name, &args.strategy, &compared, io))?;
    Ok(if compared.differs.is_none() { Done::Well } else { Done::Failed })
}

fn text(scenario: &str, strategy: &str, compared: &Compared, io: Io) -> String {
    let mut text = String::new();
    // A string takes every line.
    let mut line = |line: &str| {
        let _ = writeln!(text, "{line}");
    };
    for said in &compared.crash {
        line(said);
    }
    match &compared.differs {
        None => {
            let same =
                format!("{scenario}, {strategy}: {} lines, the same on the host and on the board", compared.same);
            line(&io.out.good(&same));
            line(&format!("the last: {}", compared.last));
        }
        Some((here, there)) => {
            let ended = "(the end)".to_owned();
            line(&io.out.bad(format!("{scenario}, {strategy}: line {} differs", compared.same + 1)));
            for said in &compared.before {
                line(&format!("         {said}"));
            }
            line(&format!("  host:  {}", here.as_ref().unwrap_or(&ended)));
            line(&format!("  board: {}", there.as_ref().unwrap_or(&ended)));
        }
    }
    text
}
