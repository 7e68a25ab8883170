//! What a person sees of a file's mistakes.

#![allow(dead_code, reason = "each of the tests uses a part of it")]

use miette::{GraphicalReportHandler, GraphicalTheme};
use study::{Diagnostic, Diagnostics, Study};

/// A small sound study to break.
pub(crate) const SOUND: &str = "\
study: small
stages:
  digits:
    dataset: { source: digits, train: 1280, validation: 258, test: 259 }
  kfac:
    train:
      dataset: digits
      model: { mlp: { hidden: [32] } }
      budget: { epochs: 12 }
      optimizer: { kfac: { momentum: 0.9 } }
      evaluation: { epochs: [12] }
    sweep:
      batch_size: [16, 64]
      learning_rate: [0.01, 0.1]
      damping: [0.01, 0.1]
  winners:
    select: { runs: [kfac], by: validation_accuracy }
  confirmed:
    train: { configuration: winners }
    sweep: { seed: [100, 101] }
  targets:
    steps_to_target: { runs: [kfac, confirmed], train_loss: [0.1] }
  map:
    heatmap:
      runs: [kfac]
      x: damping
      y: learning_rate
      value: test_accuracy
      at: [{ epochs: 12 }]
      good: { at_least: 0.9 }
  report:
    report: { include: [targets, map], claims: [diminishing_returns] }
";

/// The sound study with `old` replaced by `new`.
pub(crate) fn broken(edits: &[(&str, &str)]) -> String {
    edits.iter().fold(SOUND.to_owned(), |text, (old, new)| {
        assert!(text.contains(old), "{old} is not in the study");
        text.replace(old, new)
    })
}

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
