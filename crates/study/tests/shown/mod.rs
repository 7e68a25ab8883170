//! What a person sees of a study's mistakes.

use miette::{GraphicalReportHandler, GraphicalTheme};
use study::{Diagnostics, Study};

/// Every diagnostic as a terminal without colours shows it.
pub(crate) fn shown(read: Result<Study, Diagnostics>) -> String {
    let handler =
        GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(100);
    let mut page = String::new();
    match read {
        Ok(study) => {
            for warning in study.warnings() {
                handler.render_report(&mut page, warning).unwrap();
            }
        }
        Err(mistakes) => {
            page = format!("{mistakes}\n");
            for mistake in &mistakes {
                handler.render_report(&mut page, mistake).unwrap();
            }
        }
    }
    page.lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n")
}
