//! Examples to target: what a larger batch wastes.

use maud::html;

use super::Group;
use crate::document::{Block, Figure, Kind, Part};
use crate::draw::number::grouped;
use crate::figure::by_batch::{Bar, Line, Mark, Panel, Point};
use crate::words;

impl Group<'_> {
    pub(super) fn examples(&self) -> Option<Block> {
        let (targets, _) = self.targets();
        let panels: Vec<Panel> = targets
            .iter()
            .enumerate()
            .map(|(index, target)| self.examples_panel(index, *target))
            .filter(|panel| panel.lines.iter().any(|line| line.points.len() > 1))
            .collect();
        if panels.is_empty() {
            return None;
        }
        let axes = self.axes(&panels);
        Some(Block::Figure(Figure {
            kind: Kind::Other,
            parts: vec![
                Part::Legend(self.legend(false)),
                Part::Panels {
                    pick: Some("Target"),
                    drawings: panels.iter().map(|panel| axes.draw(panel)).collect(),
                },
            ],
            data: self.summed().named(&format!("fig-examples-{}", self.tag)),
            caption: html! {
                "Training examples that the median seed had seen at each target; both axes to base 2. Under ideal \
                 scaling a line is level: a larger batch needs the same examples in fewer steps. Where a line rises, \
                 a larger batch needs more examples."
            },
        }))
    }

    fn examples_panel(&self, index: usize, target: analysis::Target) -> Panel {
        let lines: Vec<Line> = self
            .series
            .iter()
            .map(|&series| {
                let label = words::method(series.1);
                let points = self
                    .summaries(series, target)
                    .into_iter()
                    .filter_map(|row| {
                        let examples = row.examples?;
                        Some(Point {
                            batch: row.batch_size,
                            value: examples.by as f64,
                            bar: (examples.after > 0).then_some(Bar {
                                low: Some(examples.after as f64),
                                high: Some(examples.by as f64),
                            }),
                            mark: Mark::Known,
                            said: format!(
                                "{} to {} examples",
                                grouped(examples.after),
                                grouped(examples.by)
                            ),
                            more: String::new(),
                        })
                    })
                    .collect();
                Line::new(self.study.look(series.1), label, points)
            })
            .collect();
        Panel {
            id: format!("examples-{}-{}", self.tag, index + 1),
            title: words::target(target),
            description: "Examples to target by batch size".into(),
            lines,
            reference: Vec::new(),
            label: "examples to target".into(),
        }
    }
}
