//! Outputs and gradients against burn's own operations, which have another implementation.

use burn::tensor::activation::relu;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Distribution, Tensor, Tolerance, module};
use burn_conv_kernels::{Follow, Geometry, batch_norm, batch_norm_train, conv2d, probed_conv2d};

/// Stride 1 and one pixel of padding.
const UNIT: Geometry = Geometry {
    stride: [1, 1],
    padding: [1, 1],
};

fn device() -> Device {
    Device::flex().autodiff()
}

fn random<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.3, 1.0), &device())
}

#[track_caller]
fn same<const D: usize>(ours: &Tensor<D>, burns: &Tensor<D>) {
    let tolerance = Tolerance::<f32>::relative(1e-4).set_absolute(1e-4);
    ours.to_data()
        .assert_approx_eq::<f32>(&burns.to_data(), tolerance);
}

/// Gradients with respect to `inputs` of the sum of the products of output and weighting.
macro_rules! gradients {
    ($output:expr, $weighting:expr, $($input:expr),+) => {{
        let gradients = ($output.clone() * $weighting.clone()).sum().backward();
        ($($input.grad(&gradients).expect("it requires a gradient"),)+)
    }};
}

#[test]
fn convolutions_are_burns() {
    for (kernel, stride, padding) in [
        ([3, 3], [1, 1], [1, 1]),
        ([3, 2], [2, 2], [1, 0]),
        ([1, 1], [2, 2], [0, 0]),
    ] {
        for with_bias in [false, true] {
            let x = random([5, 7, 9, 8]).require_grad();
            let weight = random([6, 7, kernel[0], kernel[1]]).require_grad();
            let bias = random([6]).require_grad();
            let given = with_bias.then(|| bias.clone());
            let ours = conv2d(
                x.clone(),
                weight.clone(),
                given.clone(),
                Geometry { stride, padding },
            );
            let options = ConvOptions::new(stride, padding, [1, 1], 1);
            let burns = module::conv2d(x.clone(), weight.clone(), given, options);
            same(&ours, &burns);
            let weighting = random(ours.dims());
            if with_bias {
                let ours = gradients!(ours, weighting, x, weight, bias);
                let burns = gradients!(burns, weighting, x, weight, bias);
                same(&ours.0, &burns.0);
                same(&ours.1, &burns.1);
                same(&ours.2, &burns.2);
            } else {
                let ours = gradients!(ours, weighting, x, weight);
                let burns = gradients!(burns, weighting, x, weight);
                same(&ours.0, &burns.0);
                same(&ours.1, &burns.1);
            }
        }
    }
}

#[test]
fn normalisations_are_burns() {
    let shape = [5, 7, 6, 3];
    let (x, shortcut) = (random(shape).require_grad(), random(shape).require_grad());
    let (scale, shift) = (random([7]).require_grad(), random([7]).require_grad());
    let weighting = random(shape);
    for follow in [
        Follow::Nothing,
        Follow::Relu,
        Follow::AddRelu(shortcut.clone()),
    ] {
        let plain = module::batch_norm_train(x.clone(), scale.clone(), shift.clone(), 1e-5);
        let burns = match &follow {
            Follow::Nothing => plain.output,
            Follow::Relu => relu(plain.output),
            Follow::AddRelu(shortcut) => relu(plain.output + shortcut.clone()),
        };
        let ours = batch_norm_train(
            x.clone(),
            scale.clone(),
            shift.clone(),
            1e-5,
            follow.clone(),
        );
        same(&ours.output, &burns);
        same(&ours.mean, &plain.mean);
        same(&ours.variance, &plain.variance);
        let evaluated = batch_norm(
            x.clone().inner(),
            scale.clone().inner(),
            shift.clone().inner(),
            [ours.mean.inner(), ours.variance.inner()],
            1e-5,
            match follow.clone() {
                Follow::AddRelu(shortcut) => Follow::AddRelu(shortcut.inner()),
                other => other,
            },
        );
        same(&evaluated, &ours.output.clone().inner());
        if let Follow::AddRelu(_) = follow {
            let ours = gradients!(ours.output, weighting, x, scale, shift, shortcut);
            let burns = gradients!(burns, weighting, x, scale, shift, shortcut);
            same(&ours.0, &burns.0);
            same(&ours.1, &burns.1);
            same(&ours.2, &burns.2);
            same(&ours.3, &burns.3);
        } else {
            let ours = gradients!(ours.output, weighting, x, scale, shift);
            let burns = gradients!(burns, weighting, x, scale, shift);
            same(&ours.0, &burns.0);
            same(&ours.1, &burns.1);
            same(&ours.2, &burns.2);
        }
    }
}

#[test]
fn views_are_read_as_burn_reads_them() {
    let x = random([4, 9, 8, 5]).swap_dims(1, 3).narrow(0, 1, 3);
    let weight = random([3, 3, 6, 5]).permute([2, 3, 0, 1]);
    let ours = conv2d(x.clone(), weight.clone(), None, UNIT);
    let burns = module::conv2d(x, weight, None, ConvOptions::new([1, 1], [1, 1], [1, 1], 1));
    same(&ours, &burns);
}

#[test]
fn a_constant_weight_gets_no_gradient_and_passes_one_on() {
    let x = random([2, 3, 4, 4]).require_grad();
    let weight = random([5, 3, 3, 3]);
    let gradients = conv2d(x.clone(), weight.clone().inner(), None, UNIT)
        .sum()
        .backward();
    assert!(x.grad(&gradients).is_some());
    assert!(weight.grad(&gradients).is_none());
}

#[test]
fn a_probe_gets_the_gradient_at_the_output_and_changes_nothing_else() {
    for with_bias in [false, true] {
        let x = random([3, 2, 6, 5]).require_grad();
        let weight = random([4, 2, 3, 3]).require_grad();
        let bias = with_bias.then(|| random([4]));
        let plain = conv2d(x.clone(), weight.clone(), bias.clone(), UNIT);
        let weighting = random(plain.dims());
        let probe = Tensor::zeros(plain.dims(), &device()).require_grad();
        let probed = probed_conv2d(x.clone(), weight.clone(), bias, probe.clone(), UNIT);
        assert_eq!(probed.to_data(), plain.to_data());
        let plain = gradients!(plain, weighting, x, weight);
        let probed = gradients!(probed, weighting, x, weight, probe);
        assert_eq!(probed.0.to_data(), plain.0.to_data());
        assert_eq!(probed.1.to_data(), plain.1.to_data());
        assert_eq!(probed.2.to_data(), weighting.inner().to_data());
    }
}

#[test]
fn a_probe_beside_constants_still_gets_its_gradient() {
    let x = random([3, 2, 6, 5]);
    let weight = random([4, 2, 3, 3]);
    let probe = Tensor::zeros([3, 4, 6, 5], &device()).require_grad();
    let gradients = probed_conv2d(x, weight.inner(), None, probe.clone(), UNIT)
        .sum()
        .backward();
    let ones = Tensor::<4>::ones([3, 4, 6, 5], &Device::flex());
    assert_eq!(probe.grad(&gradients).unwrap().to_data(), ones.to_data());
}
