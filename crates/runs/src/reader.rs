//! What those who read runs may be asked for: a study file says it, a manifest keeps it, an analysis does it.
//!
//! `R` is how the runs are named: by stages in a study; not at all in a manifest, where they are inputs. The doc
//! comments of fields are the texts of the study file's JSON Schema and reference page.

mod claim;
mod heatmap;
mod report;
mod select;
mod steps;

pub use claim::{Claim, Comparison};
pub use heatmap::{Axis, Good, Heatmap};
pub use report::Report;
pub use select::{By, Select};
pub use steps::StepsToTarget;

/// The runs of a reader as its manifest names them: by its inputs.
pub type AsInputs = Option<()>;
