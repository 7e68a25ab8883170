//! Numbers, and lists, that are checked as they are read.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($type:ty), $words:literal, |$value:ident| $ok:expr, $schema:tt) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize)]
        pub struct $name($type);

        impl $name {
            /// Checks the range.
            ///
            /// # Errors
            /// What the range is, outside it.
            pub fn new($value: $type) -> Result<Self, String> {
                if $ok { Ok(Self($value)) } else { Err(format!("must be {}, is {}", $words, $value)) }
            }

            /// A default.
            ///
            /// # Panics
            /// Outside the range.
            pub fn preset(value: $type) -> Self {
                Self::new(value).expect("a default is within its range")
            }

            /// The number.
            pub const fn get(self) -> $type {
                self.0
            }

            /// Reads a number of the range as a plain one.
            ///
            /// # Errors
            /// Outside the range.
            pub fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<$type, D::Error> {
                Self::deserialize(deserializer).map(Self::get)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::new(<$type>::deserialize(deserializer)?).map_err(D::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

number!(
    /// A number above 0.
    Positive(f64), "above 0", |x| x.is_finite() && x > 0.0, { "type": "number", "exclusiveMinimum": 0 }
);
number!(
    /// A number, 0 or more.
    NonNegative(f64), "0 or more", |x| x.is_finite() && x >= 0.0, { "type": "number", "minimum": 0 }
);
number!(
    /// What an average keeps of the past.
    Decay(f64), "at least 0 and below 1", |x| (0.0..1.0).contains(&x),
    { "type": "number", "minimum": 0, "exclusiveMaximum": 1 }
);
number!(
    /// A share above 0, at most 1.
    Share(f64), "above 0 and at most 1", |x| x > 0.0 && x <= 1.0,
    { "type": "number", "exclusiveMinimum": 0, "maximum": 1 }
);
number!(
    /// A fraction strictly between 0 and 1.
    Inside(f64), "above 0 and below 1", |x| x > 0.0 && x < 1.0,
    { "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1 }
);
number!(
    /// The ratio of neighbouring evaluation points.
    Spacing(f64), "at least 1.001", |x| x.is_finite() && x >= 1.001, { "type": "number", "minimum": 1.001 }
);
number!(
    /// A whole number, 1 or more.
    Count(u64), "1 or more", |x| x >= 1, { "type": "integer", "minimum": 1 }
);
number!(
    /// A whole number of moderate size, 1 or more.
    Interval(u32), "1 or more", |x| x >= 1, { "type": "integer", "minimum": 1 }
);
number!(
    /// A number.
    Finite(f64), "finite", |x| x.is_finite(), { "type": "number" }
);

impl Count {
    /// The number, as the length of something in memory.
    pub fn size(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// Reads a list of at least one.
///
/// # Errors
/// Where it is empty.
pub fn not_empty<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let list = Vec::deserialize(deserializer)?;
    if list.is_empty() {
        return Err(D::Error::custom("must not be empty"));
    }
    Ok(list)
}
