//! The groups of a sweep as written: each plain setting, each `zip`, and the `points`; counted before any value is made.

use std::collections::BTreeMap;

use runs::Spanned;
use runs::number::Count;

use crate::diagnostic::{Draft, Mistake, Span};
use crate::schema::{Progression, Scalar, Sweep, Values};

/// Settings that vary together.
pub(super) struct Group<'a> {
    pub(super) settings: Vec<Setting<'a>>,
    pub(super) rows: u128,
    pub(super) is_zip: bool,
    pub(super) span: Span,
}

impl Group<'_> {
    pub(super) fn counted(&self) -> String {
        let names: Vec<&str> = self.settings.iter().map(|setting| setting.name).collect();
        format!("{} {}", self.rows, names.join(" with "))
    }
}

/// A setting of a group.
pub(super) struct Setting<'a> {
    /// As it is written.
    pub(super) name: &'a str,
    pub(super) key: Span,
    pub(super) column: Column<'a>,
}

/// The values of one setting of a group.
pub(super) enum Column<'a> {
    /// As many as the group has rows.
    Distinct(&'a Spanned<Values>),
    /// One in each row, equal ones among them.
    InZip(&'a Spanned<Values>),
    /// One of each point, equal ones among them.
    OfPoints(Vec<&'a Spanned<Scalar>>),
}

/// The entries of a mapping in the order of the file.
fn in_order<T>(entries: &BTreeMap<String, Spanned<T>>) -> Vec<(&str, &Spanned<T>)> {
    let mut entries: Vec<(&str, &Spanned<T>)> = entries
        .iter()
        .map(|(name, value)| (name.as_str(), value))
        .collect();
    entries.sort_by_key(|(_, value)| value.key);
    entries
}

/// The groups as written: each plain setting, each zip, and the points.
pub(super) fn groups<'a>(sweep: &'a Sweep, mistakes: &mut Vec<Draft>) -> Vec<Group<'a>> {
    let mut groups = Vec::new();
    for (name, values) in &sweep.values {
        if let Some(rows) = rows(name, values, mistakes) {
            groups.push(Group {
                settings: vec![Setting {
                    name,
                    key: values.key,
                    column: Column::Distinct(values),
                }],
                rows,
                is_zip: false,
                span: values.span,
            });
        }
    }
    for zip in &sweep.zip {
        let settings = in_order(zip);
        let counts: Vec<(u128, &str, Span)> = settings
            .iter()
            .filter_map(|(name, values)| Some((rows(name, values, mistakes)?, *name, values.span)))
            .collect();
        let Some(&(rows, first, first_span)) = counts.first() else {
            mistakes.push(
                Draft::error(Mistake::ZipLengths, "an empty `zip`")
                    .at(zip.span, "no settings")
                    .help("give settings with equally many values, or remove it"),
            );
            continue;
        };
        if let Some((other, name, span)) = counts.iter().find(|(count, ..)| *count != rows) {
            mistakes.push(
                Draft::error(
                    Mistake::ZipLengths,
                    format!("`zip` of {rows} values of `{first}` and {other} of `{name}`"),
                )
                .at(*span, format!("{other} values"))
                .also(first_span, format!("{rows} values"))
                .help("settings that vary together have equally many values"),
            );
            continue;
        }
        let setting = |(name, values): (&'a str, &'a Spanned<Values>)| Setting {
            name,
            key: values.key,
            column: Column::InZip(values),
        };
        groups.push(Group {
            settings: settings.into_iter().map(setting).collect(),
            rows,
            is_zip: true,
            span: zip.span,
        });
    }
    groups.extend(listed_points(&sweep.points, mistakes));
    groups
}

