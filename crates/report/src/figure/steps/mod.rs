//! Steps to target against batch size, and the speed-up that follows, both
//! axes to base 2, with ideal scaling dotted.

mod examples;
mod line;
mod speed_up;

use std::collections::BTreeSet;

use analysis::Target;
use analysis::report::Named;
use analysis::targets::{Crossing, RunSteps, Steps, StepsSummary, TargetsTable};
use maud::{Markup, html};

use super::by_batch::{Axes, Panel, Point};
use super::{figure, legend_drawing, method_entry, panel_size};
use crate::book::{Book, Kind, groups};
use crate::csv::{Csv, whole};
use crate::draw::number::count;
use crate::draw::scale::{Scale, Spacing};
use crate::words;

type Series<'a> = (&'a str, &'a str);

/// All figures of a table: steps and speed-up for each group of stages.
pub(crate) fn figures(book: &Book<'_>, index: usize, named: &Named<TargetsTable>) -> Markup {
    let table = &named.table;
    let series = table
        .summaries
        .iter()
        .map(|s| (s.stage.as_str(), s.method.as_str()));
    html! {
        @for (group_index, group) in groups(series).into_iter().enumerate() {
            @let part = Part { book, table, group, tag: format!("{}-{}", index + 1, group_index + 1) };
            h3 { (stage_list(&part.group)) }
            (part.steps())
            (part.speed_up())
            (part.examples())
        }
    }
}

fn stage_list(group: &[Series<'_>]) -> Markup {
    let stages: BTreeSet<_> = group.iter().map(|(stage, _)| *stage).collect();
    html! {
        @if stages.len() == 1 { "Stage " } @else { "Stages " }
        @for (index, stage) in stages.iter().enumerate() {
            @if index > 0 { ", " }
            (words::name(stage))
        }
    }
}

/// One group of series of a table, drawn together.
struct Part<'a> {
    book: &'a Book<'a>,
    table: &'a TargetsTable,
    group: Vec<Series<'a>>,
    tag: String,
}

