//! The shape of a convolution, checked once.

/// Why a shape is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShapeError {
    /// A size, a count of channels or a stride is zero.
    #[error("{what} is zero")]
    Zero {
        /// Which one.
        what: &'static str,
    },
    /// The kernel is larger than the padded image.
    #[error(
        "a kernel of {kernel} does not fit into an image of {image} with {padding} of padding on each side"
    )]
    Kernel {
        /// Rows or columns of the kernel.
        kernel: usize,
        /// The image's.
        image: usize,
        /// The padding's, on each side.
        padding: usize,
    },
}

/// A 2-D convolution (cross-correlation) of images stored as NCHW, without groups or dilation.
///
/// Pairs are (rows, columns).
///
/// `output[n, o, y, x] = bias[o] + sum_{i, a, b} weight[o, i, a, b] * padded[n, i, s y + a, s x + b]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Conv2d {
    batch: usize,
    in_channels: usize,
    out_channels: usize,
    in_size: [usize; 2],
    out_size: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
}

impl Conv2d {
    /// A convolution with stride 1 and no padding.
    ///
    /// # Errors
    ///
    /// If a number is zero or the kernel is larger than the image.
    pub fn new(
        batch: usize,
        [in_channels, out_channels]: [usize; 2],
        in_size: [usize; 2],
        kernel: [usize; 2],
    ) -> Result<Self, ShapeError> {
        Self::with(
            batch,
            [in_channels, out_channels],
            in_size,
            kernel,
            [1, 1],
            [0, 0],
        )
    }

    /// A convolution with stride and zero padding.
    ///
    /// # Errors
    ///
    /// If a number other than the padding is zero or the kernel is larger than the padded image.
    pub fn with(
        batch: usize,
        [in_channels, out_channels]: [usize; 2],
        in_size: [usize; 2],
        kernel: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 2],
    ) -> Result<Self, ShapeError> {
        for (what, number) in [
            ("the batch", batch),
            ("the number of input channels", in_channels),
            ("the number of output channels", out_channels),
            ("the image's size", in_size[0].min(in_size[1])),
            ("the kernel's size", kernel[0].min(kernel[1])),
            ("the stride", stride[0].min(stride[1])),
        ] {
            if number == 0 {
                return Err(ShapeError::Zero { what });
            }
        }
        let mut out_size = [0; 2];
        for axis in 0..2 {
            let padded = in_size[axis] + 2 * padding[axis];
            if kernel[axis] > padded {
                return Err(ShapeError::Kernel {
                    kernel: kernel[axis],
                    image: in_size[axis],
                    padding: padding[axis],
                });
            }
            out_size[axis] = (padded - kernel[axis]) / stride[axis] + 1;
        }
        Ok(Self {
            batch,
            in_channels,
            out_channels,
            in_size,
            out_size,
            kernel,
            stride,
            padding,
        })
    }

    /// Images.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Channels of the input.
    pub fn in_channels(&self) -> usize {
        self.in_channels
    }

    /// Channels of the output.
    pub fn out_channels(&self) -> usize {
        self.out_channels
    }

    /// Size of an input image.
    pub fn in_size(&self) -> [usize; 2] {
        self.in_size
    }

    /// Size of an output image.
    pub fn out_size(&self) -> [usize; 2] {
        self.out_size
    }

    /// Size of the kernel.
    pub fn kernel(&self) -> [usize; 2] {
        self.kernel
    }

    /// Steps between two outputs.
    pub fn stride(&self) -> [usize; 2] {
        self.stride
    }

    /// Zeros on each side.
    pub fn padding(&self) -> [usize; 2] {
        self.padding
    }

    /// Values of the input, `[batch, in_channels, rows, columns]`.
    pub fn input_len(&self) -> usize {
        self.batch * self.in_channels * self.in_size[0] * self.in_size[1]
    }

    /// Values of the output, `[batch, out_channels, rows, columns]`.
    pub fn output_len(&self) -> usize {
        self.batch * self.out_channels * self.out_size[0] * self.out_size[1]
    }

    /// Values of the weight, `[out_channels, in_channels, rows, columns]`.
    pub fn weight_len(&self) -> usize {
        self.out_channels * self.in_channels * self.kernel[0] * self.kernel[1]
    }

    /// Multiplications and additions of one pass (each of the three takes as many), the padding's
    /// included.
    pub fn flops(&self) -> usize {
        2 * self.output_len() * self.in_channels * self.kernel[0] * self.kernel[1]
    }

    /// Where a weight is stored.
    pub(crate) fn weight_index(
        &self,
        out: usize,
        input: usize,
        row: usize,
        column: usize,
    ) -> usize {
        ((out * self.in_channels + input) * self.kernel[0] + row) * self.kernel[1] + column
    }

    /// # Panics
    ///
    /// If a slice has not the length that the shape says.
    pub(crate) fn check<const K: usize>(&self, lengths: [(&str, usize, usize); K]) {
        for (name, found, expected) in lengths {
            assert_eq!(found, expected, "values of the {name} of {self:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_has_as_many_rows_as_the_kernel_has_places() {
        let shape = Conv2d::with(2, [3, 4], [9, 8], [3, 3], [2, 1], [1, 0]).unwrap();
        assert_eq!(shape.out_size(), [5, 6]);
        assert_eq!(shape.output_len(), 2 * 4 * 5 * 6);
    }

    #[test]
    fn a_kernel_beyond_the_padded_image_is_refused() {
        let error = Conv2d::with(1, [1, 1], [2, 9], [5, 3], [1, 1], [1, 1]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a kernel of 5 does not fit into an image of 2 with 1 of padding on each side"
        );
        let error = Conv2d::with(1, [1, 1], [2, 9], [1, 1], [1, 0], [1, 1]).unwrap_err();
        assert_eq!(error.to_string(), "the stride is zero");
    }
}
