//! MATLAB's files, version 5, as far as SVHN's need it: arrays of unsigned bytes, compressed or not.
//!
//! Strict where crates for these files are lenient: sizes are believed only as far as there are bytes, and what is
//! not an array of bytes is an error.
//!
//! Source: `MathWorks`, *MAT-File Format*, R2019b, chapter 1.

use std::collections::BTreeMap;
use std::io::{self, Read};

use flate2::bufread::ZlibDecoder;

use super::Unfit;

/// An array of bytes, the first index fastest.
#[derive(Debug, PartialEq)]
pub(super) struct Array {
    pub(super) shape: Vec<usize>,
    pub(super) values: Vec<u8>,
}

// Types of elements (table 1-1).
const INT8: u32 = 1;
const UINT8: u32 = 2;
const INT32: u32 = 5;
const UINT32: u32 = 6;
const MATRIX: u32 = 14;
const COMPRESSED: u32 = 15;

/// Class of an array of unsigned bytes (table 1-3).
const CLASS_UINT8: u8 = 9;
/// Flag of an array with an imaginary part.
const COMPLEX: u8 = 0x08;

const HEADER: usize = 128;
/// Bytes of an array's header that are believed: a name and a few dimensions.
const LONGEST_HEADER: u64 = 4096;
/// Bytes of an array at most. SVHN's `extra_32x32.mat`, the largest there is, has 1.6 GB.
const LARGEST: u64 = 1 << 31;

/// Those of the wanted variables that a file has.
pub(super) fn variables(bytes: &[u8], wanted: &[&str]) -> Result<BTreeMap<String, Array>, Unfit> {
    let Some((header, mut rest)) = bytes.split_at_checked(HEADER) else {
        return Err(Unfit::NoMatlabHeader);
    };
    if header.starts_with(b"MATLAB 7.3") {
        return Err(Unfit::Matlab73);
    }
    if header[124..] != [0x00, 0x01, b'I', b'M'] {
        return Err(Unfit::NotMatlab5);
    }
    let mut found = BTreeMap::new();
    while !rest.is_empty() {
        let tag = Tag::read(&mut rest)?;
        let Some((element, after)) = rest.split_at_checked(tag.bytes as usize) else {
            return Err(Unfit::CutShort);
        };
        rest = after;
        let read = match tag.kind {
            COMPRESSED => {
                let mut inside = ZlibDecoder::new(element);
                compressed(&mut inside, wanted)
            }
            kind => matrix(kind, &mut element.take(u64::from(tag.bytes)), wanted),
        };
        if let Some((name, array)) = read?
            && found.insert(name.clone(), array).is_some()
        {
            return Err(Unfit::Twice { name });
        }
    }
    Ok(found)
}

/// A variable whose element is compressed. Reads to the end, where the checksum is.
fn compressed(inside: &mut impl Read, wanted: &[&str]) -> Result<Option<(String, Array)>, Unfit> {
    let tag = Tag::read(inside)?;
    let mut element = inside.by_ref().take(u64::from(tag.bytes));
    let found = matrix(tag.kind, &mut element, wanted)?;
    io::copy(&mut element, &mut io::sink())?;
    match inside.read(&mut [0])? {
        0 => Ok(found),
        _ => Err(Unfit::LongVariable),
    }
}

/// One variable, if it is wanted.
fn matrix(
    kind: u32,
    reader: &mut impl Read,
    wanted: &[&str],
) -> Result<Option<(String, Array)>, Unfit> {
    if kind != MATRIX {
        return Err(Unfit::NotAVariable { found: kind });
    }
    let flags = element(reader, UINT32, LONGEST_HEADER)?;
    let shape = element(reader, INT32, LONGEST_HEADER)?;
    let name = element(reader, INT8, LONGEST_HEADER)?;
    let name = String::from_utf8_lossy(&name).into_owned();
    if !wanted.contains(&name.as_str()) {
        return Ok(None);
    }
    if flags.len() != 8 || flags[0] != CLASS_UINT8 || flags[1] & COMPLEX != 0 {
        return Err(Unfit::NotBytes { variable: name });
    }
    let shape: Vec<usize> = shape
        .as_chunks()
        .0
        .iter()
        .map(|size| u32::from_le_bytes(*size) as usize)
        .collect();
    let values = element(reader, UINT8, LARGEST)?;
    let count = shape
        .iter()
        .try_fold(1_usize, |n, size| n.checked_mul(*size));
    if count != Some(values.len()) {
        return Err(Unfit::VariableSize {
            variable: name,
            shape,
            values: values.len(),
        });
    }
    Ok(Some((name, Array { shape, values })))
}

/// What precedes an element.
struct Tag {
    kind: u32,
    bytes: u32,
    /// Where the contents are the second half of the tag itself.
    small: Option<[u8; 4]>,
}

impl Tag {
    fn read(reader: &mut impl Read) -> io::Result<Self> {
        let (first, second) = (word(reader)?, word(reader)?);
        let kind = u32::from_le_bytes(first);
        // Source: "Small Data Element Format": a size in the upper half of the first word.
        Ok(if kind >> 16 == 0 {
            Self {
                kind,
                bytes: u32::from_le_bytes(second),
                small: None,
            }
        } else {
            Self {
                kind: kind & 0xffff,
                bytes: kind >> 16,
                small: Some(second),
            }
        })
    }
}

fn word(reader: &mut impl Read) -> io::Result<[u8; 4]> {
    let mut word = [0; 4];
    reader.read_exact(&mut word)?;
    Ok(word)
}

