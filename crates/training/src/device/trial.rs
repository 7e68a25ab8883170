//! A device beside the CPU: whether it computes the same, how long an update takes, how many kernels it launches, and
//! what it moves between device and host.

use std::sync::Arc;
use std::time::{Duration, Instant};

use burn::tensor::Device;
pub use burn_conv_kernels::transfer::Transfers;
use burn_conv_kernels::transfer::transfers;
use datasets::{Data, Normalisation, Part};
use runs::settings::Settings;
use serde_json::{Value, json};

use crate::{Course, Error, Training};

/// Updates of each network.
pub const UPDATES: usize = 6;

/// The first ones, in which kernels are compiled and memory is found, are not timed.
const UNTIMED: usize = 2;

/// A device may be so much further from the CPU than the CPU is from itself after a change in the last bit.
const ROUNDINGS: f64 = 30.0;

/// A network with an update rule.
#[derive(Clone, Debug)]
pub struct Trial {
    /// What is trained by what: `ResNet20, SGD`.
    pub name: &'static str,
    /// How far losses may be apart in any case, relative.
    tolerance: f64,
    model: Value,
    optimizer: Value,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Compared {
    /// The largest relative difference of a loss from the CPU's; NaN if one of the two diverged.
    pub apart: f64,
    /// The same for the CPU beside itself, with the last bit of each initial weight changed: what these updates make of a
    /// rounding error.
    pub by_rounding: f64,
    /// How far losses may be apart: 1e-4, or 1e-3 with K-FAC and AdamW, and 30 times `by_rounding` where that is more, as
    /// it is at small batch sizes.
    pub allowed: f64,
    /// The time of an update: the mean of those that are timed.
    pub update: Duration,
    /// The same on the CPU.
    pub on_cpu: Duration,
    /// Kernels that an update launches; none on a CPU.
    pub launches: Option<u64>,
    /// What an update moves, but for the losses, which are read after every [`LOSSES_KEPT`](crate::LOSSES_KEPT) ones.
    pub transfers: Transfers,
}

impl Trial {
    /// Every network, and SGD, K-FAC and another rule.
    pub fn all() -> Vec<Self> {
        let trial = |name, tolerance, model, optimizer| Self {
            name,
            tolerance,
            model,
            optimizer,
        };
        let sgd = || json!({"sgd": {"weight_decay": 5e-4}});
        let kfac = json!({"kfac": {"damping": 0.1, "factor_every": 10, "inverse_every": 100}});
        let cnn = || json!({"cnn": {"channels": [16, 32]}});
        vec![
            trial("MLP, SGD", 1e-4, json!({"mlp": {"hidden": [64]}}), sgd()),
            trial("CNN, SGD", 1e-4, cnn(), sgd()),
            trial("CNN, AdamW", 1e-3, cnn(), json!({"adamw": {}})),
            trial("ResNet20, SGD", 1e-4, json!("resnet20"), sgd()),
            trial("ResNet20, K-FAC (10, 100)", 1e-3, json!("resnet20"), kfac),
            trial("AlexNet, SGD", 1e-4, json!("alexnet"), sgd()),
        ]
    }

    /// Makes [`UPDATES`] on either device with batches of so many examples, images of noise.
    ///
    /// # Errors
    ///
    /// Those of [`Training::new`] and [`Training::advance`].
    ///
    /// # Panics
    ///
    /// Without examples.
    pub fn run(&self, device: &Device, examples: usize) -> Result<Compared, Error> {
        let settings = self.settings(examples);
        let data = noise(examples);
        let cpu = updates(&settings, &data, &Device::flex(), Start::AsDrawn)?;
        let nudged = updates(&settings, &data, &Device::flex(), Start::LastBitChanged)?;
        let there = updates(&settings, &data, device, Start::AsDrawn)?;
        let by_rounding = nudged.apart_from(&cpu);
        Ok(Compared {
            apart: there.apart_from(&cpu),
            by_rounding,
            allowed: self.tolerance.max(ROUNDINGS * by_rounding),
            update: there.time,
            on_cpu: cpu.time,
            launches: there.launches,
            transfers: there.transfers,
        })
    }

