//! Batches of labelled images, put together on a GPU that holds the data set.

mod kernels;

use burn::backend::{Cube, TensorMetadata as _};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use burn_cubecl::cubecl::prelude::{AddressType, CubeCount, CubeDim};
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;

use crate::Chosen;
use crate::transfer;

/// Units of a cube.
const UNITS: u32 = 256;

/// The fewest that any device can launch in one dimension.
const MOST_CUBES: usize = 65_535;

/// Labelled images on a GPU: their bytes, and what those mean.
#[derive(Debug, Clone)]
pub struct Examples {
    /// Pixels, four in a number, the first one lowest.
    words: CubeTensor,
    /// `[examples]`
    labels: CubeTensor,
    /// `[channels * 256]`
    values: CubeTensor,
    shape: [usize; 3],
    device: Device,
}

/// A label of each example of a batch, on a GPU.
#[derive(Debug, Clone)]
pub struct Labels(pub(super) CubeTensor);

/// On a GPU.
fn numbers(numbers: Vec<u32>, device: &Device) -> CubeTensor {
    let length = numbers.len();
    let data = TensorData::new(numbers, [length]);
    let tensor: Tensor<1, Int> = transfer::up(data, (device, DType::U32));
    tensor.try_into_primitive::<Cube>().expect("it is a GPU")
}

fn widened(labels: &[u8], device: &Device) -> CubeTensor {
    let labels = labels.iter().map(|label| u32::from(*label));
    numbers(labels.collect(), device)
}

/// Whether a device is a GPU that takes so many bytes as one tensor.
fn takes(device: &Device, bytes: usize) -> bool {
    let any = Tensor::<1>::empty([1], device).try_into_primitive::<Cube>();
    any.is_ok_and(|any| bytes as u64 <= any.client.properties().memory.max_page_size)
}

impl Labels {
    /// `None` on a CPU.
    pub fn new(labels: &[u8], device: &Device) -> Option<Self> {
        takes(device, 4 * labels.len()).then(|| Self(widened(labels, device)))
    }
}

impl Examples {
    /// Puts images of `[channels, rows, columns]` pixels, one after the other, on a device, with their labels,
    /// `[examples]`, and the value of each byte in each channel, `[channels * 256]`. `None` if the device is the CPU, or
    /// takes fewer bytes at once.
    pub fn new(
        pixels: &[u8],
        labels: &[u8],
        values: Vec<f32>,
        shape: [usize; 3],
        device: &Device,
    ) -> Option<Self> {
        if pixels.is_empty() || !takes(device, pixels.len()) {
            return None;
        }
        let word = |bytes: &[u8]| {
            let mut word = [0; 4];
            word[..bytes.len()].copy_from_slice(bytes);
            u32::from_le_bytes(word)
        };
        let length = values.len();
        let values: Tensor<1> =
            transfer::up(TensorData::new(values, [length]), (device, DType::F32));
        Some(Self {
            words: numbers(pixels.chunks(4).map(word).collect(), device),
            labels: widened(labels, device),
            values: values.try_into_primitive::<Cube>().ok()?,
            shape,
            device: device.clone(),
        })
    }

    /// Images `[batch, channels * rows * columns]` of what was chosen, and their labels. The values are those of the
    /// table, to the bit, and 0 beyond the edge of an image, which `pad` pixels border.
    pub fn batch(&self, chosen: impl Iterator<Item = Chosen>, pad: usize) -> (Tensor<2>, Labels) {
        let told = chosen.flat_map(|it| [it.index, it.down, it.right << 1 | u32::from(it.flip)]);
        let chosen = numbers(told.collect(), &self.device);
        let batch = chosen.shape().num_elements() / 3;
        let [channels, rows, columns] = self.shape;
        let size = channels * rows * columns;
        let empty = |shape: &[usize], dtype| {
            let (client, device) = (self.words.client.clone(), self.words.device.clone());
            empty_device_contiguous_dtype(client, device, shape.into(), dtype)
        };
        let images = empty(&[batch, size], DType::F32);
        let labels = empty(&[batch], DType::U32);
        let argument = |tensor: &CubeTensor| tensor.clone().into_tensor_arg();
        let cubes = (batch * size).div_ceil(UNITS as usize).min(MOST_CUBES);
        // Bytes are reached by their place, too.
        let addresses = [
            AddressType::from_len(4 * self.words.shape().num_elements()),
            images.required_address_type(),
        ];
        kernels::gather::launch(
            &self.words.client,
            CubeCount::new_1d(cubes as u32),
            CubeDim::new_1d(UNITS),
            addresses.into_iter().max().unwrap_or_default(),
            argument(&self.words),
            argument(&self.labels),
            argument(&self.values),
            argument(&chosen),
            argument(&images),
            argument(&labels),
            channels,
            rows,
            columns,
            pad,
        );
        (Tensor::from_primitive::<Cube>(images), Labels(labels))
    }
}
