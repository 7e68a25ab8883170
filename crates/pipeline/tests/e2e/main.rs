//! The real binary, on a study of a few seconds with every kind of stage.

mod cache;
mod commands;
mod crash;
mod determinism;
mod edits;
mod export;
mod interrupt;
mod lab;
mod memory;
mod messages;
mod pipes;
mod prefix;
mod reports;
mod site;
mod tools;
