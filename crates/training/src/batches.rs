//! The examples of each step: order and augmentation.
//!
//! Both are functions of (seed, epoch, example) alone, so batches do not depend on the optimiser.

use datasets::random::{Purpose, Stream};
use runs::settings::{Augment, LastBatch, Settings};

use crate::Data;

/// The mini-batches of a run.
pub(crate) struct Batches<'a> {
    data: &'a Data,
    seed: u64,
    batch_size: usize,
    last_batch: LastBatch,
    augment: Augment,
    steps_per_epoch: u64,
    epoch: Option<Epoch>,
}

struct Epoch {
    number: u64,
    /// Indices of training examples.
    order: Vec<u32>,
    /// One an example, by index; empty without augmentation.
    changes: Vec<Change>,
}

/// A crop of the padded image and a reflection.
#[derive(Clone, Copy)]
struct Change {
    down: usize,
    right: usize,
    flip: bool,
}

/// Images `[batch, channels * height * width]` and labels `[batch]`.
pub(crate) struct Batch {
    pub(crate) images: Vec<f32>,
    pub(crate) labels: Vec<u8>,
}

impl Batch {
    /// Batches of `count` examples, in order; the last may have fewer.
    pub(crate) fn chunks(&self, count: usize) -> impl Iterator<Item = Self> {
        let size = self.images.len() / self.labels.len();
        let images = self.images.chunks(count * size);
        images
            .zip(self.labels.chunks(count))
            .map(|(images, labels)| Self {
                images: images.to_vec(),
                labels: labels.to_vec(),
            })
    }
}

impl<'a> Batches<'a> {
    pub(crate) fn new(settings: &Settings, data: &'a Data) -> Self {
        Self {
            data,
            seed: settings.seed,
            batch_size: settings.batch_size.size(),
            last_batch: settings.last_batch,
            augment: settings.augment,
            steps_per_epoch: settings
                .last_batch
                .steps_per_epoch(data.train.len() as u64, settings.batch_size),
            epoch: None,
        }
    }

    /// Training examples used before a step.
    pub(crate) fn examples_before(&self, step: u64) -> u64 {
        let batch = self.batch_size as u64;
        let per_epoch = match self.last_batch {
            LastBatch::Drop => self.steps_per_epoch * batch,
            LastBatch::Keep => self.data.train.len() as u64,
        };
        step / self.steps_per_epoch * per_epoch + step % self.steps_per_epoch * batch
    }

    /// The batch of update `step`, counted from 0.
    pub(crate) fn at(&mut self, step: u64) -> Batch {
        let first = (step % self.steps_per_epoch) as usize * self.batch_size;
        let last = self.data.train.len().min(first + self.batch_size);
        self.enter(step / self.steps_per_epoch);
        let epoch = self.epoch.as_ref().expect("it was just entered");
        self.collect(epoch, &epoch.order[first..last])
    }

    /// Other examples, `count` of them, drawn anew at each step, as the epoch of that step changes them.
    pub(crate) fn drawn(&mut self, step: u64, count: usize) -> Batch {
        let mut stream = Stream::new(self.seed, Purpose::NoiseScale, step);
        let order = stream.permutation(self.data.train.len());
        self.enter(step / self.steps_per_epoch);
        let epoch = self.epoch.as_ref().expect("it was just entered");
        self.collect(epoch, &order[..count])
    }

    /// Makes this epoch the current one.
    fn enter(&mut self, number: u64) {
        if self
            .epoch
            .as_ref()
            .is_none_or(|epoch| epoch.number != number)
        {
            let n = self.data.train.len();
            self.epoch = Some(Epoch {
                number,
                order: Stream::new(self.seed, Purpose::Order, number).permutation(n),
                changes: self.draw_changes(number),
            });
        }
    }

    fn collect(&self, epoch: &Epoch, chosen: &[u32]) -> Batch {
        let size = self.data.channels * self.data.height * self.data.width;
        let mut images = Vec::with_capacity(chosen.len() * size);
        for index in chosen {
            let index = *index as usize;
            match epoch.changes.get(index) {
                None => self.data.train.extend_with(&mut images, index),
                Some(change) => self.extend_changed(&mut images, index, *change),
            }
        }
        let labels = chosen
            .iter()
            .map(|index| self.data.train.labels[*index as usize])
            .collect();
        Batch { images, labels }
    }

