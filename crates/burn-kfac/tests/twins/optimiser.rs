//! Steps of the optimiser: averages, intervals, burn-in, clipping, errors, threads.

use std::num::NonZeroU32;

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};
use burn_kfac::{
    BurnIn, Damping, DampingMethod, Error, FactorDecay, Kfac, KlClip, KroneckerFactors, Quantity,
    Settings, Symmetric, Tape,
};

use crate::{Numbers, assert_close, backward, device, linear, mean_outer, settings, values};

/// One linear layer, one step of the product.
struct Bench {
    layer: Linear,
    kfac: Kfac,
    numbers: Numbers,
}

impl Bench {
    fn new(settings: Settings) -> Self {
        let mut numbers = Numbers(7);
        Self {
            layer: linear(3, 2, true, &mut numbers),
            kfac: Kfac::new(settings),
            numbers,
        }
    }

    /// A step on a new batch of 4 samples. The gradients before and after, the inputs, and what
    /// happened.
    fn step(&mut self) -> (Vec<f32>, Vec<f32>, Vec<f32>, Result<burn_kfac::Step, Error>) {
        let x = self.numbers.tensor([4, 3], &device());
        let d = self.numbers.tensor([4, 2], &device());
        self.step_on(x, d)
    }

    fn step_on(
        &mut self,
        x: Tensor<2>,
        d: Tensor<2>,
    ) -> (Vec<f32>, Vec<f32>, Vec<f32>, Result<burn_kfac::Step, Error>) {
        let needs_factors = self.kfac.needs_factors();
        let mut tape = if needs_factors {
            Tape::on()
        } else {
            Tape::off()
        };
        let mut gradients = backward(tape.linear("fc", &self.layer, x.clone()), d);
        let mut of_parameters = GradientsParams::from_module(&mut gradients, &self.layer);
        let before = self.both(&of_parameters);
        let step = if needs_factors {
            self.kfac.update(tape, &mut gradients)
        } else {
            Ok(())
        }
        .and_then(|()| self.kfac.precondition(0.5, &mut of_parameters));
        let after = if step.is_ok() {
            self.both(&of_parameters)
        } else {
            Vec::new()
        };
        (before, after, values(x), step)
    }

    fn both(&self, gradients: &GradientsParams) -> Vec<f32> {
        let mut all = values(gradients.get::<2>(self.layer.weight.id).unwrap());
        let bias = self.layer.bias.as_ref().unwrap().id;
        all.extend(values(gradients.get::<1>(bias).unwrap()));
        all
    }
}

#[test]
fn a_running_average_is_the_normalised_geometric_sum_of_its_batches() {
    let decay = 0.7;
    let mut bench = Bench::new(Settings {
        factor_decay: FactorDecay::new(decay).unwrap(),
        ..settings(1.0)
    });
    let mut batches: Vec<Vec<f64>> = Vec::new();
    for _ in 0..5 {
        let (_, _, x, step) = bench.step();
        step.unwrap();
        let rows: Vec<Vec<f32>> = x.chunks(3).map(|row| [row, &[1.0]].concat()).collect();
        batches.push(mean_outer(&rows));
        let weights: Vec<f64> = (0..batches.len())
            .rev()
            .map(|age| decay.powf(age as f64))
            .collect();
        let total: f64 = weights.iter().sum();
        let mean: Vec<f64> = (0..16)
            .map(|at| {
                batches
                    .iter()
                    .zip(&weights)
                    .map(|(m, w)| w * m[at])
                    .sum::<f64>()
                    / total
            })
            .collect();
        let ours = bench.kfac.factors("fc").unwrap().a_mean.to_dense();
        assert_close(&ours, &mean, 1e-5, "A");
    }
}

#[test]
fn at_huge_damping_kfac_is_sgd_at_the_learning_rate_over_the_damping() {
    let damping = 1e6;
    // The cross terms of the factored inverse fall as 1 / sqrt(damping) only.
    for (method, tolerance) in DampingMethod::ALL
        .into_iter()
        .zip([1e-5, 0.02, 0.02, 0.02, 0.02])
    {
        let mut bench = Bench::new(Settings {
            damping_method: method,
            ..settings(damping)
        });
        let (before, after, _, step) = bench.step();
        step.unwrap();
        let reference: Vec<f64> = before.iter().map(|&v| f64::from(v) / damping).collect();
        assert_close(&after, &reference, tolerance, method.name());
    }
}

