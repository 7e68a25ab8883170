//! The training loop.

use burn::module::Module;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::{Device, Tensor};
use burn_kfac::{Fisher, Kfac, Tape};

use crate::batches::{Batch, Batches};
use crate::evaluate::{self, images};
use crate::loss::Logits;
use crate::models::{Moments, Network, Pass};
use crate::settings::{BatchNormStatistics, Optimizer, Settings, Sgd, Stop};
use crate::{Data, Error, Evaluated, Outcome, Run, Score};
use datasets::Part;
use datasets::random::{Purpose, Stream};

/// A run whose mini-batch loss exceeds this many times its first has diverged.
const DIVERGED: f64 = 1e4;

/// Weight of a new batch in the running averages of BatchNorm.
const RUNNING: f64 = 0.1;

/// Where a run is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Updates made.
    pub step: u64,
    /// Updates that the budget allows.
    pub steps: u64,
    /// Loss of the last mini-batch, in nats.
    pub loss: f64,
}

/// Trains a network and measures it. `observe` is called after every update.
///
/// A run has diverged when a mini-batch loss, an evaluation, a parameter or a Kronecker factor is not
/// finite, or a mini-batch loss exceeds 10,000 times the first one; it then ends with what was measured
/// before, as [`Outcome::Diverged`].
///
/// # Errors
///
/// [`Error::Setting`], [`Error::BatchLargerThanData`], [`Error::ImageShape`] for settings that make no
/// sense by themselves or with this data, [`Error::Kfac`] if K-FAC does not fit the network.
pub fn train(
    settings: &Settings,
    data: &Data,
    device: &Device,
    observe: &mut dyn FnMut(Progress),
) -> Result<Run, Error> {
    settings.check()?;
    if settings.batch_size > data.train.len() {
        return Err(Error::BatchLargerThanData {
            batch_size: settings.batch_size,
            examples: data.train.len(),
        });
    }
    let steps_per_epoch = settings
        .last_batch
        .steps_per_epoch(data.train.len(), settings.batch_size);
    let steps = settings
        .budget
        .steps(settings.batch_size, steps_per_epoch)?;
    let rates = settings
        .schedule
        .rates(settings.learning_rate, steps, steps_per_epoch);
    let points = settings.evaluation.points(steps, steps_per_epoch);
    let mut stopping = settings
        .stop
        .map(|stop| Stopping::new(stop, steps_per_epoch));

    let mut batches = Batches::new(settings, data);
    let mut trainer = Trainer::new(settings, data, device)?;
    let mut run = Run {
        settings: settings.clone(),
        outcome: Outcome::Finished,
        train_examples: data.train.len() as u64,
        steps_per_epoch,
        budget_steps: steps,
        rate_drops: settings.schedule.rate_drops(steps),
        parameters: trainer.network.num_params() as u64,
        loss: Vec::new(),
        learning_rate: Vec::new(),
        evaluations: Vec::new(),
    };

    let mut points = points.into_iter().peekable();
    for step in 0..=steps {
        if points.next_if_eq(&step).is_some() {
            let Some(row) = trainer.evaluate(step, batches.examples_before(step), data) else {
                run.outcome = Outcome::Diverged { step };
                break;
            };
            run.evaluations.push(row);
            if stopping
                .as_mut()
                .is_some_and(|stopping| stopping.is_due(&row))
            {
                run.outcome = Outcome::Stopped { step };
                break;
            }
        }
        let Some(rate) = rates.get(step as usize) else {
            break;
        };
        let bound = run
            .loss
            .first()
            .map_or(f64::INFINITY, |first| DIVERGED * f64::from(*first));
        let Some(loss) = trainer.update(step, batches.at(step), *rate, bound)? else {
            run.outcome = Outcome::Diverged { step };
            break;
        };
        run.loss.push(loss as f32);
        run.learning_rate.push(*rate);
        observe(Progress {
            step: step + 1,
            steps,
            loss,
        });
    }
    Ok(run)
}

/// A network in training.
struct Trainer {
    network: Network,
    sgd: ModuleOptimizer,
    kfac: Option<Kfac>,
    seed: u64,
    normalisation: BatchNormStatistics,
    /// Running averages; one entry a BatchNorm layer, not kept if statistics are recomputed.
    running: Vec<Moments>,
    /// What training metrics are taken over, if not all training examples.
    train_subset: Option<Part>,
    /// What statistics are recomputed from.
    statistics_subset: Part,
    /// With autodiff.
    device: Device,
}

