//! SVHN, cropped digits.
//!
//! `X` has the pixels, `[row, column, channel, image]` with the row fastest, `y` the labels 1 to 10, where 10 means the
//! digit 0. Source: Netzer et al. 2011, <http://ufldl.stanford.edu/housenumbers/>, format 2.

use super::{Files, Images, Pools, Unfit, archive, file, mat};
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
    of_variables(&contents).map_err(|problem| problem.of(name))
}

fn of_variables(contents: &[u8]) -> Result<Images, Unfit> {
    let mut variables = mat::variables(contents, &["X", "y"])?;
    let mut variable = |variable: &'static str| {
        let found = variables.remove(variable);
        found.ok_or(Unfit::NoVariable { variable })
    };
    let (x, y) = (variable("X")?, variable("y")?);
    let n = match x.shape[..] {
        [32, 32, 3, n] => n,
        // MATLAB drops a last dimension of 1.
        [32, 32, 3] => 1,
        _ => {
            return Err(Unfit::Shape {
                name: "X",
                found: x.shape,
                wanted: "[32, 32, 3, n]".to_owned(),
            });
        }
    };
    if y.values.len() != n {
        return Err(Unfit::Counts {
            labels: y.values.len(),
            images: n,
            of: "X".to_owned(),
        });
    }
    let mut images = Images::of_32x32();
    for (number, label) in y.values.iter().enumerate() {
        images.labels.push(match label {
            1..=9 => *label,
            10 => 0,
            other => {
                return Err(Unfit::Label {
                    number,
                    label: other.to_string(),
                    wanted: "1 to 10 (10 is the digit 0)",
                });
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
