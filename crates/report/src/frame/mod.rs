//! Tables as columns, for programs that read data frames: CSV, Parquet, safetensors.
//!
//! A [`Frame`] is a rectangle of named, typed columns. Functions here turn runs and tables into frames
//! and frames into bytes; they write no file. One row is one thing: a run, an evaluation, a crossing, a
//! cell. Every frame of runs has the same first columns, so that frames join on `run`.

pub(crate) mod csv;
mod metadata;
mod parquet;
pub(crate) mod report;
mod rows;
pub(crate) mod runs;
mod safetensors;
pub(crate) mod tables;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use csv::{csv_header, csv_rows};
pub use parquet::ParquetWriter;
pub use report::report_frames;
pub(crate) use rows::Rows;
pub use runs::{Coordinates, LOSS_ROWS};
pub use safetensors::to_safetensors;
pub use tables::{heatmap_frames, targets_frames, winners_frames};

/// A frame that a format cannot hold.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
pub enum Error {
    /// Parquet's whole numbers have a sign.
    #[error("{number} in column `{column}` is too large for Parquet; CSV holds it")]
    TooLarge {
        /// The number.
        number: u64,
        /// The column's name.
        column: String,
    },
    /// Names or sizes that safetensors refuses.
    #[error("cannot write safetensors: {0}")]
    Safetensors(String),
}

/// A row a step and a column a curve, from (step, curve, value).
pub(crate) fn by_step(
    names: impl Iterator<Item = String>,
    values: impl Iterator<Item = (u64, usize, Option<f64>)>,
) -> Frame {
    let step = std::iter::once(("step".to_owned(), Kind::Integer));
    let mut frame = Frame::new("steps", step.chain(names.map(|name| (name, Kind::Number))));
    let curves = frame.columns.len() - 1;
    let mut rows: BTreeMap<u64, Vec<Value>> = BTreeMap::new();
    for (step, curve, value) in values {
        let row = rows
            .entry(step)
            .or_insert_with(|| vec![Value::Null; curves]);
        row[curve] = value.into();
    }
    for (step, row) in rows {
        frame.push(std::iter::once(step.into()).chain(row));
    }
    frame
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// Whole numbers from 0.
    Integer,
    /// Single-precision numbers.
    Single,
    /// Double-precision numbers.
    Number,
    /// True or false.
    Flag,
}

/// One field of a row. Null is "there is none", which NaN is not.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// There is none.
    Null,
    /// Text.
    Text(Arc<str>),
    /// A whole number.
    Integer(u64),
    /// A single-precision number.
    Single(f32),
    /// A double-precision number.
    Number(f64),
    /// True or false.
    Flag(bool),
}

impl Value {
    /// Is it this text?
    pub(crate) fn is_text(&self, wanted: &str) -> bool {
        matches!(self, Self::Text(text) if &**text == wanted)
    }

    fn fits(&self, kind: Kind) -> bool {
        matches!(
            (self, kind),
            (Self::Null, _)
                | (Self::Text(_), Kind::Text)
                | (Self::Integer(_), Kind::Integer)
                | (Self::Single(_), Kind::Single)
                | (Self::Number(_), Kind::Number)
                | (Self::Flag(_), Kind::Flag)
        )
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A named column.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name, unique in its frame.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// One value a row.
    pub values: Vec<Value>,
}

/// A rectangle of columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// Its name, that of its file.
    pub name: String,
    /// Its columns, all of one length.
    pub columns: Vec<Column>,
}

impl Frame {
    /// An empty frame. A name that an earlier column has gets an underscore.
    pub fn new(name: impl Into<String>, columns: impl IntoIterator<Item = (String, Kind)>) -> Self {
        let mut frame = Self {
            name: name.into(),
            columns: Vec::new(),
        };
        for (name, kind) in columns {
            let name = frame.free_name(&name);
            frame.columns.push(Column {
                name,
                kind,
                values: Vec::new(),
            });
        }
        frame
    }

    /// The name, with underscores if an earlier column has it.
    fn free_name(&self, name: &str) -> String {
        let mut name = name.to_owned();
        while self.columns.iter().any(|column| column.name == name) {
            name.push('_');
        }
        name
    }

    /// The same under another name.
    pub(crate) fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// The rows whose fields in these columns are such.
    ///
    /// # Panics
    /// If there is no such column.
    pub(crate) fn rows_where<const N: usize>(
        mut self,
        columns: [&str; N],
        wanted: impl Fn([&Value; N]) -> bool,
    ) -> Self {
        let asked = columns.map(|name| {
            let column = self.columns.iter().find(|column| column.name == name);
            &column.expect("a column of the frame").values
        });
        let keep: Vec<bool> = (0..self.rows())
            .map(|row| wanted(asked.map(|values| &values[row])))
            .collect();
        for column in &mut self.columns {
            let mut keep = keep.iter();
            column.values.retain(|_| keep.next() == Some(&true));
        }
        self
    }

    /// The rows of some series, stage and method.
    pub(crate) fn of_series(self, group: &[(&str, &str)]) -> Self {
        self.rows_where(["stage", "method"], |[stage, method]| {
            group
                .iter()
                .any(|(s, m)| stage.is_text(s) && method.is_text(m))
        })
    }

    /// Rows.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |column| column.values.len())
    }

    /// Adds a row.
    ///
    /// # Panics
    /// If it has another number of fields than there are columns, or a field is of another kind.
    pub fn push(&mut self, row: impl IntoIterator<Item = Value>) {
        let mut fields = row.into_iter();
        for column in &mut self.columns {
            let value = fields.next().expect("a row has a field for every column");
            assert!(
                value.fits(column.kind),
                "column `{}` of `{}` holds {:?}, not {value:?}",
                column.name,
                self.name,
                column.kind
            );
            column.values.push(value);
        }
        assert!(
            fields.next().is_none(),
            "a row has no more fields than there are columns"
        );
    }
}
