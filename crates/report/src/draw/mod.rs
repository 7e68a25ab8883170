//! The drawing foundation: numbers, scales, colours and SVG elements. It
//! knows nothing of studies; `figure` puts it to use.

pub(crate) mod chart;
pub(crate) mod colour;
pub(crate) mod drawing;
pub(crate) mod number;
pub(crate) mod scale;
pub(crate) mod style;
pub(crate) mod svg;
