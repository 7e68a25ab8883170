//! The analyses against simulated studies whose truth is known, and against independent twins.

mod claims;
mod course;
mod crossing;
mod curvature;
mod fit;
mod heatmap;
mod report;
mod select;
mod simulation;
