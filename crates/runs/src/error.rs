//! What can be wrong with the bytes of a run.

/// An expected failure: the input, not this crate, is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes are no safetensors file, or an array or the metadata of the format is not there.
    #[error("{label} is not a curve: {reason}")]
    NotACurve {
        /// Name of the input.
        label: String,
        /// What is missing or malformed.
        reason: Malformed,
    },
}

/// What is wrong with the bytes of a run, or with the arrays of a curve.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It is no safetensors file, or an array of the curve is not in it.
    #[error("{0}")]
    Safetensors(String),
    /// The settings and the outcome are not in the file.
    #[error("no metadata entry `run`")]
    NoMetadata,
    /// The settings and the outcome are others than a run's.
    #[error("metadata entry `run`: {0}")]
    Metadata(String),
    /// An array has another shape, or other numbers.
    #[error("`{name}` is not one-dimensional {numbers}")]
    Shape {
        /// The array.
        name: String,
        /// The type of number that it should have.
        numbers: String,
    },
    /// Steps are not in order, or one is there twice.
    #[error("`{name}` does not ascend")]
    NotAscending {
        /// The array of steps.
        name: String,
    },
    /// Arrays that go together have not equally many values.
    #[error("{} differ in length", listed(names))]
    Lengths {
        /// The arrays.
        names: Vec<String>,
    },
    /// Values do not go with their steps.
    #[error("`{name}` does not go with `{with}`")]
    Mismatch {
        /// An array.
        name: &'static str,
        /// What it does not go with.
        with: &'static str,
    },
}

impl Malformed {
    pub(crate) fn lengths(names: &[&str]) -> Self {
        let names = names.iter().map(ToString::to_string).collect();
        Self::Lengths { names }
    }
}

impl From<safetensors::SafeTensorError> for Malformed {
    fn from(error: safetensors::SafeTensorError) -> Self {
        Self::Safetensors(error.to_string())
    }
}

/// `a`, `b` and `c`.
fn listed(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}
