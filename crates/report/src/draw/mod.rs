//! The drawing foundation: numbers, scales, colours and SVG elements. It
//! knows nothing of studies; `figure` puts it to use.

pub(crate) mod chart;
pub(crate) mod colour;
pub(crate) mod number;
pub(crate) mod plain;
pub(crate) mod scale;
pub(crate) mod svg;
