//! What is known of a source without its files: how many images it has, which files, and where to get them.

mod disk;

pub(crate) use disk::contents_in_words;

use std::path::{Path, PathBuf};

use crate::schema::{Checksums, Dataset, Sha256, Source};

/// A file that a source is read from.
pub(crate) struct SourceFile {
    /// The name that the reader of the source knows it by.
    pub(crate) name: &'static str,
    /// Names that it may have on disk, the usual one first; and others that differ in what [`disk`] overlooks.
    pub(crate) called: &'static [&'static str],
}

/// Where a file of a data set is.
pub(crate) enum Place {
    Disk(PathBuf),
    Web { url: String, sha256: String },
}

macro_rules! files {
    ($($name:literal $(or $other:literal)?),*) => {
        &[$(SourceFile { name: $name, called: &[$($other,)? $name] }),*]
    };
}

/// CIFAR-10's only file, as it is distributed, and that of its Python version.
const CIFAR10_ARCHIVE: &[SourceFile] = files!["cifar-10-binary.tar.gz"];
const CIFAR10_PYTHON_ARCHIVE: &[SourceFile] = files!["cifar-10-python.tar.gz"];
const CIFAR10: &[SourceFile] = files![
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
    "test_batch.bin"
];
const CIFAR10_PYTHON: &[SourceFile] = files![
    "data_batch_1",
    "data_batch_2",
    "data_batch_3",
    "data_batch_4",
    "data_batch_5",
    "test_batch"
];
const EXTRA: &str = "extra_32x32.mat";
const SVHN: &[SourceFile] = files!["train_32x32.mat", "test_32x32.mat", "extra_32x32.mat"];
const MNIST: &[SourceFile] = files![
    "train-images-idx3-ubyte" or "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte" or "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte" or "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte" or "t10k-labels-idx1-ubyte.gz"
];

impl Source {
    /// Images to train on, as the source is distributed.
    /// Source: Krizhevsky 2009; Netzer et al. 2011; `LeCun` et al. 1998; Xiao et al. 2017 (as [`Self::test_images`]).
    pub(crate) fn train_images(self, extra: bool) -> u64 {
        match self {
            Self::Digits => 1797,
            Self::Cifar10 => 50_000,
            Self::Svhn if extra => 73_257 + 531_131,
            Self::Svhn => 73_257,
            Self::Mnist | Self::FashionMnist => 60_000,
        }
    }

    /// Its own test images, as it is distributed.
    pub(crate) fn test_images(self) -> u64 {
        match self {
            Self::Digits => 0,
            Self::Svhn => 26_032,
            Self::Cifar10 | Self::Mnist | Self::FashionMnist => 10_000,
        }
    }

    /// Channels, height and width of its images.
    pub(crate) fn image(self) -> [u64; 3] {
        match self {
            Self::Digits => [1, 8, 8],
            Self::Cifar10 | Self::Svhn => [3, 32, 32],
            Self::Mnist | Self::FashionMnist => [1, 28, 28],
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Digits => "digits",
            Self::Cifar10 => "cifar10",
            Self::Svhn => "svhn",
            Self::Mnist => "mnist",
            Self::FashionMnist => "fashion-mnist",
        }
    }

    /// What `path` is, in words.
    pub(crate) fn files_in_words(self) -> &'static str {
        match self {
            Self::Digits => "no file",
            Self::Cifar10 => {
                "cifar-10-binary.tar.gz or cifar-10-python.tar.gz, or the folder with its data_batch_1.bin and so on"
            }
            Self::Svhn => "the folder with train_32x32.mat and test_32x32.mat",
            Self::Mnist | Self::FashionMnist => {
                "the folder with train-images-idx3-ubyte.gz and the other three files"
            }
        }
    }

    /// Where to get it, in words.
    pub(crate) fn home(self) -> &'static str {
        match self {
            Self::Digits => "it is built in",
            Self::Cifar10 => "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz (170 MB)",
            Self::Svhn => {
                "http://ufldl.stanford.edu/housenumbers/train_32x32.mat (182 MB), test_32x32.mat (64 MB) and, for \
                 `extra`, extra_32x32.mat (1.3 GB) there"
            }
            Self::Mnist => {
                "https://storage.googleapis.com/cvdf-datasets/mnist/train-images-idx3-ubyte.gz and so on (12 MB in all)"
            }
            Self::FashionMnist => {
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/train-images-idx3-ubyte.gz and so on (31 MB \
                 in all), or Debian's package dataset-fashion-mnist (/usr/share/datasets/fashion-mnist)"
            }
        }
    }
}

