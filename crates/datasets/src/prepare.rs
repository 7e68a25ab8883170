//! From a source to the bytes of a data set: split, moments, safetensors.

use std::collections::BTreeMap;

use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::random::{Purpose, Stream};
use crate::source::{Files, Images, Source};
use crate::split;

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

/// The bytes of a data set: a split of the source into three parts, stratified by class and drawn from
/// the seed. Test images are the source's own where it has such. Safetensors, the same bytes for the same settings
/// and files.
///
/// # Errors
///
/// [`Error::NoFile`] and [`Error::File`] for files that are not what the source needs, [`Error::SplitTooLarge`] if it
/// has too few images, [`Error::NothingToTrainOn`] and [`Error::OneClass`] if there is nothing to learn.
///
/// # Panics
///
/// If the data that this crate holds is damaged.
pub fn prepare(settings: &DatasetSettings, files: &Files) -> Result<Vec<u8>, Error> {
    if settings.train == 0 {
        return Err(Error::NothingToTrainOn);
    }
    let pools = settings.source.read(files)?;
    let stream = |index| Stream::new(settings.split_seed, Purpose::Split, index);
    let (train, validation, test) = (settings.train, settings.validation, settings.test);
    let images = &pools.train;
    let parts = match &pools.test {
        None => split::stratified(
            "training, validation and test images",
            &images.labels,
            [train, validation, test],
            &mut stream(0),
        )?
        .map(|part| images.gather(&part)),
        Some(own) => {
            let [train, validation] = split::stratified(
                "training and validation images",
                &images.labels,
                [train, validation],
                &mut stream(0),
            )?;
            let [test] = split::stratified("test images", &own.labels, [test], &mut stream(1))?;
            let same = |other: &Images| {
                (other.channels, other.height, other.width)
                    == (images.channels, images.height, images.width)
            };
            if !same(own) {
                return Err(Error::TwoSizes);
            }
            [
                images.gather(&train),
                images.gather(&validation),
                own.gather(&test),
            ]
        }
    };
    let labels = &parts[0].1;
    if labels.iter().all(|label| *label == labels[0]) {
        return Err(Error::OneClass { label: labels[0] });
    }
    Ok(serialize(images, &parts))
}

impl Images {
    /// Pixels and labels of some images, in this order.
    fn gather(&self, chosen: &[usize]) -> (Vec<u8>, Vec<u8>) {
        let size = self.channels * self.height * self.width;
        let mut pixels = Vec::with_capacity(chosen.len() * size);
        for i in chosen {
            pixels.extend_from_slice(&self.pixels[i * size..(i + 1) * size]);
        }
        (pixels, chosen.iter().map(|i| self.labels[*i]).collect())
    }
}

/// The parts and the moments of the first as safetensors.
fn serialize(images: &Images, parts: &[(Vec<u8>, Vec<u8>); 3]) -> Vec<u8> {
    let moments = channel_moments(&parts[0].0, images.channels, images.height * images.width);
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
    for (name, (pixels, labels)) in PARTS.iter().zip(parts) {
        let shape = [labels.len(), images.channels, images.height, images.width];
        tensors.insert(format!("{name}.images"), view(Dtype::U8, &shape, pixels));
        tensors.insert(
            format!("{name}.labels"),
            view(Dtype::U8, &[labels.len()], labels),
        );
    }
    safetensors::serialize(tensors, None).expect("every tensor was checked when it was made")
}

/// The parts of a data set, as their tensors are called.
pub(crate) const PARTS: [&str; 3] = ["train", "validation", "test"];

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

#[cfg(test)]
mod tests {
    use safetensors::SafeTensors;

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
        let bytes = prepare(&digits(0), &Files::new()).unwrap();
        assert_eq!(bytes, prepare(&digits(0), &Files::new()).unwrap());
        assert_ne!(bytes, prepare(&digits(1), &Files::new()).unwrap());
    }

    #[test]
    fn every_image_is_used_once() {
        // The images of the three parts together are those of the source, as a multiset.
        let bytes = prepare(&digits(0), &Files::new()).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let mut split = Vec::new();
        for part in PARTS {
            let images = tensors.tensor(&format!("{part}.images")).unwrap().data();
            let labels = tensors.tensor(&format!("{part}.labels")).unwrap().data();
            split.extend(images.chunks(64).map(<[u8]>::to_vec).zip(labels.to_vec()));
        }
        let images = Source::Digits.read(&Files::new()).unwrap().train;
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
        let bytes = prepare(&settings, &Files::new()).unwrap();
        assert!(
            crate::Data::from_bytes(&bytes)
                .unwrap()
                .validation
                .is_empty()
        );
    }

    #[test]
    fn moments_are_those_of_each_channel() {
        // Two images of two channels of two pixels.
        let moments = channel_moments(&[1, 3, 10, 10, 5, 7, 10, 10], 2, 2);
        assert_eq!(moments, [(4.0, 5.0_f64.sqrt()), (10.0, 0.0)]);
    }
}
