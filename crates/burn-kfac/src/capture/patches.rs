//! Patches of an image batch as columns of a matrix (im2col).
//!
//! The plain way to A of a convolution, for any geometry. For stride 2 and a 3x3 kernel, patches
//! still share so little (64 of their 81 blocks differ) that nothing is gained by another.

use faer::MatRef;

use super::correlations::Images;
use crate::Symmetric;
use crate::window::Window;

/// Scale * sum of a a^T over the patches a of all images, with a last 1 if there is a bias.
pub(super) fn second_moment(
    images: Images<'_>,
    window: &Window,
    bias: bool,
    scale: f64,
) -> Symmetric {
    let mut patches = Patches::new(*window, images.channels, bias);
    let mut moment = Symmetric::zeros(patches.rows);
    patches.each(images.values, |patches| {
        moment.add_outer(scale as f32, patches);
    });
    moment
}

/// A matrix of at least this many columns keeps the product in its fast regime.
const COLUMNS: usize = 512;

/// Turns images into matrices `[channels * kh * kw (+ 1), samples * positions]`.
struct Patches {
    window: Window,
    channels: usize,
    /// Images per matrix.
    samples: usize,
    /// Row-major. Padding stays zero and the row of the bias one from one matrix to the next:
    /// they lie at the same places in each.
    buffer: Vec<f32>,
    rows: usize,
}

impl Patches {
    fn new(window: Window, channels: usize, bias: bool) -> Self {
        let positions: usize = window.output().iter().product();
        let samples = COLUMNS.div_ceil(positions);
        let weights = channels * window.kernel.iter().product::<usize>();
        let rows = weights + usize::from(bias);
        let mut buffer = vec![0.0; rows * samples * positions];
        buffer[weights * samples * positions..].fill(1.0);
        Self {
            window,
            channels,
            samples,
            buffer,
            rows,
        }
    }

    /// Calls `f` with the patches of all images. images: `[batch, channels, height, width]`.
    fn each(&mut self, images: &[f32], mut f: impl FnMut(MatRef<'_, f32>)) {
        let positions: usize = self.window.output().iter().product();
        let pixels = self.channels * self.window.input.iter().product::<usize>();
        let stride = self.samples * positions;
        for images in images.chunks(self.samples * pixels) {
            let mut samples = 0;
            for image in images.chunks_exact(pixels) {
                self.write(image, samples * positions, stride);
                samples += 1;
            }
            let all = MatRef::from_row_major_slice(&self.buffer, self.rows, stride);
            f(all.subcols(0, samples * positions));
        }
    }

    /// Writes the patches of one image to the columns from `at` on.
    fn write(&mut self, image: &[f32], at: usize, row_stride: usize) {
        let [height, width] = self.window.input;
        let [_, out_width] = self.window.output();
        let [kh, kw] = self.window.kernel;
        let [step_y, step_x] = self.window.stride;
        let mut row = 0;
        for plane in image.chunks_exact(height * width) {
            for ky in 0..kh {
                let (ys, first_y) = self.window.inside(0, ky);
                for kx in 0..kw {
                    let (xs, first_x) = self.window.inside(1, kx);
                    for (i, out_y) in ys.clone().enumerate() {
                        let line = &plane[(first_y + i * step_y) * width..][..width];
                        let to = row * row_stride + at + out_y * out_width;
                        let to = &mut self.buffer[to + xs.start..to + xs.end];
                        if step_x == 1 {
                            to.copy_from_slice(&line[first_x..first_x + to.len()]);
                        } else {
                            for (to, from) in to
                                .iter_mut()
                                .zip(line[first_x.min(width)..].iter().step_by(step_x))
                            {
                                *to = *from;
                            }
                        }
                    }
                    row += 1;
                }
            }
        }
    }
}
