//! Data sets as host arrays, and their bytes.

use std::collections::BTreeMap;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::random::{Purpose, Stream};
use crate::{digits, split};

/// Settings of the `dataset` kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetSettings {
    /// Where the images come from.
    pub source: Source,
    /// Examples to train on.
    pub train: usize,
    /// Examples to choose configurations by; default 0.
    #[serde(default)]
    pub validation: usize,
    /// Examples that nothing is chosen by; default 0.
    #[serde(default)]
    pub test: usize,
    /// Seed of the split; default 0.
    #[serde(default)]
    pub split_seed: u64,
}

/// Where images come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The 1,797 handwritten digits of 8x8 pixels that this crate holds.
    Digits,
}

/// Labelled images as a source gives them.
pub(crate) struct Images {
    /// `[n, channels, height, width]`, values 0 to `white`.
    pub(crate) pixels: Vec<u8>,
    /// `[n]`.
    pub(crate) labels: Vec<u8>,
    pub(crate) channels: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// The value that means 1.0.
    pub(crate) white: f32,
}

/// The bytes of a data set: a split of the source into three parts, stratified by class and drawn from
/// the seed. Safetensors, the same bytes for the same settings.
///
/// # Errors
///
/// [`Error::SplitTooLarge`] if the source has too few examples, [`Error::Setting`] if there is nothing to
/// train on.
///
/// # Panics
///
/// If the data that this crate holds is damaged.
pub fn prepare(settings: &DatasetSettings) -> Result<Vec<u8>, Error> {
    if settings.train == 0 {
        return Err(Error::setting("train", "must be at least 1"));
    }
    let images = match settings.source {
        Source::Digits => digits::images(),
    };
    let mut stream = Stream::new(settings.split_seed, Purpose::Split, 0);
    let parts = split::stratified(
        &images.labels,
        [settings.train, settings.validation, settings.test],
        &mut stream,
    )?;

    let size = images.channels * images.height * images.width;
    let gathered: Vec<(Vec<u8>, Vec<u8>)> = parts
        .iter()
        .map(|part| {
            let pixels = part
                .iter()
                .flat_map(|i| &images.pixels[i * size..(i + 1) * size])
                .copied();
            (
                pixels.collect(),
                part.iter().map(|i| images.labels[*i]).collect(),
            )
        })
        .collect();
    let moments = channel_moments(
        &gathered[0].0,
        images.channels,
        images.height * images.width,
    );
    let scale = f64::from(images.white);
    let floats = |values: &[f64]| -> Vec<u8> {
        values
            .iter()
            .flat_map(|value| (*value as f32).to_le_bytes())
            .collect()
    };
    let mean = floats(
        &moments
            .iter()
            .map(|(mean, _)| mean / scale)
            .collect::<Vec<_>>(),
    );
    let std = floats(
        &moments
            .iter()
            .map(|(_, std)| std / scale)
            .collect::<Vec<_>>(),
    );
    let white = floats(&[scale]);

    let view = |dtype, shape: &[usize], bytes| {
        TensorView::new(dtype, shape.to_vec(), bytes).expect("the shape is that of the bytes")
    };
    let mut tensors = BTreeMap::from([
        (
            "mean".to_owned(),
            view(Dtype::F32, &[images.channels], &mean),
        ),
        ("std".to_owned(), view(Dtype::F32, &[images.channels], &std)),
        ("white".to_owned(), view(Dtype::F32, &[1], &white)),
    ]);
    for (name, (pixels, labels)) in PARTS.iter().zip(&gathered) {
        let shape = [labels.len(), images.channels, images.height, images.width];
        tensors.insert(format!("{name}.images"), view(Dtype::U8, &shape, pixels));
        tensors.insert(
            format!("{name}.labels"),
            view(Dtype::U8, &[labels.len()], labels),
        );
    }
    Ok(safetensors::serialize(tensors, None).expect("every tensor was checked when it was made"))
}

const PARTS: [&str; 3] = ["train", "validation", "test"];

