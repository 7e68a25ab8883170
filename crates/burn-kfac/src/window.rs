//! The geometry of a convolution: which input pixel lies under which kernel element.

use burn::nn::PaddingConfig2d;
use burn::nn::conv::Conv2d;

/// Kernel, stride, dilation and padding, each for (height, width), for one input size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Kernel elements.
    pub kernel: [usize; 2],
    /// Pixels from one position to the next.
    pub stride: [usize; 2],
    /// Pixels from one kernel element to the next.
    pub dilation: [usize; 2],
    /// Zeros before and after the image.
    pub padding: [[usize; 2]; 2],
    /// Pixels of the input.
    pub input: [usize; 2],
}

impl Window {
    /// The window that `layer` moves over an image of `height` x `width` pixels.
    pub fn new(layer: &Conv2d, height: usize, width: usize) -> Self {
        let input = [height, width];
        let padding = match layer.padding {
            PaddingConfig2d::Valid => [[0; 2]; 2],
            PaddingConfig2d::Explicit(top, left, bottom, right) => [[top, bottom], [left, right]],
            PaddingConfig2d::Same => {
                [0, 1].map(|i| same(layer.kernel_size[i], layer.stride[i], input[i]))
            }
        };
        Self {
            kernel: layer.kernel_size,
            stride: layer.stride,
            dilation: layer.dilation,
            padding,
            input,
        }
    }

    /// Positions of the window, (height, width).
    pub fn output(&self) -> [usize; 2] {
        [0, 1].map(|i| {
            let padded = self.input[i] + self.padding[i][0] + self.padding[i][1];
            (padded - self.dilation[i] * (self.kernel[i] - 1) - 1) / self.stride[i] + 1
        })
    }

    /// Along dimension `axis` and for kernel element `k`: the positions whose pixel lies in the
    /// image, as a range, and the pixel of the first of them.
    pub(crate) fn inside(&self, axis: usize, k: usize) -> (std::ops::Range<usize>, usize) {
        let offset = k * self.dilation[axis];
        let before = self.padding[axis][0];
        let stride = self.stride[axis];
        let start = before.saturating_sub(offset).div_ceil(stride);
        let end = (self.input[axis] + before)
            .saturating_sub(offset)
            .div_ceil(stride);
        let end = end.min(self.output()[axis]);
        // Saturating for an empty range, where no pixel is read.
        (
            start..end.max(start),
            (start * stride + offset).saturating_sub(before),
        )
    }
}

/// burn's rule for `Same`: as many positions as ceil(size / stride), the odd zero at the end.
fn same(kernel: usize, stride: usize, size: usize) -> [usize; 2] {
    let needed = size.div_ceil(stride).saturating_sub(1) * stride + kernel;
    let total = needed.saturating_sub(size);
    [total / 2, total - total / 2]
}
