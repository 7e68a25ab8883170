//! Convolution, forward and as a node of the autodiff graph.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops as Node};
use burn::backend::flex::FlexTensor;
use conv_kernels::{Conv2d, Kernels};

use super::{Values, all_f32, tensor};

/// Convolution forward and backward.
#[derive(Debug, Clone)]
pub(super) struct Convolution {
    shape: Conv2d,
    x: Values,
    weight: Values,
}

impl Convolution {
    /// `None` if the kernels do not do it.
    pub(super) fn new(
        x: &FlexTensor,
        weight: &FlexTensor,
        stride: [usize; 2],
        padding: [usize; 2],
    ) -> Option<Self> {
        if !all_f32(&[x, weight]) {
            return None;
        }
        let (x, weight) = (Values::new(x.clone()), Values::new(weight.clone()));
        let [batch, inputs, rows, columns] = x.dims();
        let [outputs, weight_inputs, kernel_rows, kernel_columns] = weight.dims();
        if weight_inputs != inputs {
            return None; // burn says what is wrong
        }
        let shape = Conv2d::with(
            batch,
            [inputs, outputs],
            [rows, columns],
            [kernel_rows, kernel_columns],
            stride,
            padding,
        );
        Some(Self {
            shape: shape.ok()?,
            x,
            weight,
        })
    }

    fn output_dims(&self) -> [usize; 4] {
        let [rows, columns] = self.shape.out_size();
        [self.shape.batch(), self.shape.out_channels(), rows, columns]
    }

    pub(super) fn forward(&self, bias: Option<&Values>) -> FlexTensor {
        let mut output = vec![0.0; self.shape.output_len()];
        Kernels::best().conv2d(
            &self.shape,
            self.x.get(),
            self.weight.get(),
            bias.map(Values::get),
            &mut output,
        );
        tensor(output, self.output_dims())
    }

    fn x_gradient(&self, gradient: &Values) -> FlexTensor {
        let mut result = vec![0.0; self.shape.input_len()];
        Kernels::best().conv2d_data_gradient(
            &self.shape,
            gradient.get(),
            self.weight.get(),
            &mut result,
        );
        tensor(result, self.x.dims::<4>())
    }

    fn weight_gradient(&self, gradient: &Values) -> FlexTensor {
        let mut result = vec![0.0; self.shape.weight_len()];
        Kernels::best().conv2d_weight_gradient(
            &self.shape,
            self.x.get(),
            gradient.get(),
            &mut result,
        );
        tensor(result, self.weight.dims::<4>())
    }

    fn bias_gradient(&self, gradient: &Values) -> FlexTensor {
        let mut result = vec![0.0; self.shape.out_channels()];
        Kernels::best().conv2d_bias_gradient(&self.shape, gradient.get(), &mut result);
        tensor(result, [self.shape.out_channels()])
    }
}

#[derive(Debug)]
pub(super) struct ConvolutionStep;

/// Parents: x, weight, bias, probe.
impl Backward<Flex, 4> for ConvolutionStep {
    type State = Convolution;

    fn backward(self, node: Node<Convolution, 4>, grads: &mut Gradients, _: &mut Checkpointer) {
        let output = grads.consume::<Flex>(&node.node);
        let gradient = Values::new(output.clone());
        let convolution = node.state;
        let [x, weight, bias, probe] = node.parents;
        if let Some(x) = x {
            grads.register::<Flex>(x.id, convolution.x_gradient(&gradient));
        }
        if let Some(weight) = weight {
            grads.register::<Flex>(weight.id, convolution.weight_gradient(&gradient));
        }
        if let Some(bias) = bias {
            grads.register::<Flex>(bias.id, convolution.bias_gradient(&gradient));
        }
        if let Some(probe) = probe {
            grads.register::<Flex>(probe.id, output);
        }
    }
}
