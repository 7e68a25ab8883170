//! Batches put together on the host.

use datasets::Part;

use crate::batches::{Change, Choice};

/// Images one after another, `[batch, channels * height * width]`, of a part with images of `[height, width]`; zeros
/// border them by `pad` before they are cropped.
pub(super) fn images(part: &Part, size: [usize; 2], pad: usize, choice: &Choice<'_>) -> Vec<f32> {
    let pixels = part.pixels.len() / part.len();
    let mut images = Vec::with_capacity(choice.len() * pixels);
    for (index, change) in choice.iter() {
        match change {
            None => part.extend_with(&mut images, index as usize),
            Some(change) => extend_changed(&mut images, part, size, pad, index as usize, change),
        }
    }
    images
}

/// Appends the window of the padded image `index` whose corner is `down` and `right` of the padded corner,
/// flipped after the crop.
fn extend_changed(
    images: &mut Vec<f32>,
    part: &Part,
    [height, width]: [usize; 2],
    pad: usize,
    index: usize,
    change: Change,
) {
    for (plane, channel) in part.image(index).chunks_exact(height * width).zip(0..) {
        let value = part.normalisation.of_channel(channel);
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
                    (Some(row), Some(column)) => value[usize::from(plane[row * width + column])],
                    _ => 0.0,
                }
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use burn::tensor::Device;
    use datasets::random::{Purpose, Stream};
    use datasets::{Data, Normalisation};
    use runs::settings::Settings;

    use crate::batches::Batches;
    use crate::examples::{Labels, Sets};

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
    fn images_go_with_their_labels() {
        let data = data(10);
        let sets = Sets::new(&data, 0, &Device::flex());
        let batch = sets
            .train
            .batch(&Batches::new(&settings(""), data.train.len()).at(5));
        let Labels::Host(labels) = batch.labels else {
            panic!("the CPU's are on the host")
        };
        let images: Vec<f32> = batch.images.into_data().try_into_vec().unwrap();
        for (image, label) in images.chunks(12).zip(labels) {
            let label = f32::from(label);
            assert_eq!(image[0].to_bits(), (2.0 * (label + 1.0)).to_bits());
            assert_eq!(image[11].to_bits(), (label + 12.0).to_bits());
        }
    }

    #[test]
    fn a_crop_moves_the_image_and_fills_with_zeros() {
        let data = data(1);
        let changed = |down, right, flip| {
            let mut out = Vec::new();
            let change = Change { down, right, flip };
            extend_changed(&mut out, &data.train, [2, 3], 1, 0, change);
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
        let mut batches = Batches::new(&settings(augment), data.train.len());
        let epoch = 2;
        let mut drawn = Stream::new(5, Purpose::Augmentation, epoch);
        let changes: Vec<[usize; 3]> = (0..data.train.len())
            .map(|_| [3, 3, 2].map(|n| drawn.below(n) as usize))
            .collect();
        let order = Stream::new(5, Purpose::Order, epoch).permutation(data.train.len());
        for step in 0..13 {
            let choice = batches.at(13 * epoch + step);
            let images = images(&data.train, [height, width], pad, &choice);
            let chosen = order.chunks(3).nth(step as usize).unwrap();
            for (values, example) in images.chunks(12).zip(chosen) {
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
}
