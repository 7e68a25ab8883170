//! Python's pickles, as far as CIFAR-10's Python version needs them: a dictionary of numbers, texts, lists of these and
//! numpy arrays of unsigned bytes.
//!
//! Nothing is ever called: of the names that a pickle may ask for, those of numpy's arrays are known, and any other is
//! an error that names it. Texts and arrays are slices of the file, and how much else a file may hold is bounded.
//!
//! Source: `CPython`, `Lib/pickletools.py` (the machine and its codes) and numpy, `ndarray.__reduce__`.

use std::collections::{BTreeMap, HashMap};

/// What a pickle's dictionary holds, by name.
pub(super) type Entries<'a> = BTreeMap<String, Value<'a>>;

/// A value that a pickle may hold.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    /// `None`, and what is known and means nothing here.
    Nothing,
    Number(i64),
    /// Text or bytes: Python 2 did not tell.
    Bytes(&'a [u8]),
    List(Vec<Value<'a>>),
    Array(Array<'a>),
    Tuple(Vec<Value<'a>>),
    Dictionary(Entries<'a>),
    Name(Name),
    /// A numpy type of elements.
    Type(&'a [u8]),
}

/// A numpy array of unsigned bytes, the last index fastest.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Array<'a> {
    pub(super) shape: Vec<usize>,
    pub(super) values: &'a [u8],
}

/// Names that numpy's arrays ask for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Name {
    Reconstruct,
    FromBuffer,
    Array,
    DType,
}

/// Why bytes are not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// A pickle ends early.
    #[error("cut short")]
    CutShort,
    /// A pickle holds another thing than a dictionary.
    #[error("the pickle is not of a dictionary")]
    NotADictionary,
    /// A pickle would fill the memory.
    #[error("more than {MOST} values")]
    TooManyValues,
    /// A pickle has an instruction that is not known.
    #[error("code {0:#04x}, which such a file does not have")]
    UnknownCode(u8),
    /// A pickle asks for a Python function or class other than numpy's arrays.
    #[error("it asks for {0}, and nothing is run that a data file asks for")]
    UnknownName(String),
    /// A pickle asks for a function by another thing than a name.
    #[error("a name that is not text")]
    NameNotText,
    /// A name in a pickle goes on and on.
    #[error("a name without an end")]
    EndlessName,
    /// A pickle's instruction uses a value that was not made.
    #[error("takes values that it does not have")]
    NoValue,
    /// A pickle's tuples are nested.
    #[error("tuples within tuples")]
    NestedTuples,
    /// A pickle's list holds lists or dictionaries.
    #[error("a list of other things than numbers and texts")]
    ListItem,
    /// A pickle adds an entry to what is not a dictionary.
    #[error("an entry without a dictionary")]
    StrayEntry,
    /// A pickle's dictionary holds dictionaries, or has a key that is not text.
    #[error("an entry that such a file does not have")]
    Entry,
    /// A pickle uses one container in two places.
    #[error("a value used twice, which such a file does not have")]
    UsedTwice,
    /// A pickle calls a function on other arguments than numpy does.
    #[error("a call that such a file does not have")]
    Call,
    /// A pickle fills a value that has no contents.
    #[error("contents of something that has none")]
    StrayContents,
    /// A numpy type in a pickle has no name.
    #[error("a type of elements without a name")]
    NamelessType,
    /// A numpy array in a pickle is not stored row by row.
    #[error("an array in another way than rows of bytes")]
    OtherArray,
    /// A numpy array in a pickle has elements of another type.
    #[error("an array of {0}, not of unsigned bytes")]
    OtherNumbers(String),
    /// The shape of a numpy array in a pickle is not a list of numbers.
    #[error("an array whose shape is not numbers")]
    ShapeNotNumbers,
    /// A numpy array in a pickle has more or less bytes than its shape says.
    #[error("an array is {shape:?} but has {bytes} bytes")]
    OtherSize {
        /// What it says.
        shape: Vec<usize>,
        /// What it has.
        bytes: usize,
    },
}

/// Values that are made in all: those of 100,000 images with their file names, and some.
const MOST: usize = 1 << 21;
/// Tuples within tuples.
const DEEPEST: usize = 4;

/// Whether these bytes start as a pickle of protocol 2 to 5.
pub(super) fn is_pickle(bytes: &[u8]) -> bool {
    matches!(bytes, [0x80, 2..=5, ..])
}

/// The dictionary that is pickled.
pub(super) fn entries(bytes: &[u8]) -> Result<Entries<'_>, Unread> {
    let mut machine = Machine {
        rest: bytes,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        memoized: 0,
        made: 0,
    };
    match machine.run()? {
        Value::Dictionary(entries) => Ok(entries),
        _ => Err(Unread::NotADictionary),
    }
}

struct Machine<'a> {
    rest: &'a [u8],
    stack: Vec<Value<'a>>,
    /// Heights of the stack.
    marks: Vec<usize>,
    /// Values to get again. Containers are not among them: no such file gets one twice.
    memo: HashMap<u32, Value<'a>>,
    memoized: u32,
    made: usize,
}

