//! `pipeline schema`: the JSON Schema of study files or site files, for editors.

use crate::cli::{Schema, SchemaOf};
use crate::{DONE, Failure};

pub(crate) fn schema(arguments: &Schema) -> Result<u8, Failure> {
    let schema = match arguments.of {
        SchemaOf::Study => study::json_schema(),
        SchemaOf::Site => study::site_json_schema(),
    };
    outln!("{}", serde_json::to_string_pretty(&schema)?);
    Ok(DONE)
}
