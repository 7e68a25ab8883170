//! What goes wrong in a simulation, and what comes of it.

use super::store::Asked;

/// What goes wrong, and how often.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Faults {
    /// Of requests, and of replies: never arrives.
    pub(crate) lost: f64,
    /// Of requests, and of replies: takes up to ten minutes.
    pub(crate) late: f64,
    /// Of executions: its copy is gone in the midst of it, and another comes.
    pub(crate) crash: f64,
    /// Of executions: its copy stands still for up to fifteen minutes.
    pub(crate) freeze: f64,
    /// Of executions: fails.
    pub(crate) fails: f64,
    /// Whether the store is away twice, for up to eight minutes.
    pub(crate) outages: bool,
    /// Stages that kill every copy that executes them.
    pub(crate) killers: u32,
}

impl Faults {
    pub(crate) const NONE: Self = Self {
        lost: 0.0,
        late: 0.0,
        crash: 0.0,
        freeze: 0.0,
        fails: 0.0,
        outages: false,
        killers: 0,
    };
}

/// What a simulation came to.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    pub(crate) asked: Asked,
    /// Executions that began.
    pub(crate) executed: u64,
    /// Those that began while another copy had the stage, or after its result was there.
    pub(crate) doubled: u64,
    /// Attempts lost to another copy that the beats had not told of.
    pub(crate) met: u64,
    pub(crate) results: usize,
    pub(crate) failed: usize,
    /// Seconds until the last copy had left.
    pub(crate) seconds: u64,
}