impl<'a> Machine<'a> {
    fn run(&mut self) -> Result<Value<'a>, Unread> {
        loop {
            self.made += 1;
            if self.made > MOST {
                return Err(Unread::TooManyValues);
            }
            let [code] = self.take()?;
            match code {
                0x80 => self.skip(1)?,
                // Frames are for who reads from a stream.
                0x95 => self.skip(8)?,
                b'(' => self.marks.push(self.stack.len()),
                b'N' => self.stack.push(Value::Nothing),
                0x88 | 0x89 => self.stack.push(Value::Number(i64::from(code == 0x88))),
                b'K' | b'M' | b'J' => {
                    let number = self.number(code)?;
                    self.stack.push(Value::Number(number));
                }
                b'U' | b'C' | 0x8c => {
                    let [length] = self.take()?;
                    self.bytes(u64::from(length))?;
                }
                b'T' | b'B' | b'X' => {
                    let length = u32::from_le_bytes(self.take()?);
                    self.bytes(u64::from(length))?;
                }
                0x8d | 0x8e | 0x96 => {
                    let length = u64::from_le_bytes(self.take()?);
                    self.bytes(length)?;
                }
                b'}' => self.stack.push(Value::Dictionary(Entries::new())),
                b']' => self.stack.push(Value::List(Vec::new())),
                b')' => self.stack.push(Value::Tuple(Vec::new())),
                b't' => {
                    let values = self.since_mark()?;
                    self.tuple(values)?;
                }
                0x85..=0x87 => {
                    let values = self.last(usize::from(code - 0x84))?;
                    self.tuple(values)?;
                }
                b'a' => {
                    let values = self.last(1)?;
                    self.append(values)?;
                }
                b'e' => {
                    let values = self.since_mark()?;
                    self.append(values)?;
                }
                b's' => {
                    let values = self.last(2)?;
                    self.set(values)?;
                }
                b'u' => {
                    let values = self.since_mark()?;
                    self.set(values)?;
                }
                b'q' => {
                    let [at] = self.take()?;
                    self.keep(u32::from(at));
                }
                b'r' => {
                    let at = u32::from_le_bytes(self.take()?);
                    self.keep(at);
                }
                0x94 => self.keep(self.memoized),
                b'h' => {
                    let [at] = self.take()?;
                    self.get(u32::from(at))?;
                }
                b'j' => {
                    let at = u32::from_le_bytes(self.take()?);
                    self.get(at)?;
                }
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?);
                    self.name(module, name)?;
                }
                0x93 => match self.last(2)?[..] {
                    [Value::Bytes(module), Value::Bytes(name)] => self.name(module, name)?,
                    _ => return Err(Unread::NameNotText),
                },
                b'R' => self.reduce()?,
                b'b' => self.build()?,
                b'.' => return self.pop(),
                other => {
                    return Err(Unread::UnknownCode(other));
                }
            }
        }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Unread> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(Unread::CutShort)?;
        self.rest = rest;
        Ok(*bytes)
    }

    fn skip(&mut self, count: usize) -> Result<(), Unread> {
        self.rest = self.rest.get(count..).ok_or(Unread::CutShort)?;
        Ok(())
    }

    fn number(&mut self, code: u8) -> Result<i64, Unread> {
        Ok(match code {
            b'K' => i64::from(u8::from_le_bytes(self.take()?)),
            b'M' => i64::from(u16::from_le_bytes(self.take()?)),
            _ => i64::from(i32::from_le_bytes(self.take()?)),
        })
    }

    fn bytes(&mut self, length: u64) -> Result<(), Unread> {
        let split = usize::try_from(length)
            .ok()
            .and_then(|at| self.rest.split_at_checked(at));
        let (bytes, rest) = split.ok_or(Unread::CutShort)?;
        self.rest = rest;
        self.stack.push(Value::Bytes(bytes));
        Ok(())
    }

    fn line(&mut self) -> Result<&'a [u8], Unread> {
        let end = self.rest.iter().take(256).position(|byte| *byte == b'\n');
        let line = &self.rest[..end.ok_or(Unread::EndlessName)?];
        self.rest = &self.rest[line.len() + 1..];
        Ok(line)
    }

    fn pop(&mut self) -> Result<Value<'a>, Unread> {
        self.stack.pop().ok_or(Unread::NoValue)
    }

    fn last(&mut self, count: usize) -> Result<Vec<Value<'a>>, Unread> {
        let at = self.stack.len().checked_sub(count);
        Ok(self.stack.split_off(at.ok_or(Unread::NoValue)?))
    }

    fn since_mark(&mut self) -> Result<Vec<Value<'a>>, Unread> {
        let mark = self.marks.pop().filter(|mark| *mark <= self.stack.len());
        Ok(self.stack.split_off(mark.ok_or(Unread::NoValue)?))
    }

    fn tuple(&mut self, values: Vec<Value<'a>>) -> Result<(), Unread> {
        let tuple = Value::Tuple(values);
        if tuple.depth() > DEEPEST {
            return Err(Unread::NestedTuples);
        }
        self.stack.push(tuple);
        Ok(())
    }

    fn append(&mut self, values: Vec<Value<'a>>) -> Result<(), Unread> {
        match self.stack.last_mut() {
            Some(Value::List(list)) if values.iter().all(Value::is_plain) => list.extend(values),
            _ => return Err(Unread::ListItem),
        }
        Ok(())
    }

    fn set(&mut self, values: Vec<Value<'a>>) -> Result<(), Unread> {
        let Some(Value::Dictionary(entries)) = self.stack.last_mut() else {
            return Err(Unread::StrayEntry);
        };
        let mut values = values.into_iter();
        while let (Some(key), Some(value)) = (values.next(), values.next()) {
            let (Value::Bytes(key), false) = (key, matches!(value, Value::Dictionary(_))) else {
                return Err(Unread::Entry);
            };
            entries.insert(String::from_utf8_lossy(key).into_owned(), value);
        }
        Ok(())
    }

    fn keep(&mut self, at: u32) {
        self.memoized = self.memoized.wrapping_add(1);
        if let Some(value) = self.stack.last().filter(|value| value.is_plain()) {
            self.memo.insert(at, value.clone());
        }
    }

    fn get(&mut self, at: u32) -> Result<(), Unread> {
        let value = self.memo.get(&at).cloned();
        self.stack.push(value.ok_or(Unread::UsedTwice)?);
        Ok(())
    }

    fn name(&mut self, module: &[u8], name: &[u8]) -> Result<(), Unread> {
        self.stack.push(Value::Name(match (module, name) {
            (b"numpy.core.multiarray" | b"numpy._core.multiarray", b"_reconstruct") => {
                Name::Reconstruct
            }
            (b"numpy.core.numeric" | b"numpy._core.numeric", b"_frombuffer") => Name::FromBuffer,
            (b"numpy", b"ndarray") => Name::Array,
            (b"numpy", b"dtype") => Name::DType,
            _ => {
                let text = |bytes| String::from_utf8_lossy(bytes).escape_debug().to_string();
                return Err(Unread::UnknownName(format!(
                    "{}.{}",
                    text(module),
                    text(name)
                )));
            }
        }));
        Ok(())
    }

    /// A call, as the pickle sees it.
    fn reduce(&mut self) -> Result<(), Unread> {
        let made = match &self.last(2)?[..] {
            [Value::Name(Name::Reconstruct), Value::Tuple(_)] => Value::Array(Array::default()),
            [Value::Name(Name::DType), Value::Tuple(of)] => match of[..] {
                [Value::Bytes(of), ..] => Value::Type(of),
                _ => return Err(Unread::NamelessType),
            },
            [Value::Name(Name::FromBuffer), Value::Tuple(of)] => match &of[..] {
                [
                    Value::Bytes(values),
                    Value::Type(of),
                    Value::Tuple(shape),
                    Value::Bytes(b"C"),
                ] => Value::Array(array(values, of, shape)?),
                _ => return Err(Unread::OtherArray),
            },
            _ => return Err(Unread::Call),
        };
        self.stack.push(made);
        Ok(())
    }

    /// The contents of what a call made.
    fn build(&mut self) -> Result<(), Unread> {
        let contents = self.pop()?;
        match (self.stack.last_mut(), contents) {
            (Some(Value::Array(made)), Value::Tuple(contents)) => match &contents[..] {
                [
                    Value::Number(_),
                    Value::Tuple(shape),
                    Value::Type(of),
                    Value::Number(0),
                    Value::Bytes(values),
                ] => *made = array(values, of, shape)?,
                _ => return Err(Unread::OtherArray),
            },
            (Some(Value::Type(_)), _) => {}
            _ => return Err(Unread::StrayContents),
        }
        Ok(())
    }
}

