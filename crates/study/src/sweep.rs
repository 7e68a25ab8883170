//! The points of a sweep: which setting each name means, its values, and their canonical names.

use std::collections::{BTreeMap, BTreeSet};

use crate::decode::keys_of;
use crate::diagnostic::{Draft, Span, did_you_mean};
use crate::grid::{Axis, Conditions, Grid};
use crate::schema::{Kfac, Optimizer, Progression, Sgd, Sweep, Train, Values};
use crate::settings::path_in_settings;
use crate::yaml::{Entry, Node, Value};

/// Runs that one stage may expand to.
pub(crate) const MOST_RUNS: u128 = 1_000_000;

/// One swept setting with its values, as written.
pub(crate) struct Range {
    /// The shortest name of the setting.
    pub(crate) name: String,
    /// Where the setting is in `train`.
    pub(crate) path: Vec<String>,
    pub(crate) key_span: Span,
    pub(crate) values: Vec<Node>,
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

/// Where a swept setting goes; `None` after noting a mistake, or where one has been noted.
pub(crate) type Resolve<'a> = &'a dyn Fn(&Entry, &mut Vec<Draft>) -> Option<Vec<String>>;

/// What a stage is run over; counted before any value is made.
pub(crate) fn grid(
    stage: &str,
    node: &Node,
    sweep: &Sweep,
    resolve: Resolve<'_>,
    mistakes: &mut Vec<Draft>,
) -> Option<Grid> {
    let before = mistakes.len();
    let groups = groups(node, sweep, mistakes);
    let product = groups
        .iter()
        .fold(1_u128, |product, group| product.saturating_mul(group.rows));
    if product > MOST_RUNS {
        let shown: Vec<String> = groups.iter().map(Group::counted).collect();
        let largest = groups
            .iter()
            .max_by_key(|group| group.rows)
            .map_or(node.span, |group| group.span);
        mistakes.push(
            Draft::error(format!(
                "`{stage}` comes to {product} runs: {}",
                shown.join(" x ")
            ))
            .at(largest, "the most values")
            .help(format!("at most {MOST_RUNS} runs; sweep over fewer values")),
        );
    }
    if mistakes.len() > before {
        return None;
    }
    let mut ranges: Vec<Range> = Vec::new();
    let mut axes: Vec<Axis> = Vec::new();
    for group in groups {
        let mut settings = Vec::new();
        for (entry, values) in group.settings {
            let Some(path) = resolve(entry, mistakes) else {
                continue;
            };
            let name = short_name(&path);
            let (values, rows) = match values {
                Column::Distinct(values) => {
                    let values = points(&entry.node, values);
                    let rows = (0..values.len()).collect();
                    (values, rows)
                }
                Column::InZip(values) => distinct(&points(&entry.node, values)),
                Column::OfPoints(cells) => distinct(cells),
            };
            let range = Range {
                name,
                path,
                key_span: entry.key_span,
                values,
            };
            for value in &range.values {
                check_text(&range.name, value, mistakes);
            }
            check_distinct(&range, mistakes);
            if let Some(other) = ranges
                .iter()
                .find(|other| overlap(&other.path, &range.path))
            {
                mistakes.push(
                    Draft::error(if other.name == entry.key {
                        format!("`{}` is swept twice", entry.key)
                    } else {
                        format!("`{}` and `{}` set the same thing", other.name, entry.key)
                    })
                    .at(entry.key_span, "again here")
                    .also(other.key_span, "first here"),
                );
            }
            settings.push((range.name.clone(), rows));
            ranges.push(range);
        }
        let rows = group.rows as usize;
        // Of one setting, and of points, that has been told.
        let is_zip = group.is_zip && mistakes.len() == before;
        let mut seen = BTreeSet::new();
        let row = |row: usize| -> Vec<usize> { settings.iter().map(|(_, at)| at[row]).collect() };
        if let Some(again) = (0..rows).find(|&at| is_zip && !seen.insert(row(at))) {
            mistakes.push(
                Draft::error(format!(
                    "row {} of a `zip` is one of those before it",
                    again + 1
                ))
                .at(group.span, "rows that are equal")
                .help("every row is a point of its own"),
            );
        }
        axes.push(Axis { settings, rows });
    }
    if mistakes.len() > before {
        return None;
    }
    ranges.sort_by(|a, b| a.name.cmp(&b.name));
    let grid = Grid::new(ranges, axes);
    let conditions = Conditions::read(node, &grid, mistakes);
    if mistakes.len() > before {
        return None;
    }
    let grid = grid.filtered(stage, &conditions, mistakes);
    (!mistakes[before..].iter().any(Draft::is_error)).then_some(grid)
}

/// Settings that vary together.
struct Group<'a> {
    settings: Vec<(&'a Entry, Column<'a>)>,
    rows: u128,
    is_zip: bool,
    span: Span,
}

