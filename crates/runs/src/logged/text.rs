//! The text of a file, in the encodings that programs and spreadsheets write; and what a file is that has none.

use std::borrow::Cow;

use super::LogProblem;

/// What files begin with that are no text, and what becomes of them.
const OTHERS: [(&[u8], &str); 7] = [
    (b"\x1f\x8b", "compressed (gzip); `gunzip` it in `run`"),
    (
        b"\x28\xb5\x2f\xfd",
        "compressed (zstd); `unzstd` it in `run`",
    ),
    (b"BZh", "compressed (bzip2); `bunzip2` it in `run`"),
    (
        b"PK\x03\x04",
        "an archive, or a spreadsheet's own format; save it as CSV",
    ),
    (b"PAR1", "Parquet; write it as CSV"),
    (b"\x89HDF", "HDF5; write it as CSV"),
    (b"SQLite format 3", "a database; write its table as CSV"),
];
/// What event files of `TensorFlow` and `TensorBoard` have near their beginning.
const EVENTS: &[u8] = b"brain.Event:";
/// How much of a file tells what it is.
const START: usize = 512;

/// The text of a file, without the mark that some programs begin it with.
///
/// # Errors
///
/// What it is instead, and what to do.
pub(super) fn text(bytes: &[u8]) -> Result<Cow<'_, str>, LogProblem> {
    let other = |what| Err(LogProblem::OtherFormat { what });
    let start = &bytes[..bytes.len().min(START)];
    if let Some((_, what)) = OTHERS.iter().find(|(begin, _)| start.starts_with(begin)) {
        return other(what);
    }
    if start.windows(EVENTS.len()).any(|at| at == EVENTS) {
        return other("TensorBoard's own log; save its scalars as CSV");
    }
    let text = match wide(bytes) {
        Some(swapped) => Cow::Owned(of_wide(bytes, swapped)?),
        None if start.contains(&0) => return Err(LogProblem::NotText),
        None => Cow::Borrowed(of_bytes(bytes)?),
    };
    if text.trim().is_empty() {
        return Err(LogProblem::Empty);
    }
    let begins = |page: &&str| {
        let first = text.trim_start().get(..page.len());
        first.is_some_and(|first| first.eq_ignore_ascii_case(page))
    };
    if ["<!doctype", "<html", "<?xml"].iter().any(begins) {
        return other("a web page, or XML");
    }
    Ok(text)
}

/// Whether the text is in units of two bytes, and these the larger one first: by its mark, or by a first letter of the
/// alphabet that everybody has.
fn wide(bytes: &[u8]) -> Option<bool> {
    match bytes {
        [0xff, 0xfe, ..] => Some(false),
        [0xfe, 0xff, ..] => Some(true),
        [first, 0, second, 0, ..] if *first > 0 && *second > 0 => Some(false),
        [0, first, 0, second, ..] if *first > 0 && *second > 0 => Some(true),
        _ => None,
    }
}

fn of_wide(bytes: &[u8], swapped: bool) -> Result<String, LogProblem> {
    let (units, rest) = bytes.as_chunks();
    let units = units.iter().map(|unit| {
        if swapped {
            u16::from_be_bytes(*unit)
        } else {
            u16::from_le_bytes(*unit)
        }
    });
    let text: Result<String, _> = char::decode_utf16(units).collect();
    match text {
        Ok(text) if rest.is_empty() => Ok(text.trim_start_matches('\u{feff}').to_owned()),
        _ => Err(LogProblem::Utf16),
    }
}

fn of_bytes(bytes: &[u8]) -> Result<&str, LogProblem> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()]
            .split(|byte| *byte == b'\n')
            .count();
        LogProblem::NotUtf8 { line }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_the_same_in_every_encoding_that_has_a_mark() {
        let plain = "step,größe\n1,2\n";
        let units = |swapped: bool, mark: &str| -> Vec<u8> {
            let text = format!("{mark}{plain}");
            let bytes = |unit: u16| {
                if swapped {
                    unit.to_be_bytes()
                } else {
                    unit.to_le_bytes()
                }
            };
            text.encode_utf16().flat_map(bytes).collect()
        };
        let mark = "\u{feff}";
        for bytes in [
            plain.as_bytes().to_vec(),
            format!("{mark}{plain}").into_bytes(),
            units(false, mark),
            units(true, mark),
            units(false, ""),
            units(true, ""),
        ] {
            assert_eq!(text(&bytes).expect("a text"), plain, "{bytes:?}");
        }
    }

    #[test]
    fn what_is_no_text_is_told_as_what_it_is() {
        for (bytes, told) in [
            (&b"\x1f\x8b\x08\0\0"[..], "gunzip"),
            (b"PK\x03\x04\0\0", "spreadsheet"),
            (b"PAR1\x15\x04", "Parquet"),
            (
                b"\x18\0\0\0\0\0\0\0\xa3\x7fK\"\x09\0\0\xc0)brain.Event:2",
                "TensorBoard",
            ),
            (b"\0\0\0\0\0", "it is not text"),
            (b"step,co\xfbt\n", "line 1 is not UTF-8"),
            (b"step,loss\n1,\xfb\n", "line 2 is not UTF-8"),
            (b"\xff\xfea", "UTF-16"),
            (b" \n", "it is empty"),
            (b"<!DOCTYPE html>", "a web page"),
        ] {
            let error = text(bytes).expect_err("no text").to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
