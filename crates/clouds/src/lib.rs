//! Object stores of clouds as what a cache has behind it: `s3://bucket/prefix`, `gs://bucket/prefix`,
//! `az://container/prefix`.
//!
//! Credentials come from where the cloud's own tools find them, and stand in no message. Without the feature `stores` an
//! address is answered with how to build them in, and this crate has no dependency but the engine.

#[cfg(feature = "stores")]
mod profile;
#[cfg(feature = "stores")]
mod said;
#[cfg(feature = "stores")]
mod store;

use engine::Objects;

/// What can be wrong with an address.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody knows what it begins with.
    #[error(
        "no object store is called `{0}://`; there are s3://, gs:// and az://, or a folder that all machines see"
    )]
    UnknownScheme(String),
    /// The program was built without object stores.
    #[error(
        "this program was built without object stores; build it with `--features clouds` for `{0}://`"
    )]
    NotBuiltIn(String),
    /// It does not say where.
    #[error(
        "an address is `{0}://BUCKET/PREFIX`, and the prefix may be left out; this one names no bucket"
    )]
    NoBucket(String),
    /// It says who asks, and would be shown in messages and pages.
    #[error(
        "the address of a remote has no user, password or question mark: credentials are looked for where the cloud's \
         own tools find them"
    )]
    Credentials,
    /// What the environment says does not make a store.
    #[error("{address} cannot be opened: {why}")]
    Setting {
        /// The address.
        address: String,
        /// What is missing or wrong.
        why: String,
    },
}

/// Where an object store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// `s3`, `gs` or `az`.
    scheme: String,
    bucket: String,
    /// Without slashes at its ends.
    prefix: String,
}

impl Address {
    /// Reads an address; none if the text is a path.
    ///
    /// # Errors
    ///
    /// If it is none of an object store.
    pub fn parse(text: &str) -> Option<Result<Self, Error>> {
        let (scheme, rest) = text.split_once("://")?;
        Some(Self::of(scheme, rest))
    }

    fn of(scheme: &str, rest: &str) -> Result<Self, Error> {
        if !["s3", "gs", "az"].contains(&scheme) {
            return Err(Error::UnknownScheme(scheme.to_owned()));
        }
        if rest.contains(['@', '?', '#']) {
            return Err(Error::Credentials);
        }
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(Error::NoBucket(scheme.to_owned()));
        }
        Ok(Self {
            scheme: scheme.to_owned(),
            bucket: bucket.to_owned(),
            prefix: prefix.trim_matches('/').to_owned(),
        })
    }

    /// The store at this address. Nothing is asked of it yet.
    ///
    /// # Errors
    ///
    /// If this program was built without, or what the environment says of it does not fit together.
    #[cfg(feature = "stores")]
    pub fn open(&self) -> Result<Box<dyn Objects>, Error> {
        let store = store::Store::open(self).map_err(|why| Error::Setting {
            address: self.to_string(),
            why,
        })?;
        Ok(Box::new(store))
    }

    /// The store at this address. Nothing is asked of it yet.
    ///
    /// # Errors
    ///
    /// If this program was built without, or what the environment says of it does not fit together.
    #[cfg(not(feature = "stores"))]
    pub fn open(&self) -> Result<Box<dyn Objects>, Error> {
        Err(Error::NotBuiltIn(self.scheme.clone()))
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", self.scheme, self.bucket)?;
        if self.prefix.is_empty() {
            return Ok(());
        }
        write!(f, "/{}", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_bucket_and_a_prefix() {
        let shown = |text: &str| match Address::parse(text) {
            None => "a path".to_owned(),
            Some(Ok(address)) => address.to_string(),
            Some(Err(error)) => error.to_string(),
        };
        for (text, expected) in [
            ("s3://lab/cache/of mine/", "s3://lab/cache/of mine"),
            ("gs://lab", "gs://lab"),
            ("az://lab/", "az://lab"),
            ("/project/cache", "a path"),
            ("s3:/lab", "a path"),
        ] {
            assert_eq!(shown(text), expected);
        }
        assert!(shown("s3:///prefix").contains("names no bucket"));
        assert!(shown("ftp://lab").contains("no object store is called `ftp://`"));
        for secret in ["s3://KEY:SECRET@lab/x", "az://lab/x?sig=SECRET"] {
            assert!(!shown(secret).contains("SECRET"));
        }
    }

    #[cfg(not(feature = "stores"))]
    #[test]
    fn without_the_feature_an_address_says_how_to_build_it_in() {
        let address = Address::parse("s3://lab/x").unwrap().unwrap();
        let error = address.open().unwrap_err().to_string();
        assert!(error.contains("--features clouds"), "{error}");
    }
}
