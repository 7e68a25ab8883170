//! CIFAR-10, binary version and Python version, which hold the same images in the same order.
//!
//! A file of the binary version is a run of records, any number of them: a label, 0 to 9, and three planes of 32x32
//! bytes, red, green and blue, row by row. One of the Python version is a pickled dictionary: `labels`, a list, and
//! `data`, an array of bytes with a row of such planes for each image. Which of them a file is, its first bytes say: no
//! label is as high as a pickle's first byte. Source: Krizhevsky 2009, <https://www.cs.toronto.edu/~kriz/cifar.html>.

use std::collections::BTreeMap;

use super::pickle::{self, Value};
use super::{CLASSES, Files, Images, Pools, Unfit, archive};
use crate::Error;

const ARCHIVES: [&str; 2] = ["cifar-10-binary.tar.gz", "cifar-10-python.tar.gz"];
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
    let archive = ARCHIVES.iter().find_map(|name| files.get_key_value(*name));
    let unpacked = match archive {
        Some((name, archive)) => &archive::members(name, archive, |name| batch(name).is_some())?,
        None => files,
    };
    let mut batches = BTreeMap::new();
    for (name, bytes) in unpacked {
        if let Some(batch) = batch(name)
            && batches.insert(batch, (name, bytes)).is_some()
        {
            return Err(Unfit::BatchTwice.of(name));
        }
    }
    let read = |images: &mut Images, batch: &str| {
        let (name, bytes) = batches.get(batch).ok_or_else(|| Error::NoFile {
            file: batch.to_owned(),
        })?;
        let added = images.extend(&archive::gunzip(name, bytes)?);
        added.map_err(|problem| problem.of(name))
    };
    let (mut train, mut test) = (Images::of_32x32(), Images::of_32x32());
    for batch in TRAIN {
        read(&mut train, batch)?;
    }
    read(&mut test, TEST)?;
    Ok(Pools {
        train,
        test: Some(test),
    })
}

/// Which file of the binary version this one is, by its name: the Python version's have no ending.
fn batch(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let name = name.strip_suffix(".bin").unwrap_or(name);
    let mut batches = TRAIN.into_iter().chain([TEST]);
    batches.find(|batch| batch.strip_suffix(".bin") == Some(name))
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

    fn extend(&mut self, bytes: &[u8]) -> Result<(), Unfit> {
        if pickle::is_pickle(bytes) {
            return self.extend_from_pickle(bytes);
        }
        let (records, rest) = bytes.as_chunks::<{ 1 + SIZE }>();
        if records.is_empty() || !rest.is_empty() {
            return Err(Unfit::Records {
                bytes: bytes.len(),
                record: 1 + SIZE,
            });
        }
        for (number, [label, image @ ..]) in records.iter().enumerate() {
            if *label >= CLASSES {
                return Err(no_label(number, label));
            }
            self.labels.push(*label);
            self.pixels.extend_from_slice(image);
        }
        Ok(())
    }

    fn extend_from_pickle(&mut self, bytes: &[u8]) -> Result<(), Unfit> {
        let entries = pickle::entries(bytes)?;
        let (Some(Value::List(labels)), Some(Value::Array(images))) =
            (entries.get("labels"), entries.get("data"))
        else {
            return Err(Unfit::Entries {
                found: entries.into_keys().take(10).collect(),
            });
        };
        let wanted = [labels.len(), SIZE];
        if images.shape != wanted {
            return Err(Unfit::Shape {
                name: "data",
                found: images.shape.clone(),
                wanted: format!("{wanted:?}"),
            });
        }
        for (number, label) in labels.iter().enumerate() {
            match label {
                Value::Number(label @ 0..10) => self.labels.push(*label as u8),
                Value::Number(label) => return Err(no_label(number, label)),
                _ => return Err(no_label(number, &"no number")),
            }
        }
        self.pixels.extend_from_slice(images.values);
        Ok(())
    }
}