/// The contents of an element of this type, and the padding to 8 bytes after it.
fn element(reader: &mut impl Read, kind: u32, most: u64) -> Result<Vec<u8>, Unfit> {
    let tag = Tag::read(reader)?;
    if tag.kind != kind {
        return Err(Unfit::ElementType {
            found: tag.kind,
            wanted: kind,
        });
    }
    if let Some(small) = tag.small {
        let contents = small.get(..tag.bytes as usize);
        return contents.map(<[u8]>::to_vec).ok_or(Unfit::SmallElement);
    }
    let bytes = u64::from(tag.bytes);
    if bytes > most {
        return Err(Unfit::LongElement { bytes, most });
    }
    let mut contents = Vec::new();
    reader.by_ref().take(bytes).read_to_end(&mut contents)?;
    if (contents.len() as u64) < bytes {
        return Err(Unfit::CutShort);
    }
    // The last element of a file may lack its padding.
    io::copy(
        &mut reader.take(bytes.next_multiple_of(8) - bytes),
        &mut io::sink(),
    )?;
    Ok(contents)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn padded(kind: u32, contents: &[u8]) -> Vec<u8> {
        let mut bytes = [kind, contents.len() as u32].map(u32::to_le_bytes).concat();
        bytes.extend_from_slice(contents);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    }

    fn variable(name: &str, class: u8, shape: &[u32], values: &[u8]) -> Vec<u8> {
        let mut small = vec![INT8 as u8, 0, name.len() as u8, 0];
        small.extend_from_slice(name.as_bytes());
        small.resize(8, 0);
        let shape: Vec<u8> = shape.iter().flat_map(|size| size.to_le_bytes()).collect();
        let parts = [
            padded(UINT32, &[class, 0, 0, 0, 0, 0, 0, 0]),
            padded(INT32, &shape),
            small,
            padded(UINT8, values),
        ];
        padded(MATRIX, &parts.concat())
    }

    fn packed(variable: &[u8]) -> Vec<u8> {
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        zlib.write_all(variable).unwrap();
        let contents = zlib.finish().unwrap();
        // Compressed elements are not padded.
        let tag = [COMPRESSED, contents.len() as u32].map(u32::to_le_bytes);
        [tag.concat(), contents].concat()
    }

    fn file(elements: &[Vec<u8>]) -> Vec<u8> {
        let mut header = vec![b' '; HEADER];
        header[..17].copy_from_slice(b"MATLAB 5.0 MAT-fi");
        header[124..].copy_from_slice(&[0, 1, b'I', b'M']);
        [header, elements.concat()].concat()
    }

    fn problem(bytes: &[u8]) -> String {
        variables(bytes, &["X", "y"]).unwrap_err().to_string()
    }

    #[test]
    fn wanted_variables_are_read_compressed_or_not() {
        let x = variable("X", 9, &[2, 3], &[1, 2, 3, 4, 5, 6]);
        let y = variable("y", 9, &[1, 1], &[10]);
        let other = variable("z", 6, &[1, 1], &[0; 8]);
        for elements in [
            vec![x.clone(), other.clone(), y.clone()],
            vec![packed(&y), packed(&other), packed(&x)],
        ] {
            let found = variables(&file(&elements), &["X", "y"]).unwrap();
            assert_eq!(found.len(), 2);
            let expected = Array {
                shape: vec![2, 3],
                values: vec![1, 2, 3, 4, 5, 6],
            };
            assert_eq!(found["X"], expected);
            assert_eq!(found["y"].values, [10]);
        }
    }

    #[test]
    fn a_file_cut_short_anywhere_is_refused() {
        let whole = file(&[packed(&variable("X", 9, &[20, 30], &[5; 600]))]);
        for length in 1..whole.len() {
            if length != HEADER {
                let problem = problem(&whole[..length]);
                let told = ["cut short", "shorter than the header"];
                assert!(
                    told.iter().any(|told| problem.contains(told)),
                    "{length}: {problem}"
                );
            }
        }
    }

    #[test]
    fn what_is_something_else_is_refused() {
        let x = |class, shape: &[u32], values: &[u8]| file(&[variable("X", class, shape, values)]);
        assert_eq!(
            problem(b"<html>"),
            "shorter than the header of a MATLAB file"
        );
        assert_eq!(
            problem(&[0; 500]),
            "not a MATLAB file of version 5, low byte first"
        );
        let mut newer = file(&[]);
        newer[..10].copy_from_slice(b"MATLAB 7.3");
        assert!(problem(&newer).contains("version 7.3; needs version 5"));
        assert_eq!(
            problem(&x(6, &[1, 1], &[1])),
            "X is not an array of unsigned bytes"
        );
        assert_eq!(
            problem(&x(9, &[2, 2], &[1])),
            "X is [2, 2] but has 1 values"
        );
        assert_eq!(
            problem(&x(9, &[u32::MAX, u32::MAX, u32::MAX], &[1])),
            "X is [4294967295, 4294967295, 4294967295] but has 1 values"
        );
        let one = variable("X", 9, &[1, 1], &[1]);
        assert_eq!(problem(&file(&[one.clone(), one])), "it has X twice");
        assert!(problem(&file(&[padded(UINT8, &[1])])).contains("where a variable should be"));
    }

    #[test]
    fn a_size_that_is_a_lie_reserves_nothing() {
        // An element that claims 4 GiB in a compressed element of a few bytes.
        let mut lie = variable("X", 9, &[1, 1], &[1]);
        let at = lie.len() - 12;
        lie[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        lie[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(problem(&file(&[packed(&lie)])).contains("4294967295 bytes where at most"));
        lie[at..at + 4].copy_from_slice(&(1_u32 << 30).to_le_bytes());
        assert_eq!(problem(&file(&[packed(&lie)])), "cut short");
    }
}