    fn settings(&self, examples: usize) -> Settings {
        let settings = json!({
            "model": self.model, "optimizer": self.optimizer,
            "batch_size": examples, "learning_rate": 0.002, "seed": 1,
            "budget": {"iterations": 10 * UPDATES}, "evaluation": {"spacing": 1000.0},
        });
        serde_json::from_value(settings).expect("settings of a run")
    }
}

/// So many labelled images of the size of CIFAR-10's.
fn noise(examples: usize) -> Data {
    let [channels, height, width] = [3, 32, 32];
    let normalisation = Normalisation::new(&[0.5; 3], &[0.3; 3], 255.0);
    let normalisation = Arc::new(normalisation);
    let part = |examples: usize| Part {
        pixels: (0..(examples * channels * height * width) as u64)
            .map(|at| (at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8)
            .collect(),
        labels: (0..examples).map(|at| (at % 10) as u8).collect(),
        normalisation: Arc::clone(&normalisation),
    };
    Data {
        channels,
        height,
        width,
        classes: 10,
        train: part(examples),
        validation: part(0),
        test: part(0),
    }
}

struct Updates {
    /// NaN after a divergence.
    losses: [f64; UPDATES],
    time: Duration,
    launches: Option<u64>,
    transfers: Transfers,
}

impl Updates {
    /// The largest relative difference of a loss. One that is no number does not vanish in the maximum.
    fn apart_from(&self, other: &Self) -> f64 {
        let apart = self.losses.iter().zip(&other.losses);
        let apart = apart.map(|(a, b)| (a / b - 1.0).abs());
        apart.fold(0.0, |worst, now| {
            if now > worst || now.is_nan() {
                now
            } else {
                worst
            }
        })
    }
}

/// The initial weights.
#[derive(Clone, Copy)]
enum Start {
    AsDrawn,
    LastBitChanged,
}

fn updates(
    settings: &Settings,
    data: &Data,
    device: &Device,
    start: Start,
) -> Result<Updates, Error> {
    let course = Course::new(settings, data.train.len())?;
    let mut training = Training::new(settings, &course, data, device)?;
    if let Start::LastBitChanged = start {
        let mut weights = training.state_dict();
        for value in weights.iter_mut().flat_map(|it| &mut it.values) {
            *value = f32::from_bits(value.to_bits() ^ 1);
        }
        training = training.with_initial_weights(&weights)?;
    }
    let mut made = Updates {
        losses: [f64::NAN; UPDATES],
        time: Duration::MAX,
        launches: None,
        transfers: Transfers::default(),
    };
    let mut begin = Instant::now();
    for step in 0..UPDATES {
        if step == UNTIMED {
            // A GPU is behind with what was launched, until it is asked for a result.
            training.settle();
            begin = Instant::now();
        }
        let ((progress, launches), transfers) = transfers(|| counted(|| training.advance()));
        if progress?.is_none() {
            break;
        }
        (made.launches, made.transfers) = (launches, transfers);
    }
    training.settle();
    made.time = begin.elapsed() / (UPDATES - UNTIMED) as u32;
    for (made, loss) in made.losses.iter_mut().zip(training.losses()) {
        *made = f64::from(*loss);
    }
    Ok(made)
}

#[cfg(feature = "gpu")]
fn counted<T>(work: impl FnOnce() -> T) -> (T, Option<u64>) {
    let (result, launches) = super::launches(work);
    (result, Some(launches.total()).filter(|total| *total > 0))
}

#[cfg(not(feature = "gpu"))]
fn counted<T>(work: impl FnOnce() -> T) -> (T, Option<u64>) {
    (work(), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_is_as_the_cpu_is() {
        for trial in Trial::all() {
            let compared = trial.run(&Device::flex(), 4).unwrap();
            assert!(
                compared.apart.abs() < f64::MIN_POSITIVE,
                "{}: {compared:?}",
                trial.name
            );
            let nudged = compared.by_rounding;
            assert!(nudged > 0.0 && nudged < 0.1, "{}: {compared:?}", trial.name);
            assert!(compared.allowed >= trial.tolerance, "{}", trial.name);
            assert_eq!(compared.launches, None, "{}", trial.name);
            assert!(compared.update < Duration::MAX, "{}", trial.name);
        }
    }
}
