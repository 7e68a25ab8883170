//! The analyses against simulated studies whose truth is known, and against independent twins.

mod claims;
mod crossing;
mod fit;
mod heatmap;
mod report;
mod select;
mod simulation;
