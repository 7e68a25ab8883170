//! Steps to target and what follows from them: speed-up, slopes, critical
//! batch sizes.

use std::collections::BTreeSet;

use analysis::report::Named;
use analysis::targets::{Bounded, FitNote, ScalingFit, TargetsTable};
use maud::{Markup, html};

use crate::document::{Block, Section, Table};
use crate::draw::number::fixed;
use crate::figure::noise;
use crate::figure::steps::figures;
use crate::frame;
use crate::so_far::Reads;
use crate::study::Study;
use crate::words;

/// The section.
pub(crate) fn section(study: &Study<'_>) -> Section {
    let targets = &study.table.targets;
    let mut blocks: Vec<Block> = Vec::new();
    let part = study.part(Reads::Targets);
    if targets.is_empty() && part.is_none() {
        blocks.push(html! { p.empty { "The study times no targets." } }.into());
    }
    blocks.extend(part.map(Block::Text));
    for (index, named) in targets.iter().enumerate() {
        blocks.push(of_targets(named).into());
        blocks.extend(figures(study, index, named));
        if !named.table.fits.is_empty() {
            blocks.push(Block::Table(fits(index, named)));
        }
    }
    blocks.extend(noise::figures(study));
    Section {
        id: "scaling",
        name: "Scaling",
        heading: "How steps scale with the batch size",
        blocks,
    }
}

/// What must be known of the targets before their figures are read.
fn of_targets(named: &Named<TargetsTable>) -> Markup {
    let large = named.table.summaries.iter().any(|s| s.over_tenth_of_data);
    let after_drop = named.table.summaries.iter().any(|s| s.after_first_drop > 0);
    let said: Vec<_> = named
        .table
        .targets
        .iter()
        .filter_map(|note| Some((note, words::targets::target(note)?)))
        .collect();
    html! {
        @if named.table.summaries.is_empty() {
            p.empty { "No run is behind the targets of stage " (words::name(&named.stage)) "." }
        }
        @if !said.is_empty() || large || after_drop {
            ul.note {
                @for (note, said) in said {
                    li.warn[!note.admissible] { (words::target(note.target)) ": " (words::prose(&said)) }
                }
                @if large {
                    li {
                        "Some batches hold more than a tenth of the training set. Such a batch is no small sample \
                         any more, so a curve may flatten there because the data set is small."
                    }
                }
                @if after_drop {
                    li {
                        "Some seeds crossed a target only after the learning rate had dropped. Such crossings depend \
                         on the budget, so fits and slopes count them as not reached by the drop."
                    }
                }
            }
        }
    }
}

fn fits(index: usize, named: &Named<TargetsTable>) -> Table {
    let fits = &named.table.fits;
    let stages: BTreeSet<&str> = fits.iter().map(|fit| fit.stage.as_str()).collect();
    // What is to be known of all stands in the caption, once.
    let is_of_all = |note: &&FitNote| fits.iter().all(|fit| fit.notes.contains(note));
    let of_all: Vec<String> = fits[0]
        .notes
        .iter()
        .filter(is_of_all)
        .map(words::targets::fit)
        .collect();
    let own = |fit: &ScalingFit| -> String {
        let own = fit.notes.iter().filter(|note| !is_of_all(note));
        let own: Vec<String> = own.map(words::targets::fit).collect();
        own.join("; ")
    };
    let columns = Columns {
        stage: stages.len() > 1,
        note: fits.iter().any(|fit| !own(fit).is_empty()),
    };
    let rows = html! { @for fit in fits { (row(fit, &own(fit), &columns)) } };
    let mut head = vec![("Method", false)];
    if columns.stage {
        head.push(("Stage", false));
    }
    head.extend([
        ("Target", false),
        ("Slope", true),
        ("S_min (steps)", true),
        ("E_min (examples)", true),
        ("B_crit (examples)", true),
        ("Reached / not / diverged", true),
    ]);
    if columns.note {
        head.push(("Note", false));
    }
    let bounds = fits
        .iter()
        .filter_map(|fit| fit.law)
        .any(|law| matches!(law.least_steps, Bounded::AtMost { .. }));
    Table::new(
        "fits",
        html! {
            "Scaling fits"
            @if let (false, Some(stage)) = (columns.stage, stages.first()) { " of stage " (words::name(stage)) }
            " with 95\u{a0}% intervals. Slope: of log steps over log batch size, −1 is ideal, 0 is no gain. "
            (words::symbol("S_min")) ": steps in the limit of large batches; " (words::symbol("E_min"))
            ": examples in the limit of small ones; " (words::symbol("B_crit")) " = " (words::symbol("E_min")) " / "
            (words::symbol("S_min")) ", the critical batch size (McCandlish et al. 2018). “At least” and “at most” \
             are one-sided 95\u{a0}% bounds, given where the batch sizes do not reach from a quarter of the critical \
             one to four times it. "
            @if bounds {
                "Where the steps do not flatten, " (words::symbol("S_min")) " has an upper bound only. "
            }
            "Seeds that did not reach the target count as censored (more steps than their budget), not as missing."
            @if !of_all.is_empty() { " All: " (words::prose(&of_all.join("; "))) "." }
        },
        &head,
        rows,
        frame::tables::fits(std::slice::from_ref(named)).named(&format!("fits-{}", index + 1)),
    )
}

/// Columns that are there only if they say something.
struct Columns {
    stage: bool,
    note: bool,
}

fn row(fit: &ScalingFit, note: &str, columns: &Columns) -> Markup {
    html! {
        tr {
            th scope="row" { (words::name(&words::method(&fit.method))) }
            @if columns.stage { td { (words::name(&fit.stage)) } }
            td.whole { (words::target(fit.target)) }
            td.number {
                @match &fit.slope {
                    Some(slope) => { (words::stacked(&words::estimate(slope, |v| fixed(v, 2)))) }
                    None => "–"
                }
            }
            @match &fit.law {
                Some(law) => {
                    @for parameter in [&law.least_steps, &law.least_examples, &law.critical_batch] {
                        td.number { (words::stacked(&words::bounded(parameter))) }
                    }
                }
                None => { td.number { "–" } td.number { "–" } td.number { "–" } }
            }
            td.number { (fit.reached) " / " (fit.not_reached) " / " (fit.diverged) }
            @if columns.note { td.wide { (words::prose(note)) } }
        }
    }
}
