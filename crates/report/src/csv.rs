//! A figure's numbers as comma-separated values, for whoever wants to draw it
//! anew. Source: RFC 4180; lines end in a single line feed.
//!
//! A page holds many large tables whose rows repeat most of the row above, so there a blank field is as
//! above and a hyphen is nothing (a text that is a hyphen has an apostrophe before it, as one that begins like
//! a formula has). The files beside the page, and the downloads, say every field: [`spelled_out`].

use std::borrow::Cow;

use crate::draw::number::significant;

/// A table of a page under way.
pub(crate) struct Csv {
    text: String,
    /// The last row; none below the names of the columns.
    above: Option<Vec<String>>,
}

impl Csv {
    /// A table with its column names.
    pub(crate) fn new<const N: usize>(columns: [&str; N]) -> Self {
        Self::of(&columns.map(str::to_string))
    }

    /// A table whose columns depend on the study.
    pub(crate) fn of(columns: &[String]) -> Self {
        let mut text = String::new();
        line(&mut text, columns);
        Csv { text, above: None }
    }

    /// One more row.
    pub(crate) fn row(&mut self, fields: &[String]) {
        for (index, field) in fields.iter().enumerate() {
            if index > 0 {
                self.text.push(',');
            }
            let above = self.above.as_ref().and_then(|above| above.get(index));
            match field.as_str() {
                same if above.is_some_and(|above| above == same) => {}
                "" => self.text.push('-'),
                other => escaped(&mut self.text, other),
            }
        }
        self.text.push('\n');
        fields.clone_into(self.above.get_or_insert_default());
    }

    /// The whole table.
    pub(crate) fn text(self) -> String {
        self.text
    }
}

/// Rows with every field as it is.
pub(crate) fn plain<S: AsRef<str>>(rows: &[Vec<S>]) -> String {
    let mut text = String::new();
    for row in rows {
        line(&mut text, row);
    }
    text
}

fn line<S: AsRef<str>>(text: &mut String, fields: &[S]) {
    for (index, field) in fields.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        escaped(text, field.as_ref());
    }
    text.push('\n');
}

fn escaped(text: &mut String, field: &str) {
    // A spreadsheet would run text that begins like a formula.
    let formula =
        field.starts_with(['=', '+', '-', '@', '\t', '\r']) && field.parse::<f64>().is_err();
    if formula || field.starts_with('\'') || field.contains(['"', ',', '\n', '\r']) {
        text.push('"');
        if formula {
            text.push('\'');
        }
        text.push_str(&field.replace('"', "\"\""));
        text.push('"');
    } else {
        text.push_str(field);
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

/// A page's table with every field said; `of_seeds`: with a row a seed where a row has several side by side.
pub(crate) fn spelled_out(text: &str, of_seeds: bool) -> String {
    let mut rows = rows(text);
    for index in 1..rows.len() {
        let (done, rest) = rows.split_at_mut(index);
        for (column, field) in rest[0].iter_mut().enumerate() {
            match &**field {
                "" => field.clone_from(&done[index - 1][column]),
                "-" => *field = Cow::Borrowed(""),
                _ => {}
            }
        }
    }
    if of_seeds {
        plain(&a_row_a_seed(&rows))
    } else {
        plain(&rows)
    }
}

/// A row a seed of rows that have several seeds side by side, from the column `seed` on.
fn a_row_a_seed<'r>(rows: &'r [Vec<Cow<'_, str>>]) -> Vec<Vec<&'r str>> {
    // A setting of that name would come before.
    let first = rows.first().map_or(0, |head| {
        let seed = head.iter().rposition(|name| name == "seed");
        seed.unwrap_or(head.len())
    });
    let mut single = Vec::new();
    for row in rows {
        let seeds = row.get(first).map_or(1, |seeds| seeds.split(' ').count());
        for place in 0..seeds {
            let field = |(column, field): (usize, &'r Cow<'_, str>)| -> &'r str {
                if column < first {
                    return field;
                }
                let several = field.split(' ').count() == seeds;
                let own = field.split(' ').nth(place).filter(|_| several);
                let value = own.unwrap_or(field);
                if value == "–" { "" } else { value }
            };
            single.push(row.iter().enumerate().map(field).collect());
        }
    }
    single
}

/// The fields of a table that [`Csv`] wrote, by row.
fn rows(text: &str) -> Vec<Vec<Cow<'_, str>>> {
    let mut rows = Vec::new();
    let mut row = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = if let Some(quoted) = rest.strip_prefix('"') {
            let end = closing(quoted);
            row.push(Cow::Owned(quoted[..end].replace("\"\"", "\"")));
            // Both quotes.
            end + 2
        } else {
            let end = rest.find([',', '\n']).unwrap_or(rest.len());
            row.push(Cow::Borrowed(&rest[..end]));
            end
        };
        if !rest[end..].starts_with(',') {
            rows.push(std::mem::take(&mut row));
        }
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    rows
}

/// Where the quote stands that ends a quoted field: two in a row are one of its letters.
fn closing(quoted: &str) -> usize {
    let mut from = 0;
    loop {
        let quotes = quoted[from..].find('"').map(|at| from + at);
        let quote = quotes.expect("the page's tables close their quotes");
        if !quoted[quote + 1..].starts_with('"') {
            return quote;
        }
        from = quote + 2;
    }
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
    fn what_a_page_leaves_out_is_said_again() {
        let mut csv = Csv::new(["name", "value", "note"]);
        let rows = [
            ["plain", "-1.5", ""],
            ["plain", "", ""],
            ["a,\"b\"\nc", "", "-"],
            ["=HYPERLINK(1)", "3", "-"],
            ["", "3", "'"],
        ]
        .map(|row| row.map(str::to_owned));
        for row in &rows {
            csv.row(row);
        }
        let text = csv.text();
        assert_eq!(
            text,
            "name,value,note\nplain,-1.5,-\n,-,\n\"a,\"\"b\"\"\nc\",,\"'-\"\n\
             \"'=HYPERLINK(1)\",3,\n-,,\"'\"\n"
        );
        assert_eq!(
            spelled_out(&text, false),
            "name,value,note\nplain,-1.5,\nplain,,\n\"a,\"\"b\"\"\nc\",,\"'-\"\n\
             \"'=HYPERLINK(1)\",3,\"'-\"\n,3,\"'\"\n"
        );
    }

    #[test]
    fn seeds_side_by_side_become_a_row_each() {
        let mut csv = Csv::new(["stage", "seed", "outcome", "by"]);
        let seeds = |rows: &[[&str; 3]]| -> Vec<String> {
            let rows = rows.iter().map(|row| row.map(str::to_owned).to_vec());
            let stage = std::iter::once("–".to_owned());
            stage.chain(side_by_side(rows)).collect()
        };
        csv.row(&seeds(&[["0", "reached", "12"], ["1", "diverged", ""]]));
        csv.row(&seeds(&[["0", "diverged", ""], ["1", "diverged", ""]]));
        let text = csv.text();
        assert_eq!(
            text,
            "stage,seed,outcome,by\n–,0 1,reached diverged,12 –\n,,diverged,-\n"
        );
        assert_eq!(
            spelled_out(&text, true),
            "stage,seed,outcome,by\n–,0,reached,12\n–,1,diverged,\n–,0,diverged,\n–,1,diverged,\n"
        );
    }
}
