//! The speed-up that follows from the steps to target.

use analysis::Target;
use maud::html;

use super::Group;
use crate::document::{Block, Figure, Kind, Part};
use crate::draw::number::significant;
use crate::figure::by_batch::{Line, Mark, Panel, Point};
use crate::words;

impl Group<'_> {
    pub(super) fn speed_up(&self) -> Block {
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
            }
            .into();
        }
        let axes = self.axes(&panels);
        Block::Figure(Figure {
            kind: Kind::Other,
            parts: vec![
                Part::Legend(self.legend(true)),
                Part::Panels {
                    pick: Some("Target"),
                    drawings: panels.iter().map(|panel| axes.draw(panel)).collect(),
                },
            ],
            data: self.summed().named(&format!("fig-speed-up-{}", self.tag)),
            caption: html! {
                "Speed-up: median steps at a method's smallest batch size, divided by median steps at each batch \
                 size; both axes to base 2. The smallest batch size is here the smallest at which the median seed \
                 reached the target. Dotted: ideal speed-up from there, where a batch twice as large needs half the \
                 steps. The further a line falls below its dotted line, the more of a larger batch is wasted."
            },
        })
    }

    fn speed_up_panel(&self, index: usize, target: Target) -> Panel {
        let batches = self.batches();
        let mut lines: Vec<Line> = self
            .series
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
                            said: significant(value, 3),
                            more: String::new(),
                        })
                    })
                    .collect::<Vec<_>>();
                let mut line = Line::new(self.study.look(series.1), label, points);
                let first = line.points.first().map_or(1, |point| point.batch) as f64;
                line.ideal = batches
                    .iter()
                    .map(|batch| *batch as f64)
                    .filter(|batch| *batch >= first)
                    .map(|batch| (batch, batch / first))
                    .collect();
                line
            })
            .collect();
        // From one batch size on they are one line, and no method's.
        let shared = lines.windows(2).all(|pair| pair[0].ideal == pair[1].ideal);
        let mut reference = Vec::new();
        if shared {
            for line in &mut lines {
                reference = std::mem::take(&mut line.ideal);
            }
        }
        Panel {
            id: format!("speed-up-{}-{}", self.tag, index + 1),
            title: words::target(target),
            description: "Speed-up by batch size".into(),
            lines,
            reference,
            label: "speed-up".into(),
        }
    }
}