    fn draw_changes(&self, epoch: u64) -> Vec<Change> {
        if self.augment.is_none() {
            return Vec::new();
        }
        let mut stream = Stream::new(self.seed, Purpose::Augmentation, epoch);
        let offsets = 2 * self.augment.pad_crop as u32 + 1;
        (0..self.data.train.len())
            .map(|_| {
                let (down, right) = (
                    stream.below(offsets) as usize,
                    stream.below(offsets) as usize,
                );
                let flip = stream.below(2) == 1 && self.augment.flip;
                Change { down, right, flip }
            })
            .collect()
    }

    /// Appends the window of the padded image `index` whose corner is `down` and `right` of the padded corner,
    /// flipped after the crop.
    fn extend_changed(&self, images: &mut Vec<f32>, index: usize, change: Change) {
        let (height, width) = (self.data.height, self.data.width);
        let pad = self.augment.pad_crop as usize;
        let train = &self.data.train;
        for (plane, channel) in train.image(index).chunks_exact(height * width).zip(0..) {
            let value = train.normalisation.of_channel(channel);
            for y in 0..height {
                let row = (y + change.down)
                    .checked_sub(pad)
                    .filter(|row| *row < height);
                images.extend((0..width).map(|x| {
                    let x = if change.flip { width - 1 - x } else { x };
                    let column = (x + change.right)
                        .checked_sub(pad)
                        .filter(|column| *column < width);
                    match (row, column) {
                        (Some(row), Some(column)) => {
                            value[usize::from(plane[row * width + column])]
                        }
                        _ => 0.0,
                    }
                }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use datasets::{Normalisation, Part};

    /// Two channels of 2x3 pixels; those of example `i` are `i + 1` to `i + 12`, the first channel's doubled.
    fn data(n: usize) -> Data {
        let pixels = (0..n)
            .flat_map(|i| (1..=12).map(move |pixel| (i + pixel) as u8))
            .collect();
        let labels = (0..n).map(|i| i as u8).collect();
        let normalisation = Arc::new(Normalisation::new(&[0.0, 0.0], &[0.5, 1.0], 1.0));
        let part = |pixels, labels| Part {
            pixels,
            labels,
            normalisation: Arc::clone(&normalisation),
        };
        let empty = part(Vec::new(), Vec::new());
        Data {
            channels: 2,
            height: 2,
            width: 3,
            classes: n,
            train: part(pixels, labels),
            validation: empty.clone(),
            test: empty,
        }
    }

    fn settings(more: &str) -> Settings {
        serde_json::from_str(&format!(
            r#"{{"model": {{"mlp": {{"hidden": []}}}}, "batch_size": 3, "learning_rate": 1,
                 "budget": {{"epochs": 1}}, "optimizer": {{"sgd": {{}}}} {more}}}"#
        ))
        .unwrap()
    }

    #[test]
    fn an_epoch_uses_every_example_once_and_the_next_another_order() {
        let data = data(10);
        let mut batches = Batches::new(&settings(r#", "last_batch": "keep""#), &data);
        let epoch = |batches: &mut Batches<'_>, number: u64| -> Vec<u8> {
            (0..4)
                .flat_map(|step| batches.at(4 * number + step).labels)
                .collect()
        };
        let (first, second) = (epoch(&mut batches, 0), epoch(&mut batches, 1));
        assert_ne!(first, second);
        for mut labels in [first, second] {
            labels.sort_unstable();
            assert!(labels.into_iter().eq(0..10));
        }
        assert_eq!(batches.at(3).labels.len(), 1);
        assert_eq!(
            [0, 3, 4, 9].map(|step| batches.examples_before(step)),
            [0, 9, 10, 23]
        );
    }

    #[test]
    fn a_dropped_last_batch_is_counted_out() {
        let data = data(10);
        let mut batches = Batches::new(&settings(""), &data);
        assert_eq!(
            [0, 2, 3, 7].map(|step| batches.examples_before(step)),
            [0, 6, 9, 21]
        );
        assert!((0..9).all(|step| batches.at(step).labels.len() == 3));
    }

    #[test]
    fn images_go_with_their_labels() {
        let data = data(10);
        let batch = Batches::new(&settings(""), &data).at(5);
        for (image, label) in batch.images.chunks(12).zip(batch.labels) {
            let label = f32::from(label);
            assert_eq!(image[0].to_bits(), (2.0 * (label + 1.0)).to_bits());
            assert_eq!(image[11].to_bits(), (label + 12.0).to_bits());
        }
    }

    #[test]
    fn a_crop_moves_the_image_and_fills_with_zeros() {
        let data = data(1);
        let batches = Batches::new(&settings(r#", "augment": {"pad_crop": 1}"#), &data);
        let changed = |down, right, flip| {
            let mut out = Vec::new();
            batches.extend_changed(&mut out, 0, Change { down, right, flip });
            out
        };
        let both = |first: [f32; 6], second: [f32; 6]| [first.map(|x| 2.0 * x), second].concat();
        assert_eq!(
            changed(1, 1, false),
            both(
                [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
                [7.0, 8.0, 9.0, 10.0, 11.0, 12.0]
            )
        );
        assert_eq!(
            changed(1, 1, true),
            both(
                [3.0, 2.0, 1.0, 6.0, 5.0, 4.0],
                [9.0, 8.0, 7.0, 12.0, 11.0, 10.0]
            )
        );
        assert_eq!(
            changed(0, 1, false),
            both(
                [0.0, 0.0, 0.0, 1.0, 2.0, 3.0],
                [0.0, 0.0, 0.0, 7.0, 8.0, 9.0]
            )
        );
        assert_eq!(
            changed(2, 2, false),
            both(
                [5.0, 6.0, 0.0, 0.0, 0.0, 0.0],
                [11.0, 12.0, 0.0, 0.0, 0.0, 0.0]
            )
        );
        assert_eq!(
            changed(2, 2, true),
            both(
                [0.0, 6.0, 5.0, 0.0, 0.0, 0.0],
                [0.0, 12.0, 11.0, 0.0, 0.0, 0.0]
            )
        );
    }

    #[test]
    fn augmented_batches_are_windows_of_images_padded_and_mirrored_as_a_whole() {
        // The twin pads the whole image, cuts the window out, and mirrors it.
        let (pad, height, width) = (1, 2, 3);
        let data = data(40);
        let augment = r#", "seed": 5, "augment": {"pad_crop": 1, "flip": true}"#;
        let mut batches = Batches::new(&settings(augment), &data);
        let epoch = 2;
        let mut drawn = Stream::new(5, Purpose::Augmentation, epoch);
        let changes: Vec<[usize; 3]> = (0..data.train.len())
            .map(|_| [3, 3, 2].map(|n| drawn.below(n) as usize))
            .collect();
        let order = Stream::new(5, Purpose::Order, epoch).permutation(data.train.len());
        for step in 0..13 {
            let batch = batches.at(13 * epoch + step);
            let chosen = order.chunks(3).nth(step as usize).unwrap();
            for (values, example) in batch.images.chunks(12).zip(chosen) {
                let [down, right, mirrored] = changes[*example as usize];
                let mut plain = Vec::new();
                data.train.extend_with(&mut plain, *example as usize);
                for (seen, plane) in values.chunks(6).zip(plain.chunks(6)) {
                    let mut padded = vec![vec![0.0; width + 2 * pad]; height + 2 * pad];
                    for (at, value) in plane.iter().enumerate() {
                        padded[at / width + pad][at % width + pad] = *value;
                    }
                    let window = padded[down..down + height].iter().flat_map(|row| {
                        let mut row = row[right..right + width].to_vec();
                        if mirrored == 1 {
                            row.reverse();
                        }
                        row
                    });
                    assert!(window.eq(seen.iter().copied()), "{step}, {example}");
                }
            }
        }
    }

    #[test]
    fn changes_differ_between_epochs_and_reach_every_offset() {
        let data = data(200);
        let batches = Batches::new(
            &settings(r#", "augment": {"pad_crop": 1, "flip": true}"#),
            &data,
        );
        let kinds = |epoch| -> Vec<_> {
            batches
                .draw_changes(epoch)
                .iter()
                .map(|c| (c.down, c.right, c.flip))
                .collect()
        };
        assert_ne!(kinds(0), kinds(1));
        let mut all = kinds(0);
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 3 * 3 * 2);
    }
}
