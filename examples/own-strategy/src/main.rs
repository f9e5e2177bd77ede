//! `mpusim compare`, with a strategy of one's own in the table.

use clap::Parser;
use mpusim::args::{Color, Compare};
use mpusim::commands;
use mpusim::commands::{Io, compare};
use std::process::ExitCode;

/// Run a scenario under several strategies and under page-cache, side by side.
#[derive(Debug, Parser)]
#[command(name = "own-strategy")]
struct Cli {
    /// What `mpusim compare` takes.
    #[command(flatten)]
    compare: Compare,

    /// How many pages page-cache keeps mapped.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = slots)]
    pages: usize,
}

/// As many as an MPU can have regions.
fn slots(text: &str) -> Result<usize, String> {
    let found = text.parse().ok().filter(|slots| (1..=255).contains(slots));
    found.ok_or_else(|| "expected a number of pages from 1 to 255".into())
}

fn main() -> ExitCode {
    let Cli { compare: args, pages } = Cli::parse();
    let io = Io::new(Color::Auto);
    let done = compare::scenario(&args).and_then(|scenario| {
        let rows = own_strategy::rows(&scenario, &args.strategies, args.seed, pages)?;
        compare::show(&args, &scenario, &rows, io)
    });
    commands::finish(done, io)
}
