//! The data of figures and tables inside the page: the text of the CSV files that lie beside it. As text, which
//! is read without a script, in a page that has room for it; of a large study they are compressed, for the
//! browser's `DecompressionStream`.

use std::collections::BTreeMap;
use std::io::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use maud::{Markup, PreEscaped, html};
use serde_json::Value;

use crate::document::Item;
use crate::frame::csv::field;
use crate::frame::{self, Frame, csv_header, csv_rows};

/// So much data a page holds as text, in bytes. Where all of it is more, only the small ones stay text.
const ROOM: usize = 1_000_000;
const SMALL: usize = 2_000;

/// The text of a frame's file, which is also what a page holds and lets a reader save.
pub(crate) fn csv(frame: &Frame) -> String {
    let frame = guarded(frame);
    csv_header(&frame) + &csv_rows(&frame)
}

/// A frame without texts that a spreadsheet would run as a formula.
fn guarded(frame: &Frame) -> Frame {
    let mut frame = frame.clone();
    for value in frame
        .columns
        .iter_mut()
        .flat_map(|column| &mut column.values)
    {
        if let frame::Value::Text(text) = value {
            let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
            if formula && text.parse::<f64>().is_err() {
                *value = format!("'{text}").into();
            }
        }
    }
    frame
}

/// By id, the data of a page.
pub(crate) struct Embedded(BTreeMap<String, Held>);

enum Held {
    Text(String),
    Compressed(Markup),
}

impl Embedded {
    pub(crate) fn of(items: &[Item<'_>]) -> Self {
        let texts: Vec<(&Frame, String)> = items
            .iter()
            .map(|item| (item.data(), csv(item.data())))
            .collect();
        let all: usize = texts.iter().map(|(_, text)| text.len()).sum();
        let held = texts.into_iter().map(|(frame, text)| {
            // HTML has no way to write these two that every reader of it takes alike.
            let odd = text.contains(['\r', '\0']);
            let held = if !odd && (all <= ROOM || text.len() <= SMALL) {
                Held::Text(text)
            } else {
                Held::Compressed(compressed(None, &columns(frame)))
            };
            (frame.name.clone(), held)
        });
        Embedded(held.collect())
    }

    /// The closed block below a figure or table.
    pub(crate) fn block(&self, id: &str) -> Markup {
        html! {
            details.data {
                summary { "Data (CSV)" }
                @match &self.0[id] {
                    Held::Text(text) => pre tabindex="0" { (text) }
                    Held::Compressed(script) => {
                        p.note { "They are " code { (id) ".csv" } " in the folder beside this page; here a script unpacks them." }
                        (script)
                    }
                }
            }
        }
    }
}

/// The fields of the text by column, the name first: as JSON, which compresses far better than rows.
fn columns(frame: &Frame) -> Value {
    let frame = guarded(frame);
    let columns = frame.columns.iter().map(|column| {
        let fields = column.values.iter().map(field);
        let name = std::iter::once(column.name.clone());
        name.chain(fields).collect::<Vec<String>>()
    });
    columns.collect::<Vec<_>>().into()
}

/// JSON as data in HTML that no browser runs, compressed as `deflate-raw` (RFC 1951) and in base64.
pub(crate) fn compressed(id: Option<&str>, json: &Value) -> Markup {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    let packed = encoder
        .write_all(json.to_string().as_bytes())
        .and_then(|()| encoder.finish());
    let text = BASE64_STANDARD.encode(packed.expect("memory takes every byte"));
    html! { script id=[id] type="application/octet-stream" data-packed="deflate-raw" { (PreEscaped(text)) } }
}
