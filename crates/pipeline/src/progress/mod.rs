//! What a person or a program sees of a run while it goes on. Everything goes to stderr.

mod fancy;
mod json;
mod lines;
mod plain;
pub(crate) mod screen;
mod watch;

use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicBool, Ordering};

use engine::{Event, Graph};

use crate::cli::{MessageFormat, Run};
use crate::live::News;

/// Shows events; what is dropped leaves no bar behind.
pub(crate) trait Renderer {
    /// Shows one event, or not.
    fn event(&mut self, event: &Event);

    /// Is told how long stages took in earlier runs, in seconds.
    fn expect(&mut self, expected: Vec<Option<f64>>);

    /// Says what became of the page so far.
    fn news(&mut self, news: &News);
}

/// How much to show, and in which form.
#[derive(Clone, Copy)]
pub(crate) struct Shown {
    format: Format,
    quiet: bool,
    verbose: bool,
}

#[derive(Clone, Copy)]
enum Format {
    Fancy,
    Plain,
    Json,
}

impl Shown {
    /// What the command line asks for; a bar only on a terminal.
    pub(crate) fn of(arguments: &Run) -> Self {
        let format = match arguments.message_format {
            MessageFormat::Auto if is_screen() => Format::Fancy,
            MessageFormat::Fancy => Format::Fancy,
            MessageFormat::Auto | MessageFormat::Plain => Format::Plain,
            MessageFormat::Json => Format::Json,
        };
        Self {
            format,
            quiet: arguments.quiet,
            verbose: arguments.verbose,
        }
    }
}

/// Whether stderr is a terminal that a person looks at: a log of continuous integration keeps what a bar draws over.
fn is_screen() -> bool {
    let set = |name: &str| {
        std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "false")
    };
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    std::io::stderr().is_terminal() && !set("CI") && !dumb
}

static COLOURS: AtomicBool = AtomicBool::new(false);

/// Whether to colour from now on.
pub(crate) fn set_colours(on: bool) {
    COLOURS.store(on, Ordering::Relaxed);
}

/// What shows a run of this graph.
pub(crate) fn renderer(shown: Shown, graph: &Graph, jobs: usize) -> Box<dyn Renderer + '_> {
    match shown.format {
        Format::Json => Box::new(json::Json::new(graph, jobs)),
        Format::Fancy if !shown.quiet => Box::new(fancy::Fancy::new(
            graph,
            jobs,
            shown.verbose,
            COLOURS.load(Ordering::Relaxed),
        )),
        _ => Box::new(plain::Plain::new(graph, jobs, shown.quiet, shown.verbose)),
    }
}
