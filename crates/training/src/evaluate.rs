//! Loss and accuracy of a network on parts of the data, in evaluation mode.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use burn_conv_kernels::transfer::Reading;

use crate::batches::Choice;
use crate::examples::Examples;
use crate::loss::Scores;
use crate::models::{Moments, Network, Pass};

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

/// The score of some examples of each part, `None` where there are none, and whether every parameter of the network is a
/// finite number: one read. `network` is without autodiff.
pub(crate) fn scores<const N: usize>(
    network: &Network,
    statistics: &[Moments],
    parts: [(&Examples<'_>, &[u32]); N],
) -> ([Option<Score>; N], bool) {
    let scored = parts.map(|(examples, chosen)| {
        let chunks = chosen.chunks(CHUNK);
        let scores = chunks.map(|chunk| {
            let batch = examples.batch(&Choice::plain(chunk));
            let logits = network.forward(batch.images, &mut Pass::evaluation(statistics));
            Scores::of(logits, &batch.labels)
        });
        scores.collect::<Vec<_>>()
    });
    let mut sums = Sums(Reading::default());
    for scores in scored.iter().flatten() {
        scores.ask(&mut sums.0);
    }
    network.visit(&mut sums);
    let mut read = sums.0.read().into_iter();
    let scores = scored.map(|chunks| {
        let (mut loss, mut correct) = (0.0, Vec::new());
        for scores in chunks {
            let (sum, right) = scores.known(&mut read);
            loss += sum;
            correct.extend(right);
        }
        let n = correct.len() as f64;
        (n > 0.0).then(|| Score {
            loss: loss / n,
            accuracy: correct.iter().filter(|right| **right).count() as f64 / n,
            correct,
        })
    });
    let mut sums = read.flat_map(|sum| sum.try_into_vec::<f32>().expect("parameters are f32"));
    (scores, sums.all(f32::is_finite))
}

/// The sum of each parameter: finite only if every term is.
struct Sums(Reading);

impl ModuleVisitor for Sums {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.add(param.val().inner().sum());
    }
}

/// The statistics of each BatchNorm layer when these examples go through `network` (without autodiff) as one batch.
/// Memory grows with their number.
pub(crate) fn statistics(
    network: &Network,
    examples: &Examples<'_>,
    chosen: &[u32],
) -> Vec<Moments> {
    let mut pass = Pass::training(burn_kfac::Tape::off());
    let batch = examples.batch(&Choice::plain(chosen));
    let _logits = network.forward(batch.images, &mut pass);
    pass.finish().1
}
