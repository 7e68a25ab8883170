//! The analyses against simulated studies whose truth is known, and against independent twins.

mod claims;
mod control;
mod course;
mod crossing;
mod curvature;
mod fit;
mod heatmap;
mod noise;
mod rates;
mod regions;
mod report;
mod select;
mod simulation;
mod time;
mod verdicts;
