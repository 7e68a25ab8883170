//! Examples to target: what a larger batch wastes.

use maud::{Markup, html};

use super::Part;
use crate::book::Kind;
use crate::csv::{Csv, whole};
use crate::draw::number::grouped;
use crate::figure::by_batch::{Bar, Line, Mark, Panel, Point};
use crate::figure::{data, figure};
use crate::words;

impl Part<'_> {
    pub(super) fn examples(&self) -> Markup {
        let (targets, _) = self.targets();
        let panels: Vec<Panel> = targets
            .iter()
            .enumerate()
            .map(|(index, target)| self.examples_panel(index, *target))
            .filter(|panel| panel.lines.iter().any(|line| line.points.len() > 1))
            .collect();
        if panels.is_empty() {
            return html! {};
        }
        let (axes, class) = self.axes(&panels);
        let mut csv = Csv::new(["stage", "method", "target", "batch_size", "after", "by"]);
        for row in self.mine() {
            csv.row(&[
                row.stage.clone(),
                row.method.clone(),
                row.target.to_string(),
                row.batch_size.to_string(),
                whole(row.examples.map(|examples| examples.after)),
                whole(row.examples.map(|examples| examples.by)),
            ]);
        }
        figure(
            self.book,
            Kind::Other,
            &format!("fig-examples-{}", self.tag),
            &html! {
                (self.legend(false, &html! {}))
                div class=(class) data-pick="Target" { @for panel in &panels { (axes.draw(panel)) } }
            },
            &html! {
                "Training examples that the median seed had seen at each target; both axes to base 2. Under ideal scaling a \
                 line is level: the same examples, in fewer steps. Where it rises, a larger batch wastes them."
            },
            &data(&csv.text()),
        )
    }

    fn examples_panel(&self, index: usize, target: analysis::Target) -> Panel {
        let lines: Vec<Line> = self
            .group
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
                Line::new(self.book.look(series.1), label, points)
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
