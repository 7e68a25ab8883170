//! Fully connected network.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use super::Pass;
use super::initial::{BEFORE_RELU, Initial, LAST};

/// Linear layers with a ReLU between them.
#[derive(Module, Debug)]
pub struct Mlp {
    /// From the input on.
    pub layers: Vec<Linear>,
}

impl Mlp {
    pub(super) fn new(
        shape: [usize; 3],
        hidden: &[usize],
        classes: usize,
        initial: &mut Initial<'_>,
    ) -> Self {
        let mut inputs = shape.iter().product();
        let mut layers = Vec::new();
        for units in hidden {
            layers.push(initial.linear(inputs, *units, BEFORE_RELU));
            inputs = *units;
        }
        layers.push(initial.linear(inputs, classes, LAST));
        Self { layers }
    }

    pub(super) fn forward(&self, mut x: Tensor<2>, pass: &mut Pass<'_>) -> Tensor<2> {
        for (index, layer) in self.layers.iter().enumerate() {
            if index > 0 {
                x = relu(x);
            }
            x = pass.tape.linear(&format!("layers.{index}"), layer, x);
        }
        x
    }
}
