//! Labelled images, where batches are put together from them: on the host, or on a GPU that holds them.

mod on_host;

use burn::tensor::{Device, Tensor, TensorData};
use burn_conv_kernels::{self as kernels, Chosen, transfer};
use datasets::{Data, Part};

use crate::batches::{Change, Choice};

/// A data set as its batches are taken from it.
pub(crate) struct Sets<'a> {
    pub(crate) train: Examples<'a>,
    pub(crate) validation: Examples<'a>,
    pub(crate) test: Examples<'a>,
}

impl<'a> Sets<'a> {
    /// On a device without autodiff. `pad` zeros border training images before they are cropped.
    pub(crate) fn new(data: &'a Data, pad: usize, device: &Device) -> Self {
        let examples = |part, pad| Examples::new(data, part, pad, device);
        Self {
            train: examples(&data.train, pad),
            validation: examples(&data.validation, 0),
            test: examples(&data.test, 0),
        }
    }
}

/// One part of a data set.
pub(crate) struct Examples<'a> {
    part: &'a Part,
    /// Rows and columns of an image.
    size: [usize; 2],
    pad: usize,
    device: Device,
    /// The part once more; `None` where batches are put together on the host: on a CPU, and if it has no room for it.
    on_gpu: Option<kernels::Examples>,
}

/// Images and labels, on the device that a network is trained on.
pub(crate) struct Batch {
    /// `[batch, channels * height * width]`, without autodiff.
    pub(crate) images: Tensor<2>,
    pub(crate) labels: Labels,
}

/// A label of each example, `[batch]`.
#[allow(clippy::large_enum_variant, reason = "a batch has one")]
pub(crate) enum Labels {
    Host(Vec<u8>),
    Gpu(kernels::Labels),
}

impl<'a> Examples<'a> {
    fn new(data: &Data, part: &'a Part, pad: usize, device: &Device) -> Self {
        let values = (0..data.channels).flat_map(|at| *part.normalisation.of_channel(at));
        let shape = [data.channels, data.height, data.width];
        let (pixels, labels) = (&part.pixels, &part.labels);
        Self {
            part,
            size: [data.height, data.width],
            pad,
            device: device.clone(),
            on_gpu: kernels::Examples::new(pixels, labels, values.collect(), shape, device),
        }
    }

    /// Images and labels of what was chosen.
    pub(crate) fn batch(&self, choice: &Choice<'_>) -> Batch {
        if let Some(examples) = &self.on_gpu {
            let (images, labels) = examples.batch(self.chosen(choice), self.pad);
            let labels = Labels::Gpu(labels);
            return Batch { images, labels };
        }
        let values = on_host::images(self.part, self.size, self.pad, choice);
        let batch = choice.len();
        let shape = [batch, values.len() / batch];
        let labels: Vec<u8> = choice
            .iter()
            .map(|(at, _)| self.part.labels[at as usize])
            .collect();
        let labels = match kernels::Labels::new(&labels, &self.device) {
            Some(labels) => Labels::Gpu(labels),
            None => Labels::Host(labels),
        };
        Batch {
            images: transfer::up(TensorData::new(values, shape), &self.device),
            labels,
        }
    }

    fn chosen(&self, choice: &Choice<'_>) -> impl Iterator<Item = Chosen> {
        // Cut out of the middle, an image is what it was.
        let plain = Change {
            down: self.pad,
            right: self.pad,
            flip: false,
        };
        choice.iter().map(move |(index, change)| {
            let Change { down, right, flip } = change.unwrap_or(plain);
            let (down, right) = (down as u32, right as u32);
            Chosen {
                index,
                down,
                right,
                flip,
            }
        })
    }
}

#[cfg(all(test, feature = "wgpu"))]
mod tests {
    use datasets::{Files, prepare};
    use serde_json::json;

    use super::*;
    use crate::batches::Batches;

    /// The data set that has no room on the device goes there in batches, which are the same ones.
    #[test]
    fn batches_of_the_host_and_of_a_gpu_have_the_same_bits() {
        let Ok((device, _)) = crate::device::open("wgpu-software") else {
            let required = std::env::var("CI").is_ok_and(|ci| ci == "true");
            assert!(!required, "no software adapter");
            eprintln!("left out: no software adapter (Debian: mesa-vulkan-drivers)");
            return;
        };
        let split = json!({"source": "digits", "train": 101, "test": 64});
        let split = serde_json::from_value(split).unwrap();
        let data = Data::from_bytes(&prepare(&split, &Files::new()).unwrap()).unwrap();
        for augment in [json!({}), json!({"pad_crop": 2, "flip": true})] {
            let settings = json!({
                "model": {"mlp": {"hidden": []}}, "batch_size": 10, "learning_rate": 1, "augment": augment,
                "budget": {"epochs": 1}, "optimizer": {"sgd": {}}, "last_batch": "keep",
            });
            let settings = serde_json::from_value(settings).unwrap();
            let mut batches = Batches::new(&settings, data.train.len());
            let there = Sets::new(&data, settings.augment.pad_crop as usize, &device).train;
            assert!(there.on_gpu.is_some());
            let here = Examples {
                part: &data.train,
                size: there.size,
                pad: there.pad,
                device: device.clone(),
                on_gpu: None,
            };
            for step in 0..11 {
                let choice = batches.at(step);
                let [a, b] = [&there, &here].map(|examples| examples.batch(&choice));
                let classes = (0..a.images.dims()[0] * 10).map(|at| (at * 7 % 13) as f32);
                let classes =
                    TensorData::new(classes.collect::<Vec<_>>(), [a.images.dims()[0], 10]);
                let scores = |labels: Labels| match labels {
                    Labels::Gpu(labels) => {
                        labels.scores(Tensor::from_data(classes.clone(), &device))
                    }
                    Labels::Host(_) => panic!("losses are computed on the device"),
                };
                assert_eq!(a.images.into_data(), b.images.into_data(), "{step}");
                let [a, b] = [a.labels, b.labels].map(scores).map(Tensor::into_data);
                assert_eq!(a, b, "{step}");
            }
        }
    }
}