impl Dataset {
    /// The files of the source where they are in a folder.
    pub(crate) fn files(&self) -> impl Iterator<Item = &'static SourceFile> + use<> {
        self.wanted(self.forms().first().copied().unwrap_or(&[]))
    }

    /// The sets of files that the source is read from, any of them, in the order in which they are looked for.
    fn forms(&self) -> &'static [&'static [SourceFile]] {
        match *self.source {
            Source::Digits => &[],
            Source::Cifar10 => &[
                CIFAR10,
                CIFAR10_ARCHIVE,
                CIFAR10_PYTHON,
                CIFAR10_PYTHON_ARCHIVE,
            ],
            Source::Svhn => &[SVHN],
            Source::Mnist | Source::FashionMnist => &[MNIST],
        }
    }

    /// Folders below `path` in which other tools keep the files.
    fn folders(&self) -> &'static [&'static str] {
        match *self.source {
            Source::Digits => &[],
            Source::Cifar10 => &["", "cifar-10-batches-bin", "cifar-10-batches-py"],
            Source::Svhn => &["", "svhn"],
            Source::Mnist => &["", "raw", "mnist/raw", "mnist"],
            Source::FashionMnist => &["", "raw", "fashion-mnist/raw", "fashion-mnist"],
        }
    }

    /// Those files of a form that this data set reads.
    fn wanted(
        &self,
        form: &'static [SourceFile],
    ) -> impl Iterator<Item = &'static SourceFile> + use<> {
        let extra = *self.extra;
        form.iter().filter(move |file| extra || file.name != EXTRA)
    }

    /// The name by which the reader knows the archive that `path` or `url` is.
    fn archive(name: &str) -> &'static str {
        let form = if name.to_ascii_lowercase().contains("python") {
            CIFAR10_PYTHON_ARCHIVE
        } else {
            CIFAR10_ARCHIVE
        };
        form[0].name
    }

    /// Whether `path` is the archive itself, which its ending says, so that a study means the same wherever it is read.
    fn path_is_archive(&self) -> bool {
        let path = self.path.as_deref().map_or("", String::as_str);
        let path = path.to_ascii_lowercase();
        let endings = [".tar.gz", ".tgz", ".tar"];
        *self.source == Source::Cifar10 && endings.iter().any(|ending| path.ends_with(ending))
    }

    /// How many files are downloaded.
    pub(crate) fn downloads(&self) -> u64 {
        match (&self.path, &self.url, self.sha256.as_deref()) {
            (None, Some(_), Some(Checksums::Of(_))) => 1,
            (None, Some(_), Some(Checksums::ByName(_))) => self.files().count() as u64,
            _ => 0,
        }
    }

    /// The files by the names that the reader of the source knows them by, each with its place. `folder` is what
    /// `path` is relative to. Where not all are there, the places where they would usually be.
    pub(crate) fn places(&self, folder: &Path) -> Vec<(&'static str, Place)> {
        match (&self.path, &self.url, self.sha256.as_deref()) {
            (Some(path), ..) => {
                let path = folder.join(path.strip_prefix("./").unwrap_or(path));
                if self.path_is_archive() {
                    let name = Self::archive(&path.to_string_lossy());
                    return vec![(name, Place::Disk(path))];
                }
                let found = self.forms().iter().find_map(|form| {
                    let places = self.wanted(form).map(|file| {
                        let place = disk::find(&path, self.folders(), file.called)?;
                        Some((file.name, Place::Disk(place)))
                    });
                    places.collect::<Option<Vec<_>>>()
                });
                let usual = |file: &'static SourceFile| {
                    let there = disk::find(&path, self.folders(), file.called);
                    let place = there.unwrap_or_else(|| path.join(file.called[0]));
                    (file.name, Place::Disk(place))
                };
                found.unwrap_or_else(|| self.files().map(usual).collect())
            }
            (None, Some(url), Some(Checksums::Of(sha256))) => {
                vec![(Self::archive(url), web(String::clone(url), sha256))]
            }
            (None, Some(url), Some(Checksums::ByName(named))) => {
                let on_web = |file: &'static SourceFile| {
                    let known = file
                        .called
                        .iter()
                        .find_map(|name| named.get_key_value(*name));
                    let (name, sha256) = known?;
                    let url = format!("{}/{name}", url.trim_end_matches('/'));
                    Some((file.name, web(url, sha256)))
                };
                self.files().filter_map(on_web).collect()
            }
            (None, ..) => Vec::new(),
        }
    }
}

fn web(url: String, sha256: &Sha256) -> Place {
    Place::Web {
        url,
        sha256: sha256.as_str().to_owned(),
    }
}
