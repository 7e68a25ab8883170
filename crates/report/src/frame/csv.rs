//! Frames as CSV.
//!
//! Source: RFC 4180, with `\n` for line ends. Null is an empty field; numbers that are not finite are
//! `NaN`, `inf` and `-inf`; a text that is empty, or looks like null to pandas, is quoted like any other.

use super::{Frame, Value};

/// The line with the columns' names.
pub fn csv_header(frame: &Frame) -> String {
    let mut line = String::new();
    for (index, column) in frame.columns.iter().enumerate() {
        if index > 0 {
            line.push(',');
        }
        text(&mut line, &column.name);
    }
    line.push('\n');
    line
}

/// A line for each row.
pub fn csv_rows(frame: &Frame) -> String {
    let mut lines = String::new();
    for row in 0..frame.rows() {
        for (index, column) in frame.columns.iter().enumerate() {
            if index > 0 {
                lines.push(',');
            }
            match &column.values[row] {
                Value::Null => {}
                Value::Text(value) => text(&mut lines, value),
                Value::Integer(value) => lines.push_str(&value.to_string()),
                Value::Single(value) => lines.push_str(&value.to_string()),
                Value::Number(value) => lines.push_str(&value.to_string()),
                Value::Flag(value) => lines.push_str(if *value { "true" } else { "false" }),
            }
        }
        lines.push('\n');
    }
    lines
}

fn text(line: &mut String, text: &str) {
    let is_plain = !text.is_empty()
        && !text.contains([',', '"', '\n', '\r'])
        && !text.starts_with(' ')
        && !text.ends_with(' ');
    if is_plain {
        line.push_str(text);
    } else {
        line.push('"');
        line.push_str(&text.replace('"', "\"\""));
        line.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must_be_and_null_is_no_nan() {
        let mut frame = Frame::of(
            "x",
            &[("a,b", Kind::Text), ("n", Kind::Number), ("f", Kind::Flag)],
        );
        frame.push(["say \"hi\"\nthere".into(), f64::NAN.into(), true.into()]);
        frame.push([Value::Null, Value::Null, Value::Null]);
        frame.push(["".into(), 1e-3.into(), false.into()]);
        assert_eq!(csv_header(&frame), "\"a,b\",n,f\n");
        assert_eq!(
            csv_rows(&frame),
            "\"say \"\"hi\"\"\nthere\",NaN,true\n,,\n\"\",0.001,false\n"
        );
    }
}
