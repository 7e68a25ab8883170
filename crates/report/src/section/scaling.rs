//! Steps to target and what follows from them: speed-up, slopes, critical
//! batch sizes.

use analysis::report::Named;
use analysis::targets::{ScalingFit, TargetsTable};
use maud::{Markup, html};

use super::table;
use crate::book::Book;
use crate::draw::number::significant;
use crate::figure::steps::{critical_batch, figures};
use crate::words;

/// The section.
pub(crate) fn section(book: &Book<'_>) -> Markup {
    html! {
        section #scaling aria-labelledby="scaling-heading" {
            h2 #scaling-heading { "How steps scale with the batch size" }
            @if book.table.targets.is_empty() {
                p.empty { "The study times no targets." }
            }
            @for (index, named) in book.table.targets.iter().enumerate() {
                (notes(named))
                @if named.table.summaries.is_empty() {
                    p.empty { "No run is behind the targets of stage " (words::name(&named.stage)) "." }
                }
                (figures(book, index, named))
                @if !named.table.fits.is_empty() { (fits(book, index, &named.table)) }
            }
        }
    }
}

/// What must be known of the targets before their figures are read.
fn notes(named: &Named<TargetsTable>) -> Markup {
    let large = named.table.summaries.iter().any(|s| s.over_tenth_of_data);
    let after_drop = named.table.summaries.iter().any(|s| s.after_first_drop > 0);
    let said: Vec<_> = named
        .table
        .targets
        .iter()
        .filter(|t| t.note.is_some() || !t.admissible)
        .collect();
    html! {
        @if !said.is_empty() || large || after_drop {
            ul.note {
                @for note in said {
                    li.warn[!note.admissible] {
                        (words::target(note.target)) ": "
                        @match &note.note {
                            Some(text) => { (words::name(text)) }
                            None => "crossed in fewer than 16 steps, so no claim or fit uses it."
                        }
                    }
                }
                @if large {
                    li {
                        "Some batches hold more than a tenth of the training set; there a batch is no longer \
                         a small sample, and a flattening may be the data's end."
                    }
                }
                @if after_drop {
                    li {
                        "Some seeds crossed a target only after the learning rate had fallen; those crossings \
                         depend on the budget, so fits and slopes take them as not reached by the drop."
                    }
                }
            }
        }
    }
}

fn fits(book: &Book<'_>, index: usize, targets: &TargetsTable) -> Markup {
    let rows = html! { @for fit in &targets.fits { (row(fit)) } };
    table(
        book,
        &format!("fits-{}", index + 1),
        "fits",
        &html! {
            "Scaling fits with 95\u{a0}% intervals. Slope: of log steps over log batch size, −1 is ideal, 0 is \
             none. S_min: steps in the limit of large batches; E_min: examples in the limit of small ones; \
             B_crit = E_min / S_min (McCandlish et al. 2018), quoted as a bound where the batch sizes do not \
             span it fourfold each way. Seeds that did not reach the target count as censored, not as missing."
        },
        &[
            ("Stage", false),
            ("Method", false),
            ("Target", false),
            ("Slope", true),
            ("S_min (steps)", true),
            ("E_min (examples)", true),
            ("B_crit (examples)", true),
            ("Reached / not / diverged", true),
            ("Note", false),
        ],
        &rows,
    )
}

fn row(fit: &ScalingFit) -> Markup {
    let write = |v: f64| significant(v, 3);
    html! {
        tr {
            th scope="row" { (words::name(&fit.stage)) }
            td { (words::name(&words::method(&fit.method))) }
            td.whole { (words::target(fit.target)) }
            td.number {
                @match &fit.slope { Some(slope) => { (words::estimate(slope, |v| significant(v, 2))) } None => "–" }
            }
            @match &fit.law {
                Some(law) => {
                    td.number { (words::estimate(&law.s_min, write)) }
                    td.number { (words::estimate(&law.e_min, write)) }
                    td.number { (critical_batch(&law.critical_batch)) }
                }
                None => { td.number { "–" } td.number { "–" } td.number { "–" } }
            }
            td.number { (fit.reached) " / " (fit.not_reached) " / " (fit.diverged) }
            td.wide {
                @if let Some(note) = &fit.note { (words::name(note)) }
                @if fit.after_drop > 0 { " " (fit.after_drop) " crossed only after the learning rate fell: not reached by the drop." }
            }
        }
    }
}
