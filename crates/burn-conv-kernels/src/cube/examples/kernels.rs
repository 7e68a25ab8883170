//! The kernel that puts a batch together.

use burn_cubecl::cubecl::{self, prelude::*};

/// A unit takes every so many pixels of the batch.
#[cube(launch, address_type = "dynamic")]
pub(super) fn gather(
    words: &Tensor<u32>,
    labels: &Tensor<u32>,
    values: &Tensor<f32>,
    chosen: &Tensor<u32>,
    images: &mut Tensor<f32>,
    batch_labels: &mut Tensor<u32>,
    channels: usize,
    rows: usize,
    columns: usize,
    pad: usize,
) {
    let size = channels * rows * columns;
    let mut place = ABSOLUTE_POS;
    while place < images.len() {
        let example = place / size;
        let pixel = place % size;
        let from = chosen[3 * example] as usize;
        let down = chosen[3 * example + 1] as usize;
        let right = chosen[3 * example + 2];
        let channel = pixel / (rows * columns);
        let column = pixel % columns;
        let mirrored = columns - 1 - column;
        let column = select(right & 1 == 1, mirrored, column);
        // In the bordered image.
        let row = pixel / columns % rows + down;
        let column = column + (right >> 1) as usize;
        let mut value = 0.0f32;
        if row >= pad && row < rows + pad && column >= pad && column < columns + pad {
            let at = from * size + (channel * rows + row - pad) * columns + column - pad;
            let byte = words[at / 4] >> (8 * (at % 4) as u32) & 0xff;
            value = values[channel * 256 + byte as usize];
        }
        images[place] = value;
        if pixel == 0 {
            batch_labels[example] = labels[from];
        }
        place += CUBE_COUNT * CUBE_DIM as usize;
    }
}
