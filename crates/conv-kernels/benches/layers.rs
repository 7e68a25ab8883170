//! Time and GFLOP/s of the layers of ResNet20 and of a small network, beside PyTorch's.
//!
//! `cargo bench -p conv-kernels` prints ours; `PYTHON=…/python cargo bench -p conv-kernels` runs
//! `benches/pytorch.py` (needs what `benches/requirements.txt` names) layer by layer in turn with
//! it and prints ratios. `THREADS=1,2` chooses the numbers of threads. The least time of several
//! calls is taken: what else the machine does only adds. `BATCH=16` takes ResNet20's layers at
//! another batch than 128, short enough to be undisturbed on a busy machine.

#![allow(clippy::doc_markdown)] // names of programs and networks, not of code

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Instant;

use conv_kernels::{Affine, Channels, Conv2d, Kernels, Then, Through};

/// Seconds that each measurement goes on for.
const SECONDS: f64 = 0.25;

struct Layer {
    name: &'static str,
    /// How often the network has it.
    count: usize,
    channels: [usize; 2],
    size: usize,
    kernel: usize,
    stride: usize,
}

const fn layer(
    name: &'static str,
    count: usize,
    channels: [usize; 2],
    size: usize,
    kernel: usize,
    stride: usize,
) -> Layer {
    Layer {
        name,
        count,
        channels,
        size,
        kernel,
        stride,
    }
}

const RESNET20: [Layer; 6] = [
    layer("3->16, 32x32", 1, [3, 16], 32, 3, 1),
    layer("16->16, 32x32", 6, [16, 16], 32, 3, 1),
    layer("16->32, stride 2", 1, [16, 32], 32, 3, 2),
    layer("32->32, 16x16", 5, [32, 32], 16, 3, 1),
    layer("32->64, stride 2", 1, [32, 64], 16, 3, 2),
    layer("64->64, 8x8", 5, [64, 64], 8, 3, 1),
];

const SMALL: [Layer; 2] = [
    layer("1->8, 8x8", 1, [1, 8], 8, 3, 1),
    layer("8->16, stride 2", 1, [8, 16], 8, 3, 2),
];

const PASSES: [&str; 3] = ["forward", "data", "weight"];

fn main() {
    let threads = std::env::var("THREADS").unwrap_or_else(|_| "1,2".into());
    let resnet_batch =
        std::env::var("BATCH").map_or(128, |n| n.parse().expect("BATCH is a number"));
    for threads in threads
        .split(',')
        .map(|n| n.parse().expect("THREADS is a list of numbers"))
    {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .expect("threads start");
        let mut other = std::env::var_os("PYTHON").map(|python| Other::start(&python, threads));
        for (network, layers, batch) in [
            ("ResNet20", &RESNET20[..], resnet_batch),
            ("small network", &SMALL, 32),
            ("small network", &SMALL, 128),
            ("small network", &SMALL, 512),
        ] {
            println!(
                "\n{network}, batch {batch}, {threads} threads, {:?}",
                Kernels::best().level()
            );
            println!(
                "{:18} {:8} {:>10} {:>9} {:>12} {:>6}",
                "layer", "pass", "us", "GFLOP/s", "PyTorch's us", "ratio"
            );
            let mut sums = [0.0; 2];
            for layer in layers {
                let shape = shape(layer, batch);
                let ours = pool.install(|| ours(&shape));
                let theirs = other.as_mut().map(|other| other.ask(layer, batch));
                for (pass, name) in PASSES.into_iter().enumerate() {
                    // The first layer needs no gradient of the data.
                    let count = if pass == 1 && layer.channels[0] < 4 {
                        0
                    } else {
                        layer.count
                    };
                    let theirs = theirs.map(|theirs| theirs[pass]);
                    line(layer.name, name, ours[pass], Some(shape.flops()), theirs);
                    sums[0] += count as f64 * ours[pass];
                    sums[1] += count as f64 * theirs.unwrap_or(f64::NAN);
                }
            }
            for layer in layers {
                let size = layer.size / layer.stride;
                let channels = Channels {
                    batch,
                    channels: layer.channels[1],
                    area: size * size,
                };
                let ours = pool.install(|| normalisation(channels));
                let theirs = other
                    .as_mut()
                    .map(|other| other.ask_normalisation(channels));
                for (pass, name) in ["norm", "gradient"].into_iter().enumerate() {
                    let theirs = theirs.map(|theirs| theirs[pass]);
                    let layer_name = format!(
                        "BN, ReLU {}",
                        &layer.name[layer.name.find('>').map_or(0, |i| i + 1)..]
                    );
                    line(&layer_name, name, ours[pass], None, theirs);
                    sums[0] += layer.count as f64 * ours[pass];
                    sums[1] += layer.count as f64 * theirs.unwrap_or(f64::NAN);
                }
            }
            println!(
                "{:18} {:8} {:10.0} {:>9} {:12.0} {:6.2}",
                "all",
                "",
                sums[0] * 1e6,
                "",
                sums[1] * 1e6,
                sums[0] / sums[1]
            );
        }
    }
}

