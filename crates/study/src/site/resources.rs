//! How much of the machine stages get, where that need not be a number.

use std::fmt;
use std::str::FromStr;

use serde::de::Error;

use crate::schema::Scalar;
use crate::schema::shape::{Shape, by_shape};
use crate::size::Size;

/// How much memory all stages that run at once may take together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// As much as they like.
    Unlimited,
    /// So many bytes.
    Bytes(u64),
}

/// How many stages share a GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobsPerGpu {
    /// As many as fit.
    Auto,
    /// So many: at least 1.
    Count(usize),
}

const UNLIMITED: &str = "unlimited";
const AUTO: &str = "auto";

impl FromStr for Memory {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == UNLIMITED {
            return Ok(Self::Unlimited);
        }
        match text.parse::<Size>() {
            Ok(size) => Ok(Self::Bytes(size.bytes())),
            Err(_) => Err(format!("must be {}, not `{text}`", Self::WANTED)),
        }
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unlimited => f.write_str(UNLIMITED),
            Self::Bytes(bytes) => bytes.fmt(f),
        }
    }
}

by_shape!(Memory);

impl Shape<'_> for Memory {
    const WANTED: &'static str = "a size with its unit, such as `24G`, or `unlimited`";

    fn scalar<E: Error>(scalar: Scalar) -> Result<Self, E> {
        match scalar {
            Scalar::Integer(bytes) if bytes >= 0 => Ok(Self::Bytes(bytes as u64)),
            Scalar::Word(text) => text.parse().map_err(E::custom),
            other => Err(other.unfit(Self::WANTED)),
        }
    }
}

inline_schema!(Memory, { "anyOf": [
    { "const": UNLIMITED },
    { "type": "string", "format": "size with its unit", "pattern": "^[0-9.]+ *[KMGTkmgt]?(i?B)?$" },
    { "type": "integer", "minimum": 0 }
] });

impl FromStr for JobsPerGpu {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(count @ 1..) => Ok(Self::Count(count)),
            _ if text == AUTO => Ok(Self::Auto),
            _ => Err(format!("must be {}, not `{text}`", Self::WANTED)),
        }
    }
}

impl fmt::Display for JobsPerGpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str(AUTO),
            Self::Count(count) => count.fmt(f),
        }
    }
}

by_shape!(JobsPerGpu);

impl Shape<'_> for JobsPerGpu {
    const WANTED: &'static str = "`auto` or a whole number, at least 1";

    fn scalar<E: Error>(scalar: Scalar) -> Result<Self, E> {
        match scalar {
            Scalar::Integer(number) if number >= 1 => {
                Ok(Self::Count(usize::try_from(number).unwrap_or(usize::MAX)))
            }
            Scalar::Word(text) => text.parse().map_err(E::custom),
            other => Err(other.unfit(Self::WANTED)),
        }
    }
}

inline_schema!(JobsPerGpu, { "anyOf": [{ "const": AUTO }, { "type": "integer", "minimum": 1 }] });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_reads_as_it_was_said() {
        for text in ["unlimited", "4096"] {
            assert_eq!(text.parse::<Memory>().unwrap().to_string(), text);
        }
        assert_eq!("24 GiB".parse(), Ok(Memory::Bytes(24 << 30)));
        for text in ["auto", "3"] {
            assert_eq!(text.parse::<JobsPerGpu>().unwrap().to_string(), text);
        }
        for bad in ["0", "-1", "all", ""] {
            assert!(bad.parse::<JobsPerGpu>().is_err(), "{bad}");
        }
        assert!("none".parse::<Memory>().is_err());
    }
}
