//! Batch normalisation by the kernels for GPUs, on Vulkan's software device, against a naive twin in double precision
//! and against finite differences of it.
//!
//! Built with the feature `wgpu` only. Where there is no software adapter (Debian: `mesa-vulkan-drivers`), the tests
//! are left out, and say so, unless `CI=true`.

mod naive;
mod numbers;
mod software;

use burn::tensor::{Device, Tensor, TensorData};
use burn_conv_kernels::{Follow, batch_norm, batch_norm_train};
use naive::{Case, Follows, Twin};
use software::software;

/// How the memory of images is laid out.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Layout {
    Rows,
    /// As convolutions leave them.
    ChannelsLast,
    /// Rows of pixels with gaps between them.
    Padded,
}

/// values: `[batch, channels, rows, columns]`.
fn images(values: &[f64], dims: [usize; 4], layout: Layout, device: &Device) -> Tensor<4> {
    let values: Vec<f32> = values.iter().map(|x| *x as f32).collect();
    let tensor = Tensor::<4>::from_data(TensorData::new(values, dims), device);
    match layout {
        Layout::Rows => tensor,
        Layout::ChannelsLast => {
            // A copy in the order of the permuted dimensions, and the view back.
            let last = tensor.permute([0, 2, 3, 1]).into_data();
            Tensor::<4>::from_data(last, device).permute([0, 3, 1, 2])
        }
        Layout::Padded => {
            let gap = tensor.zeros_like();
            Tensor::cat(vec![tensor, gap], 3).narrow(3, 0, dims[3])
        }
    }
}

fn vector(values: &[f64], device: &Device) -> Tensor<1> {
    let values: Vec<f32> = values.iter().map(|x| *x as f32).collect();
    Tensor::from_data(values.as_slice(), device)
}

/// No difference is larger than so many parts of the largest value, or of 0.1: of a sum of terms of about 1.
#[track_caller]
fn close<const D: usize>(what: &str, ours: Tensor<D>, expected: &[f64], tolerance: f64) {
    let ours: Vec<f32> = ours.into_data().try_into_vec().unwrap();
    assert_eq!(ours.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0.1, |a: f64, b| a.max(b.abs()));
    for (at, (ours, expected)) in ours.iter().zip(expected).enumerate() {
        let apart = (f64::from(*ours) - expected).abs() / largest;
        assert!(
            apart < tolerance,
            "{what}, {at}: {ours}, expected {expected}"
        );
    }
}

/// Outputs, statistics and gradients of a case on a device, all against the twin.
fn check(case: &Case, layout: Layout, device: &Device, tolerance: f64) {
    let what = |of: &str| format!("{of} of {:?} {:?} {layout:?}", case.dims, case.follows);
    let device = device.clone().autodiff();
    let x = images(&case.x, case.dims, layout, &device).require_grad();
    let shortcut = images(&case.shortcut, case.dims, layout, &device).require_grad();
    let scale = vector(&case.scale, &device).require_grad();
    let shift = vector(&case.shift, &device).require_grad();
    let follow = || match case.follows {
        Follows::Nothing => Follow::Nothing,
        Follows::Relu => Follow::Relu,
        Follows::AddRelu => Follow::AddRelu(shortcut.clone()),
    };
    let ours = batch_norm_train(
        x.clone(),
        scale.clone(),
        shift.clone(),
        naive::EPSILON,
        follow(),
    );
    let weighting = images(&case.weighting, case.dims, layout, &device);
    let gradients = (ours.output.clone() * weighting).sum().backward();

    let Twin {
        output,
        mean,
        variance,
        ..
    } = case.forward();
    let expected = case.gradients();
    close(&what("mean"), ours.mean.clone().inner(), &mean, tolerance);
    close(
        &what("variance"),
        ours.variance.clone().inner(),
        &variance,
        tolerance,
    );
    close(&what("output"), ours.output.inner(), &output, tolerance);
    let gradient = x.grad(&gradients).expect("x requires one");
    close(&what("gradient at x"), gradient, &expected.x, tolerance);
    let gradient = scale.grad(&gradients).expect("the scale requires one");
    close(
        &what("gradient at the scale"),
        gradient,
        &expected.scale,
        tolerance,
    );
    let gradient = shift.grad(&gradients).expect("the shift requires one");
    close(
        &what("gradient at the shift"),
        gradient,
        &expected.shift,
        tolerance,
    );
    match (case.follows, shortcut.grad(&gradients)) {
        (Follows::AddRelu, gradient) => {
            let gradient = gradient.expect("the shortcut requires one");
            close(
                &what("gradient at the shortcut"),
                gradient,
                &expected.shortcut,
                tolerance,
            );
        }
        (_, gradient) => assert!(gradient.is_none(), "{}", what("no shortcut")),
    }

    let follow = match follow() {
        Follow::AddRelu(shortcut) => Follow::AddRelu(shortcut.inner()),
        other => other,
    };
    let given = [ours.mean.inner(), ours.variance.inner()];
    let evaluated = batch_norm(
        x.inner(),
        scale.inner(),
        shift.inner(),
        given,
        naive::EPSILON,
        follow,
    );
    close(&what("evaluation"), evaluated, &output, tolerance);
}

