//! Steps to target against batch size, and the speed-up that follows, both
//! axes to base 2, with ideal scaling dotted.

mod examples;
mod line;
mod speed_up;

use std::collections::{BTreeSet, HashMap};

use analysis::Target;
use analysis::report::Named;
use analysis::targets::{Crossing, RunSteps, StepsSummary, TargetsTable};
use maud::{Markup, html};

use super::by_batch::{Axes, Line, Panel, Point};
use super::{entry, method_entry, panel_size};
use crate::document::{Block, Entry, Figure, Kind, Part};
use crate::draw::colour::QUIET;
use crate::draw::number::count;
use crate::draw::scale::{Scale, Spacing};
use crate::draw::style::Style;
use crate::draw::svg::{arrow_up, cross};
use crate::frame::{Frame, tables};
use crate::study::{Study, groups};
use crate::words;

type Series<'a> = (&'a str, &'a str);

/// All figures of a table: steps and speed-up for each group of stages.
pub(crate) fn figures(study: &Study<'_>, index: usize, named: &Named<TargetsTable>) -> Vec<Block> {
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
    let all: Vec<Group<'_>> = groups(series)
        .into_iter()
        .enumerate()
        .map(|(place, series)| Group {
            study,
            named,
            table,
            runs: &runs,
            series,
            tag: format!("{}-{}", index + 1, place + 1),
        })
        .collect();
    let mut blocks = Vec::new();
    for group in &all {
        blocks.push(html! { h3 { (stage_list(&group.series)) } }.into());
        blocks.extend(group.steps());
        if group.is_tuned() && all.iter().any(|other| !other.is_tuned()) {
            let note = html! {
                p.note {
                    "Speed-up, examples and time follow from the steps. They are drawn only for the runs that were \
                     not used to choose a configuration."
                }
            };
            blocks.push(note.into());
        } else {
            blocks.push(group.speed_up());
            blocks.extend(group.examples());
        }
    }
    blocks
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
struct Group<'a> {
    study: &'a Study<'a>,
    named: &'a Named<TargetsTable>,
    table: &'a TargetsTable,
    runs: &'a Runs<'a>,
    series: Vec<Series<'a>>,
    tag: String,
}

/// The runs of a table by stage, method and batch size: a large study has thousands.
type Runs<'a> = HashMap<(&'a str, &'a str, u64), Vec<&'a RunSteps>>;

