//! The handwritten digits that this crate holds.
//!
//! Source: Alpaydin and Kaynak 1998, Optical Recognition of Handwritten Digits, UCI Machine Learning
//! Repository, <https://doi.org/10.24432/C50P49>, CC BY 4.0 (`data/LICENCE.md`).

use safetensors::SafeTensors;

use super::Images;

const FILE: &[u8] = include_bytes!("../../data/digits.safetensors");

/// All 1,797 digits: one channel of 8x8 pixels with values 0 to 16.
pub(super) fn images() -> Images {
    let tensors = SafeTensors::deserialize(FILE).expect("the embedded file is intact");
    let bytes = |name| {
        tensors
            .tensor(name)
            .expect("the embedded file has this tensor")
            .data()
            .to_vec()
    };
    Images {
        pixels: bytes("images"),
        labels: bytes("labels"),
        channels: 1,
        height: 8,
        width: 8,
        white: 16.0,
    }
}
