//! The launches of an update: one a factor, and one for the averages of all.

use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::tensor::CubeTensor;

use super::layout::triangle;
use super::moments::{self, GeometryLaunch};
use super::{MOST_CUBES, OnDevice, UNITS, in_four_dimensions, primitive};
use crate::capture::{Capture, Signals};
use crate::window::Window;

/// Patches of a part of a sum at least.
const PART: usize = 1024;

/// Parts of a sum at most, and cubes of all its parts, unless its tiles are more: enough to fill a GPU, and not more
/// memory than that takes.
const MOST_PARTS: usize = 256;
const CUBES: usize = 1024;

/// What [`moments::average`] needs to know of the factors.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Table {
    rows: Vec<u32>,
    scales: Vec<f32>,
}

/// A factor that is to be summed up.
struct Factor {
    /// `[batch, channels, rows, columns]`
    images: CubeTensor,
    window: Window,
    /// With a last row of ones for a bias.
    ones: bool,
    dim: usize,
    /// Begin of the factor in the averages.
    average: usize,
    scale: f64,
    /// Begin of its parts.
    at: usize,
    parts: usize,
    /// Patches of a part.
    span: usize,
}

/// A window that sees each position by itself.
fn pixels(input: [usize; 2]) -> Window {
    Window {
        kernel: [1, 1],
        stride: [1, 1],
        dilation: [1, 1],
        padding: [[0; 2]; 2],
        input,
    }
}

impl Factor {
    fn new(images: CubeTensor, window: Window, ones: bool, average: usize, scale: f64) -> Self {
        let taps: usize = window.kernel.iter().product();
        let mut factor = Self {
            dim: images.meta.shape()[1] * taps + usize::from(ones),
            images,
            window,
            ones,
            average,
            scale,
            at: 0,
            parts: 0,
            span: 0,
        };
        let patches = factor.patches();
        let most = CUBES.div_ceil(factor.tiles()).min(MOST_PARTS);
        factor.span = (patches.div_ceil(most).max(PART)).next_multiple_of(moments::DEPTH);
        factor.parts = patches.div_ceil(factor.span);
        factor
    }

    /// Values of a unit along each side of its cube's tile: the smallest tile that holds the factor, up to 64 x 64.
    fn each(&self) -> usize {
        self.dim.div_ceil(moments::SIDE).next_power_of_two().min(4)
    }

    fn tiles(&self) -> usize {
        triangle(self.dim.div_ceil(moments::SIDE * self.each()))
    }

    fn patches(&self) -> usize {
        let positions: usize = self.window.output().iter().product();
        self.images.meta.shape()[0] * positions
    }

    fn launch(&self, parts: &CubeTensor) {
        let Window {
            kernel,
            stride,
            dilation,
            padding,
            ..
        } = self.window;
        let [rows, columns] = self.window.output();
        let geometry = GeometryLaunch::new(
            kernel[1],
            kernel[0] * kernel[1],
            stride[0],
            stride[1],
            dilation[0],
            dilation[1],
            padding[0][0],
            padding[1][0],
            columns,
            rows * columns,
        );
        let addresses = [&self.images, parts].map(CubeTensor::required_address_type);
        moments::second_moment::launch(
            &self.images.client,
            CubeCount::new_2d(self.tiles() as u32, self.parts as u32),
            CubeDim::new_2d(moments::SIDE as u32, moments::SIDE as u32),
            addresses[0].max(addresses[1]),
            self.images.clone().into_tensor_arg(),
            parts.clone().into_tensor_arg(),
            geometry,
            self.at,
            self.dim,
            self.patches(),
            self.span,
            self.each(),
            self.ones,
        );
    }
}

/// Vectors as images of one pixel.
fn vectors(tensor: CubeTensor) -> CubeTensor {
    let (shape, strides) = (tensor.meta.shape(), tensor.meta.strides());
    let (shape, strides) = ([shape[0], shape[1], 1, 1], [strides[0], strides[1], 0, 0]);
    in_four_dimensions(tensor, shape, strides)
}

impl OnDevice {
    /// Adds a batch to the averages: S <- b S + (1 - b) new. Each capture with the index of its layer.
    pub(crate) fn update(&mut self, captures: &[(usize, &Capture)], decay: f64) {
        let taken = "captures that the kernels take";
        let mut factors = Vec::with_capacity(2 * captures.len());
        for (layer, capture) in captures {
            let place = &self.layout.layers[*layer];
            let (batch, positions) = (capture.batch() as f64, capture.positions() as f64);
            let ones = capture.bias.is_some();
            let (a, d, window) = match &capture.signals {
                Signals::Linear { a, d } => (
                    vectors(primitive(a).expect(taken)),
                    vectors(primitive(d).expect(taken)),
                    pixels([1, 1]),
                ),
                Signals::Conv2d { x, d, window } => (
                    primitive(x).expect(taken),
                    primitive(d).expect(taken),
                    *window,
                ),
            };
            let seen = pixels(window.output());
            let (a_scale, g_scale) = (1.0 / (batch * positions), batch / positions);
            factors.push(Factor::new(a, window, ones, place.a, a_scale));
            factors.push(Factor::new(d, seen, false, place.g, g_scale));
        }
        let (mut table, mut all) = (Table::default(), 0);
        for factor in &mut factors {
            factor.at = all;
            all += factor.parts * triangle(factor.dim);
            let row = [
                factor.average,
                triangle(factor.dim),
                factor.at,
                factor.parts,
            ];
            let row = row.map(|place| u32::try_from(place).expect("less than 4 billion numbers"));
            table.rows.extend(row);
            table.scales.push(factor.scale as f32);
        }
        let parts = self.link.empty(all);
        for factor in &factors {
            factor.launch(&parts);
        }
        let [rows, scales] = match &self.factors {
            Some((known, tensors)) if *known == table => tensors.clone(),
            _ => {
                let rows = self.link.upload(table.rows.clone());
                let tensors = [rows, self.link.upload(table.scales.clone())];
                self.factors = Some((table, tensors.clone()));
                tensors
            }
        };
        let new = self.link.empty(self.layout.averages);
        let cubes = self
            .layout
            .averages
            .div_ceil(UNITS as usize)
            .min(MOST_CUBES);
        moments::average::launch(
            &self.link.client,
            CubeCount::new_1d(cubes as u32),
            CubeDim::new_1d(UNITS),
            parts.required_address_type(),
            self.averages.clone().into_tensor_arg(),
            parts.into_tensor_arg(),
            rows.into_tensor_arg(),
            scales.into_tensor_arg(),
            new.clone().into_tensor_arg(),
            decay as f32,
            (1.0 - decay) as f32,
        );
        self.averages = new;
    }
}