fn line(layer: &str, pass: &str, seconds: f64, flops: Option<usize>, other: Option<f64>) {
    let rate = flops.map_or(String::new(), |flops| {
        format!("{:.1}", flops as f64 / seconds / 1e9)
    });
    print!("{layer:18} {pass:8} {:10.1} {rate:>9}", seconds * 1e6);
    match other {
        Some(other) => println!(" {:12.1} {:6.2}", other * 1e6, seconds / other),
        None => println!(),
    }
}

fn shape(layer: &Layer, batch: usize) -> Conv2d {
    Conv2d::with(
        batch,
        layer.channels,
        [layer.size; 2],
        [layer.kernel; 2],
        [layer.stride; 2],
        [layer.kernel / 2; 2],
    )
    .expect("a layer of a network")
}

/// The least seconds of the three passes.
fn ours(shape: &Conv2d) -> [f64; 3] {
    let kernels = Kernels::best();
    let input = vec![0.5; shape.input_len()];
    let weight = vec![0.25; shape.weight_len()];
    let gradient = vec![0.125; shape.output_len()];
    let mut output = vec![0.0; shape.output_len()];
    let mut input_gradient = vec![0.0; shape.input_len()];
    let mut weight_gradient = vec![0.0; shape.weight_len()];
    [
        least(|| kernels.conv2d(shape, &input, &weight, None, &mut output)),
        least(|| kernels.conv2d_data_gradient(shape, &gradient, &weight, &mut input_gradient)),
        least(|| kernels.conv2d_weight_gradient(shape, &input, &gradient, &mut weight_gradient)),
    ]
}

/// The least seconds of forward and backward pass with a rectifier.
fn normalisation(channels: Channels) -> [f64; 2] {
    let kernels = Kernels::best();
    let input: Vec<f32> = (0..channels.len()).map(|i| (i % 7) as f32).collect();
    let gradient: Vec<f32> = (0..channels.len()).map(|i| (i % 5) as f32).collect();
    let (scale, shift) = (vec![1.0; channels.channels], vec![0.0; channels.channels]);
    let affine = Affine {
        scale: &scale,
        shift: &shift,
        epsilon: 1e-5,
    };
    let mut output = vec![0.0; channels.len()];
    let mut input_gradient = vec![0.0; channels.len()];
    let (mut scale_gradient, mut shift_gradient) = (scale.clone(), shift.clone());
    let statistics = kernels.batch_norm(channels, &input, affine, Then::Relu, &mut output);
    [
        least(|| {
            kernels.batch_norm(channels, &input, affine, Then::Relu, &mut output);
        }),
        least(|| {
            kernels.batch_norm_gradient(
                channels,
                &input,
                affine,
                &statistics,
                Through::Relu,
                &gradient,
                &mut input_gradient,
                &mut scale_gradient,
                &mut shift_gradient,
            );
        }),
    ]
}

fn least(mut work: impl FnMut()) -> f64 {
    work();
    let start = Instant::now();
    let mut least = f64::INFINITY;
    while start.elapsed().as_secs_f64() < SECONDS {
        let call = Instant::now();
        work();
        least = least.min(call.elapsed().as_secs_f64());
    }
    least
}

/// The Python process: it answers a line with a layer by a line with its passes' times.
struct Other {
    child: Child,
    answers: BufReader<ChildStdout>,
}

impl Other {
    fn start(python: &std::ffi::OsStr, threads: usize) -> Self {
        let mut child = Command::new(python)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/pytorch.py"))
            .args([threads.to_string(), SECONDS.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python starts");
        let answers = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, answers }
    }

    fn ask(&mut self, layer: &Layer, batch: usize) -> [f64; 3] {
        let Layer {
            channels,
            size,
            kernel,
            stride,
            ..
        } = layer;
        self.answer(&format!(
            "conv {batch} {} {} {size} {kernel} {stride}",
            channels[0], channels[1]
        ))
        .try_into()
        .expect("three times")
    }

    fn ask_normalisation(&mut self, channels: Channels) -> [f64; 2] {
        let Channels {
            batch,
            channels,
            area,
        } = channels;
        self.answer(&format!("norm {batch} {channels} {area}"))
            .try_into()
            .expect("two times")
    }

    fn answer(&mut self, question: &str) -> Vec<f64> {
        let to = self.child.stdin.as_mut().expect("piped");
        writeln!(to, "{question}").expect("Python listens");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("Python answers");
        answer
            .split_whitespace()
            .map(|time| time.parse().expect("a time"))
            .collect()
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait(); // it ends with its input
    }
}
