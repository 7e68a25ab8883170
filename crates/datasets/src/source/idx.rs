//! MNIST's files, and those of the data sets that follow it.
//!
//! IDX: two zero bytes, the type (8: unsigned bytes), the number of dimensions, each dimension in four bytes, highest
//! first, then the values. Source: `LeCun`, Cortes and Burges, <http://yann.lecun.com/exdb/mnist/>.

use super::{CLASSES, Files, Images, Pools, Unfit, archive, file};
use crate::Error;

pub(super) fn read(files: &Files) -> Result<Pools, Error> {
    Ok(Pools {
        train: images(files, "train")?,
        test: Some(images(files, "t10k")?),
    })
}

fn images(files: &Files, part: &str) -> Result<Images, Error> {
    let (images_name, labels_name) = (
        format!("{part}-images-idx3-ubyte"),
        format!("{part}-labels-idx1-ubyte"),
    );
    let images = archive::gunzip(&images_name, file(files, &images_name)?)?;
    let labels = archive::gunzip(&labels_name, file(files, &labels_name)?)?;
    let read = values::<3>(&images).map_err(|problem| problem.of(&images_name))?;
    let ([n, height, width], pixels) = read;
    let ([m], labels) = values::<1>(&labels).map_err(|problem| problem.of(&labels_name))?;
    if height == 0 || width == 0 {
        return Err(Unfit::NoPixels { height, width }.of(&images_name));
    }
    if n != m {
        let counts = Unfit::Counts {
            labels: m,
            images: n,
            of: images_name,
        };
        return Err(counts.of(&labels_name));
    }
    if let Some(number) = labels.iter().position(|label| *label >= CLASSES) {
        let label = Unfit::Label {
            number,
            label: labels[number].to_string(),
            wanted: "0 to 9",
        };
        return Err(label.of(&labels_name));
    }
    Ok(Images {
        pixels: pixels.to_vec(),
        labels: labels.to_vec(),
        channels: 1,
        height,
        width,
        white: 255.0,
    })
}

/// The dimensions and the values of a file.
fn values<const D: usize>(bytes: &[u8]) -> Result<([usize; D], &[u8]), Unfit> {
    let Some((&[0, 0, 8, dimensions], mut rest)) = bytes.split_first_chunk::<4>() else {
        return Err(Unfit::NotIdx);
    };
    if usize::from(dimensions) != D {
        return Err(Unfit::Dimensions {
            found: dimensions,
            wanted: D,
        });
    }
    let mut shape = [0; D];
    for size in &mut shape {
        let Some((bytes, after)) = rest.split_first_chunk::<4>() else {
            return Err(Unfit::CutShort);
        };
        *size = u32::from_be_bytes(*bytes) as usize;
        rest = after;
    }
    let count = shape
        .iter()
        .try_fold(1_usize, |n, size| n.checked_mul(*size));
    if count != Some(rest.len()) {
        return Err(Unfit::Values {
            bytes: rest.len(),
            shape: shape.to_vec(),
        });
    }
    Ok((shape, rest))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::sync::Arc;

    use super::*;

    fn idx(shape: &[u8], values: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, shape.len() as u8];
        bytes.extend(shape.iter().flat_map(|size| [0, 0, 0, *size]));
        bytes.extend_from_slice(values);
        bytes
    }

    fn files() -> Files {
        let files = [
            (
                "train-images-idx3-ubyte",
                idx(&[2, 1, 3], &[1, 2, 3, 4, 5, 6]),
            ),
            ("train-labels-idx1-ubyte", idx(&[2], &[7, 0])),
            ("t10k-images-idx3-ubyte", idx(&[1, 1, 3], &[9, 8, 7])),
            ("t10k-labels-idx1-ubyte", idx(&[1], &[9])),
        ];
        files
            .into_iter()
            .map(|(name, bytes)| (name.to_owned(), Arc::new(bytes)))
            .collect()
    }

    fn problem(name: &str, bytes: Vec<u8>) -> String {
        let mut files = files();
        files.insert(name.to_owned(), Arc::new(bytes));
        read(&files).err().unwrap().to_string()
    }

    #[test]
    fn images_go_with_their_labels_compressed_or_not() {
        let plain = read(&files()).unwrap();
        assert_eq!(plain.train.pixels, [1, 2, 3, 4, 5, 6]);
        assert_eq!(plain.train.labels, [7, 0]);
        assert_eq!((plain.train.height, plain.train.width), (1, 3));
        let compressed = files()
            .into_iter()
            .map(|(name, bytes)| {
                let mut gzip =
                    flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                gzip.write_all(&bytes).unwrap();
                (name, Arc::new(gzip.finish().unwrap()))
            })
            .collect();
        assert_eq!(read(&compressed).unwrap().test, plain.test);
    }

    #[test]
    fn what_is_not_what_its_name_says_is_an_error() {
        let (images, labels) = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte");
        assert_eq!(
            problem(images, idx(&[2], &[7, 0])),
            "train-images-idx3-ubyte: 1 dimensions, not 3"
        );
        assert_eq!(
            problem(labels, idx(&[3], &[1, 2, 3])),
            "train-labels-idx1-ubyte: 3 labels for the 2 images of train-images-idx3-ubyte"
        );
        assert_eq!(
            problem(labels, idx(&[2], &[1, 200])),
            "train-labels-idx1-ubyte: label 1 is 200, not 0 to 9"
        );
        assert_eq!(
            problem(images, idx(&[2, 1, 3], &[1, 2, 3, 4, 5])),
            "train-images-idx3-ubyte: 5 bytes of values where the header says [2, 1, 3]"
        );
        assert_eq!(
            problem(images, vec![0, 0, 8, 3, 0, 0]),
            "train-images-idx3-ubyte: cut short"
        );
        assert_eq!(
            problem(images, b"<html>".to_vec()),
            "train-images-idx3-ubyte: not an IDX file of bytes"
        );
        let absurd = [vec![0, 0, 8, 3], vec![255; 12]].concat();
        assert!(problem(images, absurd).contains("0 bytes of values where the header says"));
    }
}
