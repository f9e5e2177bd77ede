//! `mpusim`: parse, match, call, exit code.

#![forbid(unsafe_code)]

use clap::Parser;
use mpusim::args::{Cli, Command};
use mpusim::commands::{self, Io};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return commands::not_understood(&error),
    };
    let io = Io::new(cli.color);
    mpusim::logging::start(cli.verbose, io.err_color);
    let done = match &cli.command {
        Command::Run(args) => commands::run::run(args, io),
        Command::Compare(args) => commands::compare::compare(args, io),
        Command::Sweep(args) => commands::sweep::sweep(args),
        Command::Report(args) => commands::report::report(args),
        Command::View(args) => commands::view::view(args, io),
        Command::Explain(args) => commands::explain::explain(args, io),
        Command::Parity(args) => commands::parity::parity(args, io),
        Command::Boot(args) => commands::boot::boot(args, io),
        Command::Replay(args) => commands::replay::replay(args, io),
        Command::Fuzz(args) => commands::fuzz::fuzz(args, io),
    };
    commands::finish(done, io)
}
