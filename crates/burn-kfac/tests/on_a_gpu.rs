//! K-FAC by kernels, on Vulkan's software device, against what the host computes of the same tensors; what it launches,
//! and what goes between host and device.
//!
//! Built with the feature `wgpu` only. Where there is no software adapter (Debian: `mesa-vulkan-drivers`), the test is
//! left out, and says so, unless `CI=true`. One test: what the whole process launches is counted.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::optim::GradientsParams;
use burn::tensor::{Device, DeviceType, Gradients, Tensor, TensorData};
use burn_cubecl::cubecl::logging::{LaunchObservation, LaunchObserver};
use burn_kfac::{
    BurnIn, Damping, DampingMethod, Error, Kfac, KlClip, Pi, Quantity, Settings, Tape, Traffic,
};

/// An adapter that computes on the CPU: it has no physical device behind it.
fn software() -> Option<Device> {
    let found = Device::enumerate(DeviceType::Wgpu)
        .into_iter()
        .find(|device| {
            let identity = device.identity();
            identity.is_some_and(|identity| identity.physical.is_none())
        });
    if found.is_none() {
        let required = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!required, "no software adapter");
        eprintln!("left out: no software adapter (Debian: mesa-vulkan-drivers)");
    }
    found.map(Device::autodiff)
}

/// Numbers in -1..1, the same for the same seed.
struct Numbers(u64);

impl Numbers {
    fn tensor<const D: usize>(&mut self, shape: [usize; D], device: &Device) -> Tensor<D> {
        let mut next = || {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            ((self.0 >> 40) as f32 / (1_u64 << 23) as f32) - 1.0
        };
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| next()).collect();
        Tensor::from_data(TensorData::new(values, shape), device)
    }
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