#[test]
fn factors_and_inverses_are_renewed_on_their_own_intervals() {
    let every = |n| NonZeroU32::new(n).unwrap();
    let mut bench = Bench::new(Settings {
        factor_every: every(2),
        inverse_every: every(3),
        ..settings(0.1)
    });
    // With the same gradients in, U changes exactly when the inverse does.
    let (x, d) = (
        bench.numbers.tensor([4, 3], &device()),
        bench.numbers.tensor([4, 2], &device()),
    );
    let probe = |kfac: &mut Kfac, layer: &Linear| {
        let mut gradients = backward(layer.forward(x.clone()), d.clone());
        let mut of_parameters = GradientsParams::from_module(&mut gradients, layer);
        kfac.precondition(1.0, &mut of_parameters).unwrap();
        values(of_parameters.get::<2>(layer.weight.id).unwrap())
    };
    let (mut renewed_factors, mut last, mut renewed_inverse) = (Vec::new(), Vec::new(), Vec::new());
    for t in 0..8 {
        if bench.kfac.needs_factors() {
            renewed_factors.push(t);
            let mut tape = Tape::on();
            let (x, d) = (
                bench.numbers.tensor([4, 3], &device()),
                bench.numbers.tensor([4, 2], &device()),
            );
            let mut gradients = backward(tape.linear("fc", &bench.layer, x), d);
            bench.kfac.update(tape, &mut gradients).unwrap();
        }
        let u = probe(&mut bench.kfac, &bench.layer);
        if u != last {
            renewed_inverse.push(t);
        }
        last = u;
    }
    assert_eq!(renewed_factors, [0, 2, 4, 6]);
    assert_eq!(renewed_inverse, [0, 3, 6]);
    assert_eq!(bench.kfac.step(), 8);
}

#[test]
fn burn_in_passes_gradients_through_until_both_bounds_are_met() {
    // dim(A) = 4, batches of 4: 2 examples a dimension are 2 batches; 3 batches bind.
    let burn_in = BurnIn {
        batches: 3,
        examples_per_dimension: 2,
    };
    let mut bench = Bench::new(Settings {
        burn_in,
        ..settings(0.1)
    });
    let mut preconditioned = Vec::new();
    for _ in 0..4 {
        let (before, after, _, step) = bench.step();
        let step = step.unwrap();
        assert_eq!(step.preconditioned, before != after);
        preconditioned.push(step.preconditioned);
    }
    assert_eq!(preconditioned, [false, false, true, true]);
    let burn_in = BurnIn {
        batches: 0,
        examples_per_dimension: 2,
    };
    let mut bench = Bench::new(Settings {
        burn_in,
        ..settings(0.1)
    });
    let steps = [bench.step(), bench.step()].map(|(.., step)| step.unwrap().preconditioned);
    assert_eq!(steps, [false, true]);
}

#[test]
fn clipping_bounds_the_predicted_change() {
    let mut free = Bench::new(settings(0.1));
    let (v, u, _, step) = free.step();
    let step = step.unwrap();
    let product: f64 = u
        .iter()
        .zip(&v)
        .map(|(&u, &v)| f64::from(u) * f64::from(v))
        .sum();
    let vg = step.vg().unwrap();
    assert!((vg - 0.25 * product).abs() < 1e-6 * vg && step.nu() >= 1.0);
    let kappa = vg / 9.0;
    let mut clipped = Bench::new(Settings {
        kl_clip: Some(KlClip::new(kappa).unwrap()),
        ..settings(0.1)
    });
    let (_, shorter, _, step) = clipped.step();
    assert!((step.unwrap().nu() - 1.0 / 3.0).abs() < 1e-9);
    let third: Vec<f64> = u.iter().map(|&u| f64::from(u) / 3.0).collect();
    assert_close(&shorter, &third, 1e-6, "clipped U");
}

