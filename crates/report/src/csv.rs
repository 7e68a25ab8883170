//! A figure's numbers as comma-separated values, for whoever wants to draw it
//! anew. Source: RFC 4180; lines end in a single line feed.

/// A table of text under way.
pub(crate) struct Csv(String);

impl Csv {
    /// A table with its column names.
    pub(crate) fn new<const N: usize>(columns: [&str; N]) -> Self {
        let mut csv = Csv(String::new());
        csv.row(&columns.map(str::to_string));
        csv
    }

    /// One more row.
    pub(crate) fn row<const N: usize>(&mut self, fields: &[String; N]) {
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
