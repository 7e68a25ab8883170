//! The real binary, on a study of a few seconds with every kind of stage.

mod cache;
mod commands;
mod crash;
mod determinism;
mod doctor;
mod edits;
mod elsewhere;
mod export;
mod faults;
mod fleet;
mod foreign;
mod interrupt;
mod lab;
mod loggers;
mod memory;
mod messages;
mod pipes;
mod prefix;
mod programs;
mod remote_gc;
mod reports;
mod site;
mod slurm;
mod so_far;
mod terminal;
mod tools;
