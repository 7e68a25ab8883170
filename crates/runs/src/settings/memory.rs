//! How much memory a run takes, from its settings.
//!
//! The sizes of weights, factors and activations follow from the layers; how many of each a step holds at once was
//! measured on the CPU (`doc/benchmarks.md`, "Memory of a run"), and `training/tests/memory.rs` holds the estimate
//! against the process.

use super::{Layer, Model, Optimizer, Settings};

/// Bytes of a number in training.
const SINGLE: u64 = 4;
const DOUBLE: u64 = 8;
/// The program, before it trains.
const PROGRAM: u64 = 25 << 20;
/// Examples that are evaluated at once.
const EVALUATED: u64 = 1024;
/// Of its largest layer's outputs, how many a pass without gradients holds at once.
const PASSED: u64 = 2;
/// Matrices of the largest factor's side, in double precision, that its decomposition takes.
const DECOMPOSED: u64 = 7;

impl Model {
    /// Numbers that a step holds of each output of a layer: what the layers that follow keep for the way back (BatchNorm
    /// and ReLU, or ReLU and pooling with its places), and the gradient on its way, in quarters.
    fn kept_quarters(&self) -> u64 {
        match self {
            Self::Cnn(_) | Self::ResNet20 | Self::ResNet32 => 10,
            Self::AlexNet => 18,
            Self::Mlp(_) => 12,
        }
    }
}

impl Settings {
    /// About how many bytes a run takes, its process with it, on images of `[channels, height, width]`; `examples` is how
    /// many there are in all parts of the data set together.
    pub fn memory(&self, image: [u64; 3], classes: u64, examples: u64) -> u64 {
        let product = |factors: &[u64]| factors.iter().copied().fold(1, u64::saturating_mul);
        let sum = |terms: &[u64]| terms.iter().copied().fold(0, u64::saturating_add);
        let layers = self.model.layers(image, classes);
        let over = |of: fn(&Layer) -> u64| layers.iter().map(of).fold(0, u64::saturating_add);
        let (parameters, outputs) = (over(Layer::parameters), over(Layer::outputs));
        let batch = self.batch_size.get();

        let data = product(&[examples, product(&image)]);
        // Weights, gradients, the update, and one to spare.
        let weights = product(&[4 + self.optimizer.averages(), parameters, SINGLE]);
        let step = product(&[batch, outputs, self.model.kept_quarters(), SINGLE]) / 4;
        let evaluated = self
            .evaluation
            .statistics_examples
            .get()
            .max(EVALUATED)
            .min(examples);
        let widest = layers.iter().map(Layer::outputs).max().unwrap_or(0);
        let evaluation = product(&[evaluated, widest, PASSED, SINGLE]);
        let curvature = match &self.optimizer {
            Optimizer::Kfac(_) => {
                let squares = |layer: &Layer| {
                    let square = |side: u64| side.saturating_mul(side);
                    square(layer.a).saturating_add(square(layer.g))
                };
                let side = self.model.largest_factor(image, classes);
                sum(&[
                    // Averages, and what inverts them.
                    product(&[2, over(squares), SINGLE]),
                    product(&[DECOMPOSED, side, side, DOUBLE]),
                    // Inputs and output gradients of each layer.
                    product(&[2, batch, outputs, SINGLE]),
                ])
            }
            _ => 0,
        };
        sum(&[
            PROGRAM,
            data,
            weights,
            step.saturating_add(curvature).max(evaluation),
        ])
    }
}

impl Optimizer {
    /// Numbers that it remembers of each parameter.
    fn averages(&self) -> u64 {
        match self {
            Self::Sgd(_) | Self::Kfac(_) | Self::Lion(_) | Self::Muon(_) => 1,
            Self::AdamW(_) | Self::Lamb(_) => 2,
        }
    }
}