fn no_label(number: usize, label: &dyn ToString) -> Unfit {
    Unfit::Label {
        number,
        label: label.to_string(),
        wanted: "0 to 9",
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

    /// The same images as `cPickle` of Python 2 and numpy wrote them.
    fn pickled(batch: &[u8]) -> Vec<u8> {
        let records = batch.as_chunks::<{ 1 + SIZE }>().0;
        let [count, row] = [records.len() as u16, SIZE as u16].map(u16::to_le_bytes);
        let mut bytes =
            b"\x80\x02}q\x01(U\x0bbatch_labelq\x02U\x09a batch..q\x03U\x06labelsq\x04]q\x05("
                .to_vec();
        bytes.extend(records.iter().flat_map(|[label, ..]| [b'K', *label]));
        bytes.extend(
            b"eU\x04dataq\x06cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08",
        );
        bytes.extend(b"K\0\x85U\x01b\x87Rq\x09(K\x01M");
        bytes.extend(count);
        bytes.push(b'M');
        bytes.extend(row);
        bytes.extend(b"\x86cnumpy\ndtype\nq\x0aU\x02u1K\0K\x01\x87Rq\x0b(K\x03U\x01|NNN");
        bytes.extend(b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb\x89T");
        bytes.extend(((records.len() * SIZE) as u32).to_le_bytes());
        bytes.extend(records.iter().flat_map(|[_, image @ ..]| image));
        bytes.extend(b"tbU\x09filenamesq\x0c]q\x0d(U\x05a.pngq\x0eU\x05b.pngq\x0feu.");
        bytes
    }

    fn python_version() -> Files {
        let named = |(name, bytes): (String, Arc<Vec<u8>>)| {
            (name.replace(".bin", ""), Arc::new(pickled(&bytes)))
        };
        folder().into_iter().map(named).collect()
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
        Files::from([(ARCHIVES[0].to_owned(), Arc::new(bytes))])
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
    fn the_python_version_is_the_same_images_in_a_folder_or_an_archive() {
        let binary = read(&folder()).unwrap();
        let archive = packed(&python_version()).remove(ARCHIVES[0]).unwrap();
        let archive = Files::from([(ARCHIVES[1].to_owned(), archive)]);
        for files in [python_version(), archive] {
            let python = read(&files).unwrap();
            assert_eq!(binary.train, python.train);
            assert_eq!(binary.test, python.test);
        }
    }

    #[test]
    fn a_python_file_cut_short_or_changed_anywhere_is_refused_or_read_and_never_run() {
        let mut files = python_version();
        let whole = (*files["test_batch"]).clone();
        let read_with = |files: &mut Files, bytes: Vec<u8>| {
            files.insert("test_batch".to_owned(), Arc::new(bytes));
            read(files).err().map(|error| error.to_string())
        };
        for length in (2..whole.len()).filter(|length| !(300..whole.len() - 300).contains(length)) {
            let problem = read_with(&mut files, whole[..length].to_vec()).unwrap();
            assert!(problem.starts_with("test_batch: "), "{length}: {problem}");
        }
        for at in (2..whole.len()).filter(|at| !(300..whole.len() - 100).contains(at)) {
            for value in [0, b'(', b'R', b'e', 0x85, 0xff] {
                let mut changed = whole.clone();
                changed[at] = value;
                let _ = read_with(&mut files, changed);
            }
        }
        let call = b"\x80\x02cos\nsystem\nU\x02ls\x85R.".to_vec();
        assert_eq!(
            read_with(&mut files, call).unwrap(),
            "test_batch: not CIFAR-10's Python version: it asks for os.system, and nothing is run that a data file asks \
             for"
        );
        let fine = b"\x80\x02}(U\x0bfine_labels]U\x0dcoarse_labels]u.".to_vec();
        assert_eq!(
            read_with(&mut files, fine).unwrap(),
            "test_batch: it has [\"coarse_labels\", \"fine_labels\"], not CIFAR-10's labels (a list) and data (an array)"
        );
    }

    #[test]
    fn a_pickle_of_endless_values_is_refused_early() {
        let mut files = python_version();
        for code in [b'N', b']', b')', b'('] {
            let endless = [b"\x80\x02".to_vec(), vec![code; 1 << 22]].concat();
            files.insert("test_batch".to_owned(), Arc::new(endless));
            let problem = read(&files).err().unwrap().to_string();
            assert!(problem.ends_with("more than 2097152 values"), "{problem}");
        }
        let nested = [b"\x80\x02)".to_vec(), vec![0x85; 1 << 20]].concat();
        files.insert("test_batch".to_owned(), Arc::new(nested));
        let problem = read(&files).err().unwrap().to_string();
        assert!(problem.ends_with("tuples within tuples"), "{problem}");
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
            "there is no file `data_batch_3.bin`"
        );
        assert_eq!(
            problem(&|files| set(files, TEST, record(1, 0)[1..].to_vec())),
            "test_batch.bin: 3072 bytes are not a whole number of CIFAR-10's records of 3073 bytes (binary version)"
        );
        assert_eq!(
            problem(&|files| set(files, TEST, Vec::new())),
            "test_batch.bin: 0 bytes are not a whole number of CIFAR-10's records of 3073 bytes (binary version)"
        );
        assert_eq!(
            problem(&|files| set(files, TRAIN[0], [record(1, 0), record(10, 0)].concat())),
            "data_batch_1.bin: label 1 is 10, not 0 to 9"
        );
        let mut files = folder();
        files.remove("test_batch.bin");
        assert_eq!(
            read(&packed(&files)).err().unwrap().to_string(),
            "there is no file `test_batch.bin`"
        );
    }
}