#[test]
fn numbers_that_are_none_are_errors_that_name_layer_and_quantity() {
    let non_finite = |what| Error::NonFinite {
        layer: "fc".into(),
        what,
    };
    for bad in [f32::NAN, f32::INFINITY, f32::MAX] {
        let mut bench = Bench::new(settings(0.1));
        let x = Tensor::from_data(TensorData::new(vec![bad; 12], [4, 3]), &device());
        let d = bench.numbers.tensor([4, 2], &device());
        assert_eq!(
            bench.step_on(x, d).3.unwrap_err(),
            non_finite(Quantity::InputFactor),
            "{bad}"
        );
        let mut bench = Bench::new(settings(0.1));
        let x = bench.numbers.tensor([4, 3], &device());
        let d = Tensor::from_data(TensorData::new(vec![bad; 8], [4, 2]), &device());
        assert_eq!(
            bench.step_on(x, d).3.unwrap_err(),
            non_finite(Quantity::OutputFactor),
            "{bad}"
        );
    }
    // A gradient that turns bad between two factor updates.
    let mut bench = Bench::new(Settings {
        factor_every: NonZeroU32::new(2).unwrap(),
        ..settings(0.1)
    });
    bench.step().3.unwrap();
    let x = bench.numbers.tensor([4, 3], &device());
    let d = Tensor::from_data(TensorData::new(vec![f32::NAN; 8], [4, 2]), &device());
    assert_eq!(
        bench.step_on(x, d).3.unwrap_err(),
        non_finite(Quantity::Gradient)
    );
    // Factors made by somebody else.
    let factors = KroneckerFactors {
        layer: "fc".into(),
        a_mean: Symmetric::from_dense(2, &[f32::NAN; 4]),
        g_mean: Symmetric::zeros(2),
        positions: 1,
    };
    for method in DampingMethod::ALL {
        let made = factors.preconditioner(Damping::new(1.0).unwrap(), method);
        assert_eq!(made.unwrap_err(), non_finite(Quantity::InputFactor));
    }
}

#[test]
fn parameters_of_no_recorded_layer_keep_their_gradients() {
    #[derive(Module, Debug)]
    struct Net {
        seen: Linear,
        unseen: Linear,
    }
    let mut numbers = Numbers(9);
    let net = Net {
        seen: linear(3, 3, true, &mut numbers),
        unseen: linear(3, 2, true, &mut numbers),
    };
    let mut tape = Tape::on();
    let h = tape.linear("seen", &net.seen, numbers.tensor([4, 3], &device()));
    let mut gradients = backward(net.unseen.forward(h), numbers.tensor([4, 2], &device()));
    let mut of_parameters = GradientsParams::from_module(&mut gradients, &net);
    let before = values(of_parameters.get::<2>(net.unseen.weight.id).unwrap());
    let seen = values(of_parameters.get::<2>(net.seen.weight.id).unwrap());
    let mut kfac = Kfac::new(settings(0.1));
    kfac.update(tape, &mut gradients).unwrap();
    kfac.precondition(1.0, &mut of_parameters).unwrap();
    assert_eq!(
        before,
        values(of_parameters.get::<2>(net.unseen.weight.id).unwrap())
    );
    assert_ne!(
        seen,
        values(of_parameters.get::<2>(net.seen.weight.id).unwrap())
    );
    assert_eq!(of_parameters.len(), 4);
}

#[test]
fn one_thread_and_four_give_the_same_bits() {
    #[derive(Module, Debug)]
    struct Net {
        first: Conv2d,
        second: Conv2d,
    }
    // Large enough for factors, decompositions and products to be spread over threads.
    let mut numbers = Numbers(17);
    let mut conv = || {
        let mut layer = Conv2dConfig::new([32, 32], [3, 3]).init(&device());
        layer.weight = Param::from_tensor(numbers.tensor([32, 32, 3, 3], &device()));
        layer
    };
    let net = Net {
        first: conv(),
        second: conv(),
    };
    let run = || {
        let mut numbers = Numbers(19);
        let mut tape = Tape::on();
        let x = numbers.tensor([8, 32, 10, 10], &device());
        let h = tape.conv2d("first", &net.first, x);
        let y = tape.conv2d("second", &net.second, h);
        let d = numbers.tensor(y.dims(), &device());
        let mut gradients = backward(y, d);
        let mut of_parameters = GradientsParams::from_module(&mut gradients, &net);
        let mut kfac = Kfac::new(settings(0.1));
        kfac.update(tape, &mut gradients).unwrap();
        kfac.precondition(1.0, &mut of_parameters).unwrap();
        [&net.first, &net.second]
            .map(|layer| values(of_parameters.get::<4>(layer.weight.id).unwrap()))
    };
    let with = |threads| {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap()
            .install(run)
    };
    let (one, four) = (with(1), with(4));
    assert!(one.iter().flatten().all(|x| x.is_finite()));
    assert!(one == four);
}