impl Trainer {
    fn new(settings: &Settings, data: &Data, device: &Device) -> Result<Self, Error> {
        let Sgd {
            momentum,
            weight_decay,
        } = settings.optimizer.sgd();
        let momentum = MomentumConfig::new()
            .with_momentum(momentum)
            .with_dampening(0.0);
        let mut sgd = SgdConfig::new().with_momentum(Some(momentum));
        if weight_decay > 0.0 {
            sgd = sgd.with_weight_decay(Some(WeightDecayConfig::new(weight_decay as f32)));
        }
        let kfac = match &settings.optimizer {
            Optimizer::Sgd(_) => None,
            Optimizer::Kfac(kfac) => Some(Kfac::new(kfac.preconditioner())),
        };
        let evaluation = &settings.evaluation;
        let mut trainer = Self {
            network: Network::new(&settings.model, data, settings.seed, device)?,
            sgd: sgd.init(),
            kfac,
            seed: settings.seed,
            normalisation: settings.batch_norm,
            running: Vec::new(),
            train_subset: evaluation
                .train_subset
                .map(|count| data.train.evenly_spread(count)),
            statistics_subset: data.train.evenly_spread(evaluation.statistics_examples),
            device: device.clone().autodiff(),
        };
        if trainer.normalisation == BatchNormStatistics::Running {
            let one = data.train.evenly_spread(1);
            let any = evaluate::statistics(
                &trainer.network.valid(),
                &one,
                &trainer.device.clone().inner(),
            );
            trainer.running = any
                .into_iter()
                .map(|moments| Moments {
                    mean: moments.mean.zeros_like(),
                    variance: moments.variance.ones_like(),
                })
                .collect();
        }
        Ok(trainer)
    }

    /// One update. The mini-batch loss before it, or `None` if the run has diverged.
    fn update(
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
                    let drawn =
                        on_host.draw(&mut Stream::new(self.seed, Purpose::FisherLabels, step));
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
        self.network = self.sgd.step(rate, self.network.clone(), directions);
        Ok(Some(mean))
    }

    fn forward(&self, x: Tensor<2>, tape: Tape) -> (Tensor<2>, Tape, Vec<Moments>) {
        let mut pass = Pass::training(tape);
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

    /// Measures the network; `None` if it or a measurement is not finite.
    fn evaluate(&self, step: u64, examples: u64, data: &Data) -> Option<Evaluated> {
        let device = self.device.clone().inner();
        let network = self.network.valid();
        let recomputed = match (self.normalisation, &network) {
            (BatchNormStatistics::Running, _) | (_, Network::Mlp(_)) => None,
            (BatchNormStatistics::Recompute, _) => Some(evaluate::statistics(
                &network,
                &self.statistics_subset,
                &device,
            )),
        };
        let statistics = recomputed.as_ref().unwrap_or(&self.running);
        let score = |part: &Part| evaluate::score(&network, statistics, part, &device);
        let train = score(self.train_subset.as_ref().unwrap_or(&data.train));
        let row = Evaluated {
            step,
            examples,
            train: train.expect("there are training examples"),
            validation: score(&data.validation),
            test: score(&data.test),
        };
        let losses = [Some(row.train), row.validation, row.test]
            .into_iter()
            .flatten()
            .map(|score| score.loss);
        (losses.sum::<f64>().is_finite() && evaluate::is_finite(&network)).then_some(row)
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

/// Watches for two evaluations in a row at the targets.
struct Stopping {
    stop: Stop,
    earliest: u64,
    met_before: bool,
}

impl Stopping {
    fn new(stop: Stop, steps_per_epoch: u64) -> Self {
        Self {
            stop,
            earliest: stop.earliest(steps_per_epoch),
            met_before: false,
        }
    }

    fn is_due(&mut self, row: &Evaluated) -> bool {
        let stop = &self.stop;
        let loss = |target: Option<f64>, score: Option<Score>| {
            target.is_none_or(|target| score.is_some_and(|score| score.loss <= target))
        };
        let accuracy = |target: Option<f64>, score: Option<Score>| {
            target.is_none_or(|target| score.is_some_and(|score| score.accuracy >= target))
        };
        let met = loss(stop.train_loss, Some(row.train))
            && accuracy(stop.train_accuracy, Some(row.train))
            && loss(stop.validation_loss, row.validation)
            && accuracy(stop.validation_accuracy, row.validation)
            && loss(stop.test_loss, row.test)
            && accuracy(stop.test_accuracy, row.test);
        let due = met && self.met_before && row.step >= self.earliest;
        self.met_before = met;
        due
    }
}
