//! When inverses are renewed, and where they are computed.
//!
//! Without a delay the factors of a step are inverted in it. With a delay of d steps their inverses act from d steps
//! later on. On the host they are computed when they are to act; where averages are on a device, threads of their own
//! read and decompose them while the steps in between go on. When they act is a matter of counting alone, so that a
//! result depends neither on where nor on how fast.

use std::panic::resume_unwind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use rayon::prelude::*;

use super::{Kfac, Layer, PARALLEL_WORK};
use crate::cube::{Read, Snapshot};
use crate::error::Quantity;
use crate::{Error, KroneckerFactors, Preconditioner, Settings, Symmetric};

/// Inverses that do not act yet.
#[derive(Debug)]
pub(crate) struct Pending {
    /// The step from which on they do.
    acts_at: u64,
    of: Of,
}

/// Factors, bias-corrected, in the order of the layers.
#[derive(Debug)]
enum Of {
    Host(Vec<KroneckerFactors>),
    Device {
        averages: Box<Snapshot>,
        corrections: Vec<Correction>,
        inverting: JoinHandle<Result<Vec<Inverted>, Error>>,
    },
}

/// Factors and their inverse.
type Inverted = (KroneckerFactors, Preconditioner);

/// What makes factors of running averages.
#[derive(Debug, Clone)]
pub(super) struct Correction {
    layer: String,
    positions: usize,
    factor: f64,
}

impl Correction {
    pub(super) fn new(layer: &Layer, settings: &Settings) -> Self {
        let decay = settings.factor_decay.get();
        // The weights of the batches then sum to 1.
        let weight = 1.0 - decay.powi(i32::try_from(layer.updates).unwrap_or(i32::MAX));
        Self {
            layer: layer.averages.layer.clone(),
            positions: layer.averages.positions,
            factor: 1.0 / weight,
        }
    }

    /// S / (1 - b^k) after k updates.
    pub(super) fn of(self, a: &Symmetric, g: &Symmetric) -> KroneckerFactors {
        KroneckerFactors {
            layer: self.layer,
            a_mean: a.scaled(self.factor),
            g_mean: g.scaled(self.factor),
            positions: self.positions,
        }
    }
}

/// The factors of what was read, if U was finite so far.
fn corrected(read: &Read, corrections: &[Correction]) -> Result<Vec<KroneckerFactors>, Error> {
    if let Some(layer) = read.unfit {
        return Err(Error::NonFinite {
            layer: corrections[layer].layer.clone(),
            what: Quantity::PreconditionedGradient,
        });
    }
    let both = corrections.iter().cloned().zip(&read.averages);
    Ok(both
        .map(|(correction, [a, g])| correction.of(a, g))
        .collect())
}

impl Pending {
    /// Of factors that were due before `step`.
    pub(crate) fn resumed(factors: Vec<KroneckerFactors>, step: u64, settings: &Settings) -> Self {
        let every = u64::from(settings.inverse_every.get());
        let due = step.saturating_sub(1) / every * every;
        Self {
            acts_at: due + u64::from(settings.delay),
            of: Of::Host(factors),
        }
    }

    pub(crate) fn acts_at(&self) -> u64 {
        self.acts_at
    }

    /// Bias-corrected, in the order of the layers. Reads those on a device.
    pub(crate) fn factors(&self) -> Vec<KroneckerFactors> {
        match &self.of {
            Of::Host(factors) => factors.clone(),
            Of::Device {
                averages,
                corrections,
                ..
            } => {
                let read = averages.read().wait();
                let both = corrections.iter().cloned().zip(&read.averages);
                both.map(|(correction, [a, g])| correction.of(a, g))
                    .collect()
            }
        }
    }

    /// Waits for them, or computes them.
    fn inverted(self, settings: &Settings) -> Result<Vec<Inverted>, Error> {
        match self.of {
            Of::Host(factors) => {
                let columns = |it: &KroneckerFactors| it.a_mean.dim();
                in_parallel(factors, columns, |it| inverted(it, settings))
            }
            Of::Device { inverting, .. } => inverting.join().unwrap_or_else(|it| resume_unwind(it)),
        }
    }
}

fn inverted(factors: KroneckerFactors, settings: &Settings) -> Result<Inverted, Error> {
    let inverse = factors.preconditioner(settings.damping, settings.damping_method)?;
    Ok((factors, inverse))
}

/// On rayon's threads, if factors with so many columns of A are large enough.
fn in_parallel<T: Send, R: Send>(
    all: Vec<T>,
    columns: impl Fn(&T) -> usize,
    one: impl Fn(T) -> Result<R, Error> + Sync + Send,
) -> Result<Vec<R>, Error> {
    let cubes = all.iter().map(|it| columns(it).pow(3));
    if cubes.sum::<usize>() > PARALLEL_WORK {
        all.into_par_iter().with_max_len(1).map(one).collect()
    } else {
        all.into_iter().map(one).collect()
    }
}

