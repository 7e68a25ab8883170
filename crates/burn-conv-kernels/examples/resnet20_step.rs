//! Seconds of an SGD step of ResNet20 (He et al. 2016, section 4.2, shortcuts of option A), with the
//! kernels and with burn's own operations, and beside them PyTorch's if `PYTHON` says where it is.
//!
//! `cargo run --release --workspace --example resnet20_step -- BATCH THREADS`
//!
//! The least wall time, and CPU time, which is steadier on a busy machine (0 where there is no
//! `/proc`).

use std::process::Command;
use std::time::Instant;

use burn::tensor::activation::{log_softmax, relu};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Distribution, Int, Tensor, module};
use burn_conv_kernels::{Follow, Geometry, batch_norm_train, conv2d};

const STEPS: usize = 5;

struct Layer {
    weight: Tensor<4>,
    scale: Tensor<1>,
    shift: Tensor<1>,
    stride: usize,
}

struct Network {
    layers: Vec<Layer>,
    /// `[64, 10]`
    last: Tensor<2>,
}

fn main() {
    let arguments: Vec<usize> = std::env::args()
        .skip(1)
        .map(|number| number.parse().expect("a number"))
        .collect();
    let [batch, threads] = arguments[..] else {
        panic!("usage: resnet20_step BATCH THREADS");
    };
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .expect("no pool was built before");
    let device = Device::flex().autodiff();
    let x = Tensor::<4>::random([batch, 3, 32, 32], Distribution::Normal(0.0, 1.0), &device);
    let labels = Tensor::<1, Int>::arange(0..batch as i64, &device).remainder_scalar(10);
    for (name, kernels) in [("kernels", true), ("burn", false)] {
        let mut network = Network::new(&device);
        let mut seconds = Vec::new();
        let mut loss = 0.0;
        let mut cpu = 0.0;
        for step in 0..=STEPS {
            if step == 1 {
                cpu = cpu_seconds(); // the first step warms up
            }
            let start = Instant::now();
            loss = network.step(x.clone(), labels.clone(), kernels);
            seconds.push(start.elapsed().as_secs_f64());
        }
        let cpu = (cpu_seconds() - cpu) / STEPS as f64;
        let least = seconds.iter().copied().fold(f64::INFINITY, f64::min);
        println!("{name:8} {least:.3} s a step, {cpu:.3} s of CPU, loss {loss:.3}");
    }
    if let Some(python) = std::env::var_os("PYTHON") {
        let status = Command::new(python)
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/examples/resnet20_step.py"
            ))
            .args([batch.to_string(), threads.to_string(), STEPS.to_string()])
            .status()
            .expect("Python starts");
        assert!(status.success(), "PyTorch's step: {status}");
    }
}

/// Of all threads of this process so far.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name, which ends with a parenthesis: fields 3 and on; 14 and 15 are the times of
    // user and system in hundredths of a second (proc(5)).
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks
        .map(|ticks| ticks.parse::<f64>().expect("a time"))
        .sum::<f64>()
        / 100.0
}

impl Network {
    fn new(device: &Device) -> Self {
        let mut layers = vec![Layer::new(3, 16, 1, device)];
        for (inputs, outputs) in [(16, 16), (16, 32), (32, 64)] {
            for block in 0..3 {
                let inputs = if block == 0 { inputs } else { outputs };
                layers.push(Layer::new(inputs, outputs, outputs / inputs, device));
                layers.push(Layer::new(outputs, outputs, 1, device));
            }
        }
        let last = Tensor::random([64, 10], Distribution::Normal(0.0, 0.1), device);
        Self {
            layers,
            last: last.require_grad(),
        }
    }

    /// One step of plain SGD; the loss before it.
    fn step(&mut self, x: Tensor<4>, labels: Tensor<1, Int>, kernels: bool) -> f32 {
        let logits = self.logits(x, kernels);
        let loss = log_softmax(logits, 1)
            .gather(1, labels.unsqueeze_dim(1))
            .mean()
            .neg();
        let gradients = loss.backward();
        let rate = 0.01;
        for layer in &mut self.layers {
            step(&mut layer.weight, &gradients, rate);
            step(&mut layer.scale, &gradients, rate);
            step(&mut layer.shift, &gradients, rate);
        }
        step(&mut self.last, &gradients, rate);
        loss.into_scalar::<f32>()
    }

    fn logits(&self, x: Tensor<4>, kernels: bool) -> Tensor<2> {
        let mut x = self.layers[0].forward(x, Follow::Relu, kernels);
        for block in self.layers[1..].chunks_exact(2) {
            let shortcut = match block[0].stride {
                1 => x.clone(),
                _ => halved(x.clone()),
            };
            x = block[0].forward(x, Follow::Relu, kernels);
            x = block[1].forward(x, Follow::AddRelu(shortcut), kernels);
        }
        let [batch, channels, rows, columns] = x.dims();
        let x = x.reshape([batch, channels, rows * columns]).mean_dim(2);
        x.reshape([batch, channels]).matmul(self.last.clone())
    }
}

impl Layer {
    fn new(inputs: usize, outputs: usize, stride: usize, device: &Device) -> Self {
        let deviation = (2.0 / (9 * inputs) as f64).sqrt();
        let normal = Distribution::Normal(0.0, deviation);
        Self {
            weight: Tensor::random([outputs, inputs, 3, 3], normal, device).require_grad(),
            scale: Tensor::ones([outputs], device).require_grad(),
            shift: Tensor::zeros([outputs], device).require_grad(),
            stride,
        }
    }

    fn forward(&self, x: Tensor<4>, follow: Follow, kernels: bool) -> Tensor<4> {
        let (weight, stride) = (self.weight.clone(), [self.stride; 2]);
        let (scale, shift) = (self.scale.clone(), self.shift.clone());
        if kernels {
            let x = conv2d(
                x,
                weight,
                None,
                Geometry {
                    stride,
                    padding: [1, 1],
                },
            );
            return batch_norm_train(x, scale, shift, 1e-5, follow).output;
        }
        let x = module::conv2d(x, weight, None, ConvOptions::new(stride, [1, 1], [1, 1], 1));
        let x = module::batch_norm_train(x, scale, shift, 1e-5).output;
        follow.after(x)
    }
}

/// Every second pixel, and channels of zeros before and after.
fn halved(x: Tensor<4>) -> Tensor<4> {
    let options = burn::tensor::ops::AvgPoolOptions::new([1, 1]).with_stride([2, 2]);
    let x = module::avg_pool2d(x, options);
    let [batch, channels, rows, columns] = x.dims();
    let zeros = Tensor::zeros([batch, channels / 2, rows, columns], &x.device());
    Tensor::cat(vec![zeros.clone(), x, zeros], 1)
}

fn step<const D: usize>(parameter: &mut Tensor<D>, gradients: &burn::tensor::Gradients, rate: f64) {
    let gradient = parameter
        .grad(gradients)
        .expect("every parameter has a gradient");
    let next = parameter.clone().inner() - gradient * rate;
    *parameter = Tensor::from_inner(next).require_grad();
}
