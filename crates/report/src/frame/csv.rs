//! Frames as CSV.
//!
//! Source: RFC 4180, with `\n` for line ends. Null is an empty field; numbers have all their digits, those that
//! are not finite are `NaN`, `inf` and `-inf`.

use csv::WriterBuilder;

use super::{Frame, Value};

/// The line with the columns' names.
pub fn csv_header(frame: &Frame) -> String {
    written([frame.columns.iter().map(|column| column.name.clone())])
}

/// A line for each row.
pub fn csv_rows(frame: &Frame) -> String {
    written((0..frame.rows()).map(|row| {
        let columns = frame.columns.iter();
        columns.map(move |column| field(&column.values[row]))
    }))
}

/// A field before it is quoted.
pub(crate) fn field(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Text(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Single(value) => value.to_string(),
        Value::Number(value) => value.to_string(),
        Value::Flag(value) => value.to_string(),
    }
}

fn written<R: Iterator<Item = String>>(records: impl IntoIterator<Item = R>) -> String {
    let mut writer = WriterBuilder::new().from_writer(Vec::new());
    let done = "memory takes every record, and records have one length";
    for record in records {
        writer
            .write_record(record.map(String::into_bytes))
            .expect(done);
    }
    String::from_utf8(writer.into_inner().expect(done)).expect("fields are UTF-8")
}

#[cfg(test)]
mod tests {
    use super::super::Rows;
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must_be_and_null_is_no_nan() {
        let rows = [
            Some(("say \"hi\"\nthere", f64::NAN, true)),
            None,
            Some(("x", 1.0 / 3.0, false)),
        ];
        let frame = Rows::new("x", rows)
            .column("a,b", |row| row.map(|row| row.0))
            .column("n", |row| row.map(|row| row.1))
            .column("f", |row| row.map(|row| row.2))
            .frame();
        assert_eq!(csv_header(&frame), "\"a,b\",n,f\n");
        assert_eq!(
            csv_rows(&frame),
            "\"say \"\"hi\"\"\nthere\",NaN,true\n,,\nx,0.3333333333333333,false\n"
        );
    }
}
