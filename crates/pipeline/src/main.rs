//! `pipeline`: the command line. Commands live in `commands/`, what stages do in `stages/`.

#![warn(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what cannot be written is seen to in `output`"
)]

#[macro_use]
mod output;
mod cli;
mod commands;
mod failure;
mod gpus;
mod live;
mod machine;
mod pace;
mod progress;
mod provenance;
mod secrets;
mod seen;
mod signals;
mod site;
mod slurm;
mod so_far;
mod stages;
mod version;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser as _;

use cli::{Cli, Command, When};
use failure::{Failed, Failure, Usage};

/// Training allocates the same large tensors at each step. The system's allocator gives their memory back and gets it
/// again, zeroed, page by page; this one keeps it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Done.
const DONE: u8 = 0;
/// A stage failed, or something went wrong with the cache, a file or a worker.
const FAILED: u8 = 1;
/// Bad command line or study; clap exits with it too.
const BAD_INPUT: u8 = 2;
/// Ended before its time limit, and sent back to the queue of a batch system (`EX_TEMPFAIL`: try again later).
const REQUEUED: u8 = 75;
/// Ended by Ctrl-C or another signal, as shells count the first.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let cli = Cli::parse();
    set_colours(cli.color);
    let done = match &cli.command {
        Command::Run(arguments) => commands::run::run(&cli, arguments),
        Command::Plan(arguments) => commands::plan::plan(&cli, arguments),
        Command::Check(arguments) => commands::check::check(arguments),
        Command::Explain(arguments) => commands::explain::explain(&cli, arguments),
        Command::Report(arguments) => commands::report::report(&cli, arguments),
        Command::Export(arguments) => commands::export::export(&cli, arguments),
        Command::Status(arguments) => commands::status::status(&cli, arguments),
        Command::Submit(arguments) => commands::submit::submit(&cli, arguments),
        Command::Cancel(arguments) => commands::cancel::cancel(&cli, arguments),
        Command::Logs(arguments) => commands::logs::logs(&cli, arguments),
        Command::Cache(command) => commands::cache::cache(&cli, command),
        Command::Graph(arguments) => commands::graph::graph(arguments),
        Command::Init(arguments) => commands::init::init(arguments),
        Command::Doctor(arguments) => commands::doctor::doctor(&cli, arguments),
        Command::Schema(arguments) => commands::schema::schema(arguments),
        Command::Completions(arguments) => commands::completions::completions(arguments),
        Command::Man(arguments) => commands::man::man(arguments),
        Command::Draw => commands::draw::draw(),
        Command::Worker => commands::worker::worker(),
    };
    ExitCode::from(done.unwrap_or_else(|failure| tell(&failure)))
}

/// Prints what went wrong, and gives the exit code for it.
pub(crate) fn tell(failure: &Failure) -> u8 {
    match failure {
        Failure::Mistakes(diagnostics) => {
            commands::print_diagnostics(diagnostics.iter());
            errln!("{diagnostics}; nothing was run");
            BAD_INPUT
        }
        Failure::Usage(message) => {
            errln!("error: {message}");
            BAD_INPUT
        }
        Failure::Other(error) => {
            errln!("error: {error}");
            let mut source = error.source();
            while let Some(cause) = source {
                errln!("  because: {cause}");
                source = cause.source();
            }
            FAILED
        }
    }
}

fn set_colours(when: When) {
    let colours = match when {
        When::Always => true,
        When::Never => false,
        When::Auto => {
            std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
                && std::io::stderr().is_terminal()
        }
    };
    let theme = if colours {
        miette::GraphicalTheme::unicode()
    } else {
        miette::GraphicalTheme::unicode_nocolor()
    };
    let handler = miette::GraphicalReportHandler::new_themed(theme).with_links(false);
    miette::set_hook(Box::new(move |_| Box::new(handler.clone())))
        .expect("the hook is set once, before any report");
    progress::set_colours(colours);
}
