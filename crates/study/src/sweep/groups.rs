//! The groups of a sweep as written: each plain setting, each `zip`, and the `points`; counted before any value is made.

use std::collections::BTreeMap;

use super::items;
use super::values::{exact, text_of};
use crate::diagnostic::{Draft, Span};
use crate::schema::{Progression, Sweep, Values};
use crate::yaml::{Entry, Node};

/// Settings that vary together.
pub(super) struct Group<'a> {
    pub(super) settings: Vec<(&'a Entry, Column<'a>)>,
    pub(super) rows: u128,
    pub(super) is_zip: bool,
    pub(super) span: Span,
}

impl Group<'_> {
    pub(super) fn counted(&self) -> String {
        let names: Vec<&str> = self
            .settings
            .iter()
            .map(|(entry, _)| entry.key.as_str())
            .collect();
        format!("{} {}", self.rows, names.join(" with "))
    }
}

/// The values of one setting of a group.
pub(super) enum Column<'a> {
    /// As many as the group has rows.
    Distinct(&'a Values),
    /// One in each row, equal ones among them.
    InZip(&'a Values),
    /// One of each point, equal ones among them.
    OfPoints(Vec<&'a Node>),
}

/// The groups as written: each plain setting, each zip, and the points.
pub(super) fn groups<'a>(
    node: &'a Node,
    sweep: &'a Sweep,
    mistakes: &mut Vec<Draft>,
) -> Vec<Group<'a>> {
    let mut groups = Vec::new();
    for entry in node.entries() {
        if let Some(values) = sweep.values.get(&entry.key)
            && let Some(rows) = rows(entry, values, mistakes)
        {
            groups.push(Group {
                settings: vec![(entry, Column::Distinct(values))],
                rows,
                is_zip: false,
                span: entry.node.span,
            });
        }
    }
    for (written, zip) in items(node, "zip").iter().zip(&sweep.zip) {
        let settings: Vec<(&Entry, &Values)> = written
            .entries()
            .iter()
            .filter_map(|entry| Some((entry, zip.get(&entry.key)?)))
            .collect();
        let counts: Vec<(u128, &Entry)> = settings
            .iter()
            .filter_map(|(entry, values)| Some((rows(entry, values, mistakes)?, *entry)))
            .collect();
        let Some(&(rows, first)) = counts.first() else {
            mistakes.push(
                Draft::error("a `zip` of nothing")
                    .at(written.span, "no settings")
                    .help("give settings with equally many values, or remove it"),
            );
            continue;
        };
        if let Some((other, entry)) = counts.iter().find(|(count, _)| *count != rows) {
            mistakes.push(
                Draft::error(format!(
                    "`zip` of {rows} values of `{}` and {other} of `{}`",
                    first.key, entry.key
                ))
                .at(entry.node.span, format!("{other} values"))
                .also(first.node.span, format!("{rows} values"))
                .help("settings that vary together have equally many values"),
            );
            continue;
        }
        groups.push(Group {
            settings: settings
                .into_iter()
                .map(|(entry, values)| (entry, Column::InZip(values)))
                .collect(),
            rows,
            is_zip: true,
            span: written.span,
        });
    }
    groups.extend(listed_points(items(node, "points"), mistakes));
    groups
}

/// The `points`: all give values for the same settings.
fn listed_points<'a>(points: &'a [Node], mistakes: &mut Vec<Draft>) -> Option<Group<'a>> {
    let first = points.first()?;
    let mut settings: Vec<(&Entry, Vec<&Node>)> = first
        .entries()
        .iter()
        .map(|entry| (entry, Vec::new()))
        .collect();
    for point in points {
        for (entry, cells) in &mut settings {
            match point.get(&entry.key) {
                Some(value) => cells.push(value),
                None => mistakes.push(
                    Draft::error(format!("a point without `{}`", entry.key))
                        .at(point.span, "lacks it")
                        .also(entry.key_span, "the first point has it")
                        .help("every point gives a value for the same settings"),
                ),
            }
        }
        for extra in point.entries() {
            if first.get(&extra.key).is_none() {
                mistakes.push(
                    Draft::error(format!("only some points give `{}`", extra.key))
                        .at(extra.key_span, "the first point does not")
                        .help("every point gives a value for the same settings"),
                );
            }
        }
    }
    let texts: Vec<Vec<String>> = points
        .iter()
        .map(|point| {
            settings
                .iter()
                .filter_map(|(entry, _)| point.get(&entry.key).map(|node| text_of(&exact(node))))
                .collect()
        })
        .collect();
    let mut first_with: BTreeMap<&Vec<String>, usize> = BTreeMap::new();
    for (index, text) in texts.iter().enumerate() {
        let other = *first_with.entry(text).or_insert(index);
        if other != index {
            mistakes.push(
                Draft::error("the same point twice")
                    .at(points[index].span, "again here")
                    .also(points[other].span, "first here"),
            );
        }
    }
    Some(Group {
        settings: settings
            .into_iter()
            .map(|(entry, cells)| (entry, Column::OfPoints(cells)))
            .collect(),
        rows: points.len() as u128,
        is_zip: false,
        span: first.span,
    })
}

/// The different values among the cells of a column, and which of them each cell has.
pub(super) fn distinct<'a>(cells: impl IntoIterator<Item = &'a Node>) -> (Vec<Node>, Vec<usize>) {
    let mut values: Vec<Node> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let rows = cells
        .into_iter()
        .map(|cell| {
            let cell = exact(cell);
            *places.entry(text_of(&cell)).or_insert_with(|| {
                values.push(cell);
                values.len() - 1
            })
        })
        .collect();
    (values, rows)
}

/// How many values a setting has; none, or a rule that gives none, is a mistake.
fn rows(entry: &Entry, values: &Values, mistakes: &mut Vec<Draft>) -> Option<u128> {
    match count(&entry.node, values) {
        Ok(0) => {
            mistakes.push(
                Draft::error(format!("the sweep over `{}` is empty", entry.key))
                    .at(entry.node.span, "no values")
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
fn count(node: &Node, values: &Values) -> Result<u128, Draft> {
    Ok(match values {
        Values::List(list) => list.len() as u128,
        Values::Progression(Progression::PowersOfTwo([from, to])) => {
            let doublings = to.get().checked_div(from.get()).unwrap_or(0);
            if from.get().checked_mul(doublings) != Some(to.get()) || !doublings.is_power_of_two() {
                return Err(Draft::error(format!(
                    "`powers_of_two` from {} never comes to {}",
                    from.get(),
                    to.get()
                ))
                .at(
                    node.get("powers_of_two")
                        .map_or(node.span, |list| list.span),
                    "[from, to]",
                )
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