/// On `count` threads besides rayon's, of which the one that trains may be the only one. The first error is that of
/// the first layer, as in order.
fn on_own_threads(
    factors: &[KroneckerFactors],
    count: usize,
    settings: &Settings,
) -> Result<Vec<Inverted>, Error> {
    let next = AtomicUsize::new(0);
    let results: Vec<Mutex<Option<Result<Inverted, Error>>>> =
        factors.iter().map(|_| Mutex::new(None)).collect();
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(of) = factors.get(at) else { break };
            let result = inverted(of.clone(), settings);
            *results[at].lock().expect("nobody panics") = Some(result);
        }
    };
    thread::scope(|scope| {
        for _ in 0..count.clamp(1, factors.len()) {
            scope.spawn(work);
        }
    });
    let result = |it: Mutex<Option<Result<Inverted, Error>>>| {
        let result = it.into_inner().expect("nobody panics");
        result.expect("each was worked on")
    };
    results.into_iter().map(result).collect()
}

impl Kfac {
    /// Brings the inverses to what acts at this step.
    pub(super) fn renew(&mut self) -> Result<(), Error> {
        let (settings, step) = (*self.settings(), self.step);
        let mut renewed = false;
        if let Some(pending) = self.pending.take_if(|it| it.acts_at == step) {
            for (layer, inverted) in self.layers.iter_mut().zip(pending.inverted(&settings)?) {
                layer.put(inverted);
            }
            renewed = true;
        }
        let due = self.inverses_are_due();
        let at_once = due && settings.delay == 0;
        if due && !at_once && self.layers.iter().all(|it| it.inverted.is_some()) {
            self.pending = Some(self.begin(step + u64::from(settings.delay)));
        }
        // Those that have none yet have it at once: there is none to serve before it.
        let wanting: Vec<usize> = (0..self.layers.len())
            .filter(|&at| at_once || self.layers[at].inverse.is_none())
            .collect();
        for (at, inverted) in self.invert(wanting, at_once)? {
            self.layers[at].put(inverted);
            renewed = true;
        }
        if let (true, Some(device)) = (renewed, &mut self.device) {
            device.put_inverses(self.layers.iter().filter_map(|it| it.inverse.as_ref()));
        }
        Ok(())
    }

    /// Inverses of these layers: of their averages, or unless `anew` of what was inverted before, if anything.
    fn invert(&self, layers: Vec<usize>, anew: bool) -> Result<Vec<(usize, Inverted)>, Error> {
        let settings = self.settings();
        let is_of_averages = |at: usize| anew || self.layers[at].inverted.is_none();
        let read = match &self.device {
            Some(device) if layers.iter().any(|&at| is_of_averages(at)) => {
                let read = device.snapshot().read().wait();
                Some(corrected(&read, &self.corrections())?)
            }
            _ => None,
        };
        let one = |at: usize| {
            let layer = &self.layers[at];
            let factors = match (&layer.inverted, &read) {
                (Some(before), _) if !anew => before.clone(),
                (_, Some(read)) => read[at].clone(),
                (_, None) => layer.corrected(settings),
            };
            Ok((at, inverted(factors, settings)?))
        };
        in_parallel(layers, |&at| self.layers[at].parameters.cols, one)
    }

    /// Takes the factors as they are now, and has them inverted where that can be done beside the steps.
    fn begin(&self, acts_at: u64) -> Pending {
        let settings = *self.settings();
        let Some(device) = &self.device else {
            let factors = self.layers.iter().map(|it| it.corrected(&settings));
            let of = Of::Host(factors.collect());
            return Pending { acts_at, of };
        };
        let averages = Box::new(device.snapshot());
        let (reading, corrections) = (averages.read(), self.corrections());
        let threads = rayon::current_num_threads();
        let inverting = thread::spawn({
            let corrections = corrections.clone();
            move || {
                let factors = corrected(&reading.wait(), &corrections)?;
                on_own_threads(&factors, threads, &settings)
            }
        });
        let of = Of::Device {
            averages,
            corrections,
            inverting,
        };
        Pending { acts_at, of }
    }

    fn corrections(&self) -> Vec<Correction> {
        let layers = self.layers.iter();
        layers
            .map(|it| Correction::new(it, self.settings()))
            .collect()
    }
}

impl Layer {
    fn put(&mut self, (factors, inverse): Inverted) {
        self.inverted = Some(factors);
        self.inverse = Some(inverse);
    }

    /// Of averages on the host.
    fn corrected(&self, settings: &Settings) -> KroneckerFactors {
        Correction::new(self, settings).of(&self.averages.a_mean, &self.averages.g_mean)
    }
}