/// Mean and standard deviation of each channel, in pixel values; a constant channel has deviation 0.
fn channel_moments(pixels: &[u8], channels: usize, plane: usize) -> Vec<(f64, f64)> {
    // Sums of integers: exact, so that no order of summation matters.
    let mut sums = vec![(0_u64, 0_u64); channels];
    for (index, values) in pixels.chunks_exact(plane).enumerate() {
        let (sum, squares) = &mut sums[index % channels];
        for value in values {
            *sum += u64::from(*value);
            *squares += u64::from(*value) * u64::from(*value);
        }
    }
    let count = (pixels.len() / channels) as f64;
    let moments = |(sum, squares): (u64, u64)| {
        let mean = sum as f64 / count;
        (mean, (squares as f64 / count - mean * mean).max(0.0).sqrt())
    };
    sums.into_iter().map(moments).collect()
}

/// A data set ready for training.
#[derive(Clone, Debug, PartialEq)]
pub struct Data {
    /// Channels of an image.
    pub channels: usize,
    /// Pixels.
    pub height: usize,
    /// Pixels.
    pub width: usize,
    /// Number of classes: one more than the highest label.
    pub classes: usize,
    /// Examples to train on.
    pub train: Part,
    /// Examples to choose configurations by; may be empty.
    pub validation: Part,
    /// Examples that nothing is chosen by; may be empty.
    pub test: Part,
}

/// Labelled images.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// `[n, channels * height * width]`: `(pixel / white - mean) / std` by channel.
    pub images: Vec<f32>,
    /// `[n]`.
    pub labels: Vec<u8>,
}

impl Part {
    /// Number of examples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether the data set lacks this part.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// `count` examples (at most all) spread evenly over the part, in its order.
    #[must_use]
    pub fn evenly_spread(&self, count: usize) -> Self {
        let n = self.len();
        if count >= n {
            return self.clone();
        }
        let size = self.images.len() / n;
        let chosen = (0..count).map(|i| i * n / count);
        Self {
            images: chosen
                .clone()
                .flat_map(|i| &self.images[i * size..(i + 1) * size])
                .copied()
                .collect(),
            labels: chosen.map(|i| self.labels[i]).collect(),
        }
    }
}