impl Group<'_> {
    fn counted(&self) -> String {
        let names: Vec<&str> = self
            .settings
            .iter()
            .map(|(entry, _)| entry.key.as_str())
            .collect();
        format!("{} {}", self.rows, names.join(" with "))
    }
}

/// The values of one setting of a group.
enum Column<'a> {
    /// As many as the group has rows.
    Distinct(&'a Values),
    /// One in each row, equal ones among them.
    InZip(&'a Values),
    /// One of each point, equal ones among them.
    OfPoints(Vec<&'a Node>),
}

/// The groups as written: each plain setting, each zip, and the points.
fn groups<'a>(node: &'a Node, sweep: &'a Sweep, mistakes: &mut Vec<Draft>) -> Vec<Group<'a>> {
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
fn distinct<'a>(cells: impl IntoIterator<Item = &'a Node>) -> (Vec<Node>, Vec<usize>) {
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

/// The list under a key.
pub(crate) fn items<'a>(node: &'a Node, key: &str) -> &'a [Node] {
    match node.get(key).map(|list| &list.value) {
        Some(Value::Sequence(items)) => items,
        _ => &[],
    }
}

/// Whether one setting is the other, or a part of it.
fn overlap(a: &[String], b: &[String]) -> bool {
    path_in_settings(a)
        .iter()
        .zip(path_in_settings(b))
        .all(|(a, b)| *a == b)
}

/// The values, numbers rounded to 12 significant digits.
fn points(node: &Node, values: &Values) -> Vec<Node> {
    let at = |value| Node {
        span: node.span,
        value,
    };
    match values {
        Values::List(_) => match &node.value {
            Value::Sequence(items) => items.iter().map(exact).collect(),
            _ => unreachable!("a list of values was decoded from a list"),
        },
        Values::Progression(Progression::PowersOfTwo([from, to])) => {
            std::iter::successors(Some(from.get()), |value| value.checked_mul(2))
                .take_while(|value| *value <= to.get())
                .map(|value| at(Value::Integer(i128::from(value))))
                .collect()
        }
        Values::Progression(Progression::Geometric(rule)) => (0..rule.count.get())
            .map(|i| {
                at(Value::Float(rounded(
                    rule.from.get() * power(rule.ratio.get(), i),
                )))
            })
            .collect(),
        Values::Progression(Progression::Linear(rule)) => (0..rule.count.get())
            .map(|i| {
                at(Value::Float(rounded(
                    rule.from.get() + rule.step.get() * i as f64,
                )))
            })
            .collect(),
    }
}

/// A value as it is used: a number rounded.
pub(crate) fn exact(value: &Node) -> Node {
    match value.value {
        Value::Float(number) => Node {
            span: value.span,
            value: Value::Float(rounded(number)),
        },
        _ => value.clone(),
    }
}

/// By squaring and multiplying: the same bits on every platform, unlike `powi`.
fn power(base: f64, mut exponent: u64) -> f64 {
    let (mut result, mut square) = (1.0, base);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result *= square;
        }
        square *= square;
        exponent >>= 1;
    }
    result
}

/// To 12 significant digits, so that `0.1 * 3` and `0.3` are one value.
pub(crate) fn rounded(number: f64) -> f64 {
    format!("{number:.11e}")
        .parse()
        .expect("a formatted number parses")
}

/// Where in `train` the setting is that a sweep names.
pub(crate) fn path_in_train(
    entry: &Entry,
    train: &Node,
    mistakes: &mut Vec<Draft>,
) -> Option<Vec<String>> {
    let name = entry.key.as_str();
    let own: Vec<&str> = keys_of::<Train>()
        .iter()
        .copied()
        .filter(|key| !matches!(*key, "dataset" | "configuration" | "optimizer"))
        .collect();
    let (method, of_optimizer) = method_keys(train);
    if method.is_none() && train.get("optimizer").is_some() && in_some_optimizer(name) {
        // The optimizer has a mistake of its own; what it takes is not known.
        return None;
    }
    let path: Vec<&str> = if name.contains('.') {
        name.split('.').collect()
    } else if own.contains(&name) {
        vec![name]
    } else if of_optimizer.contains(&name) {
        vec!["optimizer", method.unwrap_or_default(), name]
    } else if matches!(name, "dataset" | "configuration" | "optimizer") {
        mistakes.push(
            Draft::error(format!("`{name}` cannot be swept"))
                .at(entry.key_span, "here")
                .help("write one stage for each, the second as `like: FIRST`"),
        );
        return None;
    } else {
        mistakes.push(
            Draft::error(format!("no such setting `{name}`"))
                .at(
                    entry.key_span,
                    match method {
                        Some(method) => format!("not a setting of `train` or of `{method}`"),
                        None => "not a setting of `train`".to_owned(),
                    },
                )
                .help(did_you_mean(name, own.iter().chain(of_optimizer).copied())),
        );
        return None;
    };
    Some(path.into_iter().map(str::to_owned).collect())
}

