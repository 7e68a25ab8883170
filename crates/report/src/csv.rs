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

/// The fields of several seeds, a row a seed, as those of one row: the first and those that differ side by
/// side, parted by spaces and with a dash for none; one that is equal in all, once. No field has a space.
pub(crate) fn side_by_side(seeds: impl IntoIterator<Item = Vec<String>>) -> Vec<String> {
    let seeds: Vec<Vec<String>> = seeds.into_iter().collect();
    let columns = seeds.first().map_or(0, Vec::len);
    (0..columns)
        .map(|column| {
            let values: Vec<&str> = seeds.iter().map(|seed| seed[column].as_str()).collect();
            if column > 0 && values.iter().all(|value| *value == values[0]) {
                return values[0].to_owned();
            }
            let shown: Vec<&str> = values
                .iter()
                .map(|value| if value.is_empty() { "–" } else { value })
                .collect();
            shown.join(" ")
        })
        .collect()
}

/// A table whose rows have several seeds side by side, from its column `seed` on, with a row a seed.
pub(crate) fn a_row_a_seed(text: &str) -> String {
    let mut rows = rows(text).into_iter();
    let head = rows.next().unwrap_or_default();
    // A setting of that name would come before.
    let first = head
        .iter()
        .rposition(|name| name == "seed")
        .unwrap_or(head.len());
    let mut csv = Csv::of(&head);
    for row in rows {
        let seeds = row.get(first).map_or(1, |seeds| seeds.split(' ').count());
        for place in 0..seeds {
            let field = |(column, field): (usize, &String)| {
                let values: Vec<&str> = field.split(' ').collect();
                let own = column >= first && values.len() == seeds;
                let value = if own { values[place] } else { field.as_str() };
                if value == "–" {
                    String::new()
                } else {
                    value.to_owned()
                }
            };
            csv.row(&row.iter().enumerate().map(field).collect::<Vec<String>>());
        }
    }
    csv.text()
}

/// The fields of a table that [`Csv`] wrote, by row.
fn rows(text: &str) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let (mut row, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut field)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut field));
                rows.push(std::mem::take(&mut row));
            }
            letter => field.push(letter),
        }
    }
    rows
}

/// A number with all its digits, or nothing where there is none.
pub(crate) fn number(value: Option<f64>) -> String {
    value.map_or_else(String::new, |v| v.to_string())
}

/// A measured number with four significant digits, the minus sign a hyphen, or nothing.
pub(crate) fn measured(value: Option<f64>) -> String {
    value.map_or_else(String::new, |v| significant(v, 4).replace('\u{2212}', "-"))
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
