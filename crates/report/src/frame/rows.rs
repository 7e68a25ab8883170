//! How a frame is declared: rows, and a list of columns, each a name and a function of a row.

use std::sync::Arc;

use super::{Column, Frame, Kind, Value};

/// What a column can be made of. The type says what the column holds.
pub(crate) trait Field: Into<Value> {
    /// What it holds.
    const KIND: Kind;
}

macro_rules! fields {
    ($($type:ty: $kind:ident |$field:ident| $value:expr;)*) => {$(
        impl From<$type> for Value {
            fn from($field: $type) -> Self {
                Self::$kind($value)
            }
        }

        impl Field for $type {
            const KIND: Kind = Kind::$kind;
        }
    )*};
}
fields! {
    &str: Text |text| text.into();
    &String: Text |text| text.as_str().into();
    String: Text |text| text.into();
    Arc<str>: Text |text| text;
    u64: Integer |number| number;
    usize: Integer |number| number as u64;
    f32: Single |number| number;
    f64: Number |number| number;
    bool: Flag |flag| flag;
}

impl<T: Field> Field for Option<T> {
    const KIND: Kind = T::KIND;
}

/// Rows that get their columns one by one.
pub(crate) struct Rows<R> {
    rows: Vec<R>,
    frame: Frame,
}

impl<R: Copy> Rows<R> {
    /// Rows of a frame of this name, without a column yet.
    pub(crate) fn new(name: impl Into<String>, rows: impl IntoIterator<Item = R>) -> Self {
        Self {
            rows: rows.into_iter().collect(),
            frame: Frame::new(name, []),
        }
    }

    /// One more column.
    pub(crate) fn column<F: Field>(self, name: &str, of: impl Fn(R) -> F) -> Self {
        self.of_kind(name, F::KIND, |row| of(row).into())
    }

    /// Columns that are worked out together.
    pub(crate) fn columns<F: Field, const N: usize>(
        mut self,
        names: [&str; N],
        of: impl Fn(R) -> [F; N],
    ) -> Self {
        let mut columns = names.map(|_| Vec::with_capacity(self.rows.len()));
        for row in &self.rows {
            for (column, field) in columns.iter_mut().zip(of(*row)) {
                column.push(field.into());
            }
        }
        for (name, values) in names.into_iter().zip(columns) {
            self.frame.add(name, F::KIND, values);
        }
        self
    }

    /// One more column, of a kind that is known from the data only.
    ///
    /// # Panics
    /// If a value is of another kind.
    pub(crate) fn of_kind(mut self, name: &str, kind: Kind, of: impl Fn(R) -> Value) -> Self {
        let values = self.rows.iter().map(|row| of(*row)).collect();
        self.frame.add(name, kind, values);
        self
    }

    /// The frame with the columns that were given.
    pub(crate) fn frame(self) -> Frame {
        self.frame
    }
}

impl Frame {
    /// A name that an earlier column has gets an underscore.
    fn add(&mut self, name: &str, kind: Kind, values: Vec<Value>) {
        let name = self.free_name(name);
        if let Some(value) = values.iter().find(|value| !value.fits(kind)) {
            panic!(
                "column `{name}` of `{}` holds {kind:?}, not {value:?}",
                self.name
            );
        }
        self.columns.push(Column { name, kind, values });
    }
}
