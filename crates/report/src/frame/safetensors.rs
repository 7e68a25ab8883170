//! Frames as safetensors: one array `[rows]` a column.
//!
//! Numbers keep their kind. The format has no text and no null: a text column is u32 codes, with the
//! texts as a JSON list in the metadata entry of the column's name, and null as code 4294967295; a column
//! of numbers or flags with nulls is f64 with NaN for null.

use std::collections::{BTreeMap, HashMap};

use safetensors::tensor::{Dtype, TensorView, serialize};
use serde_json::Value as Json;

use super::{Column, Error, Frame, Kind, Value};

/// The code of null in a text column.
const NULL: u32 = u32::MAX;

/// The bytes of a file.
///
/// # Errors
/// [`Error::Safetensors`] if the frame cannot be written, which names and sizes cannot cause.
pub fn to_safetensors(frame: &Frame) -> Result<Vec<u8>, Error> {
    let mut texts = HashMap::new();
    let arrays: Vec<(&str, Dtype, Vec<u8>)> = frame
        .columns
        .iter()
        .map(|column| {
            let (dtype, bytes) = array(column, &mut texts);
            (column.name.as_str(), dtype, bytes)
        })
        .collect();
    let refused = |error: safetensors::SafeTensorError| Error::Safetensors(error.to_string());
    let views = arrays
        .iter()
        .map(|(name, dtype, bytes)| {
            let view = TensorView::new(*dtype, vec![frame.rows()], bytes).map_err(refused)?;
            Ok((*name, view))
        })
        .collect::<Result<Vec<_>, Error>>()?;
    serialize(views, Some(texts)).map_err(refused).map(in_order)
}

/// The same file with the names in its header sorted: equal frames give equal bytes. The library writes the texts in
/// the order of a hash map.
fn in_order(mut bytes: Vec<u8>) -> Vec<u8> {
    let (length, rest) = bytes
        .split_first_chunk_mut()
        .expect("a file begins with the length of its header");
    let header = &mut rest[..u64::from_le_bytes(*length) as usize];
    let names: BTreeMap<String, BTreeMap<String, Json>> =
        serde_json::from_slice(header).expect("a header is JSON");
    let mut sorted = serde_json::to_vec(&names).expect("a header is JSON");
    sorted.resize(header.len(), b' ');
    header.copy_from_slice(&sorted);
    bytes
}

fn array(column: &Column, texts: &mut HashMap<String, String>) -> (Dtype, Vec<u8>) {
    let values = &column.values;
    let has_null = values.contains(&Value::Null);
    match column.kind {
        Kind::Text => {
            let mut codes: HashMap<&str, u32> = HashMap::new();
            let mut distinct: Vec<&str> = Vec::new();
            let mut bytes = Vec::with_capacity(4 * values.len());
            for value in values {
                let code = match value {
                    Value::Text(text) => *codes.entry(text.as_ref()).or_insert_with(|| {
                        distinct.push(text);
                        distinct.len() as u32 - 1
                    }),
                    _ => NULL,
                };
                bytes.extend(code.to_le_bytes());
            }
            texts.insert(column.name.clone(), Json::from(distinct).to_string());
            (Dtype::U32, bytes)
        }
        Kind::Integer if !has_null => (
            whole(values),
            bytes_of(values, |value| match value {
                Value::Integer(n) => n.to_le_bytes(),
                _ => [0; 8],
            }),
        ),
        Kind::Single => (
            Dtype::F32,
            bytes_of(values, |value| match value {
                Value::Single(x) => x.to_le_bytes(),
                _ => f32::NAN.to_le_bytes(),
            }),
        ),
        Kind::Flag if !has_null => (
            Dtype::BOOL,
            bytes_of(values, |value| [u8::from(*value == Value::Flag(true))]),
        ),
        Kind::Integer | Kind::Number | Kind::Flag => (
            Dtype::F64,
            bytes_of(values, |value| {
                let number = match value {
                    Value::Integer(n) => *n as f64,
                    Value::Number(x) => *x,
                    Value::Flag(flag) => f64::from(u8::from(*flag)),
                    _ => f64::NAN,
                };
                number.to_le_bytes()
            }),
        ),
    }
}

/// Signed where every number fits, as programs that subtract want it.
fn whole(values: &[Value]) -> Dtype {
    let is_large = |value: &Value| matches!(value, Value::Integer(n) if *n > i64::MAX as u64);
    if values.iter().any(is_large) {
        Dtype::U64
    } else {
        Dtype::I64
    }
}

fn bytes_of<const N: usize>(values: &[Value], of: impl Fn(&Value) -> [u8; N]) -> Vec<u8> {
    values.iter().flat_map(of).collect()
}
