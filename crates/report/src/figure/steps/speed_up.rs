//! The speed-up that follows from the steps to target.

use analysis::Target;
use maud::{Markup, html};

use super::Part;
use crate::book::Kind;
use crate::csv::{Csv, number};
use crate::draw::number::significant;
use crate::figure::by_batch::{Line, Mark, Panel, Point};
use crate::figure::figure;
use crate::words;

impl Part<'_> {
    pub(super) fn speed_up(&self) -> Markup {
        let (targets, _) = self.targets();
        let panels: Vec<Panel> = targets
            .iter()
            .enumerate()
            .map(|(index, target)| self.speed_up_panel(index, *target))
            .filter(|panel| panel.lines.iter().any(|line| line.points.len() > 1))
            .collect();
        if panels.is_empty() {
            return html! {
                p.empty {
                    "No method has medians at two batch sizes for a target, so there is no speed-up to show."
                }
            };
        }
        let (axes, class) = self.axes(&panels);
        let mut csv = Csv::new(["stage", "method", "target", "batch_size", "speed_up"]);
        for row in &self.table.summaries {
            if self.group.contains(&(&row.stage, &row.method)) {
                csv.row(&[
                    row.stage.clone(),
                    row.method.clone(),
                    row.target.to_string(),
                    row.batch_size.to_string(),
                    number(row.speed_up),
                ]);
            }
        }
        figure(
            self.book,
            Kind::Other,
            &format!("fig-speed-up-{}", self.tag),
            &html! {
                (self.legend())
                div class=(class) data-pick="Target" { @for panel in &panels { (axes.draw(panel)) } }
            },
            &html! {
                "Speed-up: median steps at the smallest batch size over median steps at each batch size, \
                 from the medians above; both axes to base 2. Dotted: ideal, a batch twice as large needs \
                 half the steps. The further a line falls below it, the more of a larger batch is wasted."
            },
            Some(&csv.text()),
        )
    }

    fn speed_up_panel(&self, index: usize, target: Target) -> Panel {
        let lines: Vec<Line> = self
            .group
            .iter()
            .map(|&series| {
                let label = words::method(series.1);
                let points = self
                    .summaries(series, target)
                    .into_iter()
                    .filter_map(|row| {
                        let value = row.speed_up?;
                        Some(Point {
                            batch: row.batch_size,
                            value,
                            bar: None,
                            mark: Mark::Known,
                            tip: format!(
                                "{label}, batch {}\nspeed-up {}",
                                row.batch_size,
                                significant(value, 3)
                            ),
                        })
                    })
                    .collect();
                Line::new(self.book.look(series.1), label, points)
            })
            .collect();
        let spoken: Vec<_> = lines
            .iter()
            .flat_map(|l| l.points.iter().map(|p| p.tip.replace('\n', ", ")))
            .collect();
        let batches = self.batches();
        let first = batches.first().copied().unwrap_or(1) as f64;
        Panel {
            id: format!("speed-up-{}-{}", self.tag, index + 1),
            title: words::target(target),
            description: format!("Speed-up by batch size. {}.", spoken.join(". ")),
            lines,
            reference: batches
                .iter()
                .map(|b| (*b as f64, *b as f64 / first))
                .collect(),
            label: "speed-up".into(),
        }
    }
}
