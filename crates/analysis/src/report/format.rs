//! The format of a report's table, and how one is read back.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::ReportTable;

/// The format of [`ReportTable`]. Tables without a number were written before there was one.
pub const FORMAT: u32 = 3;

/// Why bytes are no report's table.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// They are something else, or damaged.
    #[error("it is not the table of a report")]
    NotAReport(#[from] serde_json::Error),
    /// Another version wrote them.
    #[error(
        "it was written by {} version of this program (format {found} of report tables, here {FORMAT})",
        if *found < FORMAT { "an earlier" } else { "a later" }
    )]
    OtherFormat {
        /// Its format; 1 where it has no number.
        found: u32,
    },
}

impl ReportTable {
    /// Reads back a table from its JSON.
    ///
    /// # Errors
    /// [`ReadError`], where the bytes are something else or of another version.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ReadError> {
        read(bytes, |table: &Self| table.format)
    }
}

/// The seeds of a table's runs, from its JSON; much cheaper than to read all of it.
///
/// # Errors
/// [`ReadError`], where the bytes are something else or of another version.
pub fn seeds(bytes: &[u8]) -> Result<BTreeSet<u64>, ReadError> {
    #[derive(Deserialize)]
    struct Run {
        seed: u64,
    }
    #[derive(Deserialize)]
    struct Table {
        format: u32,
        runs: Vec<Run>,
    }
    let table = read(bytes, |table: &Table| table.format)?;
    Ok(table.runs.into_iter().map(|run| run.seed).collect())
}

/// Reads at once what is asked for; only where that fails, which format the table has.
fn read<T: DeserializeOwned>(bytes: &[u8], format: fn(&T) -> u32) -> Result<T, ReadError> {
    #[derive(Deserialize)]
    struct Head {
        // Every format has these two.
        #[serde(rename = "title")]
        _title: String,
        #[serde(rename = "claims")]
        _claims: IgnoredAny,
        #[serde(default = "unnumbered")]
        format: u32,
    }
    fn unnumbered() -> u32 {
        1
    }
    match serde_json::from_slice(bytes) {
        Ok(table) if format(&table) == FORMAT => Ok(table),
        read => match serde_json::from_slice(bytes)? {
            Head { format: FORMAT, .. } => Ok(read?),
            Head { format: found, .. } => Err(ReadError::OtherFormat { found }),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_of_a_table_are_read_without_the_rest_and_of_this_version_only() {
        let table = |format: u32| {
            format!(
                r#"{{"format":{format},"title":"t","claims":[],"runs":[{{"seed":4,"loss":[1]}},{{"seed":2}},{{"seed":4}}]}}"#
            )
        };
        let read = |text: &str| seeds(text.as_bytes());
        assert_eq!(read(&table(FORMAT)).unwrap(), BTreeSet::from([2, 4]));
        let other = FORMAT + 1;
        assert!(matches!(
            read(&table(other)),
            Err(ReadError::OtherFormat { found }) if found == other
        ));
        let unnumbered = r#"{"title":"t","claims":[],"runs":[]}"#;
        assert!(matches!(
            read(unnumbered),
            Err(ReadError::OtherFormat { found: 1 })
        ));
        assert!(matches!(read("{}"), Err(ReadError::NotAReport(_))));
    }
}
