//! The report: plain tables in, one self-contained HTML page out.
//!
//! It opens from disk, loads nothing, and is complete without JavaScript: the
//! figures are SVG. A little script adds tooltips, sorting, filtering and
//! downloads. Equal tables give equal pages; whatever differs between two runs
//! to the same tables (times, machines, what was cached) is in [`Provenance`]
//! and stands in `<section id="provenance">` alone, but for the devices of two
//! reports that are compared.
//!
//! A [`Page`] is a value, a list of sections with figures and tables; the HTML
//! and the files beside it (SVG, CSV) are renderings of that list. [`frame`]
//! has the data frames of `pipeline export`, of which the page's are a part.
//!
//! It is no analysis: every number on the page is in a table of the crate
//! `analysis`, and this crate neither selects nor averages. It reads and writes
//! no file.

mod document;
mod draw;
mod embedded;
mod figure;
pub mod frame;
mod html;
mod page;
mod provenance;
mod section;
mod sheet;
mod sketches;
mod so_far;
mod study;
mod words;

pub use figure::stage_graph::stage_graph_svg;
pub use page::{File, Page};
pub use provenance::{
    DataSet, Provenance, Share, SiteFile, StageCounts, StageGraph, StageKeys, StageNode, StageTime,
    TrainingTime,
};
pub use section::changes::Earlier;
pub use so_far::{Missing, PartOf, Reads, Runs, SoFar, Waiting};
