//! Training curves.

use crate::document::{Block, Section};
use crate::figure::learning;
use crate::so_far::Reads;
use crate::study::Study;

/// The section.
pub(crate) fn section(study: &Study<'_>) -> Section {
    let mut blocks = learning::figures(study);
    // Which runs are shown follows from the winners.
    if let (Some(part), false) = (study.part(Reads::Selection), study.table.winners.is_empty()) {
        blocks.insert(0, Block::Text(part));
    }
    Section {
        id: "curves",
        name: "Curves",
        heading: "Progress per iteration",
        blocks,
    }
}
