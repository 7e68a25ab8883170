//! Steps to target against batch size, and the speed-up that follows, both
//! axes to base 2, with ideal scaling dotted.

mod examples;
mod line;
mod speed_up;

use std::collections::{BTreeSet, HashMap};

use analysis::Target;
use analysis::report::Named;
use analysis::targets::{Crossing, RunSteps, Steps, StepsSummary, TargetsTable};
use maud::{Markup, html};

use super::by_batch::{Axes, Panel, Point};
use super::{data_of_seeds, figure, legend_drawing, method_entry, panel_size};
use crate::book::{Book, Kind, groups};
use crate::csv::{Csv, side_by_side, whole};
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
    let mut runs = Runs::new();
    for run in &table.runs {
        let key = (run.stage.as_str(), run.method.as_str(), run.batch_size);
        runs.entry(key).or_default().push(run);
    }
    let parts: Vec<Part<'_>> = groups(series)
        .into_iter()
        .enumerate()
        .map(|(place, group)| Part {
            book,
            table,
            runs: &runs,
            group,
            tag: format!("{}-{}", index + 1, place + 1),
        })
        .collect();
    html! {
        @for part in &parts {
            h3 { (stage_list(&part.group)) }
            (part.steps())
            @if part.is_tuned() && parts.iter().any(|other| !other.is_tuned()) {
                p.note {
                    "Speed-up, examples and time follow from the steps; they are drawn of the runs that no choice was made on."
                }
            } @else {
                (part.speed_up())
                (part.examples())
            }
        }
    }
}

/// Do the steps of a group rest on a choice among configurations on the same seeds?
pub(crate) fn is_tuned(table: &TargetsTable, group: &[(&str, &str)]) -> bool {
    let rows = table.summaries.iter();
    let mut mine = rows.filter(|row| group.contains(&(&row.stage, &row.method)));
    mine.any(|row| row.configurations > 1)
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
    runs: &'a Runs<'a>,
    group: Vec<Series<'a>>,
    tag: String,
}

/// The runs of a table by stage, method and batch size: a large study has thousands.
type Runs<'a> = HashMap<(&'a str, &'a str, u64), Vec<&'a RunSteps>>;

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
        let place = self.table.place_of(summary.target);
        let key = (
            summary.stage.as_str(),
            summary.method.as_str(),
            summary.batch_size,
        );
        let runs = self.runs.get(&key).into_iter().flatten();
        runs.filter(|run| run.parameters == summary.parameters)
            .filter_map(|run| Some((*run, run.crossings.get(place?)?)))
            .collect()
    }

    /// The rows of this part, of all targets.
    fn mine(&self) -> impl Iterator<Item = &'a StepsSummary> {
        let rows = self.table.summaries.iter();
        rows.filter(|row| self.group.contains(&(&row.stage, &row.method)))
    }

    fn is_tuned(&self) -> bool {
        is_tuned(self.table, &self.group)
    }

    fn reached(&self, target: Target) -> bool {
        self.group.iter().any(|series| {
            self.summaries(*series, target)
                .iter()
                .any(|s| s.reached > 0)
        })
    }

    fn batches(&self) -> Vec<u64> {
        let batches: BTreeSet<_> = self.mine().map(|row| row.batch_size).collect();
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
        let seeds: BTreeSet<usize> = self.mine().map(|row| row.seeds).collect();
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
            @if self.is_tuned() {
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
                        (self.legend(true, &self.marks(&targets)))
                        div class=(class) data-pick="Target" {
                            @for panel in &panels { (axes.draw(panel)) }
                        }
                    },
                    &caption,
                    &data_of_seeds(&self.csv()),
                ))
            }
        }
    }

    /// Lines and the marks of what no line shows. `ideal`: with the dotted line.
    fn legend(&self, ideal: bool, marks: &Markup) -> Markup {
        html! {
            ul.legend {
                @for (stage, method) in &self.group {
                    (method_entry(self.book.look(method), &html! {
                        (words::name(&words::method(method))) " (" (words::name(stage)) ")"
                    }))
                }
                @if ideal { (legend_drawing(&html! { path.ideal.neutral d="M2 12 32 2" {} }, "ideal scaling")) }
                (marks)
            }
        }
    }

    /// What the marks of steps to target stand for, of those that occur.
    fn marks(&self, targets: &[Target]) -> Markup {
        let any = |count: fn(&StepsSummary) -> usize| {
            self.mine()
                .any(|row| targets.contains(&row.target) && count(row) > 0)
        };
        html! {
            @if any(|row| row.not_reached) {
                (legend_drawing(
                    &html! { g.neutral { path.bar d=(crate::draw::svg::arrow_up(17.0, 15.0)) {} } },
                    "not reached within the budget",
                ))
            }
            @if any(|row| row.diverged) {
                (legend_drawing(
                    &html! { g.neutral { path.bar d=(crate::draw::svg::cross(17.0, 7.0, 4.0)) {} } },
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
        Panel {
            id: format!("steps-{}-{}", self.tag, index + 1),
            title: words::target(target),
            description: "Median steps to target by batch size".into(),
            lines,
            reference: Vec::new(),
            label: "steps to target".into(),
        }
    }

    /// A row a stage, method, target and batch size, its seeds side by side.
    fn csv(&self) -> String {
        let rows: Vec<_> = self
            .mine()
            .map(|row| (row, self.seeds(row)))
            .filter(|(_, seeds)| !seeds.is_empty())
            .collect();
        let settings: BTreeSet<&str> = rows
            .iter()
            .flat_map(|(row, _)| row.parameters.keys().map(String::as_str))
            .collect();
        let mut head: Vec<String> = ["stage", "method", "target", "batch_size"]
            .map(str::to_owned)
            .to_vec();
        head.extend(settings.iter().map(|path| (*path).to_owned()));
        head.extend(["seed", "outcome", "after", "by"].map(str::to_owned));
        let mut csv = Csv::of(&head);
        for (row, seeds) in rows {
            let mut fields = vec![
                row.stage.clone(),
                row.method.clone(),
                row.target.to_string(),
                row.batch_size.to_string(),
            ];
            let setting = |path: &&str| {
                row.parameters
                    .get(*path)
                    .map_or_else(String::new, words::value)
            };
            fields.extend(settings.iter().map(setting));
            fields.extend(side_by_side(seeds.iter().map(|(run, crossing)| {
                let (outcome, after, by) = match crossing.steps {
                    Steps::Reached { after, by } => ("reached", after, Some(by)),
                    Steps::NotReached { budget } => ("not_reached", budget, None),
                    Steps::Diverged { step } => ("diverged", step, None),
                };
                vec![
                    run.seed.to_string(),
                    outcome.into(),
                    after.to_string(),
                    whole(by),
                ]
            })));
            csv.row(&fields);
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
