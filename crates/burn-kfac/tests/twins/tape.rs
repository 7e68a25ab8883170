//! What a tape records, and what it leaves alone.

use burn::nn::PaddingConfig2d;
use burn::nn::conv::Conv2dConfig;
use burn::optim::GradientsParams;
use burn_kfac::{Error, Kfac, Tape};

use crate::{Numbers, backward, device, linear, settings, values};

#[test]
fn what_a_training_loop_puts_together_wrongly_is_an_error() {
    let mut numbers = Numbers(5);
    let layer = linear(3, 3, true, &mut numbers);
    let x = numbers.tensor([2, 3], &device());
    let d = numbers.tensor([2, 3], &device());
    let named = |layer: &str| layer.to_owned();

    let mut kfac = Kfac::new(settings(1.0));
    let mut gradients = backward(layer.forward(x.clone()), d.clone());
    assert_eq!(
        kfac.update(Tape::off(), &mut gradients),
        Err(Error::EmptyTape)
    );
    let mut of_parameters = GradientsParams::from_module(&mut gradients, &layer);
    assert_eq!(
        kfac.precondition(1.0, &mut of_parameters).unwrap_err(),
        Error::NoFactors
    );

    let mut tape = Tape::on();
    let y = tape.linear("a", &layer, x.clone());
    let mut gradients = backward(tape.linear("b", &layer, y), d.clone());
    assert_eq!(
        tape.captures(&mut gradients).unwrap_err(),
        Error::Repeated { layer: named("b") }
    );

    let mut tape = Tape::on();
    tape.linear("unused", &layer, x.clone());
    let mut gradients = backward(layer.forward(x.clone()), d.clone());
    let error = Error::NoOutputGradient {
        layer: named("unused"),
    };
    assert_eq!(tape.captures(&mut gradients).unwrap_err(), error);

    let mut tape = Tape::curvature_only();
    let mut gradients = backward(tape.linear("fc", &layer, x), d);
    kfac.update(tape, &mut gradients).unwrap();
    let mut none = GradientsParams::from_module(&mut gradients, &layer);
    let error = Error::NoGradient {
        layer: named("fc"),
        parameter: "weight",
    };
    assert_eq!(kfac.precondition(1.0, &mut none).unwrap_err(), error);

    let grouped = Conv2dConfig::new([2, 2], [1, 1])
        .with_groups(2)
        .init(&device());
    let mut tape = Tape::on();
    let y = tape.conv2d("grouped", &grouped, numbers.tensor([1, 2, 2, 2], &device()));
    let mut gradients = y.sum().backward();
    assert_eq!(
        tape.captures(&mut gradients).unwrap_err(),
        Error::Grouped {
            layer: named("grouped")
        }
    );
}

#[test]
fn a_tape_does_not_change_what_a_network_computes() {
    let mut numbers = Numbers(13);
    let layer = linear(3, 2, true, &mut numbers);
    let conv = Conv2dConfig::new([2, 3], [2, 3])
        .with_padding(PaddingConfig2d::Same)
        .init(&device());
    let (x, image) = (
        numbers.tensor([4, 3], &device()),
        numbers.tensor([2, 2, 5, 4], &device()),
    );
    let plain = (
        values(layer.forward(x.clone())),
        values(conv.forward(image.clone())),
    );
    for make in [Tape::off, Tape::on, Tape::curvature_only] {
        let mut tape = make();
        assert_eq!(plain.0, values(tape.linear("fc", &layer, x.clone())));
        assert_eq!(plain.1, values(tape.conv2d("conv", &conv, image.clone())));
    }
}

#[test]
fn the_second_look_at_a_batch_leaves_running_statistics_alone() {
    let layer = burn::nn::BatchNormConfig::new(2).init(&device());
    let x = Numbers(1).tensor([6, 2], &device());
    let mean = || values(layer.running_mean.value_sync());
    let start = mean();
    let second = Tape::curvature_only().batch_norm(&layer, x.clone());
    assert_eq!(start, mean());
    let first = Tape::off().batch_norm(&layer, x);
    assert_ne!(start, mean());
    assert_eq!(values(first), values(second));
}
