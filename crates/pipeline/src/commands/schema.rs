//! `pipeline schema`: the JSON Schema of study files, for editors.

use crate::{DONE, Failure};

pub(crate) fn schema() -> Result<u8, Failure> {
    outln!("{}", serde_json::to_string_pretty(&study::json_schema())?);
    Ok(DONE)
}
