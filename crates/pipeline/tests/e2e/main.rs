//! The real binary, on a study of a few seconds with every kind of stage.

mod crash;
mod edits;
mod lab;
mod messages;
