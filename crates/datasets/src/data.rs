//! A data set on the host, as training reads it.

use std::ops::Range;
use std::sync::Arc;

use safetensors::tensor::{Dtype, SafeTensors};

use crate::error::{Error, Malformed};
use crate::prepare::PARTS;

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

/// Labelled images. They stay the bytes that they are, a quarter of the memory of the values that a network takes;
/// those are looked up as a batch is put together.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// `[n, channels, height, width]`.
    pub pixels: Vec<u8>,
    /// `[n]`.
    pub labels: Vec<u8>,
    /// What the bytes mean.
    pub normalisation: Arc<Normalisation>,
}

/// The normalised value of each byte in each channel: `(byte / white - mean) / std`.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalisation(Vec<[f32; 256]>);

impl Normalisation {
    /// From mean and standard deviation of each channel, `[channels]`, of pixels scaled by `white` to 0..1.
    ///
    /// # Panics
    ///
    /// If there are not as many means as deviations.
    pub fn new(mean: &[f32], std: &[f32], white: f32) -> Self {
        assert_eq!(mean.len(), std.len(), "each channel has both moments");
        let tables = mean.iter().zip(std).map(|(mean, std)| {
            // A channel that never varies carries nothing and becomes 0.
            let scale = if *std > 0.0 { *std } else { 1.0 };
            std::array::from_fn(|byte| (byte as f32 / white - mean) / scale)
        });
        Self(tables.collect())
    }

    /// The values of the bytes 0 to 255 in a channel.
    pub fn of_channel(&self, channel: usize) -> &[f32; 256] {
        &self.0[channel]
    }

    fn channels(&self) -> usize {
        self.0.len()
    }
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

    /// Bytes of an image.
    fn size(&self) -> usize {
        self.pixels.len() / self.len()
    }

    /// The bytes of one image, `[channels, height, width]`.
    pub fn image(&self, index: usize) -> &[u8] {
        let size = self.size();
        &self.pixels[index * size..(index + 1) * size]
    }

    /// Appends the normalised values of one image, `[channels, height, width]`.
    pub fn extend_with(&self, values: &mut Vec<f32>, index: usize) {
        let image = self.image(index);
        let channels = self.normalisation.channels();
        for (plane, channel) in image.chunks_exact(image.len() / channels).zip(0..) {
            let table = self.normalisation.of_channel(channel);
            values.extend(plane.iter().map(|byte| table[usize::from(*byte)]));
        }
    }

    /// The normalised values of some images one after another, `[range, channels, height, width]`.
    pub fn normalised(&self, range: Range<usize>) -> Vec<f32> {
        let mut values = Vec::with_capacity(range.len() * self.size());
        for index in range {
            self.extend_with(&mut values, index);
        }
        values
    }

    /// The places of `count` examples (at most all) spread evenly over the part, ascending.
    ///
    /// # Panics
    ///
    /// If the part has 2^32 examples or more.
    pub fn evenly_spread(&self, count: usize) -> Vec<u32> {
        let n = self.len();
        let count = count.min(n);
        let place = |i: usize| u32::try_from(i * n / count).expect("fewer than 2^32 examples");
        (0..count).map(place).collect()
    }
}

impl Data {
    /// Reads what [`prepare`](crate::prepare) wrote.
    ///
    /// # Errors
    ///
    /// [`Error::NotADataSet`] if the bytes are something else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Self::read(bytes).map_err(Error::NotADataSet)
    }

    fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let tensors = SafeTensors::deserialize(bytes)?;
        let tensor = |name: &str, dtype: Dtype, rank: usize| {
            let tensor = tensors.tensor(name)?;
            if tensor.dtype() != dtype || tensor.shape().len() != rank {
                return Err(Malformed::Array {
                    name: name.to_owned(),
                    numbers: tensor.dtype(),
                    shape: tensor.shape().to_vec(),
                });
            }
            Ok(tensor)
        };
        let floats = |name: &str| -> Result<Vec<f32>, Malformed> {
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
            return Err(Malformed::Moments { channels });
        }
        let normalisation = Arc::new(Normalisation::new(&mean, &std, white[0]));

        let part = |name: &str| -> Result<Part, Malformed> {
            let images = tensor(&format!("{name}.images"), Dtype::U8, 4)?;
            let labels = tensor(&format!("{name}.labels"), Dtype::U8, 1)?;
            if images.shape() != [labels.shape()[0], channels, height, width] {
                return Err(Malformed::Array {
                    name: format!("{name}.images"),
                    numbers: images.dtype(),
                    shape: images.shape().to_vec(),
                });
            }
            Ok(Part {
                pixels: images.data().to_vec(),
                labels: labels.data().to_vec(),
                normalisation: Arc::clone(&normalisation),
            })
        };
        let (train, validation, test) = (part(PARTS[0])?, part(PARTS[1])?, part(PARTS[2])?);
        let labels = [&train, &validation, &test]
            .into_iter()
            .flat_map(|part| &part.labels);
        let classes = labels.max().map_or(0, |highest| usize::from(*highest) + 1);
        if train.is_empty() || train.pixels.is_empty() || classes < 2 {
            return Err(Malformed::NothingToLearn {
                examples: train.len(),
                classes,
            });
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
    use crate::{DatasetSettings, Files, Source, prepare};

    fn digits() -> Vec<u8> {
        let settings = DatasetSettings {
            source: Source::Digits,
            train: 1280,
            validation: 217,
            test: 300,
            split_seed: 0,
        };
        prepare(&settings, &Files::new()).unwrap()
    }

    #[test]
    fn training_images_are_normalised() {
        let data = Data::from_bytes(&digits()).unwrap();
        assert_eq!(
            (data.channels, data.height, data.width, data.classes),
            (1, 8, 8, 10)
        );
        assert_eq!(
            (data.train.len(), data.validation.len(), data.test.len()),
            (1280, 217, 300)
        );
        let values = data.train.normalised(0..1280);
        let n = values.len() as f64;
        let mean = values.iter().map(|x| f64::from(*x)).sum::<f64>() / n;
        let square = values.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / n;
        assert!(
            mean.abs() < 1e-6 && (square - 1.0).abs() < 1e-5,
            "{mean} {square}"
        );
    }

    #[test]
    fn every_channel_has_its_own_moments() {
        let part = Part {
            pixels: vec![0, 255, 51, 102, 3, 9],
            labels: vec![1],
            normalisation: Arc::new(Normalisation::new(
                &[0.5, 0.2, 0.3],
                &[0.5, 0.1, 0.0],
                255.0,
            )),
        };
        let expected = [-1.0, 1.0, 0.0, 2.0, 3.0 / 255.0 - 0.3, 9.0 / 255.0 - 0.3];
        for (value, expected) in part.normalised(0..1).into_iter().zip(expected) {
            assert!(
                f64::from(value - expected).abs() < 1e-6,
                "{value} {expected}"
            );
        }
    }

    #[test]
    fn truncated_bytes_are_an_error() {
        let bytes = digits();
        assert!(Data::from_bytes(&bytes[..bytes.len() - 1]).is_err());
        assert!(Data::from_bytes(b"").is_err());
    }

    #[test]
    fn a_subset_is_spread_evenly() {
        let part = Part {
            pixels: (0..20).collect(),
            labels: (0..10).collect(),
            normalisation: Arc::new(Normalisation::new(&[0.0], &[1.0], 1.0)),
        };
        assert_eq!(part.evenly_spread(4), [0, 2, 5, 7]);
        assert!(part.evenly_spread(11).into_iter().eq(0..10));
    }
}