const FOLLOWS: [Follows; 3] = [Follows::Nothing, Follows::Relu, Follows::AddRelu];

#[test]
fn outputs_and_gradients_are_those_of_a_naive_twin_for_odd_shapes_and_layouts() {
    let Some(device) = software() else { return };
    for dims in [
        [1, 1, 1, 2],
        [2, 3, 1, 1],
        [5, 7, 6, 3],
        [3, 16, 9, 1],
        [4, 33, 5, 7],
        [7, 70, 4, 4],
        // Several parts in each reduction.
        [11, 16, 17, 13],
        [40, 3, 19, 21],
    ] {
        for follows in FOLLOWS {
            for layout in [Layout::Rows, Layout::ChannelsLast, Layout::Padded] {
                let case = Case::random(dims, follows, 0.3);
                check(&case, layout, &device, 1e-5);
            }
        }
    }
}

#[test]
fn a_variance_survives_a_mean_a_thousand_times_as_large() {
    let Some(device) = software() else { return };
    let case = Case::random([9, 5, 14, 15], Follows::Nothing, 1000.0);
    let scale = vector(&case.scale, &device);
    for layout in [Layout::Rows, Layout::ChannelsLast] {
        let x = images(&case.x, case.dims, layout, &device);
        let shift = vector(&case.shift, &device);
        let ours = batch_norm_train(x, scale.clone(), shift, naive::EPSILON, Follow::Nothing);
        let twin = case.forward();
        close("mean", ours.mean, &twin.mean, 1e-6);
        // Single precision has the mean to 6e-5; as a difference of squares the variance would be off by 0.1 and more.
        close("variance", ours.variance, &twin.variance, 1e-4);
    }
}

#[test]
fn a_value_that_is_no_number_makes_its_channel_none_and_no_other() {
    let Some(device) = software() else { return };
    let mut case = Case::random([4, 3, 5, 5], Follows::Relu, 0.3);
    case.x[25 + 7] = f64::NAN;
    let ours = batch_norm_train(
        images(&case.x, case.dims, Layout::ChannelsLast, &device),
        vector(&case.scale, &device),
        vector(&case.shift, &device),
        naive::EPSILON,
        Follow::Relu,
    );
    let mean: Vec<f32> = ours.mean.into_data().try_into_vec().unwrap();
    let is_none: Vec<bool> = mean.iter().map(|mean| mean.is_nan()).collect();
    assert_eq!(is_none, [false, true, false]);
    let output: Vec<f32> = ours.output.into_data().try_into_vec().unwrap();
    for (at, value) in output.iter().enumerate() {
        assert_eq!(value.is_nan(), at / 25 % 3 == 1, "{at}: {value}");
    }
}

#[test]
fn the_same_numbers_give_the_same_bits_each_time() {
    let Some(device) = software() else { return };
    let device = device.autodiff();
    let case = Case::random([16, 16, 20, 20], Follows::AddRelu, 0.3);
    let bits = || {
        let x = images(&case.x, case.dims, Layout::ChannelsLast, &device).require_grad();
        let shortcut = images(&case.shortcut, case.dims, Layout::ChannelsLast, &device);
        let scale = vector(&case.scale, &device).require_grad();
        let shift = vector(&case.shift, &device);
        let follow = Follow::AddRelu(shortcut);
        let ours = batch_norm_train(x.clone(), scale.clone(), shift, naive::EPSILON, follow);
        let weighting = images(&case.weighting, case.dims, Layout::ChannelsLast, &device);
        let gradients = (ours.output.clone() * weighting).sum().backward();
        let x = x.grad(&gradients).unwrap().into_data();
        let scale = scale.grad(&gradients).unwrap().into_data();
        (ours.output.inner().into_data(), x, scale)
    };
    assert_eq!(bits(), bits());
}

#[test]
fn the_twins_gradients_are_its_finite_differences() {
    for follows in FOLLOWS {
        let case = Case::random([3, 2, 4, 3], follows, 0.3);
        let gradients = case.gradients();
        let check = |what: &str, gradient: &[f64], of: fn(&mut Case) -> &mut Vec<f64>| {
            for (at, expected) in gradient.iter().enumerate() {
                let moved = |by: f64| {
                    let mut case = case.clone();
                    of(&mut case)[at] += by;
                    case.loss()
                };
                let step = 1e-6;
                let difference = (moved(step) - moved(-step)) / (2.0 * step);
                let apart = (difference - expected).abs();
                assert!(
                    apart < 1e-7,
                    "{what}, {follows:?}, {at}: {expected}, differences give {difference}"
                );
            }
        };
        check("x", &gradients.x, |case| &mut case.x);
        check("scale", &gradients.scale, |case| &mut case.scale);
        check("shift", &gradients.shift, |case| &mut case.shift);
        check("shortcut", &gradients.shortcut, |case| &mut case.shortcut);
    }
}
