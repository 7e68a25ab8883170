//! How large the state of a run is, before it runs.

use std::sync::Arc;

use datasets::{Normalisation, Part};
use runs::settings::{BatchNorm, Model, Optimizer, Settings};

use crate::models::Network;
use crate::{Data, Error};

/// Bytes of an f32.
const FLOAT: u64 = 4;
/// Bytes of a step in a curve: its loss and its rate.
const STEP: u64 = 4 + 8;
/// Bytes of an evaluation in a curve: its columns, all that there can be.
const ROW: u64 = 16 * 8;
/// Bytes of the name, shape and place of an array, or of a count, at most.
const ENTRY: u64 = 200;

/// The arrays of a network: their names and shapes, as PyTorch has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shapes(Vec<(String, Vec<usize>)>);

impl Shapes {
    /// Those of a network for images of `[channels, height, width]`.
    ///
    /// # Errors
    ///
    /// [`Error::ImageShape`].
    pub fn of(model: &Model, image: [usize; 3], classes: usize) -> Result<Self, Error> {
        let [channels, height, width] = image;
        let none = Part {
            pixels: Vec::new(),
            labels: Vec::new(),
            normalisation: Arc::new(Normalisation::new(&[], &[], 1.0)),
        };
        let data = Data {
            channels,
            height,
            width,
            classes,
            train: none.clone(),
            validation: none.clone(),
            test: none,
        };
        let (device, _) = crate::device::open("cpu")?;
        let weights = Network::new(model, &data, 0, &device)?.weights();
        let shapes = weights
            .into_iter()
            .map(|weight| (weight.name, weight.shape));
        Ok(Self(shapes.collect()))
    }

    /// Bytes of a state of a run after `steps` updates, at most.
    pub fn state_bytes(&self, settings: &Settings, steps: u64, steps_per_epoch: u64) -> u64 {
        // Arrays that an update rule keeps of each parameter.
        let kept = match &settings.optimizer {
            Optimizer::Sgd(_) | Optimizer::Kfac(_) | Optimizer::Lion(_) => 1,
            _ => 2,
        };
        let mut floats = self.numbers() * (1 + kept);
        if let Optimizer::Kfac(_) = settings.optimizer {
            floats += 2 * self.factors();
        }
        if settings.batch_norm == BatchNorm::Running {
            // Two for each channel, of which there are two parameters.
            floats += self.numbers_of_vectors();
        }
        let rows = settings.evaluation.points(steps, steps_per_epoch).len() as u64;
        let entries = self.0.len() as u64 * (2 + kept) * 4 + 20;
        floats * FLOAT + steps * STEP + rows * ROW + entries * ENTRY
    }

    fn numbers(&self) -> u64 {
        let products = self.0.iter().map(|(_, shape)| product(shape));
        products.sum()
    }

    /// Those of biases and BatchNorm.
    fn numbers_of_vectors(&self) -> u64 {
        let vectors = self.0.iter().filter(|(_, shape)| shape.len() == 1);
        vectors.map(|(_, shape)| product(shape)).sum()
    }

    /// Entries of both Kronecker factors of all layers, each once.
    fn factors(&self) -> u64 {
        let triangle = |n: u64| n * (n + 1) / 2;
        let layers = self.0.iter().filter(|(_, shape)| shape.len() > 1);
        layers
            .map(|(name, shape)| {
                let bias = name.replace("weight", "bias");
                let has_bias = self.0.iter().any(|(name, _)| *name == bias);
                triangle(shape[0] as u64) + triangle(product(&shape[1..]) + u64::from(has_bias))
            })
            .sum()
    }
}

fn product(shape: &[usize]) -> u64 {
    shape.iter().map(|&n| n as u64).product()
}
