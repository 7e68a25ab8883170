//! The speed-up that follows from the steps to target.

use maud::html;

use super::{Follows, Group};
use crate::document::Block;
use crate::draw::number::significant;
use crate::figure::by_batch::{Mark, Panel, Point};

impl Group<'_> {
    pub(super) fn speed_up(&self) -> Block {
        let follows = Follows {
            tag: "speed-up",
            label: "speed-up",
            has_ideal: true,
            caption: html! {
                "Speed-up: median steps at a method's smallest batch size, divided by median steps at each batch \
                 size; both axes to base 2. The smallest batch size is here the smallest at which the median seed \
                 reached the target. Dotted: ideal speed-up from there, where a batch twice as large needs half the \
                 steps. The further a line falls below its dotted line, the more of a larger batch is wasted."
            },
        };
        let figure = self.following(
            follows,
            |row| {
                let value = row.speed_up?;
                Some(Point {
                    batch: row.batch_size,
                    value,
                    bar: None,
                    mark: Mark::Known,
                    said: significant(value, 3),
                    more: String::new(),
                })
            },
            |panel| self.add_ideal(panel),
        );
        let none = || {
            html! {
                p.empty {
                    "No method has medians at two batch sizes for a target, so there is no speed-up to show."
                }
            }
        };
        figure.map_or_else(|| none().into(), Block::Figure)
    }

    /// Dots the ideal of each line; once, if it is that of all.
    fn add_ideal(&self, panel: &mut Panel) {
        let batches = self.batches();
        for line in &mut panel.lines {
            let first = line.points.first().map_or(1, |point| point.batch) as f64;
            line.ideal = batches
                .iter()
                .map(|batch| *batch as f64)
                .filter(|batch| *batch >= first)
                .map(|batch| (batch, batch / first))
                .collect();
        }
        // From one batch size on they are one line, and no method's.
        if panel
            .lines
            .windows(2)
            .all(|pair| pair[0].ideal == pair[1].ideal)
        {
            for line in &mut panel.lines {
                panel.reference = std::mem::take(&mut line.ideal);
            }
        }
    }
}
