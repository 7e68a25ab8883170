//! What can be wrong with a file of a source.

use std::io;

use super::pickle::Unread;
use crate::Error;

/// Why a file of a source is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// A file ends early.
    #[error("cut short")]
    CutShort,
    /// A file or an archive cannot be unpacked, or ends early.
    #[error("damaged or cut short: {0}")]
    Damaged(io::Error),
    /// A file unpacks to more than such files ever have.
    #[error("unpacks to more than {limit} bytes")]
    TooLarge {
        /// What is accepted.
        limit: u64,
    },
    /// A member of an archive would lie outside the folder that it is unpacked to.
    #[error("its member {member} leaves the archive's folder")]
    MemberOutside {
        /// Its path.
        member: String,
    },
    /// A member of an archive is a link, a device or the like.
    #[error("its member {member} is neither a file nor a folder ({kind})")]
    MemberKind {
        /// Its path.
        member: String,
        /// What it is.
        kind: String,
    },
    /// An archive has two files of one name, or a MATLAB file two variables.
    #[error("it has {name} twice")]
    Twice {
        /// The name.
        name: String,
    },
    /// An archive has none of the source's files.
    #[error("none of the files that are wanted; it holds {}", listed(holds))]
    NoneWanted {
        /// Some files that it has.
        holds: Vec<String>,
    },

    /// A label is not that of a class.
    #[error("label {number} is {label}, not {wanted}")]
    Label {
        /// Its place in the file, from 0.
        number: usize,
        /// What is there.
        label: String,
        /// What labels are.
        wanted: &'static str,
    },
    /// There are not as many labels as images.
    #[error("{labels} labels for the {images} images of {of}")]
    Counts {
        /// How many labels.
        labels: usize,
        /// How many images.
        images: usize,
        /// The file or the variable that has the images.
        of: String,
    },
    /// An array has another shape than images of this source.
    #[error("{name} is {found:?}, not {wanted}")]
    Shape {
        /// The array.
        name: &'static str,
        /// Its shape.
        found: Vec<usize>,
        /// The shape that it should have.
        wanted: String,
    },

    /// A part of CIFAR-10 is in two files.
    #[error("this batch is there twice, as in the binary and the Python version")]
    BatchTwice,
    /// A file of CIFAR-10's binary version has another length than its records come to.
    #[error(
        "{bytes} bytes are not a whole number of CIFAR-10's records of {record} bytes (binary version)"
    )]
    Records {
        /// The file's length.
        bytes: usize,
        /// That of a record.
        record: usize,
    },
    /// A file of CIFAR-10's Python version cannot be read.
    #[error("not CIFAR-10's Python version: {0}")]
    Pickle(Unread),
    /// A pickle holds something else than images, such as CIFAR-100.
    #[error("it has {found:?}, not CIFAR-10's labels (a list) and data (an array)")]
    Entries {
        /// Some names that it has.
        found: Vec<String>,
    },

    /// A file of MNIST does not begin as such files do.
    #[error("not an IDX file of bytes")]
    NotIdx,
    /// A file of MNIST has labels where images are expected, or the other way round.
    #[error("{found} dimensions, not {wanted}")]
    Dimensions {
        /// What its header says.
        found: u8,
        /// What it should have.
        wanted: usize,
    },
    /// The images of a file of MNIST are empty.
    #[error("images of {height}x{width} pixels")]
    NoPixels {
        /// As the header says.
        height: usize,
        /// As the header says.
        width: usize,
    },
    /// A file of MNIST is longer or shorter than its header says.
    #[error("{bytes} bytes of values where the header says {shape:?}")]
    Values {
        /// Bytes after the header.
        bytes: usize,
        /// The dimensions in the header.
        shape: Vec<usize>,
    },

    /// A file of SVHN is no MATLAB file: it is too short to be one.
    #[error("shorter than the header of a MATLAB file")]
    NoMatlabHeader,
    /// A MATLAB file is of a version that stores its variables in another way.
    #[error("a MATLAB file of version 7.3; needs version 5, as SVHN distributes it")]
    Matlab73,
    /// A file of SVHN is no MATLAB file of the right version.
    #[error("not a MATLAB file of version 5, low byte first")]
    NotMatlab5,
    /// A MATLAB file has something else where a variable begins.
    #[error("an element of type {found} where a variable should be")]
    NotAVariable {
        /// Its type.
        found: u32,
    },
    /// A part of a variable in a MATLAB file is of another type.
    #[error("an element of type {found} where type {wanted} should be")]
    ElementType {
        /// Its type.
        found: u32,
        /// The type that belongs there.
        wanted: u32,
    },
    /// A part of a variable in a MATLAB file says that it is short, and is not.
    #[error("a small element of more than 4 bytes")]
    SmallElement,
    /// A part of a variable in a MATLAB file would be longer than such parts ever are.
    #[error("{bytes} bytes where at most {most} are")]
    LongElement {
        /// Its length, as it says.
        bytes: u64,
        /// What is accepted.
        most: u64,
    },
    /// A compressed variable in a MATLAB file goes on after its end.
    #[error("a variable longer than it says")]
    LongVariable,
    /// A variable in a MATLAB file holds other numbers than bytes.
    #[error("{variable} is not an array of unsigned bytes")]
    NotBytes {
        /// Its name.
        variable: String,
    },
    /// A variable in a MATLAB file has more or less values than its shape says.
    #[error("{variable} is {shape:?} but has {values} values")]
    VariableSize {
        /// Its name.
        variable: String,
        /// Its shape.
        shape: Vec<usize>,
        /// Its values.
        values: usize,
    },
    /// A file of SVHN lacks images or labels.
    #[error("no variable {variable}")]
    NoVariable {
        /// The variable.
        variable: &'static str,
    },
}

impl Unfit {
    /// As what is wrong with this file.
    pub(super) fn of(self, file: &str) -> Error {
        Error::File {
            file: file.to_owned(),
            problem: self,
        }
    }
}

fn listed(files: &[String]) -> String {
    match files {
        [] => "no file".to_owned(),
        files => files.join(", "),
    }
}

/// What a reader says: that the file ends, that it is damaged, or what this crate's own readers found.
impl From<io::Error> for Unfit {
    fn from(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(own) => own,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Self::CutShort,
            Err(error) => Self::Damaged(error),
        }
    }
}

impl From<Unread> for Unfit {
    fn from(problem: Unread) -> Self {
        Self::Pickle(problem)
    }
}
