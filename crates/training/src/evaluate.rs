//! Loss and accuracy of a network on a part of the data, in evaluation mode.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor, TensorData};

use crate::loss::Logits;
use crate::models::{Moments, Network, Pass};
use datasets::Part;

/// Examples that go through the network at once.
const CHUNK: usize = 1024;

/// How well a network does on a part of the data.
pub(crate) struct Score {
    /// Mean cross-entropy, in nats.
    pub(crate) loss: f64,
    /// Fraction of examples whose label has the largest logit.
    pub(crate) accuracy: f64,
    /// Of each example whether it has.
    pub(crate) correct: Vec<bool>,
}

/// Images `[n, size]` from host values.
pub(crate) fn images(values: Vec<f32>, examples: usize, device: &Device) -> Tensor<2> {
    let size = values.len() / examples;
    Tensor::from_data(TensorData::new(values, [examples, size]), device)
}

/// The score of a part; `None` if the part is empty. `network` is without autodiff.
pub(crate) fn score(
    network: &Network,
    statistics: &[Moments],
    part: &Part,
    device: &Device,
) -> Option<Score> {
    if part.is_empty() {
        return None;
    }
    let (mut loss, mut correct) = (0.0, Vec::with_capacity(part.len()));
    for (chunk, labels) in part.labels.chunks(CHUNK).enumerate() {
        let first = chunk * CHUNK;
        let values = part.normalised(first..first + labels.len());
        let x = images(values, labels.len(), device);
        let logits = network.forward(x, &mut Pass::evaluation(statistics));
        let (sum, right) = Logits::fetch(logits).score(labels);
        loss += sum;
        correct.extend(right);
    }
    let n = part.len() as f64;
    Some(Score {
        loss: loss / n,
        accuracy: correct.iter().filter(|right| **right).count() as f64 / n,
        correct,
    })
}

/// The statistics of each BatchNorm layer when all examples of `part` go through `network` (without
/// autodiff) as one batch. Memory grows with the part.
pub(crate) fn statistics(network: &Network, part: &Part, device: &Device) -> Vec<Moments> {
    let mut pass = Pass::training(burn_kfac::Tape::off());
    let _logits = network.forward(
        images(part.normalised(0..part.len()), part.len(), device),
        &mut pass,
    );
    pass.finish().1
}

/// Whether every parameter is a finite number.
pub(crate) fn is_finite(network: &Network) -> bool {
    struct Sums(bool);
    impl ModuleVisitor for Sums {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            // A sum is finite only if every term is.
            self.0 &= param.val().inner().sum().into_scalar::<f32>().is_finite();
        }
    }
    let mut sums = Sums(true);
    network.visit(&mut sums);
    sums.0
}