/// The method that `train` names, with its settings.
fn method_keys(train: &Node) -> (Option<&'static str>, &'static [&'static str]) {
    let Some(optimizer) = train.get("optimizer") else {
        return (None, &[]);
    };
    let word = optimizer
        .text()
        .or_else(|| optimizer.entries().first().map(|entry| entry.key.as_str()));
    let method = Optimizer::METHODS
        .into_iter()
        .find(|method| Some(*method) == word);
    match method {
        Some("sgd") => (method, keys_of::<Sgd>()),
        Some("kfac") => (method, keys_of::<Kfac>()),
        _ => (method, &[]),
    }
}

fn in_some_optimizer(name: &str) -> bool {
    keys_of::<Sgd>().contains(&name) || keys_of::<Kfac>().contains(&name)
}

fn short_name(path: &[String]) -> String {
    match path {
        [optimizer, _, name] if optimizer == "optimizer" => name.clone(),
        _ => path.join("."),
    }
}

/// A value's name in coordinates: the same for `1e-3` and `0.001`.
pub(crate) fn text_of(value: &Node) -> String {
    match &value.value {
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number_text(*number),
        Value::Bool(flag) => flag.to_string(),
        Value::Text(text) => text.clone(),
        Value::Null | Value::Sequence(_) | Value::Mapping(_) => {
            unreachable!("values of a sweep are scalars")
        }
    }
}

/// A number as few digits as it takes.
pub(crate) fn number_text(number: f64) -> String {
    if number != 0.0 && !(1e-6..1e15).contains(&number.abs()) {
        format!("{number:e}")
    } else {
        number.to_string()
    }
}

fn check_text(name: &str, value: &Node, mistakes: &mut Vec<Draft>) {
    if let Value::Text(text) = &value.value
        && !text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
    {
        mistakes.push(
            Draft::error(format!("`{text}` is no value for `{name}`")).at(value.span, "not a word"),
        );
    }
}

fn check_distinct(range: &Range, mistakes: &mut Vec<Draft>) {
    let mut seen = BTreeMap::new();
    for value in &range.values {
        let text = text_of(value);
        if let Some(first) = seen.insert(text.clone(), value.span) {
            let draft = Draft::error(format!("`{}` takes the value {text} twice", range.name));
            mistakes.push(if first == value.span {
                draft.at(value.span, "its values are not distinct")
            } else {
                draft.at(value.span, "again here").also(first, "first here")
            });
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_rounded_to_twelve_digits() {
        assert_eq!(rounded(0.1 * 3.0).to_bits(), 0.3_f64.to_bits());
        assert_eq!(
            rounded(1e-3 * 3.0 * 3.0 * 3.0).to_bits(),
            0.027_f64.to_bits()
        );
        assert_eq!(
            rounded(123_456_789_012.4).to_bits(),
            123_456_789_012_f64.to_bits()
        );
        assert_eq!(rounded(0.0).to_bits(), 0.0_f64.to_bits());
    }

    #[test]
    fn powers_are_products() {
        for exponent in 0..20 {
            let product: f64 = (0..exponent).map(|_| 3.0).product();
            assert_eq!(
                power(3.0, exponent).to_bits(),
                product.to_bits(),
                "exact: below 2^53"
            );
        }
    }

    #[test]
    fn a_value_has_one_name_however_it_is_written() {
        let text = |value| {
            text_of(&Node {
                span: Span { start: 0, end: 0 },
                value,
            })
        };
        assert_eq!(text(Value::Float(1e-3)), "0.001");
        assert_eq!(text(Value::Float(16.0)), "16");
        assert_eq!(text(Value::Integer(16)), "16");
        assert_eq!(text(Value::Float(1e-7)), "1e-7");
        assert_eq!(text(Value::Float(2.5e20)), "2.5e20");
        assert_eq!(text(Value::Text("resnet20".to_owned())), "resnet20");
    }
}
