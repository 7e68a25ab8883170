//! SVHN, cropped digits.
//!
//! `X` has the pixels, `[row, column, channel, image]` with the row fastest, `y` the labels 1 to 10, where 10 means the
//! digit 0. Source: Netzer et al. 2011, <http://ufldl.stanford.edu/housenumbers/>, format 2.

use super::{Files, Images, Pools, archive, file, mat, wrong};
use crate::Error;

const EXTRA: &str = "extra_32x32.mat";

pub(super) fn read(files: &Files) -> Result<Pools, Error> {
    let mut train = images(files, "train_32x32.mat")?;
    if files.contains_key(EXTRA) {
        let extra = images(files, EXTRA)?;
        train.pixels.extend(extra.pixels);
        train.labels.extend(extra.labels);
    }
    Ok(Pools {
        train,
        test: Some(images(files, "test_32x32.mat")?),
    })
}

fn images(files: &Files, name: &str) -> Result<Images, Error> {
    let contents = archive::gunzip(name, file(files, name)?)?;
    let mut variables = mat::variables(name, &contents, &["X", "y"])?;
    let mut variable = |variable: &str| {
        let found = variables.remove(variable);
        found.ok_or_else(|| wrong(name, format!("no variable {variable}")))
    };
    let (x, y) = (variable("X")?, variable("y")?);
    let n = match x.shape[..] {
        [32, 32, 3, n] => n,
        // MATLAB drops a last dimension of 1.
        [32, 32, 3] => 1,
        ref other => {
            return Err(wrong(name, format!("X is {other:?}, not [32, 32, 3, n]")));
        }
    };
    if y.values.len() != n {
        return Err(wrong(
            name,
            format!("{} labels for {n} images", y.values.len()),
        ));
    }
    let mut images = Images::of_32x32();
    for (at, label) in y.values.iter().enumerate() {
        images.labels.push(match label {
            1..=9 => *label,
            10 => 0,
            other => {
                return Err(wrong(
                    name,
                    format!("y has {other} at {at}, not 1 to 10 (10 is the digit 0)"),
                ));
            }
        });
    }
    images.pixels = x.values;
    for plane in images.pixels.as_chunks_mut::<{ 32 * 32 }>().0 {
        let columns = *plane;
        for (at, pixel) in plane.iter_mut().enumerate() {
            let (row, column) = (at / 32, at % 32);
            *pixel = columns[32 * column + row];
        }
    }
    Ok(images)
}
