//! A network in training: one update, one evaluation, and what it remembers in between.

use std::num::NonZeroUsize;

use burn::module::{Module, ModuleMapper, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use burn_kfac::{Fisher, Kfac, Spectrum, Tape};
use runs::settings::{BatchNorm, Optimizer};

use crate::batches::Batch;
use crate::checkpoint::{Unusable, WEIGHTS};
use crate::curvature;
use crate::evaluate::{self, images};
use crate::loss::Logits;
use crate::memory::Memory;
use crate::models::{Moments, Network, Pass, Weight};
use crate::noise;
use crate::optimizer::{Updates, parameters, preconditioner};
use crate::{Data, Error, Settings};
use datasets::Part;
use datasets::random::{Purpose, Stream};
use runs::{Evaluation, GradientNoise};

/// Weight of a new batch in the running averages of BatchNorm.
const RUNNING: f64 = 0.1;

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
    /// What training metrics are taken over, if not all training examples.
    train_subset: Option<Part>,
    /// What statistics are recomputed from.
    statistics_subset: Part,
    /// With autodiff.
    device: Device,
}

impl Learner {
    pub(crate) fn new(settings: &Settings, data: &Data, device: &Device) -> Result<Self, Error> {
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
            train_subset: evaluation
                .train_subset
                .map(|count| data.train.evenly_spread(count.size())),
            statistics_subset: data
                .train
                .evenly_spread(evaluation.statistics_examples.size()),
            device: device.clone().autodiff(),
        };
        if learner.normalisation == BatchNorm::Running {
            let one = data.train.evenly_spread(1);
            let any = evaluate::statistics(
                &learner.network.valid(),
                &one,
                &learner.device.clone().inner(),
            );
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

    /// One update. The mini-batch loss before it, or `None` if the run has diverged.
    pub(crate) fn update(
        &mut self,
        step: u64,
        batch: Batch,
        rate: f64,
        bound: f64,
    ) -> Result<Option<f64>, Error> {
        let factors_of = self
            .kfac
            .as_ref()
            .filter(|kfac| kfac.needs_factors())
            .map(|kfac| kfac.settings().fisher);
        let tape = match factors_of {
            Some(Fisher::Empirical) => Tape::on(),
            Some(Fisher::Sampled) | None => Tape::off(),
        };
        let x = images(batch.images, batch.labels.len(), &self.device);
        let (logits, tape, moments) = self.forward(x.clone(), tape);
        self.average(moments);
        let on_host = Logits::fetch(logits.clone());
        let loss = on_host.loss(&batch.labels);
        let mean = loss.mean;
        if !mean.is_finite() || mean > bound {
            return Ok(None);
        }
        let mut gradients = loss.backward(logits);
        let mut directions = GradientsParams::from_module(&mut gradients, &self.network);

        if let Some(fisher) = factors_of {
            let (tape, mut gradients) = match fisher {
                Fisher::Empirical => (tape, gradients),
                Fisher::Sampled => {
                    let stream = &mut Stream::new(self.seed, Purpose::FisherLabels, step);
                    let Some(drawn) = on_host.draw(stream) else {
                        return Ok(None);
                    };
                    let (logits, tape, _) = self.forward(x, Tape::curvature_only());
                    (tape, on_host.loss(&drawn).backward(logits))
                }
            };
            let kfac = self.kfac.as_mut().expect("only K-FAC needs factors");
            if has_diverged(kfac.update(tape, &mut gradients))? {
                return Ok(None);
            }
        }
        if let Some(kfac) = &mut self.kfac
            && has_diverged(kfac.precondition(rate, &mut directions))?
        {
            return Ok(None);
        }
        self.network = self.updates.step(rate, self.network.clone(), directions);
        Ok(Some(mean))
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
    pub(crate) fn statistics(&self) -> Vec<Moments> {
        if self.normalisation == BatchNorm::Running || !self.is_normalised {
            return self.running.clone();
        }
        let device = self.device.clone().inner();
        evaluate::statistics(&self.network.valid(), &self.statistics_subset, &device)
    }

    /// Weights and statistics.
    pub(crate) fn state_dict(&self) -> Vec<Weight> {
        self.network.state_dict(&self.statistics())
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

    /// Gradient noise, estimated on examples; see [`noise`].
    pub(crate) fn noise_scale(&self, step: u64, examples: &Batch, small: usize) -> GradientNoise {
        let mut estimator = noise::Estimator::default();
        for batch in examples.chunks(small) {
            let x = images(batch.images, batch.labels.len(), &self.device);
            let (logits, ..) = self.forward(x, Tape::off());
            let loss = Logits::fetch(logits.clone()).loss(&batch.labels);
            let mut gradients = loss.backward(logits);
            let gradients = GradientsParams::from_module(&mut gradients, &self.network);
            estimator.add(&self.network, &gradients);
        }
        estimator.estimate(step, small)
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
        data: &Data,
    ) -> Option<(Evaluation, Vec<bool>)> {
        let device = self.device.clone().inner();
        let network = self.network.valid();
        let statistics = self.statistics();
        let score = |part: &Part| evaluate::score(&network, &statistics, part, &device);
        let train = score(self.train_subset.as_ref().unwrap_or(&data.train));
        let (validation, test) = (score(&data.validation), score(&data.test));
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
        (is_finite && evaluate::is_finite(&network)).then_some((row, correct))
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
                let values = tensor.clone().into_data().try_into_vec();
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
                *tensor = Tensor::from_data(data, &device);
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
            let tensor = Tensor::<D>::from_data(tensor.inner().into_data(), &device);
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
