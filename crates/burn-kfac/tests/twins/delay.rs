//! Inverses that act later than the step of their factors.

use std::num::NonZeroU32;

use burn::nn::Linear;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn_kfac::{BurnIn, Damping, Error, Kfac, Settings, Tape};

use crate::{Numbers, backward, device, linear, settings, values};

/// A layer, its batches, and a gradient that is the same at every step: U then says which inverse acts.
struct Bench {
    layer: Linear,
    probe: [Tensor<2>; 2],
    batches: Vec<[Tensor<2>; 2]>,
}

impl Bench {
    fn new(steps: usize) -> Self {
        let mut numbers = Numbers(23);
        let layer = linear(3, 2, true, &mut numbers);
        let mut batch = || {
            [
                numbers.tensor([4, 3], &device()),
                numbers.tensor([4, 2], &device()),
            ]
        };
        Self {
            layer,
            probe: batch(),
            batches: (0..steps).map(|_| batch()).collect(),
        }
    }

    /// U of each step from `from` on.
    fn go_on(&self, kfac: &mut Kfac, from: usize) -> Vec<Vec<f32>> {
        let steps = self.batches[from..].iter().cloned();
        steps.map(|batch| self.step(kfac, batch)).collect()
    }

    fn step(&self, kfac: &mut Kfac, [x, d]: [Tensor<2>; 2]) -> Vec<f32> {
        if kfac.needs_factors() {
            let mut tape = Tape::on();
            let mut gradients = backward(tape.linear("fc", &self.layer, x), d);
            kfac.update(tape, &mut gradients).unwrap();
        }
        let [x, d] = self.probe.clone();
        let mut gradients = backward(self.layer.forward(x), d);
        let mut of_parameters = GradientsParams::from_module(&mut gradients, &self.layer);
        kfac.precondition(1.0, &mut of_parameters).unwrap();
        values(of_parameters.get::<2>(self.layer.weight.id).unwrap())
    }
}

fn every(inverse_every: u32, delay: u32) -> Settings {
    Settings {
        inverse_every: NonZeroU32::new(inverse_every).unwrap(),
        delay,
        ..settings(0.1)
    }
}

#[test]
fn the_inverse_of_a_step_acts_as_many_steps_later_as_the_delay_says() {
    let bench = Bench::new(12);
    let at_once = bench.go_on(&mut Kfac::new(every(4, 0)), 0);
    for delay in 1..4 {
        let delayed = bench.go_on(&mut Kfac::new(every(4, delay as u32)), 0);
        for (step, u) in delayed.iter().enumerate() {
            // The first acts from the first step on.
            let of = step.saturating_sub(delay);
            assert_eq!(*u, at_once[of], "delay {delay}, step {step}");
        }
    }
}

#[test]
fn after_a_burn_in_the_first_inverse_acts_at_once() {
    let burn_in = BurnIn {
        batches: 3,
        examples_per_dimension: 0,
    };
    let of = |delay| Settings {
        burn_in,
        ..every(4, delay)
    };
    let bench = Bench::new(11);
    let at_once = bench.go_on(&mut Kfac::new(of(0)), 0);
    let delayed = bench.go_on(&mut Kfac::new(of(3)), 0);
    // Inverses are due at steps 2 (the first), 4 and 8.
    let expected = [0, 1, 2, 3, 3, 3, 3, 4, 4, 4, 4];
    for (step, of) in expected.into_iter().enumerate() {
        assert_eq!(delayed[step], at_once[of], "step {step}");
    }
}

#[test]
fn a_run_that_is_taken_down_at_any_step_goes_on_to_the_bit() {
    let bench = Bench::new(11);
    for settings in [every(4, 0), every(4, 1), every(4, 3), every(5, 2)] {
        let settings = Settings {
            factor_every: NonZeroU32::new(2).unwrap(),
            ..settings
        };
        let whole = bench.go_on(&mut Kfac::new(settings), 0);
        for stop in 1..bench.batches.len() {
            let mut kfac = Kfac::new(settings);
            for batch in &bench.batches[..stop] {
                bench.step(&mut kfac, batch.clone());
            }
            let state = kfac.state();
            let mut resumed = Kfac::resume(settings, state.clone());
            assert_eq!(resumed.state(), state, "{settings:?}, stopped at {stop}");
            let rest = bench.go_on(&mut resumed, stop);
            assert_eq!(rest, whole[stop..], "{settings:?}, stopped at {stop}");
        }
    }
}

#[test]
fn what_is_pending_is_remembered_and_what_it_replaces_is_not() {
    let bench = Bench::new(8);
    let mut kfac = Kfac::new(every(4, 2));
    let mut kept = Vec::new();
    for batch in &bench.batches {
        bench.step(&mut kfac, batch.clone());
        let state = kfac.state();
        let layer = &state.layers[0];
        kept.push((layer.inverted.is_some(), layer.pending.is_some()));
    }
    let between = (true, false);
    let expected = [
        between,
        between,
        between,
        between,
        (true, true),
        (false, true),
        between,
        between,
    ];
    assert_eq!(kept, expected);
}

#[test]
fn a_delay_of_an_interval_or_more_is_refused() {
    let settings = every(4, 4);
    let error = settings.check().unwrap_err();
    assert_eq!(
        error,
        Error::Setting {
            name: "delay",
            expected: "less than inverse_every",
            value: 4.0
        }
    );
    assert!(
        every(4, 3).check().is_ok() && Settings::new(Damping::new(1.0).unwrap()).check().is_ok()
    );
}
