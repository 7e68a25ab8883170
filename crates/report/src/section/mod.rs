//! The sections of the page, in the order of the page; each file writes one.

pub(crate) mod changes;
pub(crate) mod claims;
pub(crate) mod controls;
pub(crate) mod curves;
pub(crate) mod heatmaps;
pub(crate) mod provenance;
pub(crate) mod runs;
pub(crate) mod scaling;
pub(crate) mod settings;
pub(crate) mod summary;
pub(crate) mod winners;

/// The class of a cell.
pub(crate) fn cell(number: bool) -> &'static str {
    if number { "number" } else { "text" }
}