impl<'a> Part<'a> {
    fn summaries(&self, series: Series<'a>, target: Target) -> Vec<&'a StepsSummary> {
        let mut rows: Vec<_> = self
            .table
            .summaries
            .iter()
            .filter(|s| (s.stage.as_str(), s.method.as_str()) == series && s.target == target)
            .collect();
        rows.sort_by_key(|s| s.batch_size);
        rows
    }

    /// The runs behind a summary, with their crossings of its target.
    fn seeds(&self, summary: &'a StepsSummary) -> Vec<(&'a RunSteps, &'a Crossing)> {
        self.table
            .runs
            .iter()
            .filter(|run| {
                run.stage == summary.stage
                    && run.method == summary.method
                    && run.batch_size == summary.batch_size
                    && run.parameters == summary.parameters
            })
            .filter_map(|run| {
                let crossing = run.crossings.iter().find(|c| c.target == summary.target)?;
                Some((run, crossing))
            })
            .collect()
    }

    fn reached(&self, target: Target) -> bool {
        self.group.iter().any(|series| {
            self.summaries(*series, target)
                .iter()
                .any(|s| s.reached > 0)
        })
    }

    fn batches(&self) -> Vec<u64> {
        let in_group = |s: &&StepsSummary| self.group.contains(&(&s.stage, &s.method));
        let batches: BTreeSet<_> = self
            .table
            .summaries
            .iter()
            .filter(in_group)
            .map(|s| s.batch_size)
            .collect();
        batches.into_iter().collect()
    }

    /// Targets that some run reached, and a sentence for each other one.
    fn targets(&self) -> (Vec<Target>, Vec<String>) {
        let mut drawn = Vec::new();
        let mut empty = Vec::new();
        for note in &self.table.targets {
            if self.reached(note.target) {
                drawn.push(note.target);
            } else {
                empty.push(format!(
                    "No run of these stages reached {}.",
                    words::target(note.target)
                ));
            }
        }
        (drawn, empty)
    }

    fn axes(&self, panels: &[Panel]) -> (Axes, &'static str) {
        let batches = self.batches();
        let measured: Vec<f64> = panels
            .iter()
            .flat_map(|panel| &panel.lines)
            .flat_map(|line| {
                let seeds = line.seeds.iter().flat_map(|s| [Some(s.value), s.from]);
                let points = line.points.iter().flat_map(Point::extent);
                points.chain(seeds.flatten())
            })
            .filter(|value| *value >= 1e-3)
            .collect();
        // Ideal scaling is shown as far as it leaves room for what was measured.
        let low = measured.iter().copied().fold(f64::INFINITY, f64::min) / 4.0;
        let high = measured.iter().copied().fold(0.0, f64::max) * 4.0;
        let ideal = panels.iter().flat_map(|panel| {
            let lines = panel.lines.iter().flat_map(|line| &line.ideal);
            lines.chain(&panel.reference).map(|p| p.1)
        });
        let shown: Vec<f64> = ideal.map(|value| value.clamp(low, high.max(low))).collect();
        let values = measured.into_iter().chain(shown);
        let (width, height, class) = panel_size(panels.len());
        let axes = Axes {
            x: Scale::of(Spacing::Log2, batches.iter().map(|b| *b as f64), 0.08),
            y: Scale::of(Spacing::Log2, values, 0.09),
            batches,
            width,
            height,
            percent: false,
        };
        (axes, class)
    }

    fn steps(&self) -> Markup {
        let (targets, empty) = self.targets();
        let panels: Vec<Panel> = targets
            .iter()
            .enumerate()
            .map(|(index, target)| self.steps_panel(index, *target))
            .collect();
        let (axes, class) = self.axes(&panels);
        let seeds: BTreeSet<usize> = self
            .table
            .summaries
            .iter()
            .filter(|s| self.group.contains(&(&s.stage, &s.method)))
            .map(|s| s.seeds)
            .collect();
        let tuned = self
            .table
            .summaries
            .iter()
            .any(|s| self.group.contains(&(&s.stage, &s.method)) && s.configurations > 1);
        let caption = html! {
            "Steps (updates) to each target against batch size; both axes to base 2. "
            "Large markers: the median of "
            (seed_range(&seeds))
            " a point, with a bar from the fastest to the slowest. Small markers: each seed; the line \
             below one is the interval between the last evaluation that missed and the first of two \
             that hit. Dotted: ideal scaling, where doubling the batch halves the steps, from the \
             smallest batch size of each method. Thin curve: the fit steps = " (words::symbol("S_min")) " + "
            (words::symbol("E_min")) " / B; the bar along the bottom is its critical batch size with the \
             95\u{a0}% interval, or, where the batch sizes hold it from one side only, all that lies beyond \
             the bound. "
            "An open marker with an arrow lies at the budget of a run that had not reached the target; \
             crosses above the plane are seeds that diverged. A method scales well where its markers \
             follow its dotted line. "
            @if tuned {
                "For each point the configuration with the fewest median steps was taken, on the same \
                 seeds: these steps are optimistic."
            }
        };
        html! {
            @for sentence in &empty { p.empty { (sentence) } }
            @if !panels.is_empty() {
                (figure(
                    self.book,
                    Kind::Steps,
                    &format!("fig-steps-{}", self.tag),
                    &html! {
                        (self.legend())
                        div class=(class) data-pick="Target" {
                            @for panel in &panels { (axes.draw(panel)) }
                        }
                    },
                    &caption,
                    Some(&self.csv()),
                ))
            }
        }
    }

    fn legend(&self) -> Markup {
        html! {
            ul.legend {
                @for (stage, method) in &self.group {
                    (method_entry(self.book.look(method), &html! {
                        (words::name(&words::method(method))) " (" (words::name(stage)) ")"
                    }))
                }
                (legend_drawing(&html! { path.ideal.neutral d="M2 12 32 2" {} }, "ideal scaling"))
                (legend_drawing(
                    &html! {
                        g.neutral {
                            path.bar d=(crate::draw::svg::arrow_up(17.0, 15.0)) {}
                        }
                    },
                    "not reached within the budget",
                ))
                (legend_drawing(
                    &html! {
                        g.neutral { path.bar d=(crate::draw::svg::cross(17.0, 7.0, 4.0)) {} }
                    },
                    "diverged",
                ))
            }
        }
    }

    fn steps_panel(&self, index: usize, target: Target) -> Panel {
        let lines = self
            .group
            .iter()
            .map(|&series| self.steps_line(series, target))
            .collect::<Vec<_>>();
        let spoken: Vec<String> = lines
            .iter()
            .flat_map(|line| line.points.iter().map(|p| p.tip.replace('\n', ", ")))
            .collect();
        Panel {
            id: format!("steps-{}-{}", self.tag, index + 1),
            title: words::target(target),
            description: format!("Steps to target by batch size. {}.", spoken.join(". ")),
            lines,
            reference: Vec::new(),
            label: "steps to target".into(),
        }
    }

    fn csv(&self) -> String {
        let mut csv = Csv::new([
            "stage",
            "method",
            "target",
            "batch_size",
            "seed",
            "outcome",
            "after",
            "by",
            "run",
        ]);
        for row in &self.table.summaries {
            if !self.group.contains(&(&row.stage, &row.method)) {
                continue;
            }
            for (run, crossing) in self.seeds(row) {
                let (outcome, after, by) = match crossing.steps {
                    Steps::Reached { after, by } => ("reached", Some(after), Some(by)),
                    Steps::NotReached { budget } => ("not reached", Some(budget), None),
                    Steps::Diverged { step } => ("diverged", Some(step), None),
                };
                csv.row(&[
                    row.stage.clone(),
                    row.method.clone(),
                    row.target.to_string(),
                    row.batch_size.to_string(),
                    run.seed.to_string(),
                    outcome.into(),
                    whole(after),
                    whole(by),
                    run.label.clone(),
                ]);
            }
        }
        csv.text()
    }
}

fn seed_range(seeds: &BTreeSet<usize>) -> String {
    match (seeds.first(), seeds.last()) {
        (Some(low), Some(high)) if low != high => format!("{low} to {high} seeds"),
        (Some(n), _) => count(*n, "seed"),
        _ => "no seeds".into(),
    }
}
