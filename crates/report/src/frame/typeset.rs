//! Frames as tables for a paper or a page: LaTeX and Markdown.
//!
//! For the eye: numbers have four significant digits, columns without a value are left out. The data in full are CSV
//! and Parquet.

use super::{Column, Frame, Kind, Value};
use crate::draw::number::significant;

/// The frame as a `tabular` with the rules of the package booktabs.
pub fn to_latex(frame: &Frame) -> String {
    let columns = shown(frame);
    let mut text = String::from("% \\usepackage{booktabs}\n\\begin{tabular}{");
    text.extend(
        columns
            .iter()
            .map(|column| if is_number(column) { 'r' } else { 'l' }),
    );
    text.push_str("}\n\\toprule\n");
    let line = |cells: Vec<String>| cells.join(" & ") + " \\\\\n";
    text += &line(
        columns
            .iter()
            .map(|column| in_latex(&column.name.replace('_', " ")))
            .collect(),
    );
    text.push_str("\\midrule\n");
    for row in 0..frame.rows() {
        let cells = columns.iter().map(|column| match &column.values[row] {
            Value::Number(_) | Value::Single(_) | Value::Integer(_) => {
                format!("${}$", written(&column.values[row]).replace('−', "-"))
            }
            value => in_latex(&written(value)),
        });
        text += &line(cells.collect());
    }
    text.push_str("\\bottomrule\n\\end{tabular}\n");
    text
}

/// The frame as a table of GitHub's Markdown.
pub fn to_markdown(frame: &Frame) -> String {
    let columns = shown(frame);
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let safe = |text: &str| text.replace('|', "\\|").replace('\n', " ");
    let mut text = line(
        columns
            .iter()
            .map(|column| safe(&column.name.replace('_', " ")))
            .collect(),
    );
    text += &line(
        columns
            .iter()
            .map(|column| if is_number(column) { "---:" } else { "---" }.to_owned())
            .collect(),
    );
    for row in 0..frame.rows() {
        let cells = columns
            .iter()
            .map(|column| safe(&written(&column.values[row])));
        text += &line(cells.collect());
    }
    text
}

/// The columns that hold anything.
fn shown(frame: &Frame) -> Vec<&Column> {
    let holds = |column: &&Column| column.values.iter().any(|value| *value != Value::Null);
    frame.columns.iter().filter(holds).collect()
}

fn is_number(column: &Column) -> bool {
    matches!(column.kind, Kind::Integer | Kind::Single | Kind::Number)
}

fn written(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Text(text) => text.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Single(number) => real(f64::from(*number)),
        Value::Number(number) => real(*number),
        Value::Flag(flag) => if *flag { "yes" } else { "no" }.into(),
    }
}

fn real(number: f64) -> String {
    if number.is_finite() {
        significant(number, 4)
    } else {
        number.to_string()
    }
}

/// What LaTeX takes for itself, escaped.
fn in_latex(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => {
                escaped.push('\\');
                escaped.push(letter);
            }
            '\\' => escaped.push_str("\\textbackslash{}"),
            '~' => escaped.push_str("\\textasciitilde{}"),
            '^' => escaped.push_str("\\textasciicircum{}"),
            '−' => escaped.push_str("$-$"),
            '≤' => escaped.push_str("$\\le$"),
            '≥' => escaped.push_str("$\\ge$"),
            '×' => escaped.push_str("$\\times$"),
            '\u{a0}' => escaped.push('~'),
            '\n' => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::rows::Rows;
    use super::*;

    fn frame() -> Frame {
        let rows = [
            ("50 % & more_of {it}", -1.0f64 / 3.0, 5u64),
            ("a|b", f64::NAN, 20),
        ];
        Rows::new("x", rows)
            .column("best_of", |(text, ..)| text)
            .column("value", |(_, value, _)| value)
            .column("none", |_| None::<f64>)
            .column("n", |(.., n)| n)
            .frame()
    }

    #[test]
    fn latex_takes_nothing_of_a_text_for_itself() {
        assert_eq!(
            to_latex(&frame()),
            "% \\usepackage{booktabs}\n\\begin{tabular}{lrr}\n\\toprule\nbest of & value & n \\\\\n\\midrule\n\
             50 \\% \\& more\\_of \\{it\\} & $-0.3333$ & $5$ \\\\\na|b & $NaN$ & $20$ \\\\\n\\bottomrule\n\\end{tabular}\n"
        );
    }

    #[test]
    fn markdown_keeps_its_columns() {
        assert_eq!(
            to_markdown(&frame()),
            "| best of | value | n |\n| --- | ---: | ---: |\n| 50 % & more_of {it} | −0.3333 | 5 |\n| a\\|b | NaN | 20 |\n"
        );
    }
}
