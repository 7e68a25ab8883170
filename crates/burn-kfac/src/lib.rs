#![doc = include_str!("../README.md")]

mod capture;
#[cfg(feature = "gpu")]
mod cube;
#[cfg(not(feature = "gpu"))]
#[path = "no_cube.rs"]
mod cube;
mod error;
mod factors;
mod fisher;
mod gradient;
mod kfac;
mod preconditioner;
mod settings;
mod spectrum;
mod state;
mod step;
mod symmetric;
mod tape;
mod traffic;
mod window;

pub use capture::{Capture, Signals};
pub use error::{Error, Quantity};
pub use factors::{KroneckerFactors, Spectrum};
pub use fisher::{draw_labels, expected_g_mean};
pub use kfac::Kfac;
pub use preconditioner::Preconditioner;
pub use settings::{BurnIn, Damping, DampingMethod, FactorDecay, Fisher, KlClip, Pi, Settings};
pub use state::{LayerState, State};
pub use step::Step;
pub use symmetric::Symmetric;
pub use tape::Tape;
pub use traffic::Traffic;
pub use window::Window;
