//! What a step costs beside a step of SGD: `cargo run --release --example kfac_cost`.

use std::num::NonZeroU32;
use std::time::Instant;

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::activation::{log_softmax, relu};
use burn::tensor::{Device, Distribution, Int, Tensor, TensorData};
use burn_kfac::{Damping, DampingMethod, Fisher, Kfac, Pi, Settings, Tape, draw_labels};

#[derive(Module, Debug)]
struct Mlp {
    fc1: Linear,
    fc2: Linear,
}

/// The shapes of a residual network of 20 layers, two convolutions a stage.
#[derive(Module, Debug)]
struct Convolutions {
    layers: Vec<Conv2d>,
    fc: Linear,
}

trait Network: Module + Clone {
    fn logits(&self, tape: &mut Tape, x: Tensor<4>) -> Tensor<2>;
}

impl Network for Mlp {
    fn logits(&self, tape: &mut Tape, x: Tensor<4>) -> Tensor<2> {
        let h = relu(tape.linear("fc1", &self.fc1, x.flatten(1, 3)));
        tape.linear("fc2", &self.fc2, h)
    }
}

impl Network for Convolutions {
    fn logits(&self, tape: &mut Tape, x: Tensor<4>) -> Tensor<2> {
        let mut h = x;
        for (i, layer) in self.layers.iter().enumerate() {
            h = relu(tape.conv2d(&format!("conv{i}"), layer, h));
        }
        tape.linear("fc", &self.fc, h.mean_dim(3).mean_dim(2).flatten(1, 3))
    }
}

fn loss(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    log_softmax(logits, 1)
        .gather(1, labels.unsqueeze_dim(1))
        .mean()
        .neg()
}

/// Microseconds a step, the best of several rounds of `steps`.
fn measure<N: Network>(
    start: &N,
    x: &Tensor<4>,
    y: &Tensor<1, Int>,
    kfac: Option<Settings>,
    steps: u32,
) -> f64 {
    let uniforms: Vec<f64> = (0..x.dims()[0])
        .map(|n| (n as f64 * 0.618).fract())
        .collect();
    let momentum = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0);
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let mut net = start.clone();
        let mut sgd = SgdConfig::new()
            .with_momentum(Some(momentum.clone()))
            .init();
        let mut kfac = kfac.map(Kfac::new);
        let start = Instant::now();
        for _ in 0..steps {
            let renew = kfac.as_ref().filter(|kfac| kfac.needs_factors());
            let fisher = renew.map(|kfac| kfac.settings().fisher);
            let mut tape = if fisher == Some(Fisher::Empirical) {
                Tape::on()
            } else {
                Tape::off()
            };
            let logits = net.logits(&mut tape, x.clone());
            let mut all = loss(logits.clone(), y.clone()).backward();
            let mut gradients = GradientsParams::from_module(&mut all, &net);
            if let Some(kfac) = &mut kfac {
                if fisher == Some(Fisher::Sampled) {
                    let [_, classes] = logits.dims();
                    let seen: Vec<f32> = logits.inner().into_data().iter::<f32>().collect();
                    let drawn = draw_labels(&seen, classes, &uniforms).expect("logits are finite");
                    let drawn = TensorData::from(drawn.as_slice());
                    tape = Tape::curvature_only();
                    let logits = net.logits(&mut tape, x.clone());
                    all = loss(logits, Tensor::from_data(drawn, &x.device())).backward();
                }
                if fisher.is_some() {
                    kfac.update(tape, &mut all).expect("factors are finite");
                }
                kfac.precondition(0.001, &mut gradients)
                    .expect("gradients are finite");
            }
            net = sgd.step(0.001, net, gradients);
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e6 / f64::from(steps));
    }
    best
}

fn compare<N: Network>(name: &str, net: &N, x: &Tensor<4>, y: &Tensor<1, Int>, steps: u32) {
    let sgd = measure(net, x, y, None, steps);
    println!("{name}\n  {:44} {sgd:10.0} us", "SGD");
    let every = |n| NonZeroU32::new(n).expect("intervals are positive");
    for fisher in [Fisher::Empirical, Fisher::Sampled] {
        for (factors, inverses) in [(1, 1), (1, 10), (10, 100)] {
            for method in [DampingMethod::Eigen, DampingMethod::Factored(Pi::Trace)] {
                let settings = Settings {
                    damping_method: method,
                    fisher,
                    factor_every: every(factors),
                    inverse_every: every(inverses),
                    ..Settings::new(Damping::new(0.01).expect("0.01 is a damping"))
                };
                let time = measure(net, x, y, Some(settings), steps);
                let what = format!("{} {fisher:?} ({factors}, {inverses})", method.name());
                println!("  {what:44} {time:10.0} us = {:.2} x", time / sgd);
            }
        }
    }
}

fn main() {
    let device = Device::flex().autodiff();
    let labels = |n: i64| Tensor::<1, Int>::arange(0..n, &device).remainder_scalar(10);
    let mlp = Mlp {
        fc1: LinearConfig::new(64, 32).init(&device),
        fc2: LinearConfig::new(32, 10).init(&device),
    };
    for batch in [16_u32, 64, 256] {
        let x = Tensor::random([batch as usize, 1, 8, 8], Distribution::Default, &device);
        let name = format!("MLP 64-32-10, batch {batch}");
        compare(&name, &mlp, &x, &labels(batch.into()), 200);
    }
    let conv = |channels, stride| {
        Conv2dConfig::new(channels, [3, 3])
            .with_stride([stride, stride])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .with_bias(false)
            .init(&device)
    };
    let shapes = [
        ([3, 16], 1),
        ([16, 16], 1),
        ([16, 32], 2),
        ([32, 32], 1),
        ([32, 64], 2),
        ([64, 64], 1),
    ];
    let net = Convolutions {
        layers: shapes
            .map(|(channels, stride)| conv(channels, stride))
            .to_vec(),
        fc: LinearConfig::new(64, 10).init(&device),
    };
    let x = Tensor::random([32, 3, 32, 32], Distribution::Default, &device);
    compare(
        "six convolutions of a ResNet20, batch 32",
        &net,
        &x,
        &labels(32),
        10,
    );
}
