//! CIFAR-10, binary version.
//!
//! A file is a run of records, any number of them: a label, 0 to 9, and three planes of 32x32 bytes, red, green and
//! blue, row by row. Source: Krizhevsky 2009, <https://www.cs.toronto.edu/~kriz/cifar.html>.

use super::{CLASSES, Files, Images, Pools, archive, file, wrong};
use crate::Error;

const ARCHIVE: &str = "cifar-10-binary.tar.gz";
const TRAIN: [&str; 5] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
];
const TEST: &str = "test_batch.bin";

/// Bytes of an image.
const SIZE: usize = 3 * 32 * 32;

pub(super) fn read(files: &Files) -> Result<Pools, Error> {
    let unpacked = match files.get(ARCHIVE) {
        Some(archive) => &archive::members(ARCHIVE, archive, |name| {
            TRAIN.contains(&name) || name == TEST
        })?,
        None => files,
    };
    let mut train = Images::of_32x32();
    for name in TRAIN {
        train.extend(name, file(unpacked, name)?)?;
    }
    let mut test = Images::of_32x32();
    test.extend(TEST, file(unpacked, TEST)?)?;
    Ok(Pools {
        train,
        test: Some(test),
    })
}

impl Images {
    /// No images yet, in colour, of 32x32 pixels.
    pub(super) fn of_32x32() -> Self {
        Self {
            pixels: Vec::new(),
            labels: Vec::new(),
            channels: 3,
            height: 32,
            width: 32,
            white: 255.0,
        }
    }

    fn extend(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let (records, rest) = bytes.as_chunks::<{ 1 + SIZE }>();
        if records.is_empty() || !rest.is_empty() {
            return Err(wrong(
                name,
                format!(
                    "{} bytes are no whole number of CIFAR-10's records of {} bytes (binary version)",
                    bytes.len(),
                    1 + SIZE
                ),
            ));
        }
        for (number, [label, image @ ..]) in records.iter().enumerate() {
            if *label >= CLASSES {
                return Err(wrong(
                    name,
                    format!("record {number} has label {label}, not 0 to 9"),
                ));
            }
            self.labels.push(*label);
            self.pixels.extend_from_slice(image);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// A record whose pixels are `first`, `first + 1`, ...
    fn record(label: u8, first: u8) -> Vec<u8> {
        let pixels = (0..SIZE).map(|i| first.wrapping_add(i as u8));
        std::iter::once(label).chain(pixels).collect()
    }

    fn folder() -> Files {
        let mut files: Files = (0..5)
            .map(|batch| {
                // Batch 1 has one record, batch 2 two, and so on.
                let bytes = (0..=batch).flat_map(|i| record(i, 10 * batch + i));
                (
                    TRAIN[usize::from(batch)].to_owned(),
                    Arc::new(bytes.collect()),
                )
            })
            .collect();
        files.insert(TEST.to_owned(), Arc::new(record(9, 0)));
        files
    }

    fn packed(files: &Files) -> Files {
        let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut tar = tar::Builder::new(gzip);
        for (name, bytes) in files {
            let mut header = tar::Header::new_ustar();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            let path = format!("cifar-10-batches-bin/{name}");
            tar.append_data(&mut header, path, &bytes[..]).unwrap();
        }
        let bytes = tar.into_inner().unwrap().finish().unwrap();
        Files::from([(ARCHIVE.to_owned(), Arc::new(bytes))])
    }

    #[test]
    fn records_are_read_in_the_order_of_the_batches() {
        let pools = read(&folder()).unwrap();
        assert_eq!(
            pools.train.labels,
            [0, 0, 1, 0, 1, 2, 0, 1, 2, 3, 0, 1, 2, 3, 4]
        );
        assert_eq!(pools.train.pixels.len(), 15 * SIZE);
        // Example 5 is the third record of batch 3.
        assert_eq!(pools.train.pixels[5 * SIZE..5 * SIZE + 3], [22, 23, 24]);
        let test = pools.test.unwrap();
        assert_eq!((test.labels, test.pixels.len()), (vec![9], SIZE));
    }

    #[test]
    fn the_archive_gives_what_the_folder_gives() {
        let (folder, archive) = (read(&folder()).unwrap(), read(&packed(&folder())).unwrap());
        assert_eq!(folder.train, archive.train);
        assert_eq!(folder.test, archive.test);
    }

    #[test]
    fn what_is_missing_or_damaged_is_named() {
        let problem = |change: &dyn Fn(&mut Files)| {
            let mut files = folder();
            change(&mut files);
            read(&files).err().unwrap().to_string()
        };
        let set = |files: &mut Files, name: &str, bytes: Vec<u8>| {
            files.insert(name.to_owned(), Arc::new(bytes));
        };
        assert_eq!(
            problem(&|files| drop(files.remove("data_batch_3.bin"))),
            "there is no data_batch_3.bin"
        );
        assert_eq!(
            problem(&|files| set(files, TEST, record(1, 0)[1..].to_vec())),
            "test_batch.bin: 3072 bytes are no whole number of CIFAR-10's records of 3073 bytes (binary version)"
        );
        assert_eq!(
            problem(&|files| set(files, TEST, Vec::new())),
            "test_batch.bin: 0 bytes are no whole number of CIFAR-10's records of 3073 bytes (binary version)"
        );
        assert_eq!(
            problem(&|files| set(files, TRAIN[0], [record(1, 0), record(10, 0)].concat())),
            "data_batch_1.bin: record 1 has label 10, not 0 to 9"
        );
        let mut files = folder();
        files.remove("test_batch.bin");
        assert_eq!(
            read(&packed(&files)).err().unwrap().to_string(),
            "there is no test_batch.bin"
        );
    }
}
