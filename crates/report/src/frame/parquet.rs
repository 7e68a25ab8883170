//! Frames as Parquet: one row group a chunk, one page a column, uncompressed, with dictionaries where
//! values repeat.
//!
//! Written here because the one kept-up crate that writes the format takes 46 CPU seconds and 25 crates
//! to build, some of them shared with burn, for what needs one kind of page. Only writing is here, and
//! only of flat columns; readers of other makes check it in `tests/`.
//!
//! Source: Apache Parquet, `parquet.thrift`, `Encodings.md`.

use std::collections::HashMap;

use super::metadata::{Struct, varint};
use super::{Column, Error, Frame, Kind, Value};

const MAGIC: &[u8] = b"PAR1";

// Members of the enumerations of `parquet.thrift`.
const PLAIN: i32 = 0;
const RLE: i32 = 3;
const RLE_DICTIONARY: i32 = 8;
const DATA_PAGE: i32 = 0;
const DICTIONARY_PAGE: i32 = 2;
const UNCOMPRESSED: i32 = 0;
const OPTIONAL: i32 = 1;
const UTF8: i32 = 0;

/// Distinct values of a chunk's column up to which it has a dictionary, if that makes it smaller.
const DICTIONARY: usize = 1 << 16;

impl Kind {
    /// The member of the enumeration `Type`.
    fn physical(self) -> i32 {
        match self {
            Self::Flag => 0,
            Self::Integer => 2,
            Self::Single => 4,
            Self::Number => 5,
            Self::Text => 6,
        }
    }
}

/// A file being written: what each call returns is to be appended to it.
pub struct ParquetWriter {
    schema: Vec<(String, Kind)>,
    groups: Vec<Struct>,
    rows: i64,
    /// Bytes so far.
    written: usize,
}

impl ParquetWriter {
    /// A file of frames with the columns of this one, and its first bytes.
    pub fn new(frame: &Frame) -> (Self, Vec<u8>) {
        let schema = frame
            .columns
            .iter()
            .map(|column| (column.name.clone(), column.kind))
            .collect();
        let writer = Self {
            schema,
            groups: Vec::new(),
            rows: 0,
            written: MAGIC.len(),
        };
        (writer, MAGIC.to_vec())
    }

    /// The bytes of a chunk of rows.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for a whole number beyond 2^63, which the format's signed numbers lack.
    ///
    /// # Panics
    /// If the frame's columns are others than those of the first one, or one takes 2 GiB or more.
    pub fn rows(&mut self, frame: &Frame) -> Result<Vec<u8>, Error> {
        let same = self.schema.iter().map(|(name, kind)| (name, *kind));
        assert!(
            frame
                .columns
                .iter()
                .map(|column| (&column.name, column.kind))
                .eq(same),
            "every chunk of a file has the same columns"
        );
        if frame.rows() == 0 {
            return Ok(Vec::new());
        }
        let mut bytes = Vec::new();
        let mut chunks = Vec::new();
        for column in &frame.columns {
            let from = self.written + bytes.len();
            let (chunk, pages) = chunk(column, from)?;
            bytes.extend(pages);
            chunks.push(chunk);
        }
        self.groups.push(
            Struct::default()
                .structures(1, chunks)
                .i64(2, long(bytes.len()))
                .i64(3, long(frame.rows())),
        );
        self.rows += long(frame.rows());
        self.written += bytes.len();
        Ok(bytes)
    }

    /// The last bytes.
    pub fn finish(self) -> Vec<u8> {
        let root = Struct::default()
            .text(4, "schema")
            .i32(5, short(self.schema.len()));
        let columns = self.schema.iter().map(|(name, kind)| {
            let element = Struct::default()
                .i32(1, kind.physical())
                .i32(3, OPTIONAL)
                .text(4, name);
            match kind {
                // The annotation of text, in its old and its new form.
                Kind::Text => element
                    .i32(6, UTF8)
                    .structure(10, Struct::default().structure(1, Struct::default())),
                _ => element,
            }
        });
        let footer = Struct::default()
            .i32(1, 1)
            .structures(2, std::iter::once(root).chain(columns).collect())
            .i64(3, self.rows)
            .structures(4, self.groups)
            .text(6, concat!("pipeline ", env!("CARGO_PKG_VERSION")))
            .finish();
        let length = (footer.len() as u32).to_le_bytes();
        [&footer, &length[..], MAGIC].concat()
    }
}

