//! Convolution forward and its gradients.

use crate::Kernels;
use crate::bordered::Bordered;
use crate::correlate::{Correlation, Grid, Place};
use crate::shape::Conv2d;

impl Kernels {
    /// The convolution of `input: [batch, in_channels, rows, columns]` with
    /// `weight: [out_channels, in_channels, rows, columns]`, plus `bias: [out_channels]`, into
    /// `output: [batch, out_channels, rows, columns]`.
    ///
    /// # Panics
    ///
    /// If a slice has not the length that the shape says.
    pub fn conv2d(
        &self,
        shape: &Conv2d,
        input: &[f32],
        weight: &[f32],
        bias: Option<&[f32]>,
        output: &mut [f32],
    ) {
        shape.check([
            ("input", input.len(), shape.input_len()),
            ("weight", weight.len(), shape.weight_len()),
            ("output", output.len(), shape.output_len()),
        ]);
        let (kernel, stride) = (shape.kernel(), shape.stride());
        let needed =
            std::array::from_fn(|axis| (shape.out_size()[axis] - 1) * stride[axis] + kernel[axis]);
        let source = Bordered::new(
            shape.in_channels(),
            shape.in_size(),
            shape.padding(),
            needed,
        );
        let mut sums = Correlation::new(
            self.level(),
            source,
            stride,
            shape.out_channels(),
            shape.out_size(),
            bias,
        );
        let grid = Grid {
            start: [0, 0],
            step: [1, 1],
            count: shape.out_size(),
        };
        let places: Vec<Place> = (0..kernel[0])
            .flat_map(|row| (0..kernel[1]).map(move |column| [row, column]))
            .map(|kernel| Place {
                shift: kernel,
                kernel,
            })
            .collect();
        sums.part(&grid, &places, |out, input, [row, column]| {
            weight[shape.weight_index(out, input, row, column)]
        });
        sums.run(input, output);
    }

    /// The gradient with respect to the input, `[batch, in_channels, rows, columns]`, given that
    /// with respect to the output, `[batch, out_channels, rows, columns]`.
    ///
    /// Each pixel of the input meets the places of the kernel whose distance to it is a multiple of
    /// the stride. Pixels of one remainder modulo the stride meet the same places: for them it is a
    /// convolution of stride 1 with a part of the kernel.
    ///
    /// # Panics
    ///
    /// If a slice has not the length that the shape says.
    pub fn conv2d_data_gradient(
        &self,
        shape: &Conv2d,
        output_gradient: &[f32],
        weight: &[f32],
        input_gradient: &mut [f32],
    ) {
        shape.check([
            ("output gradient", output_gradient.len(), shape.output_len()),
            ("weight", weight.len(), shape.weight_len()),
            ("input gradient", input_gradient.len(), shape.input_len()),
        ]);
        let (kernel, stride, padding) = (shape.kernel(), shape.stride(), shape.padding());
        // Pixel p meets place k of the kernel in output (p + padding - k) / stride, which starts at
        // -(kernel - 1 - padding) / stride, rounded down: so many zeros before the first output.
        let before: [usize; 2] = std::array::from_fn(|axis| {
            (kernel[axis] - 1)
                .saturating_sub(padding[axis])
                .div_ceil(stride[axis])
        });
        let needed = std::array::from_fn(|axis| {
            (shape.in_size()[axis] - 1 + padding[axis]) / stride[axis] + before[axis] + 1
        });
        let source = Bordered::new(shape.out_channels(), shape.out_size(), before, needed);
        let mut sums = Correlation::new(
            self.level(),
            source,
            [1, 1],
            shape.in_channels(),
            shape.in_size(),
            None,
        );
        // For an axis, remainder by remainder: the pixels' first and count, and the places
        // (shift in the bordered output gradient, row or column of the kernel).
        let remainders = |axis: usize| {
            let size = shape.in_size()[axis];
            (0..stride[axis].min(size)).map(move |first| {
                let places: Vec<[usize; 2]> = (0..kernel[axis])
                    .filter_map(|place| {
                        // Not negative: `before` strides cover the kernel beyond the padding.
                        let distance = first + padding[axis] + before[axis] * stride[axis] - place;
                        distance
                            .is_multiple_of(stride[axis])
                            .then(|| [distance / stride[axis], place])
                    })
                    .collect();
                (first, (size - first).div_ceil(stride[axis]), places)
            })
        };
        for (top, rows, row_places) in remainders(0) {
            for (left, columns, column_places) in remainders(1) {
                let grid = Grid {
                    start: [top, left],
                    step: stride,
                    count: [rows, columns],
                };
                let places: Vec<Place> = row_places
                    .iter()
                    .flat_map(|row| column_places.iter().map(move |column| (row, column)))
                    .map(|(row, column)| Place {
                        shift: [row[0], column[0]],
                        kernel: [row[1], column[1]],
                    })
                    .collect();
                sums.part(&grid, &places, |input, out, [row, column]| {
                    weight[shape.weight_index(out, input, row, column)]
                });
            }
        }
        sums.run(output_gradient, input_gradient);
    }
}
