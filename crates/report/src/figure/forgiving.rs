//! Expected best after so many random trials: how forgiving a method is to
//! those who tune it little.

use analysis::report::Named;
use analysis::select::{By, WinnersTable};
use maud::html;

use super::traces::{Panel, Trace};
use super::{batch_legend, panel_size};
use crate::document::{Block, Figure, Kind, Part};
use crate::draw::scale::{Scale, Spacing};
use crate::frame::tables::trials;
use crate::study::Study;
use crate::words;

/// The figure of a table of winners; nothing for a selection by steps, which
/// has no expected best.
pub(crate) fn one(study: &Study<'_>, index: usize, named: &Named<WinnersTable>) -> Option<Block> {
    let By::Metric(metric) = named.table.by else {
        return None;
    };
    let winners = || {
        named
            .table
            .winners
            .iter()
            .filter(|w| !w.expected_best.is_empty())
    };
    let mut methods: Vec<&str> = winners().map(|w| w.method.as_str()).collect();
    methods.sort_unstable();
    methods.dedup();
    if methods.is_empty() {
        return None;
    }
    let mut batches: Vec<u64> = winners().map(|w| w.batch_size).collect();
    batches.sort_unstable();
    batches.dedup();
    let all = || winners().flat_map(|w| w.expected_best.iter());
    let x = Scale::of(Spacing::Log2, all().map(|e| e.trials as f64), 0.06);
    let y = Scale::of(Spacing::Linear, all().map(|e| e.value), 0.06);
    let y = if metric.is_loss() {
        y
    } else {
        y.no_further(0.0, 1.0)
    };
    let (width, height) = panel_size(methods.len());
    let label = words::axis(metric);
    let panels = methods.iter().enumerate().map(|(place, method)| {
        let traces: Vec<Trace> = winners()
            .filter(|w| w.method == *method)
            .map(|winner| Trace {
                colour: study.batch_colour(winner.batch_size).0,
                shape: study.batch_look(winner.batch_size).shape(),
                points: winner
                    .expected_best
                    .iter()
                    .map(|e| (e.trials as f64, e.value))
                    .collect(),
                band: Vec::new(),
                thin: false,
                diverged: false,
                drops: Vec::new(),
                rings: Vec::new(),
                tip: winner.expected_best.iter().fold(
                    format!("{}, batch {}", words::method(method), winner.batch_size),
                    |tip, e| {
                        format!(
                            "{tip}\nbest of {}: {}",
                            e.trials,
                            words::measured(metric, e.value)
                        )
                    },
                ),
            })
            .collect();
        let spoken: Vec<String> = traces.iter().map(|t| t.tip.replace('\n', ", ")).collect();
        Panel {
            id: format!("forgiving-{}-{}", index + 1, place + 1),
            title: words::method(method),
            description: format!(
                "Expected best {metric} by number of trials. {}.",
                spoken.join(". ")
            ),
            width,
            height,
            x: (&x, "random trials"),
            y: (&y, &label),
            percent: !metric.is_loss(),
            levels: Vec::new(),
            cuts: Vec::new(),
            traces,
        }
    });
    Some(Block::Figure(Figure {
        kind: Kind::Other,
        parts: vec![
            batch_legend(study, &batches),
            Part::Panels {
                pick: None,
                drawings: panels.map(|panel| panel.draw()).collect(),
            },
        ],
        data: trials(std::slice::from_ref(named)).named(&format!("fig-forgiving-{}", index + 1)),
        caption: html! {
            "Expected best " (metric) " of a number of configurations drawn at random from the grid, on the tuning \
             seeds; a line per batch size. Diverged configurations count as the worst value seen. A line that is \
             level after few trials means that little tuning is enough; a steep line means that the method needs a \
             search. \
             (Dodge et al. 2019.)"
        },
    }))
}