/// A column's chunk: its metadata, for a first byte at `from`, and its pages.
fn chunk(column: &Column, from: usize) -> Result<(Struct, Vec<u8>), Error> {
    let plain = plain(column)?;
    let rows = short(column.values.len());
    let mut page = levels(column);
    let mut pages = Vec::new();
    let mut dictionary_at = None;
    let encoding = if let Some((distinct, codes)) = dictionary(column.kind, &plain) {
        let entries = distinct.concat();
        let header = Struct::default()
            .i32(1, short(distinct.len()))
            .i32(2, PLAIN);
        dictionary_at = Some(long(from));
        pages = page_header(DICTIONARY_PAGE, entries.len(), 7, header);
        pages.extend(entries);
        let width = bits(distinct.len() as u32 - 1).max(1);
        page.push(width as u8);
        page.extend(run_lengths(&codes, width));
        RLE_DICTIONARY
    } else {
        match column.kind {
            Kind::Flag => page.extend(packed(&plain)),
            _ => page.extend(plain.concat()),
        }
        PLAIN
    };
    let data_at = from + pages.len();
    let header = Struct::default()
        .i32(1, rows)
        .i32(2, encoding)
        .i32(3, RLE)
        .i32(4, RLE);
    pages.extend(page_header(DATA_PAGE, page.len(), 5, header));
    pages.extend(page);
    let encodings = [PLAIN, RLE, RLE_DICTIONARY];
    let used = if dictionary_at.is_some() { 3 } else { 2 };
    let mut metadata = Struct::default()
        .i32(1, column.kind.physical())
        .i32s(2, &encodings[..used])
        .texts(3, &[&column.name])
        .i32(4, UNCOMPRESSED)
        .i64(5, rows.into())
        .i64(6, long(pages.len()))
        .i64(7, long(pages.len()))
        .i64(9, long(data_at));
    if let Some(at) = dictionary_at {
        metadata = metadata.i64(11, at);
    }
    let chunk = Struct::default().i64(2, long(from)).structure(3, metadata);
    Ok((chunk, pages))
}

fn page_header(kind: i32, length: usize, field: u8, of_kind: Struct) -> Vec<u8> {
    Struct::default()
        .i32(1, kind)
        .i32(2, short(length))
        .i32(3, short(length))
        .structure(field, of_kind)
        .finish()
}

/// Which values are there: definition levels 0 and 1, with their length in front.
fn levels(column: &Column) -> Vec<u8> {
    let levels: Vec<u32> = column
        .values
        .iter()
        .map(|value| u32::from(*value != Value::Null))
        .collect();
    let encoded = run_lengths(&levels, 1);
    let mut bytes = (encoded.len() as u32).to_le_bytes().to_vec();
    bytes.extend(encoded);
    bytes
}

/// The plain encoding of each value that is there; a flag as one byte.
fn plain(column: &Column) -> Result<Vec<Vec<u8>>, Error> {
    let mut plain = Vec::with_capacity(column.values.len());
    for value in &column.values {
        plain.push(match value {
            Value::Null => continue,
            Value::Text(text) => {
                let mut bytes = (text.len() as u32).to_le_bytes().to_vec();
                bytes.extend_from_slice(text.as_bytes());
                bytes
            }
            Value::Integer(number) => i64::try_from(*number)
                .map_err(|_| Error::TooLarge {
                    number: *number,
                    column: column.name.clone(),
                })?
                .to_le_bytes()
                .to_vec(),
            Value::Single(number) => number.to_le_bytes().to_vec(),
            Value::Number(number) => number.to_le_bytes().to_vec(),
            Value::Flag(flag) => vec![u8::from(*flag)],
        });
    }
    Ok(plain)
}

/// Distinct values and each value's place among them, where that is smaller.
fn dictionary(kind: Kind, plain: &[Vec<u8>]) -> Option<(Vec<Vec<u8>>, Vec<u32>)> {
    if kind == Kind::Flag || plain.is_empty() {
        return None;
    }
    let mut places: HashMap<&[u8], u32> = HashMap::new();
    let mut distinct = Vec::new();
    let mut codes = Vec::with_capacity(plain.len());
    for value in plain {
        let place = *places.entry(value).or_insert_with(|| {
            distinct.push(value.clone());
            distinct.len() as u32 - 1
        });
        if distinct.len() > DICTIONARY || 2 * distinct.len() > plain.len() + 1 {
            return None;
        }
        codes.push(place);
    }
    Some((distinct, codes))
}

