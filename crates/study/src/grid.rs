//! Which combinations of a sweep's values are run.
//!
//! Every combination of its groups' rows, but for what `exclude` and `when` leave out. The order is that of
//! the names, the last fastest; it changes no result.

use runs::Spanned;

use crate::diagnostic::{Draft, Mistake, Span, did_you_mean};
use crate::schema::{Condition, Scalar, Sweep, Test};
use crate::sweep::Range;

/// The settings of a sweep and the combinations of their values.
pub(crate) struct Grid {
    /// Sorted by name.
    pub(crate) ranges: Vec<Range>,
    /// For each combination the place of each range's value among its values.
    places: Vec<u32>,
    count: usize,
}

/// Settings that vary together.
pub(crate) struct Axis {
    /// Names, with the place of each row's value among the setting's values.
    pub(crate) settings: Vec<(String, Vec<usize>)>,
    pub(crate) rows: usize,
}

impl Grid {
    /// No sweep: one combination of nothing.
    pub(crate) fn single() -> Self {
        Self {
            ranges: Vec::new(),
            places: Vec::new(),
            count: 1,
        }
    }

    /// Every combination of the axes' rows.
    pub(crate) fn new(ranges: Vec<Range>, mut axes: Vec<Axis>) -> Self {
        for axis in &mut axes {
            axis.settings.sort();
        }
        axes.sort_by(|a, b| a.settings.cmp(&b.settings));
        let count = axes.iter().map(|axis| axis.rows).product();
        let mut places = vec![0; count * ranges.len()];
        for index in 0..count {
            let mut rest = index;
            for axis in axes.iter().rev() {
                let row = rest % axis.rows;
                rest /= axis.rows;
                for (name, rows) in &axis.settings {
                    let at = ranges
                        .iter()
                        .position(|range| range.name == *name)
                        .expect("every setting of an axis has a range");
                    places[index * ranges.len() + at] = rows[row] as u32;
                }
            }
        }
        Self {
            ranges,
            places,
            count,
        }
    }

    /// How many combinations there are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// The combinations: for each range, the place of its value.
    pub(crate) fn points(&self) -> impl Iterator<Item = &[u32]> {
        let width = self.ranges.len();
        (0..self.count).map(move |index| &self.places[index * width..(index + 1) * width])
    }

    /// The different combinations of some of the ranges alone, each with how many points have it.
    pub(crate) fn projected(
        &self,
        matters: impl Fn(&Range) -> bool,
    ) -> Vec<(Vec<(&Range, usize)>, u64)> {
        let mut seen = std::collections::BTreeMap::<Vec<(usize, u32)>, u64>::new();
        for point in self.points() {
            let kept = point
                .iter()
                .enumerate()
                .filter(|(range, _)| matters(&self.ranges[*range]))
                .map(|(range, place)| (range, *place))
                .collect();
            *seen.entry(kept).or_default() += 1;
        }
        seen.into_iter()
            .map(|(point, count)| {
                let places = point
                    .into_iter()
                    .map(|(range, place)| (&self.ranges[range], place as usize))
                    .collect();
                (places, count)
            })
            .collect()
    }

    /// The range of this name.
    pub(crate) fn range(&self, name: &str) -> Option<&Range> {
        self.ranges.iter().find(|range| range.name == name)
    }

    /// Without what the conditions leave out.
    pub(crate) fn filtered(
        self,
        stage: &str,
        conditions: &Conditions,
        mistakes: &mut Vec<Draft>,
    ) -> Self {
        let mut effect = vec![false; conditions.rules.len()];
        let mut kept = Vec::new();
        for point in self.points() {
            let mut keep = true;
            for (rule, effect) in conditions.rules.iter().zip(&mut effect) {
                if rule.leaves_out(point) {
                    keep = false;
                    *effect = true;
                }
            }
            if keep {
                kept.extend_from_slice(point);
            }
        }
        for (rule, _) in conditions
            .rules
            .iter()
            .zip(effect)
            .filter(|(_, effect)| !effect)
        {
            mistakes.push(
                Draft::warning(
                    Mistake::ConditionWithoutEffect,
                    "this condition leaves nothing out",
                )
                .at(rule.span, "every combination stays")
                .help("check its values, or remove it"),
            );
        }
        if kept.is_empty()
            && self.count > 0
            && let Some(last) = conditions.rules.last()
        {
            mistakes.push(
                Draft::error(Mistake::NoRunLeft, format!("no run of `{stage}` is left"))
                    .at(last.span, "leaves out the last ones")
                    .help(format!("all {} combinations are left out", self.count)),
            );
        }
        if conditions.rules.is_empty() {
            return self;
        }
        Self {
            count: kept.len() / self.ranges.len().max(1),
            places: kept,
            ranges: self.ranges,
        }
    }
}

