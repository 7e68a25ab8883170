//! What a person sees of a file's mistakes.

#![allow(dead_code, reason = "each of the tests uses a part of it")]

use miette::{GraphicalReportHandler, GraphicalTheme};
use study::{Diagnostic, Diagnostics, Study};

/// Every diagnostic of a study as a terminal without colours shows it.
pub(crate) fn shown(read: Result<Study, Diagnostics>) -> String {
    match read {
        Ok(study) => rendered(String::new(), study.warnings().iter()),
        Err(mistakes) => page(&mistakes),
    }
}

/// Every mistake as a terminal without colours shows it.
pub(crate) fn page(mistakes: &Diagnostics) -> String {
    rendered(format!("{mistakes}\n"), mistakes.iter())
}

fn rendered<'a>(mut page: String, diagnostics: impl Iterator<Item = &'a Diagnostic>) -> String {
    let handler =
        GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(100);
    for diagnostic in diagnostics {
        handler.render_report(&mut page, diagnostic).unwrap();
    }
    page.lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n")
}
