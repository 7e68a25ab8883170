//! Softmax cross-entropy on a GPU: losses that stay there until they are read, and gradients.

mod kernels;

use burn::backend::{Cube, TensorMetadata as _};
use burn::tensor::{DType, Device, Tensor, TensorData};
use burn_cubecl::cubecl::prelude::{CubeCount, CubeDim, TensorArg};
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;

use super::examples::Labels;
use crate::{Descents, transfer};

/// Units of a cube, an example each.
const UNITS: usize = 256;

/// Losses of some mini-batches, one after the other.
#[derive(Debug)]
pub struct Losses {
    /// `[slots, sums]`
    sums: CubeTensor,
    /// Examples of each batch that is noted.
    noted: Vec<usize>,
}

fn empty<const D: usize>(like: &CubeTensor, shape: [usize; D]) -> CubeTensor {
    let (client, device) = (like.client.clone(), like.device.clone());
    empty_device_contiguous_dtype(client, device, shape.into(), DType::F32)
}

fn floats<const D: usize>(tensor: Tensor<D>) -> CubeTensor {
    let tensor = tensor.try_into_primitive::<Cube>();
    let tensor = tensor.expect("a tensor of a GPU, without autodiff");
    assert_eq!(tensor.dtype(), DType::F32, "the kernels compute in f32");
    tensor
}

fn argument(tensor: &CubeTensor) -> TensorArg {
    tensor.clone().into_tensor_arg()
}

impl Losses {
    /// Room for the losses of `slots` batches of `batch` examples at most; `None` where no kernel computes them: on a
    /// CPU.
    pub fn new(slots: usize, batch: usize, device: &Device) -> Option<Self> {
        let any = Tensor::<1>::empty([1], device).try_into_primitive::<Cube>();
        let sums = empty(&any.ok()?, [slots, batch.div_ceil(UNITS)]);
        Some(Self {
            sums,
            noted: Vec::with_capacity(slots),
        })
    }

    /// Batches that are noted and not read.
    pub fn noted(&self) -> usize {
        self.noted.len()
    }

    /// Notes the loss of a batch by its logits, `[batch, classes]` without autodiff, and its labels; gives the gradients.
    /// By `uniforms`, `[batch]` in `[0, 1)`, a label of each example is drawn from the model's probabilities: the first
    /// class at which they add up to more.
    ///
    /// # Panics
    ///
    /// If there is no room, or the logits are not of this device and `f32`.
    pub fn note(
        &mut self,
        logits: Tensor<2>,
        labels: &Labels,
        uniforms: Option<Vec<f32>>,
    ) -> Descents {
        let [slots, sums] = self.sums.shape().dims();
        let slot = self.noted.len();
        let device = logits.device();
        let logits = floats(logits);
        let [batch, classes] = logits.shape().dims();
        let cubes = batch.div_ceil(UNITS);
        assert!(slot < slots && cubes <= sums, "there is room");
        let gradient = empty(&logits, [batch, classes]);
        let drawn = uniforms.map(|uniforms| {
            assert_eq!(uniforms.len(), batch, "a number for each example");
            let uniforms: Tensor<1> = transfer::up(TensorData::new(uniforms, [batch]), &device);
            (floats(uniforms), empty(&logits, [batch, classes]))
        });
        let addresses = [&logits, &self.sums].map(CubeTensor::required_address_type);
        let most = logits.client.properties().hardware.max_units_per_cube as usize;
        assert!(UNITS <= most, "a device has {UNITS} units a cube");
        kernels::descents::launch(
            &logits.client,
            CubeCount::new_1d(cubes as u32),
            CubeDim::new_1d(UNITS as u32),
            addresses.into_iter().max().unwrap_or_default(),
            argument(&logits),
            argument(&labels.0),
            // What is not used stands in for what is not there.
            match &drawn {
                Some((uniforms, _)) => argument(uniforms),
                None => logits.as_tensor_alias(0),
            },
            argument(&self.sums),
            argument(&gradient),
            match &drawn {
                Some((_, gradient)) => argument(gradient),
                // After logits, labels and sums: what stands in for another is not counted.
                None => gradient.as_tensor_alias(3),
            },
            slot * sums,
            drawn.is_some(),
            UNITS,
        );
        self.noted.push(batch);
        Descents {
            given: Tensor::from_primitive::<Cube>(gradient),
            drawn: drawn.map(|(_, gradient)| Tensor::from_primitive::<Cube>(gradient)),
        }
    }

    /// Mean losses of the batches that were noted, in nats, and room again: one wait, or none if none was noted. A loss
    /// is not finite if a logit is not, but for one of minus infinity that is not of a label; if labels were drawn, then
    /// for that one, too.
    ///
    /// # Panics
    ///
    /// If the device fails.
    pub fn read(&mut self) -> Vec<f64> {
        if self.noted.is_empty() {
            return Vec::new();
        }
        let [_, row] = self.sums.shape().dims();
        let sums = Tensor::<2>::from_primitive::<Cube>(self.sums.clone());
        let sums = transfer::down(sums).try_into_vec();
        let sums: Vec<f32> = sums.expect("sums of losses are f32");
        let noted = self.noted.drain(..).zip(sums.chunks_exact(row));
        noted
            .map(|(batch, sums)| {
                let sums = sums[..batch.div_ceil(UNITS)].iter();
                sums.map(|sum| f64::from(*sum)).sum()
            })
            .collect()
    }
}

impl Labels {
    /// Of each example its cross-entropy in nats, then 1 if its label has the largest logit (the first of equal ones),
    /// else 0: `[2, batch]`. logits: `[batch, classes]`.
    ///
    /// # Panics
    ///
    /// If the logits are not of the labels' device and `f32`.
    pub fn scores(&self, logits: Tensor<2>) -> Tensor<2> {
        let logits = floats(logits);
        let [batch, _] = logits.shape().dims::<2>();
        let scores = empty(&logits, [2, batch]);
        kernels::scores::launch(
            &logits.client,
            CubeCount::new_1d(batch.div_ceil(UNITS) as u32),
            CubeDim::new_1d(UNITS as u32),
            logits.required_address_type(),
            argument(&logits),
            argument(&self.0),
            argument(&scores),
        );
        Tensor::from_primitive::<Cube>(scores)
    }
}
