#![doc = include_str!("../README.md")]

mod capture;
mod error;
mod factors;
mod fisher;
mod gradient;
mod kfac;
mod preconditioner;
mod settings;
mod spectrum;
mod state;
mod symmetric;
mod tape;
mod window;

pub use capture::{Arithmetic, Capture, Signals};
pub use error::{Error, Quantity};
pub use factors::{KroneckerFactors, Spectrum};
pub use fisher::{draw_labels, expected_g_mean};
pub use kfac::{Kfac, Step};
pub use preconditioner::Preconditioner;
pub use settings::{BurnIn, Damping, DampingMethod, FactorDecay, Fisher, KlClip, Pi, Settings};
pub use state::{LayerState, State};
pub use symmetric::Symmetric;
pub use tape::Tape;
pub use window::Window;