impl Value<'_> {
    /// A value that has no others in it.
    fn is_plain(&self) -> bool {
        matches!(
            self,
            Self::Nothing | Self::Number(_) | Self::Bytes(_) | Self::Name(_) | Self::Type(_)
        )
    }

    fn depth(&self) -> usize {
        match self {
            Self::Tuple(values) => 1 + values.iter().map(Self::depth).max().unwrap_or(0),
            _ => 0,
        }
    }
}

fn array<'a>(values: &'a [u8], of: &[u8], shape: &[Value<'_>]) -> Result<Array<'a>, Unread> {
    if !matches!(of, b"u1" | b"|u1" | b"uint8") {
        let of = String::from_utf8_lossy(of);
        return Err(Unread::OtherNumbers(of.escape_debug().to_string()));
    }
    let size = |value: &Value<'_>| match value {
        Value::Number(size) => usize::try_from(*size).ok(),
        _ => None,
    };
    let shape: Option<Vec<usize>> = shape.iter().map(size).collect();
    let shape = shape.ok_or(Unread::ShapeNotNumbers)?;
    let count = shape
        .iter()
        .try_fold(1_usize, |n, size| n.checked_mul(*size));
    if count != Some(values.len()) {
        let bytes = values.len();
        return Err(Unread::OtherSize { shape, bytes });
    }
    Ok(Array { shape, values })
}