/// The `points`: all give values for the same settings.
fn listed_points<'a>(
    points: &'a [Spanned<BTreeMap<String, Spanned<Scalar>>>],
    mistakes: &mut Vec<Draft>,
) -> Option<Group<'a>> {
    let first = points.first()?;
    let settings = in_order(first);
    let mut columns: Vec<Vec<&Spanned<Scalar>>> = vec![Vec::new(); settings.len()];
    for point in points {
        for ((name, in_first), cells) in settings.iter().zip(&mut columns) {
            match point.get(*name) {
                Some(value) => cells.push(value),
                None => mistakes.push(
                    Draft::error(Mistake::PointsDiffer, format!("a point without `{name}`"))
                        .at(point.span, "lacks it")
                        .also(in_first.key, "the first point has it")
                        .help("every point gives a value for the same settings"),
                ),
            }
        }
        for (name, extra) in point.iter().filter(|(name, _)| !first.contains_key(*name)) {
            mistakes.push(
                Draft::error(
                    Mistake::PointsDiffer,
                    format!("only some points give `{name}`"),
                )
                .at(extra.key, "the first point does not")
                .help("every point gives a value for the same settings"),
            );
        }
    }
    let mut first_with: BTreeMap<Vec<String>, usize> = BTreeMap::new();
    for (index, point) in points.iter().enumerate() {
        let values = settings.iter().filter_map(|(name, _)| point.get(*name));
        let texts = values.map(|value| value.rounded().to_string());
        let other = *first_with.entry(texts.collect()).or_insert(index);
        if other != index {
            mistakes.push(
                Draft::error(Mistake::PointTwice, "the same point twice")
                    .at(point.span, "again here")
                    .also(points[other].span, "first here"),
            );
        }
    }
    let settings = settings.into_iter().zip(columns);
    Some(Group {
        settings: settings
            .map(|((name, in_first), cells)| Setting {
                name,
                key: in_first.key,
                column: Column::OfPoints(cells),
            })
            .collect(),
        rows: points.len() as u128,
        is_zip: false,
        span: first.span,
    })
}

/// The different values among the cells of a column, and which of them each cell has.
pub(super) fn distinct<'a>(
    cells: impl IntoIterator<Item = &'a Spanned<Scalar>>,
) -> (Vec<Spanned<Scalar>>, Vec<usize>) {
    let mut values: Vec<Spanned<Scalar>> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let rows = cells
        .into_iter()
        .map(|cell| {
            let value = cell.with(cell.rounded());
            *places.entry(value.to_string()).or_insert_with(|| {
                values.push(value);
                values.len() - 1
            })
        })
        .collect();
    (values, rows)
}

/// How many values a setting has; none, or a rule that gives none, is a mistake.
fn rows(name: &str, values: &Spanned<Values>, mistakes: &mut Vec<Draft>) -> Option<u128> {
    match count(values) {
        Ok(0) => {
            mistakes.push(
                Draft::error(
                    Mistake::EmptySweep,
                    format!("the sweep over `{name}` is empty"),
                )
                .at(values.span, "no values")
                .help("give at least one value, or remove the line"),
            );
            None
        }
        Ok(count) => Some(count),
        Err(draft) => {
            mistakes.push(draft);
            None
        }
    }
}

/// How many values a setting has, without making them.
fn count(values: &Values) -> Result<u128, Draft> {
    Ok(match values {
        Values::List(list) => list.len() as u128,
        Values::Progression(Progression::PowersOfTwo(ends)) => {
            let [from, to] = (**ends).map(Count::get);
            let doublings = to.checked_div(from).unwrap_or(0);
            if from.checked_mul(doublings) != Some(to) || !doublings.is_power_of_two() {
                return Err(Draft::error(
                    Mistake::PowersOfTwo,
                    format!("`powers_of_two`: doubling {from} never gives {to}"),
                )
                .at(ends.span, "[from, to]")
                .help(
                    "the second number must be the first one doubled some times, as in [16, 256]",
                ));
            }
            u128::from(doublings.trailing_zeros()) + 1
        }
        Values::Progression(Progression::Geometric(rule)) => u128::from(rule.count.get()),
        Values::Progression(Progression::Linear(rule)) => u128::from(rule.count.get()),
    })
}
