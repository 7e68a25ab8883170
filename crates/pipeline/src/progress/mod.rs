//! What a person or a program sees of a run while it goes on. Everything goes to stderr.

mod fancy;
mod json;
mod plain;

use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicBool, Ordering};

use engine::{Event, Graph};

use crate::cli::{MessageFormat, Run};

/// Shows events; what is dropped leaves no bar behind.
pub(crate) trait Renderer {
    /// Shows one event, or not.
    fn event(&mut self, event: &Event);
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
            MessageFormat::Auto if std::io::stderr().is_terminal() => Format::Fancy,
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

static COLOURS: AtomicBool = AtomicBool::new(false);

/// Whether to colour from now on.
pub(crate) fn set_colours(on: bool) {
    COLOURS.store(on, Ordering::Relaxed);
}

/// What shows a run of this graph.
pub(crate) fn renderer(shown: Shown, graph: &Graph) -> Box<dyn Renderer + '_> {
    match shown.format {
        Format::Json => Box::new(json::Json { graph }),
        Format::Fancy if !shown.quiet => Box::new(fancy::Fancy::new(
            graph,
            shown.verbose,
            COLOURS.load(Ordering::Relaxed),
        )),
        _ => Box::new(plain::Plain::new(graph, shown.quiet, shown.verbose)),
    }
}
