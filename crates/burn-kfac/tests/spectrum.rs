//! The spectrum of a network's curvature.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use burn_kfac::{Damping, Kfac, Settings, Tape};

#[derive(Module, Debug)]
struct Net {
    first: Linear,
    second: Linear,
}

#[test]
fn a_networks_spectrum_is_over_the_eigenvalues_of_all_layers() {
    let device = Device::flex().autodiff();
    let net = Net {
        first: LinearConfig::new(3, 2).init(&device),
        second: LinearConfig::new(2, 2).init(&device),
    };
    let mut kfac = Kfac::new(Settings::new(Damping::new(1.0).unwrap()));
    assert_eq!(kfac.spectrum().unwrap(), None);
    let x = Tensor::<2>::from_floats(
        [
            [1.0, -0.5, 2.0],
            [0.5, 3.0, -1.0],
            [-2.0, 0.25, 0.125],
            [0.75, 1.5, 1.0],
        ],
        &device,
    );
    let mut tape = Tape::on();
    let x = tape.linear("first", &net.first, x);
    let x = tape.linear("second", &net.second, x.tanh());
    let mut gradients = x.powi_scalar(2).mean().backward();
    kfac.update(tape, &mut gradients).unwrap();

    let layers: Vec<String> = kfac.layers().map(str::to_owned).collect();
    assert_eq!(layers, ["first", "second"]);
    let mut all: Vec<f64> = layers
        .iter()
        .flat_map(|layer| kfac.factors(layer).unwrap().eigenvalues().unwrap())
        .collect();
    all.sort_by(f64::total_cmp);
    assert_eq!(all.len(), 4 * 2 + 3 * 2);
    let spectrum = kfac.spectrum().unwrap().unwrap();
    assert_eq!(spectrum.top.to_bits(), all[13].to_bits());
    assert_eq!(spectrum.median.to_bits(), all[6].to_bits());
    assert!(spectrum.top > 0.0);
}
