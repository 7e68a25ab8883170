//! Examples to target: what a larger batch wastes.

use maud::html;

use super::{Follows, Group};
use crate::document::Block;
use crate::draw::number::grouped;
use crate::figure::by_batch::{Bar, Mark, Point};

impl Group<'_> {
    pub(super) fn examples(&self) -> Option<Block> {
        let follows = Follows {
            tag: "examples",
            label: "examples to target",
            has_ideal: false,
            caption: html! {
                "Training examples that the median seed had seen at each target; both axes to base 2. Under ideal \
                 scaling a line is level: a larger batch needs the same examples in fewer steps. Where a line rises, \
                 a larger batch needs more examples."
            },
        };
        let figure = self.following(
            follows,
            |row| {
                let examples = row.examples?;
                let (after, by) = (examples.after as f64, examples.by as f64);
                Some(Point {
                    batch: row.batch_size,
                    value: by,
                    bar: (examples.after > 0).then_some(Bar {
                        low: Some(after),
                        high: Some(by),
                    }),
                    mark: Mark::Known,
                    said: format!(
                        "{} to {} examples",
                        grouped(examples.after),
                        grouped(examples.by)
                    ),
                    more: String::new(),
                })
            },
            |_| (),
        );
        figure.map(Block::Figure)
    }
}