/// Bits that numbers up to `largest` take.
fn bits(largest: u32) -> u32 {
    u32::BITS - largest.leading_zeros()
}

/// A count of rows, columns or bytes of one page as the format has it.
///
/// # Panics
/// If a chunk is beyond 2^31 rows or bytes a column: chunks are far smaller.
fn short(count: usize) -> i32 {
    i32::try_from(count).expect("a page is under 2 GiB")
}

/// A count or offset as the format has it.
fn long(count: usize) -> i64 {
    i64::try_from(count).expect("a file is under 8 EiB")
}

/// Flags, eight a byte, the first lowest.
fn packed(flags: &[Vec<u8>]) -> Vec<u8> {
    let byte = |flags: &[Vec<u8>]| {
        flags
            .iter()
            .enumerate()
            .fold(0, |byte, (place, flag)| byte | flag[0] << place)
    };
    flags.chunks(8).map(byte).collect()
}

/// The hybrid of run lengths and bit packing: a run of eight or more equal numbers by its length, all
/// else packed in groups of eight, the last of which is filled up with zeros.
fn run_lengths(numbers: &[u32], width: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut at = 0;
    while at < numbers.len() {
        let run = run_at(numbers, at);
        if run >= 8 {
            varint(&mut bytes, (run as u64) << 1);
            bytes.extend(&numbers[at].to_le_bytes()[..width.div_ceil(8) as usize]);
            at += run;
            continue;
        }
        let from = at;
        while at < numbers.len() && run_at(numbers, at) < 8 {
            at = (at + 8).min(numbers.len());
        }
        let groups = (at - from).div_ceil(8);
        varint(&mut bytes, (groups as u64) << 1 | 1);
        let mut packed = vec![0u8; groups * width as usize];
        for (place, number) in numbers[from..at].iter().enumerate() {
            for bit in 0..width as usize {
                let place = place * width as usize + bit;
                packed[place / 8] |= ((number >> bit & 1) as u8) << (place % 8);
            }
        }
        bytes.extend(packed);
    }
    bytes
}

/// How many equal numbers start here.
fn run_at(numbers: &[u32], at: usize) -> usize {
    numbers[at..]
        .iter()
        .take_while(|number| **number == numbers[at])
        .count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Rows;
    use super::*;

    /// The hybrid read back, by its definition in `Encodings.md`.
    fn read(mut bytes: &[u8], width: u32, count: usize) -> Vec<u32> {
        let mut numbers = Vec::new();
        while numbers.len() < count {
            let (mut header, mut shift) = (0u64, 0);
            loop {
                let byte = bytes[0];
                bytes = &bytes[1..];
                header |= u64::from(byte & 0x7F) << shift;
                shift += 7;
                if byte & 0x80 == 0 {
                    break;
                }
            }
            if header & 1 == 0 {
                let length = width.div_ceil(8) as usize;
                let mut word = [0; 4];
                word[..length].copy_from_slice(&bytes[..length]);
                bytes = &bytes[length..];
                numbers.extend((0..header >> 1).map(|_| u32::from_le_bytes(word)));
            } else {
                let values = (header >> 1) as usize * 8;
                let bit = |at: usize| u32::from(bytes[at / 8] >> (at % 8) & 1);
                for value in 0..values {
                    let from = value * width as usize;
                    numbers.push((0..width as usize).map(|i| bit(from + i) << i).sum());
                }
                bytes = &bytes[values * width as usize / 8..];
            }
        }
        assert!(bytes.is_empty(), "nothing follows the last number");
        numbers.truncate(count);
        numbers
    }

    proptest! {
        #[test]
        fn numbers_in_runs_and_alone_read_back(
            parts in proptest::collection::vec((0u32..300, 1usize..40), 0..12),
            alone in proptest::collection::vec(0u32..300, 0..30),
        ) {
            let runs = parts.iter().flat_map(|&(number, length)| std::iter::repeat_n(number, length));
            let numbers: Vec<u32> = alone.iter().copied().chain(runs).chain(alone.clone()).collect();
            prop_assert_eq!(read(&run_lengths(&numbers, 9), 9, numbers.len()), numbers);
        }
    }

    #[test]
    fn a_number_too_large_for_the_format_is_refused_by_name() {
        let frame = Rows::new("x", [u64::MAX])
            .column("seed", |seed| seed)
            .frame();
        let error = ParquetWriter::new(&frame)
            .0
            .rows(&frame)
            .expect_err("too large");
        assert!(error.to_string().contains("`seed`"), "{error}");
    }
}
