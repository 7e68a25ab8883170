//! A network in training: one update, one evaluation, and what it remembers in between.

use std::num::NonZeroUsize;

use burn::module::{Module, ModuleMapper, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use burn_conv_kernels::transfer;
use burn_kfac::{Fisher, Kfac, Spectrum, Tape};
use runs::number::Count;
use runs::settings::{BatchNorm, Optimizer};

use crate::batches::Choice;
use crate::checkpoint::{Unusable, WEIGHTS};
use crate::curvature;
use crate::evaluate;
use crate::examples::{Batch, Sets};
use crate::loss::{Loss, Losses, descend};
use crate::memory::Memory;
use crate::models::{Moments, Network, Pass, Weight};
use crate::noise;
use crate::optimizer::{Updates, parameters, preconditioner};
use crate::{Data, Error, Settings};
use datasets::random::{Purpose, Stream};
use runs::{Evaluation, GradientNoise};

/// Weight of a new batch in the running averages of BatchNorm.
const RUNNING: f64 = 0.1;

/// How an update went.
pub(crate) enum Update {
    /// The mini-batch loss before it is known.
    Made(f64),
    /// Its loss is noted.
    Noted,
    /// The run has diverged: none was made.
    Diverged,
}

/// A network in training.
pub(crate) struct Learner {
    network: Network,
    updates: Updates,
    kfac: Option<Kfac>,
    seed: u64,
    normalisation: BatchNorm,
    /// Examples that BatchNorm normalises by themselves in training, if not the whole batch.
    ghost: Option<NonZeroUsize>,
    /// Whether the network has BatchNorm layers.
    is_normalised: bool,
    /// Running averages; one entry a BatchNorm layer, not kept if statistics are recomputed.
    running: Vec<Moments>,
    losses: Losses,
    /// Examples that metrics are taken over: of the training set, of the validation set, and of the test set.
    measured: [Vec<u32>; 3],
    /// Training examples that statistics are recomputed from.
    statistics_subset: Vec<u32>,
    /// With autodiff.
    device: Device,
}

impl Learner {
    /// `sets` are those of `data`.
    pub(crate) fn new(
        settings: &Settings,
        data: &Data,
        sets: &Sets<'_>,
        device: &Device,
    ) -> Result<Self, Error> {
        let kfac = match &settings.optimizer {
            Optimizer::Kfac(kfac) => Some(Kfac::new(preconditioner(kfac)?)),
            _ => None,
        };
        let evaluation = &settings.evaluation;
        let network = Network::new(&settings.model, data, settings.seed, device)?;
        let mut learner = Self {
            updates: Updates::new(&settings.optimizer, &network),
            is_normalised: !network.batch_norms().is_empty(),
            network,
            kfac,
            seed: settings.seed,
            normalisation: settings.batch_norm,
            ghost: settings
                .ghost_batch
                .and_then(|count| NonZeroUsize::new(count.size())),
            running: Vec::new(),
            losses: Losses::new(settings.batch_size.size(), device),
            measured: [
                data.train.evenly_spread(
                    evaluation
                        .train_subset
                        .map_or(data.train.len(), Count::size),
                ),
                data.validation.evenly_spread(data.validation.len()),
                data.test.evenly_spread(data.test.len()),
            ],
            statistics_subset: data
                .train
                .evenly_spread(evaluation.statistics_examples.size()),
            device: device.clone().autodiff(),
        };
        if learner.normalisation == BatchNorm::Running {
            let any = evaluate::statistics(&learner.network.valid(), &sets.train, &[0]);
            learner.running = any
                .into_iter()
                .map(|moments| Moments {
                    mean: moments.mean.zeros_like(),
                    variance: moments.variance.ones_like(),
                })
                .collect();
        }
        Ok(learner)
    }

    /// Trained numbers.
    pub(crate) fn parameters(&self) -> u64 {
        self.network.num_params() as u64
    }

    /// One update, unless the run has diverged: by a loss above `bound` if it is known at once.
    pub(crate) fn update(
        &mut self,
        step: u64,
        batch: Batch,
        rate: f64,
        bound: f64,
    ) -> Result<Update, Error> {
        let factors_of = self
            .kfac
            .as_ref()
            .filter(|kfac| kfac.needs_factors())
            .map(|kfac| kfac.settings().fisher);
        let tape = match factors_of {
            Some(Fisher::Empirical) => Tape::on(),
            Some(Fisher::Sampled) | None => Tape::off(),
        };
        let x = Tensor::from_inner(batch.images);
        let (logits, tape, moments) = self.forward(x.clone(), tape);
        self.average(moments);
        let uniforms = match factors_of {
            Some(Fisher::Sampled) => Some(self.uniforms(step, logits.dims()[0])),
            Some(Fisher::Empirical) | None => None,
        };
        let loss = self.losses.of(&logits, &batch.labels, uniforms.as_deref());
        let Some(Loss { mean, descents }) = loss else {
            return Ok(Update::Diverged);
        };
        if mean.is_some_and(|mean| !mean.is_finite() || mean > bound) {
            return Ok(Update::Diverged);
        }
        let mut gradients = descend(logits, descents.given);
        let mut directions = GradientsParams::from_module(&mut gradients, &self.network);

        if let Some(kfac) = &self.kfac
            && kfac.needs_factors()
        {
            let (tape, mut gradients) = match descents.drawn {
                None => (tape, gradients),
                Some(drawn) => {
                    let (logits, tape, _) = self.forward(x, Tape::curvature_only());
                    (tape, descend(logits, drawn))
                }
            };
            let kfac = self.kfac.as_mut().expect("it needs factors");
            if has_diverged(kfac.update(tape, &mut gradients))? {
                return Ok(Update::Diverged);
            }
        }
        if let Some(kfac) = &mut self.kfac
            && has_diverged(kfac.precondition(rate, &mut directions))?
        {
            return Ok(Update::Diverged);
        }
        self.network = self.updates.step(rate, self.network.clone(), directions);
        Ok(mean.map_or(Update::Noted, Update::Made))
    }

    /// What labels are drawn by at a step.
    fn uniforms(&self, step: u64, batch: usize) -> Vec<f64> {
        let mut stream = Stream::new(self.seed, Purpose::FisherLabels, step);
        (0..batch).map(|_| stream.uniform()).collect()
    }

    /// Whether the losses that are noted have to be read before another update.
    pub(crate) fn losses_are_due(&self) -> bool {
        self.losses.are_due()
    }

    /// The losses that are noted, in the order of the updates.
    pub(crate) fn read_losses(&mut self) -> Vec<f64> {
        self.losses.read()
    }

    fn forward(&self, x: Tensor<2>, tape: Tape) -> (Tensor<2>, Tape, Vec<Moments>) {
        let mut pass = Pass::training(tape).by_ghosts(self.ghost);
        let logits = self.network.forward(x, &mut pass);
        let (tape, moments) = pass.finish();
        (logits, tape, moments)
    }

    fn average(&mut self, moments: Vec<Moments>) {
        let average = |old: &Tensor<1>, new: Tensor<1>| {
            old.clone().mul_scalar(1.0 - RUNNING) + new.mul_scalar(RUNNING)
        };
        for (running, new) in self.running.iter_mut().zip(moments) {
            running.mean = average(&running.mean, new.mean);
            running.variance = average(&running.variance, new.variance);
        }
    }

    /// The statistics that BatchNorm evaluates with now, one entry a layer.
    fn statistics(&self, sets: &Sets<'_>) -> Vec<Moments> {
        if self.normalisation == BatchNorm::Running || !self.is_normalised {
            return self.running.clone();
        }
        evaluate::statistics(&self.network.valid(), &sets.train, &self.statistics_subset)
    }

    /// Weights and statistics.
    pub(crate) fn state_dict(&self, sets: &Sets<'_>) -> Vec<Weight> {
        self.network.state_dict(&self.statistics(sets))
    }

    /// Weights instead of the initial ones, and the running averages among them, if they are kept.
    pub(crate) fn load(&mut self, state: &[Weight]) -> Result<(), Error> {
        let device = self.device.clone().inner();
        let (network, statistics) = self.network.clone().with_state_dict(state, &device)?;
        self.network = network;
        if let Some(statistics) = statistics
            && self.normalisation == BatchNorm::Running
        {
            self.running = statistics;
        }
        Ok(())
    }

    /// Gradient noise, estimated on training examples; see [`noise`].
    pub(crate) fn noise_scale(
        &self,
        step: u64,
        sets: &Sets<'_>,
        examples: &Choice<'_>,
        small: usize,
    ) -> GradientNoise {
        let mut estimator = noise::Estimator::default();
        for choice in examples.chunks(small) {
            let batch = sets.train.batch(&choice);
            let (logits, ..) = self.forward(Tensor::from_inner(batch.images), Tape::off());
            // Its loss is nobody's.
            let mut losses = Losses::new(small, &self.device.clone().inner());
            let loss = losses.of(&logits, &batch.labels, None);
            let gradient = loss.expect("nothing is drawn").descents.given;
            let mut gradients = descend(logits, gradient);
            let gradients = GradientsParams::from_module(&mut gradients, &self.network);
            estimator.add(&self.network, &gradients);
        }
        estimator.estimate(&self.network, step, small)
    }

    /// Quantiles of the eigenvalues of K-FAC's curvature; `None` without K-FAC and before its first update.
    pub(crate) fn spectrum(&self) -> Result<Option<Spectrum>, Error> {
        let Some(kfac) = &self.kfac else {
            return Ok(None);
        };
        kfac.spectrum().map_err(Error::Kfac)
    }

    /// Measures the network, and of each test image whether it is right; `None` if the network or a measurement is not
    /// finite.
    pub(crate) fn evaluate(
        &self,
        step: u64,
        examples: u64,
        sets: &Sets<'_>,
    ) -> Option<(Evaluation, Vec<bool>)> {
        let network = self.network.valid();
        let statistics = self.statistics(sets);
        let [train, validation, test] = &self.measured;
        let parts = [
            (&sets.train, train.as_slice()),
            (&sets.validation, validation),
            (&sets.test, test),
        ];
        let ([train, validation, test], network_is_finite) =
            evaluate::scores(&network, &statistics, parts);
        let row = Evaluation {
            step,
            examples,
            train_loss: train.as_ref().map(|score| score.loss),
            train_accuracy: train.as_ref().map(|score| score.accuracy),
            validation_loss: validation.as_ref().map(|score| score.loss),
            validation_accuracy: validation.as_ref().map(|score| score.accuracy),
            test_loss: test.as_ref().map(|score| score.loss),
            test_accuracy: test.as_ref().map(|score| score.accuracy),
        };
        let losses = [row.train_loss, row.validation_loss, row.test_loss];
        let is_finite = losses.into_iter().flatten().sum::<f64>().is_finite();
        let correct = test.map(|score| score.correct).unwrap_or_default();
        (is_finite && network_is_finite).then_some((row, correct))
    }

    /// All that it has learnt, but for the curve.
    pub(crate) fn memory(&self) -> Memory {
        let mut memory = Memory::default();
        for weight in self.network.weights() {
            memory.put(
                format!("{WEIGHTS}{}", weight.name),
                weight.shape,
                weight.values,
            );
        }
        for (at, moments) in self.running.iter().enumerate() {
            for (name, tensor) in [("mean", &moments.mean), ("variance", &moments.variance)] {
                let values = transfer::down(tensor.clone()).try_into_vec();
                memory.put(
                    format!("batch_norm.{at}.{name}"),
                    tensor.dims().to_vec(),
                    values.expect("statistics are f32"),
                );
            }
        }
        self.updates.save(&self.network, &mut memory);
        if let Some(kfac) = &self.kfac {
            curvature::save(kfac.state(), &parameters(&self.network), &mut memory);
        }
        memory
    }

    /// Takes [`memory`](Self::memory) back. The error says what is wrong with it.
    pub(crate) fn restore(&mut self, mut memory: Memory) -> Result<(), Unusable> {
        let weights: Vec<Weight> = memory
            .take_all(WEIGHTS)
            .into_iter()
            .map(|(name, array)| Weight {
                name,
                shape: array.shape,
                values: array.values,
            })
            .collect();
        self.network = self
            .network
            .clone()
            .with_weights(&weights)
            .map_err(|error| Unusable::Weights(Box::new(error)))?
            .map(&mut RowByRow);
        let device = self.device.clone().inner();
        for (at, moments) in self.running.iter_mut().enumerate() {
            for (name, tensor) in [
                ("mean", &mut moments.mean),
                ("variance", &mut moments.variance),
            ] {
                let name = format!("batch_norm.{at}.{name}");
                let array = memory.take(&name)?;
                if array.shape != tensor.dims() {
                    return Err(Unusable::Shape {
                        name,
                        found: array.shape,
                    });
                }
                let data = TensorData::new(array.values, array.shape);
                *tensor = transfer::up(data, &device);
            }
        }
        self.updates.restore(&self.network, &mut memory)?;
        if let Some(kfac) = &self.kfac {
            let settings = *kfac.settings();
            let state = curvature::restore(&parameters(&self.network), &mut memory)?;
            self.kfac = Some(Kfac::resume(settings, state));
        }
        memory.finish()
    }
}

/// Lays parameters out row by row, as an update leaves them: the order in which numbers are added up may depend on it.
struct RowByRow;

impl ModuleMapper for RowByRow {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| {
            let device = tensor.device().inner();
            let tensor = transfer::up(transfer::down(tensor.inner()), &device);
            Tensor::from_inner(tensor).require_grad()
        })
    }
}

/// Whether K-FAC met a number that is not finite.
fn has_diverged<T>(result: Result<T, burn_kfac::Error>) -> Result<bool, Error> {
    match result {
        Ok(_) => Ok(false),
        Err(burn_kfac::Error::NonFinite { .. } | burn_kfac::Error::Decomposition { .. }) => {
            Ok(true)
        }
        Err(error) => Err(Error::Kfac(error)),
    }
}
