//! A size in bytes, as people write it: `20G`.

use std::str::FromStr;

use serde::de::Error;

use crate::schema::Scalar;
use crate::schema::shape::{Shape, by_shape};

/// A number of bytes: `20G`, `1.5 MiB`, `4096`; a factor of 1024 for each letter of K, M, G, T.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(u64);

/// Bytes of each unit.
const UNITS: [(char, f64); 4] = [
    ('K', 1024.0),
    ('M', 1_048_576.0),
    ('G', 1_073_741_824.0),
    ('T', 1_099_511_627_776.0),
];

impl Size {
    /// In bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.trim_end_matches("iB").trim_end_matches('B');
        let upper = number.to_ascii_uppercase();
        let unit = UNITS.into_iter().find(|(unit, _)| upper.ends_with(*unit));
        let (number, factor) = match unit {
            Some((_, factor)) => (&number[..number.len() - 1], factor),
            None => (number, 1.0),
        };
        match number.trim().parse::<f64>() {
            Ok(number) if number.is_finite() && number >= 0.0 => Ok(Self((number * factor) as u64)),
            _ => Err(format!(
                "must be a number with a unit of K, M, G or T, such as `50G`, not `{text}`"
            )),
        }
    }
}

by_shape!(Size);

impl Shape<'_> for Size {
    const WANTED: &'static str = "a size with its unit, such as `50G`";

    fn scalar<E: Error>(scalar: Scalar) -> Result<Self, E> {
        match scalar {
            Scalar::Integer(bytes) if bytes >= 0 => Ok(Self(bytes as u64)),
            Scalar::Word(text) => text.parse().map_err(E::custom),
            other => Err(other.unfit(Self::WANTED)),
        }
    }
}

inline_schema!(Size, { "anyOf": [
            { "type": "string", "format": "size with its unit", "pattern": "^[0-9.]+ *[KMGTkmgt]?(i?B)?$" }, { "type": "integer", "minimum": 0 }
        ] });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_people_write_them() {
        let bytes = |text: &str| text.parse().map(Size::bytes);
        assert_eq!(bytes("50G"), Ok(50 << 30));
        assert_eq!(bytes("1.5k"), Ok(1536));
        assert_eq!(bytes("200 MiB"), Ok(200 << 20));
        assert_eq!(bytes("12"), Ok(12));
        for bad in ["", "G", "-5G", "5X", "NaN", "infG", "many"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
    }
}