/// The `exclude` and `when` of a sweep.
pub(crate) struct Conditions {
    rules: Vec<Rule>,
}

/// Leaves out the combinations that fit `fits` and, if there is one, not `unless`.
struct Rule {
    fits: Fits,
    unless: Option<Fits>,
    span: Span,
}

/// For some ranges, which of their values fit.
type Fits = Vec<(usize, Vec<bool>)>;

fn fit(fits: &Fits, point: &[u32]) -> bool {
    fits.iter()
        .all(|(range, allowed)| allowed[point[*range] as usize])
}

impl Rule {
    fn leaves_out(&self, point: &[u32]) -> bool {
        fit(&self.fits, point)
            && !self
                .unless
                .as_ref()
                .is_some_and(|unless| fit(unless, point))
    }
}

impl Conditions {
    /// Those of a sweep.
    pub(crate) fn read(sweep: &Sweep, grid: &Grid, mistakes: &mut Vec<Draft>) -> Self {
        let mut rules = Vec::new();
        for exclude in &sweep.exclude {
            rules.push(Rule {
                fits: fits(exclude, grid, mistakes),
                unless: None,
                span: exclude.span,
            });
        }
        for when in &sweep.when {
            rules.push(Rule {
                fits: fits(&when.fits, grid, mistakes),
                unless: Some(fits(&when.then, grid, mistakes)),
                span: when.span,
            });
        }
        Self { rules }
    }
}

/// Which values of which settings a condition allows.
fn fits(condition: &Spanned<Condition>, grid: &Grid, mistakes: &mut Vec<Draft>) -> Fits {
    let mut fits = Fits::new();
    if condition.is_empty() {
        mistakes.push(
            Draft::error(Mistake::EmptyCondition, "a condition without a setting")
                .at(condition.span, "fits every combination")
                .help("name swept settings, as in `{batch_size: 16}`"),
        );
    }
    for (name, test) in condition.iter() {
        let Some(at) = grid
            .ranges
            .iter()
            .position(|range| range.name == *name || range.path.join(".") == *name)
        else {
            let known = grid.ranges.iter().map(|range| range.name.as_str());
            mistakes.push(
                Draft::error(Mistake::NotSwept, format!("`{name}` is not swept"))
                    .at(test.key, "a condition names it")
                    .help(did_you_mean(name, known)),
            );
            continue;
        };
        let range = &grid.ranges[at];
        let allowed = match &**test {
            Test::Within(bounds) => {
                let within = |x: f64| {
                    bounds.at_least.is_none_or(|bound| x >= bound.get())
                        && bounds.at_most.is_none_or(|bound| x <= bound.get())
                };
                let values = range.values.iter();
                values
                    .map(|value| value.number().is_some_and(within))
                    .collect()
            }
            Test::Is(value) => named(range, &[test.with(value.clone())], mistakes),
            Test::OneOf(values) => named(range, values, mistakes),
        };
        fits.push((at, allowed));
    }
    fits
}

/// Which of a range's values are among these; each must be one.
fn named(range: &Range, wanted: &[Spanned<Scalar>], mistakes: &mut Vec<Draft>) -> Vec<bool> {
    let texts: Vec<String> = range.values.iter().map(ToString::to_string).collect();
    let mut allowed = vec![false; texts.len()];
    for value in wanted {
        let text = value.rounded().to_string();
        match texts.iter().position(|known| *known == text) {
            Some(at) => allowed[at] = true,
            None => mistakes.push(
                Draft::error(
                    Mistake::NeverThatValue,
                    format!("`{}` never has the value {text}", range.name),
                )
                .at(value.span, "not among its values")
                .help(format!("its values are {}", texts.join(", "))),
            ),
        }
    }
    allowed
}
