//! The vocabulary of training runs, shared by everything that speaks of one: the settings of a run and their
//! arithmetic, metrics and targets, outcomes, evaluations, curves and their bytes, and what the readers of runs may be
//! asked for.
//!
//! Not here: executing a run (`training`), reading a study file (`study`), statistics (`analysis`).
