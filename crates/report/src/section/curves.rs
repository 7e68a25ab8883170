//! Training curves.

use crate::document::Section;
use crate::figure::learning;
use crate::study::Study;

/// The section.
pub(crate) fn section(study: &Study<'_>) -> Section {
    Section {
        id: "curves",
        name: "Curves",
        heading: "Progress per iteration",
        blocks: learning::figures(study),
    }
}
