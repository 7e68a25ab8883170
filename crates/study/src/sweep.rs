//! The points of a sweep: which setting each name means, its values, and their canonical names.

mod groups;
mod setting;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use runs::Spanned;

pub(crate) use setting::path_in_train;

use crate::diagnostic::{Draft, Mistake, Span};
use crate::grid::{Axis, Conditions, Grid};
use crate::schema::{Scalar, Stage, Sweep};
use crate::settings::path_in_settings;
use groups::{Column, Group, Setting, distinct, groups};
use setting::short_name;
use values::points;

/// Runs that one stage may expand to.
pub(crate) const MOST_RUNS: u128 = 1_000_000;

/// One swept setting with its values, as written.
pub(crate) struct Range {
    /// The shortest name of the setting.
    pub(crate) name: String,
    /// Where the setting is in `train`.
    pub(crate) path: Vec<String>,
    pub(crate) key_span: Span,
    pub(crate) values: Vec<Spanned<Scalar>>,
}

/// Where a swept setting goes; `None` after noting a mistake, or where one has been noted.
pub(crate) type Resolve<'a> = &'a dyn Fn(&str, Span, &mut Vec<Draft>) -> Option<Vec<String>>;

/// What a stage is run over; one point where it has no sweep.
pub(crate) fn grid_of(
    name: &str,
    stage: &Stage,
    resolve: Resolve<'_>,
    mistakes: &mut Vec<Draft>,
) -> Option<Grid> {
    match &stage.sweep {
        Some(sweep) => grid(name, sweep, resolve, mistakes),
        None => Some(Grid::single()),
    }
}

/// The points of a sweep; counted before any value is made.
pub(crate) fn grid(
    stage: &str,
    sweep: &Spanned<Sweep>,
    resolve: Resolve<'_>,
    mistakes: &mut Vec<Draft>,
) -> Option<Grid> {
    let before = mistakes.len();
    let groups = groups(sweep, mistakes);
    let product = groups
        .iter()
        .fold(1_u128, |product, group| product.saturating_mul(group.rows));
    if product > MOST_RUNS {
        let shown: Vec<String> = groups.iter().map(Group::counted).collect();
        let largest = groups
            .iter()
            .max_by_key(|group| group.rows)
            .map_or(sweep.span, |group| group.span);
        mistakes.push(
            Draft::error(
                Mistake::TooManyRuns,
                format!("`{stage}` expands to {product} runs: {}", shown.join(" x ")),
            )
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
        for Setting { name, key, column } in group.settings {
            let Some(path) = resolve(name, key, mistakes) else {
                continue;
            };
            let (values, rows) = match column {
                Column::Distinct(values) => {
                    let values = points(values);
                    let rows = (0..values.len()).collect();
                    (values, rows)
                }
                Column::InZip(values) => distinct(&points(values)),
                Column::OfPoints(cells) => distinct(cells),
            };
            let range = Range {
                name: short_name(&path),
                path,
                key_span: key,
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
                    Draft::error(
                        Mistake::SweptTwice,
                        if other.name == name {
                            format!("`{name}` is swept twice")
                        } else {
                            format!("`{}` and `{name}` set the same thing", other.name)
                        },
                    )
                    .at(key, "again here")
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
                Draft::error(
                    Mistake::ZipRowTwice,
                    format!("row {} of a `zip` is the same as an earlier one", again + 1),
                )
                .at(group.span, "rows that are equal")
                .help("each row must differ from all others"),
            );
        }
        axes.push(Axis { settings, rows });
    }
    if mistakes.len() > before {
        return None;
    }
    ranges.sort_by(|a, b| a.name.cmp(&b.name));
    let grid = Grid::new(ranges, axes);
    let conditions = Conditions::read(sweep, &grid, mistakes);
    if mistakes.len() > before {
        return None;
    }
    let grid = grid.filtered(stage, &conditions, mistakes);
    Draft::are_warnings(&mistakes[before..]).then_some(grid)
}

/// Whether one setting is the other, or a part of it.
fn overlap(a: &[String], b: &[String]) -> bool {
    path_in_settings(a)
        .iter()
        .zip(path_in_settings(b))
        .all(|(a, b)| *a == b)
}

fn check_text(name: &str, value: &Spanned<Scalar>, mistakes: &mut Vec<Draft>) {
    if let Some(text) = value.word()
        && !text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
    {
        mistakes.push(
            Draft::error(Mistake::ValueNoWord, format!("`{text}` cannot be a value of `{name}`"))
                .at(value.span, "not a word")
                .help(
                    "values name runs and files: use letters, digits, `_`, `-` and `.`, and let the program, or a \
                     `case` in `run`, make of the word what it stands for",
                ),
        );
    }
}

fn check_distinct(range: &Range, mistakes: &mut Vec<Draft>) {
    let mut seen = BTreeMap::new();
    for value in &range.values {
        let text = value.to_string();
        if let Some(first) = seen.insert(text.clone(), value.span) {
            let draft = Draft::error(
                Mistake::ValueTwice,
                format!("`{}` takes the value {text} twice", range.name),
            );
            mistakes.push(if first == value.span {
                draft.at(value.span, "its values are not distinct")
            } else {
                draft.at(value.span, "again here").also(first, "first here")
            });
            return;
        }
    }
}
