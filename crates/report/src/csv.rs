//! A figure's numbers as comma-separated values, for whoever wants to draw it
//! anew. Source: RFC 4180; lines end in a single line feed.

use crate::draw::number::significant;

/// A table of text under way.
pub(crate) struct Csv(String);

impl Csv {
    /// A table with its column names.
    pub(crate) fn new<const N: usize>(columns: [&str; N]) -> Self {
        Self::of(&columns.map(str::to_string))
    }

    /// A table whose columns depend on the study; with no names they come as the first row.
    pub(crate) fn of(columns: &[String]) -> Self {
        let mut csv = Csv(String::new());
        if !columns.is_empty() {
            csv.row(columns);
        }
        csv
    }

    /// One more row.
    pub(crate) fn row(&mut self, fields: &[String]) {
        for (index, field) in fields.iter().enumerate() {
            if index > 0 {
                self.0.push(',');
            }
            self.field(field);
        }
        self.0.push('\n');
    }

    /// The whole table.
    pub(crate) fn text(self) -> String {
        self.0
    }

    fn field(&mut self, field: &str) {
        // A spreadsheet would run text that begins like a formula.
        let formula =
            field.starts_with(['=', '+', '-', '@', '\t', '\r']) && field.parse::<f64>().is_err();
        if formula || field.contains(['"', ',', '\n', '\r']) {
            self.0.push('"');
            if formula {
                self.0.push('\'');
            }
            self.0.push_str(&field.replace('"', "\"\""));
            self.0.push('"');
        } else {
            self.0.push_str(field);
        }
    }
}

/// A number with all its digits, or nothing where there is none.
pub(crate) fn number(value: Option<f64>) -> String {
    value.map_or_else(String::new, |v| v.to_string())
}

/// A measured number with five significant digits, the minus sign a hyphen, or nothing.
pub(crate) fn measured(value: Option<f64>) -> String {
    value.map_or_else(String::new, |v| significant(v, 5).replace('\u{2212}', "-"))
}

/// A count, or nothing.
pub(crate) fn whole(value: Option<u64>) -> String {
    value.map_or_else(String::new, |v| v.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_commas_and_formulas_stay_text() {
        let mut csv = Csv::new(["name", "value"]);
        csv.row(&["plain".into(), "-1.5".into()]);
        csv.row(&["a,\"b\"\nc".into(), number(None)]);
        csv.row(&["=HYPERLINK(1)".into(), whole(Some(3))]);
        assert_eq!(
            csv.text(),
            "name,value\nplain,-1.5\n\"a,\"\"b\"\"\nc\",\n\"'=HYPERLINK(1)\",3\n"
        );
    }
}
