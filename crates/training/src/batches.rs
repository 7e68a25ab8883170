//! The examples of each step: order and augmentation.
//!
//! Both are functions of (seed, epoch, example) alone, so batches do not depend on the optimiser.

use std::borrow::Cow;

use datasets::random::{Purpose, Stream};
use runs::settings::{Augment, LastBatch, Settings};

/// The mini-batches of a run.
pub(crate) struct Batches {
    /// Training examples.
    examples: usize,
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
pub(crate) struct Change {
    pub(crate) down: usize,
    pub(crate) right: usize,
    pub(crate) flip: bool,
}

/// Examples of a batch.
pub(crate) struct Choice<'a> {
    /// Their places in their part of the data, `[batch]`.
    indices: Cow<'a, [u32]>,
    /// Of every example of the part how it is changed, by index; empty: none is.
    changes: &'a [Change],
}

impl<'a> Choice<'a> {
    /// Examples as they are.
    pub(crate) fn plain(indices: impl Into<Cow<'a, [u32]>>) -> Self {
        Self {
            indices: indices.into(),
            changes: &[],
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.indices.len()
    }

    /// Each index with how its example is changed.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, Option<Change>)> {
        let change = |index: u32| self.changes.get(index as usize).copied();
        self.indices
            .iter()
            .map(move |index| (*index, change(*index)))
    }

    /// Choices of `count` of these, in order; the last may be of fewer.
    pub(crate) fn chunks(&self, count: usize) -> impl Iterator<Item = Choice<'_>> {
        self.indices.chunks(count).map(|indices| Choice {
            indices: indices.into(),
            changes: self.changes,
        })
    }
}

impl Batches {
    pub(crate) fn new(settings: &Settings, examples: usize) -> Self {
        Self {
            examples,
            seed: settings.seed,
            batch_size: settings.batch_size.size(),
            last_batch: settings.last_batch,
            augment: settings.augment,
            steps_per_epoch: settings
                .last_batch
                .steps_per_epoch(examples as u64, settings.batch_size),
            epoch: None,
        }
    }

    /// Training examples used before a step.
    pub(crate) fn examples_before(&self, step: u64) -> u64 {
        let batch = self.batch_size as u64;
        let per_epoch = match self.last_batch {
            LastBatch::Drop => self.steps_per_epoch * batch,
            LastBatch::Keep => self.examples as u64,
        };
        step / self.steps_per_epoch * per_epoch + step % self.steps_per_epoch * batch
    }

    /// The batch of update `step`, counted from 0.
    pub(crate) fn at(&mut self, step: u64) -> Choice<'_> {
        let first = (step % self.steps_per_epoch) as usize * self.batch_size;
        let last = self.examples.min(first + self.batch_size);
        let epoch = self.enter(step / self.steps_per_epoch);
        Choice {
            indices: epoch.order[first..last].into(),
            changes: &epoch.changes,
        }
    }

    /// Other examples, `count` of them, drawn anew at each step, as the epoch of that step changes them.
    pub(crate) fn drawn(&mut self, step: u64, count: usize) -> Choice<'_> {
        let mut stream = Stream::new(self.seed, Purpose::NoiseScale, step);
        let mut order = stream.permutation(self.examples);
        order.truncate(count);
        let epoch = self.enter(step / self.steps_per_epoch);
        Choice {
            indices: order.into(),
            changes: &epoch.changes,
        }
    }

    /// Makes this epoch the current one.
    fn enter(&mut self, number: u64) -> &Epoch {
        if self
            .epoch
            .as_ref()
            .is_none_or(|epoch| epoch.number != number)
        {
            self.epoch = Some(Epoch {
                number,
                order: Stream::new(self.seed, Purpose::Order, number).permutation(self.examples),
                changes: self.draw_changes(number),
            });
        }
        self.epoch.as_ref().expect("it was just entered")
    }

    fn draw_changes(&self, epoch: u64) -> Vec<Change> {
        if self.augment.is_none() {
            return Vec::new();
        }
        let mut stream = Stream::new(self.seed, Purpose::Augmentation, epoch);
        let offsets = 2 * self.augment.pad_crop as u32 + 1;
        (0..self.examples)
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
}

#[cfg(test)]
mod tests {
    use super::*;
    fn settings(more: &str) -> Settings {
        serde_json::from_str(&format!(
            r#"{{"model": {{"mlp": {{"hidden": []}}}}, "batch_size": 3, "learning_rate": 1,
                 "budget": {{"epochs": 1}}, "optimizer": {{"sgd": {{}}}} {more}}}"#
        ))
        .unwrap()
    }

    #[test]
    fn an_epoch_uses_every_example_once_and_the_next_another_order() {
        let mut batches = Batches::new(&settings(r#", "last_batch": "keep""#), 10);
        let epoch = |batches: &mut Batches, number: u64| -> Vec<u32> {
            (0..4)
                .flat_map(|step| batches.at(4 * number + step).indices.into_owned())
                .collect()
        };
        let (first, second) = (epoch(&mut batches, 0), epoch(&mut batches, 1));
        assert_ne!(first, second);
        for mut indices in [first, second] {
            indices.sort_unstable();
            assert!(indices.into_iter().eq(0..10));
        }
        assert_eq!(batches.at(3).len(), 1);
        assert_eq!(
            [0, 3, 4, 9].map(|step| batches.examples_before(step)),
            [0, 9, 10, 23]
        );
    }

    #[test]
    fn a_dropped_last_batch_is_counted_out() {
        let mut batches = Batches::new(&settings(""), 10);
        assert_eq!(
            [0, 2, 3, 7].map(|step| batches.examples_before(step)),
            [0, 6, 9, 21]
        );
        assert!((0..9).all(|step| batches.at(step).len() == 3));
    }

    #[test]
    fn changes_differ_between_epochs_and_reach_every_offset() {
        let batches = Batches::new(
            &settings(r#", "augment": {"pad_crop": 1, "flip": true}"#),
            200,
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