impl Data {
    /// Reads and normalises what [`prepare`] wrote.
    ///
    /// # Errors
    ///
    /// [`Error::Format`] if the bytes are something else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let wrong = |problem: String| Error::Format {
            what: "data set",
            problem,
        };
        let tensors = SafeTensors::deserialize(bytes).map_err(|error| wrong(error.to_string()))?;
        let tensor = |name: &str, dtype: Dtype, rank: usize| {
            let tensor = tensors
                .tensor(name)
                .map_err(|error| wrong(error.to_string()))?;
            if tensor.dtype() != dtype || tensor.shape().len() != rank {
                return Err(wrong(format!(
                    "{name} is {:?} {:?}",
                    tensor.dtype(),
                    tensor.shape()
                )));
            }
            Ok(tensor)
        };
        let floats = |name: &str| -> Result<Vec<f32>, Error> {
            let tensor = tensor(name, Dtype::F32, 1)?;
            let (values, _) = tensor.data().as_chunks();
            Ok(values
                .iter()
                .map(|value| f32::from_le_bytes(*value))
                .collect())
        };
        let (mean, std, white) = (floats("mean")?, floats("std")?, floats("white")?);
        let &[_, channels, height, width] = tensor("train.images", Dtype::U8, 4)?.shape() else {
            unreachable!("the rank was checked");
        };
        if mean.len() != channels || std.len() != channels || white.len() != 1 {
            return Err(wrong(format!(
                "mean, std and white do not fit {channels} channels"
            )));
        }

        let part = |name: &str| -> Result<Part, Error> {
            let images = tensor(&format!("{name}.images"), Dtype::U8, 4)?;
            let labels = tensor(&format!("{name}.labels"), Dtype::U8, 1)?;
            if images.shape() != [labels.shape()[0], channels, height, width] {
                return Err(wrong(format!("{name}.images is {:?}", images.shape())));
            }
            let plane = height * width;
            let normalised = images.data().iter().enumerate().map(|(index, pixel)| {
                let channel = index / plane % channels;
                // A channel that never varies carries nothing and becomes 0.
                let scale = if std[channel] > 0.0 {
                    std[channel]
                } else {
                    1.0
                };
                (f32::from(*pixel) / white[0] - mean[channel]) / scale
            });
            Ok(Part {
                images: normalised.collect(),
                labels: labels.data().to_vec(),
            })
        };
        let (train, validation, test) = (part(PARTS[0])?, part(PARTS[1])?, part(PARTS[2])?);
        let labels = [&train, &validation, &test]
            .into_iter()
            .flat_map(|part| &part.labels);
        let classes = labels.max().map_or(0, |highest| usize::from(*highest) + 1);
        if train.is_empty() || train.images.is_empty() || classes < 2 {
            return Err(wrong(format!(
                "{} training examples of {classes} classes are nothing to learn from",
                train.len()
            )));
        }
        Ok(Self {
            channels,
            height,
            width,
            classes,
            train,
            validation,
            test,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(split_seed: u64) -> DatasetSettings {
        DatasetSettings {
            source: Source::Digits,
            train: 1280,
            validation: 217,
            test: 300,
            split_seed,
        }
    }

    #[test]
    fn the_same_settings_give_the_same_bytes_and_another_seed_others() {
        let bytes = prepare(&digits(0)).unwrap();
        assert_eq!(bytes, prepare(&digits(0)).unwrap());
        assert_ne!(bytes, prepare(&digits(1)).unwrap());
    }

    #[test]
    fn training_images_are_normalised_and_every_image_is_used_once() {
        let data = Data::from_bytes(&prepare(&digits(0)).unwrap()).unwrap();
        assert_eq!(
            (data.channels, data.height, data.width, data.classes),
            (1, 8, 8, 10)
        );
        assert_eq!(
            (data.train.len(), data.validation.len(), data.test.len()),
            (1280, 217, 300)
        );
        let n = data.train.images.len() as f64;
        let mean = data.train.images.iter().map(|x| f64::from(*x)).sum::<f64>() / n;
        let square = data
            .train
            .images
            .iter()
            .map(|x| f64::from(*x).powi(2))
            .sum::<f64>()
            / n;
        assert!(
            mean.abs() < 1e-6 && (square - 1.0).abs() < 1e-5,
            "{mean} {square}"
        );

        // The images of the three parts together are those of the source, as a multiset.
        let bytes = prepare(&digits(0)).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let mut split = Vec::new();
        for part in PARTS {
            let images = tensors.tensor(&format!("{part}.images")).unwrap().data();
            let labels = tensors.tensor(&format!("{part}.labels")).unwrap().data();
            split.extend(images.chunks(64).map(<[u8]>::to_vec).zip(labels.to_vec()));
        }
        let images = digits::images();
        let mut source: Vec<_> = images
            .pixels
            .chunks(64)
            .map(<[u8]>::to_vec)
            .zip(images.labels.clone())
            .collect();
        split.sort_unstable();
        source.sort_unstable();
        assert_eq!(split, source);
    }

    #[test]
    fn a_part_that_is_not_asked_for_is_empty() {
        let settings = DatasetSettings {
            validation: 0,
            ..digits(0)
        };
        assert!(
            Data::from_bytes(&prepare(&settings).unwrap())
                .unwrap()
                .validation
                .is_empty()
        );
    }

    #[test]
    fn truncated_bytes_are_an_error() {
        let bytes = prepare(&digits(0)).unwrap();
        assert!(Data::from_bytes(&bytes[..bytes.len() - 1]).is_err());
        assert!(Data::from_bytes(b"").is_err());
    }

    #[test]
    fn moments_are_those_of_each_channel() {
        // Two images of two channels of two pixels.
        let moments = channel_moments(&[1, 3, 10, 10, 5, 7, 10, 10], 2, 2);
        assert_eq!(moments, [(4.0, 5.0_f64.sqrt()), (10.0, 0.0)]);
    }

    #[test]
    fn a_subset_is_spread_evenly() {
        let part = Part {
            images: (0..20).map(|x| x as f32).collect(),
            labels: (0..10).collect(),
        };
        let subset = part.evenly_spread(4);
        assert_eq!(subset.labels, [0, 2, 5, 7]);
        assert_eq!(subset.images, [0.0, 1.0, 4.0, 5.0, 10.0, 11.0, 14.0, 15.0]);
        assert_eq!(part.evenly_spread(11), part);
    }
}