impl<'a> Group<'a> {
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
        rows.filter(|row| self.series.contains(&(&row.stage, &row.method)))
    }

    fn is_tuned(&self) -> bool {
        is_tuned(self.table, &self.series)
    }

    fn reached(&self, target: Target) -> bool {
        self.series.iter().any(|series| {
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

    fn axes(&self, panels: &[Panel]) -> Axes {
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
        let (width, height) = panel_size(panels.len());
        Axes {
            x: Scale::of(Spacing::Log2, batches.iter().map(|b| *b as f64), 0.08),
            y: Scale::of(Spacing::Log2, values, 0.09),
            batches,
            width,
            height,
            percent: false,
        }
    }

    fn steps(&self) -> Vec<Block> {
        let (targets, empty) = self.targets();
        let panels: Vec<Panel> = targets
            .iter()
            .enumerate()
            .map(|(index, target)| self.steps_panel(index, *target))
            .collect();
        let axes = self.axes(&panels);
        let seeds: BTreeSet<usize> = self.mine().map(|row| row.seeds).collect();
        let caption = html! {
            "Steps (updates) to each target against batch size; both axes to base 2. "
            "Large markers: the median of "
            (seed_range(&seeds))
            " a point, with a bar from the fastest to the slowest. Small markers: each seed. The line below a small \
             marker is the interval from the last evaluation that missed the target to the first of two in a row \
             that hit it. Dotted: ideal scaling from the smallest batch size of each method, where a batch twice as \
             large needs half the steps. Thin curve: the fit steps = " (words::symbol("S_min")) " + "
            (words::symbol("E_min")) " / B; the bar along the bottom is its critical batch size with the 95\u{a0}% interval. Where the data give only a bound, the bar is all that lies beyond it. "
            "An open marker with an arrow stands at the budget of a run that did not reach the target. Crosses at \
             the top are seeds that diverged. A method scales well where its markers \
             follow its dotted line. "
            @if self.is_tuned() {
                "Each point is the configuration with the fewest median steps, chosen on the same seeds, so these \
                 steps are optimistic."
            }
        };
        let mut blocks: Vec<Block> =
            vec![html! { @for sentence in &empty { p.empty { (sentence) } } }.into()];
        if !panels.is_empty() {
            let mut legend = self.legend(true);
            legend.extend(self.marks(&targets));
            blocks.push(Block::Figure(Figure {
                kind: Kind::Steps,
                parts: vec![
                    Part::Legend(legend),
                    Part::Panels {
                        pick: Some("Target"),
                        drawings: panels.iter().map(|panel| axes.draw(panel)).collect(),
                    },
                ],
                caption,
                data: self.data(),
            }));
        }
        blocks
    }

    /// The lines. `ideal`: with the dotted one.
    fn legend(&self, ideal: bool) -> Vec<Entry> {
        let lines = self.series.iter().map(|(stage, method)| {
            let label = format!("{} ({stage})", words::method(method));
            method_entry(self.study.look(method), label)
        });
        let dotted = ideal.then(|| entry(Style::Ideal.path(QUIET, "M2 12 32 2"), "ideal scaling"));
        lines.chain(dotted).collect()
    }

    /// What the marks of steps to target stand for, of those that occur.
    fn marks(&self, targets: &[Target]) -> Vec<Entry> {
        let any = |count: fn(&StepsSummary) -> usize| {
            self.mine()
                .any(|row| targets.contains(&row.target) && count(row) > 0)
        };
        let mark = |there: bool, d: String, label: &str| {
            there.then(|| entry(Style::Bar.path(QUIET, &d), label))
        };
        let not_reached = mark(
            any(|row| row.not_reached),
            arrow_up(17.0, 15.0),
            "not reached within the budget",
        );
        let diverged = mark(any(|row| row.diverged), cross(17.0, 7.0, 4.0), "diverged");
        not_reached.into_iter().chain(diverged).collect()
    }

    fn steps_panel(&self, index: usize, target: Target) -> Panel {
        let lines = self
            .series
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

    /// A figure of what follows from the medians: a panel for each target, a line for each series. `finish` adds to a
    /// panel what its lines have in common. None where no line has two points.
    fn following(
        &self,
        follows: Follows,
        point: impl Fn(&StepsSummary) -> Option<Point>,
        finish: impl Fn(&mut Panel),
    ) -> Option<Figure> {
        let line = |series: Series<'a>, target| {
            let rows = self.summaries(series, target).into_iter();
            let points = rows.filter_map(&point).collect();
            Line::new(self.study.look(series.1), words::method(series.1), points)
        };
        let (targets, _) = self.targets();
        let panels: Vec<Panel> = targets
            .iter()
            .enumerate()
            .map(|(index, &target)| {
                let mut panel = Panel {
                    id: format!("{}-{}-{}", follows.tag, self.tag, index + 1),
                    title: words::target(target),
                    description: format!("{} by batch size", words::capital(follows.label)),
                    lines: self.series.iter().map(|&one| line(one, target)).collect(),
                    reference: Vec::new(),
                    label: follows.label.into(),
                };
                finish(&mut panel);
                panel
            })
            .filter(|panel| panel.lines.iter().any(|line| line.points.len() > 1))
            .collect();
        if panels.is_empty() {
            return None;
        }
        let axes = self.axes(&panels);
        Some(Figure {
            kind: Kind::Other,
            parts: vec![
                Part::Legend(self.legend(follows.has_ideal)),
                Part::Panels {
                    pick: Some("Target"),
                    drawings: panels.iter().map(|panel| axes.draw(panel)).collect(),
                },
            ],
            data: self
                .summed()
                .named(&format!("fig-{}-{}", follows.tag, self.tag)),
            caption: follows.caption,
        })
    }

    /// A row for the seeds of a batch size together.
    fn summed(&self) -> Frame {
        tables::steps(std::slice::from_ref(self.named)).of_series(&self.series)
    }

    /// A row a seed behind a point.
    fn data(&self) -> Frame {
        let seeds = self.mine().flat_map(|row| {
            let seeds = self.seeds(row).into_iter();
            seeds.map(|(run, crossing)| (self.named.stage.as_str(), run, crossing, row.target))
        });
        tables::crossings(seeds).named(&format!("fig-steps-{}", self.tag))
    }
}

/// What a figure says that follows from the medians.
struct Follows {
    /// Begins its ids.
    tag: &'static str,
    /// What its points are.
    label: &'static str,
    /// Whether ideal scaling is dotted.
    has_ideal: bool,
    caption: Markup,
}

fn seed_range(seeds: &BTreeSet<usize>) -> String {
    match (seeds.first(), seeds.last()) {
        (Some(low), Some(high)) if low != high => format!("{low} to {high} seeds"),
        (Some(n), _) => count(*n, "seed"),
        _ => "no seeds".into(),
    }
}