/// No difference is larger than so many parts of the largest value.
#[track_caller]
fn close(what: &str, ours: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(ours.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(1e-12, |a: f32, b| a.max(b.abs()));
    for (at, (ours, expected)) in ours.iter().zip(expected).enumerate() {
        let apart = (ours - expected).abs() / largest;
        assert!(
            apart <= tolerance,
            "{what}, {at}: {ours}, expected {expected}"
        );
    }
}

fn backward<const D: usize>(y: Tensor<D>, weights: Tensor<D>) -> Gradients {
    let batch = y.dims()[0];
    (y * weights).sum().div_scalar(batch as f32).backward()
}

#[derive(Module, Debug)]
struct Net {
    first: Conv2d,
    second: Conv2d,
    head: Linear,
}

impl Net {
    fn new(device: &Device) -> Self {
        let mut numbers = Numbers(5);
        let mut conv = |channels: [usize; 2], stride, bias| {
            let mut layer = Conv2dConfig::new(channels, [3, 3])
                .with_stride(stride)
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .with_bias(bias)
                .init(device);
            let shape = [channels[1], channels[0], 3, 3];
            layer.weight = Param::from_tensor(numbers.tensor(shape, device));
            layer
        };
        let (first, second) = (conv([2, 5], [1, 1], false), conv([5, 18], [2, 1], true));
        let mut head = LinearConfig::new(18, 3).init(device);
        head.weight = Param::from_tensor(numbers.tensor([18, 3], device));
        Self {
            first,
            second,
            head,
        }
    }

    fn logits(&self, tape: &mut Tape, x: Tensor<4>) -> Tensor<2> {
        let h = tape.conv2d("first", &self.first, x);
        let h = tape.conv2d("second", &self.second, h);
        let h = h.mean_dim(3).mean_dim(2).flatten::<2>(1, 3);
        tape.linear("head", &self.head, h)
    }

    /// The gradients of all layers.
    fn all(&self, gradients: &GradientsParams) -> Vec<Vec<f32>> {
        let bias = |bias: &Option<Param<Tensor<1>>>| {
            let id = bias.as_ref().expect("it has a bias").id;
            values(gradients.get::<1>(id).expect("a gradient"))
        };
        let conv = |layer: &Conv2d| values(gradients.get::<4>(layer.weight.id).unwrap());
        vec![
            conv(&self.first),
            conv(&self.second),
            bias(&self.second.bias),
            values(gradients.get::<2>(self.head.weight.id).unwrap()),
            bias(&self.head.bias),
        ]
    }
}

/// What a step gave, and how much went to and fro in it.
struct Stepped {
    u: Vec<Vec<f32>>,
    vg: Option<f64>,
    nu: f64,
    traffic: Traffic,
    /// Kernels launched by an update and a preconditioning.
    launched: Vec<&'static str>,
}

#[derive(Default)]
struct Names(Mutex<Vec<&'static str>>);

impl LaunchObserver for Names {
    fn launched(&self, kernel: &'static str) {
        self.0.lock().expect("nobody panics").push(kernel);
    }
}

/// Trains nothing: batches of noise, each with gradients of its own.
fn steps(
    net: &Net,
    mut kfac: Kfac,
    from: u64,
    count: u64,
    device: &Device,
) -> (Kfac, Vec<Stepped>) {
    let mut all = Vec::new();
    for step in from..from + count {
        let mut numbers = Numbers(1000 + step);
        let x = numbers.tensor([3, 2, 7, 6], device);
        let d = numbers.tensor([3, 3], device);
        let needs_factors = kfac.needs_factors();
        let mut tape = if needs_factors {
            Tape::on()
        } else {
            Tape::off()
        };
        let mut gradients = backward(net.logits(&mut tape, x), d);
        let mut of_parameters = GradientsParams::from_module(&mut gradients, net);
        let before = kfac.traffic();
        let names = Arc::new(Names::default());
        let watching = LaunchObservation::new(names.clone());
        if needs_factors {
            kfac.update(tape, &mut gradients).unwrap();
        }
        let step = kfac.precondition(0.1, &mut of_parameters).unwrap();
        drop(watching);
        let after = kfac.traffic();
        let launched = names.0.lock().expect("nobody panics").clone();
        all.push(Stepped {
            u: net.all(&of_parameters),
            vg: step.vg(),
            nu: step.nu(),
            traffic: Traffic {
                reads: after.reads - before.reads,
                bytes_read: after.bytes_read - before.bytes_read,
                uploads: after.uploads - before.uploads,
                bytes_uploaded: after.bytes_uploaded - before.bytes_uploaded,
            },
            launched,
        });
    }
    (kfac, all)
}

fn settings(inverse_every: u32) -> Settings {
    Settings {
        inverse_every: NonZeroU32::new(inverse_every).unwrap(),
        ..Settings::new(Damping::new(0.05).unwrap())
    }
}

fn runs_are_those_of_the_host(device: &Device) {
    let net = Net::new(device);
    let clipped = Settings {
        kl_clip: Some(KlClip::new(1e-3).unwrap()),
        ..settings(2)
    };
    let burnt_in = Settings {
        burn_in: BurnIn {
            batches: 3,
            examples_per_dimension: 0,
        },
        factor_every: NonZeroU32::new(2).unwrap(),
        ..settings(3)
    };
    let delayed = Settings {
        delay: 2,
        ..settings(3)
    };
    let methods = DampingMethod::ALL.map(|damping_method| Settings {
        damping_method,
        ..settings(1)
    });
    for settings in methods.into_iter().chain([clipped, burnt_in, delayed]) {
        let run = |kfac| steps(&net, kfac, 0, 6, device).1;
        let ours = run(Kfac::new(settings));
        let host = run(Kfac::new(settings).on_host());
        for (step, (ours, host)) in ours.iter().zip(&host).enumerate() {
            let what = format!("{settings:?}, step {step}");
            for (ours, host) in ours.u.iter().zip(&host.u) {
                close(&what, ours, host, 2e-5);
            }
            if let (Some(ours), Some(host)) = (ours.vg, host.vg) {
                assert!((ours / host - 1.0).abs() < 1e-5, "{what}: {ours}, {host}");
            }
            assert!((ours.nu / host.nu - 1.0).abs() < 1e-5, "{what}");
            assert_eq!(host.traffic, Traffic::default());
        }
    }
}

fn launches_and_traffic_are_as_few_as_can_be(device: &Device) {
    let net = Net::new(device);
    let mut names: Vec<&str> = Vec::new();
    // By layer: A of 18, 46, 19; G of 5, 18, 3.
    let triangle = |n: u64| n * (n + 1) / 2;
    let factors: u64 = [18, 46, 19, 5, 18, 3].map(triangle).iter().sum();
    let eigen: u64 = [18, 46, 19, 5, 18, 3].map(|n| n * n + n).iter().sum();
    for (method, products, inverses) in [
        (DampingMethod::Eigen, 4, eigen),
        (DampingMethod::Factored(Pi::Trace), 2, factors),
    ] {
        let settings = Settings {
            damping_method: method,
            ..settings(2)
        };
        let (_, all) = steps(&net, Kfac::new(settings), 0, 5, device);
        for (step, it) in all.iter().enumerate().skip(1) {
            // A launch a factor, one for the averages, one for V, and the products.
            assert_eq!(
                it.launched.len(),
                6 + 1 + 1 + products,
                "{method:?}, step {step}"
            );
            let due = u64::from(step % 2 == 0);
            // Of three layers, of two rows of tiles at most; cubes tell whether U was finite.
            let cubes = 1 + 2 + 1;
            assert_eq!(
                it.traffic,
                Traffic {
                    reads: due,
                    bytes_read: due * 4 * (factors + cubes),
                    uploads: due,
                    bytes_uploaded: due * 4 * inverses,
                },
                "{method:?}, step {step}"
            );
            names.extend(&it.launched);
        }
    }
    // No product by burn's kernels, whose numbers CUDA shortens.
    let ours = ["SecondMoment", "Average", "Gather", "Multiply"];
    let of_others: Vec<_> = (names.iter())
        .filter(|name| !ours.iter().any(|ours| name.contains(ours)))
        .collect();
    assert!(of_others.is_empty(), "{of_others:?}");
    let burn_in = Settings {
        burn_in: BurnIn {
            batches: 9,
            examples_per_dimension: 0,
        },
        ..settings(1)
    };
    let (_, all) = steps(&net, Kfac::new(burn_in), 0, 3, device);
    for it in &all[1..] {
        assert_eq!((it.launched.len(), it.traffic), (6 + 1, Traffic::default()));
    }
}

fn a_run_goes_on_elsewhere_to_the_bit(device: &Device) {
    let net = Net::new(device);
    for delay in [0, 2] {
        let settings = Settings {
            delay,
            ..settings(3)
        };
        let whole = steps(&net, Kfac::new(settings), 0, 8, device).1;
        let again = steps(&net, Kfac::new(settings), 0, 8, device).1;
        for stop in [1, 3, 4, 5, 6] {
            let (kfac, _) = steps(&net, Kfac::new(settings), 0, stop, device);
            let resumed = Kfac::resume(settings, kfac.state());
            let (_, rest) = steps(&net, resumed, stop, 8 - stop, device);
            for (at, it) in rest.iter().enumerate() {
                let step = at + stop as usize;
                assert_eq!(it.u, whole[step].u, "delay {delay}, {stop} to {step}");
                assert_eq!(again[step].u, whole[step].u, "delay {delay}, step {step}");
            }
        }
    }
}

fn factors_are_those_of_the_host(device: &Device) {
    let mut numbers = Numbers(31);
    let explicit = PaddingConfig2d::Explicit;
    // Channels, kernel, stride, dilation, padding, bias, batch, size; one wider than a tile, one of several parts.
    let cases = [
        (
            [1, 1],
            [1, 1],
            [1, 1],
            [1, 1],
            explicit(0, 0, 0, 0),
            false,
            1,
            [1, 1],
        ),
        (
            [3, 2],
            [3, 2],
            [2, 3],
            [1, 1],
            explicit(2, 0, 1, 3),
            true,
            2,
            [7, 6],
        ),
        (
            [2, 17],
            [2, 3],
            [1, 2],
            [2, 1],
            explicit(0, 1, 0, 1),
            true,
            3,
            [6, 5],
        ),
        (
            [9, 33],
            [3, 3],
            [1, 1],
            [1, 1],
            explicit(1, 1, 1, 1),
            true,
            2,
            [5, 4],
        ),
        (
            [2, 3],
            [3, 3],
            [1, 1],
            [1, 1],
            PaddingConfig2d::Same,
            false,
            19,
            [12, 11],
        ),
    ];
    for (channels, kernel, stride, dilation, padding, bias, batch, [height, width]) in cases {
        let layer = Conv2dConfig::new(channels, kernel)
            .with_stride(stride)
            .with_dilation(dilation)
            .with_padding(padding)
            .with_bias(bias)
            .init(device);
        let x = numbers.tensor([batch, channels[0], height, width], device);
        let capture = || {
            let mut tape = Tape::on();
            let y = tape.conv2d("conv", &layer, x.clone());
            let d = Numbers(37).tensor(y.dims(), device);
            let mut gradients = backward(y, d);
            tape.captures(&mut gradients).unwrap().remove(0)
        };
        let (ours, host) = (
            capture().factors().unwrap(),
            capture().factors_on_host().unwrap(),
        );
        assert_eq!(ours.positions, host.positions);
        let what = format!("of {channels:?} {kernel:?} {stride:?}");
        close(
            &format!("A {what}"),
            &ours.a_mean.to_dense(),
            &host.a_mean.to_dense(),
            2e-6,
        );
        close(
            &format!("G {what}"),
            &ours.g_mean.to_dense(),
            &host.g_mean.to_dense(),
            2e-6,
        );
    }
}

fn what_is_not_finite_is_found(device: &Device) {
    let layer = LinearConfig::new(3, 2).init(device);
    let mut numbers = Numbers(41);
    let mut step = |kfac: &mut Kfac, bad: [f32; 2]| {
        let x = numbers.tensor([4, 3], device) + bad[0];
        let d = numbers.tensor([4, 2], device) + bad[1];
        let mut tape = if kfac.needs_factors() {
            Tape::on()
        } else {
            Tape::off()
        };
        let needs_factors = tape.is_on();
        let mut gradients = backward(tape.linear("fc", &layer, x), d);
        let mut of_parameters = GradientsParams::from_module(&mut gradients, &layer);
        if needs_factors {
            kfac.update(tape, &mut gradients)?;
        }
        kfac.precondition(1.0, &mut of_parameters)
    };
    let non_finite = |what| Error::NonFinite {
        layer: "fc".into(),
        what,
    };
    for (bad, what) in [
        ([f32::NAN, 0.0], Quantity::InputFactor),
        ([0.0, f32::INFINITY], Quantity::OutputFactor),
    ] {
        let error = step(&mut Kfac::new(settings(1)), bad).unwrap_err();
        assert_eq!(error, non_finite(what));
    }
    // A gradient that turns bad between two updates is seen at once by who looks, and by all when inverses are due.
    let mut kfac = Kfac::new(Settings {
        factor_every: NonZeroU32::new(3).unwrap(),
        ..settings(3)
    });
    let u = non_finite(Quantity::PreconditionedGradient);
    step(&mut kfac, [0.0, 0.0]).unwrap().check().unwrap();
    let bad = step(&mut kfac, [0.0, f32::NAN]).unwrap();
    assert_eq!(bad.check().unwrap_err(), u);
    step(&mut kfac, [0.0, 0.0]).unwrap().check().unwrap();
    assert_eq!(step(&mut kfac, [0.0, 0.0]).unwrap_err(), u);
}

#[test]
fn kfac_on_a_gpu_backend_is_that_of_the_host() {
    let Some(device) = software() else { return };
    factors_are_those_of_the_host(&device);
    runs_are_those_of_the_host(&device);
    launches_and_traffic_are_as_few_as_can_be(&device);
    a_run_goes_on_elsewhere_to_the_bit(&device);
    what_is_not_finite_is_found(&device);
}
