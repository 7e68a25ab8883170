//! Each stage against what it reads: the settings that it needs there, moments, levels, parts of the data.

use runs::Spanned;
use runs::settings::Optimizer;

use super::{Checked, Decoded, dataset, levels, moments};
use crate::diagnostic::{Draft, Mistake, Span, did_you_mean};
use crate::schema::{Axis, By, Heatmap, Kind, Metric, Report, Select, StepsToTarget};
use crate::training::{Training, missing_part};

impl Checked {
    /// Checks one stage.
    pub(super) fn reader(&self, name: &str, mistakes: &mut Vec<Draft>) {
        let Some(Decoded { stage, .. }) = self.stages.get(name) else {
            return;
        };
        match &stage.kind {
            Kind::Dataset(dataset) => dataset::check(dataset, mistakes),
            Kind::Select(select) => self.select(select, mistakes),
            Kind::StepsToTarget(targets) => self.steps_to_target(name, targets, mistakes),
            Kind::Heatmap(heatmap) => self.heatmap(heatmap, mistakes),
            Kind::Report(report) => self.report(report, mistakes),
            Kind::Train(_) | Kind::Command(_) => {}
        }
    }

    fn select(&self, select: &Spanned<Select>, mistakes: &mut Vec<Draft>) {
        let Some(trainings) = self.trainings_of(&select.runs) else {
            return;
        };
        let span = select.by.span;
        self.metric(select.by.metric(), &trainings, span, mistakes);
        match *select.by {
            By::Metric(_) => {
                let at = select.at.place().unwrap_or(select.key);
                moments::check(&trainings, *select.at, at, mistakes);
            }
            By::StepsTo { steps_to: target } => {
                levels::check(&trainings, target.metric, target.level, span, mistakes);
            }
        }
        for name in &select.per {
            let known: Vec<&str> = ["method", "batch_size", "stage"]
                .into_iter()
                .chain(
                    trainings
                        .iter()
                        .flat_map(|(_, t)| t.axes.iter().map(|axis| axis.name.as_str())),
                )
                .collect();
            if !known.contains(&name.as_str()) {
                mistakes.push(
                    Draft::error(
                        Mistake::NoSuchGroup,
                        format!("`per` names `{name}`, which the runs do not have"),
                    )
                    .at(name.span, "not swept")
                    .help(did_you_mean(name, known)),
                );
            }
        }
    }

    fn steps_to_target(
        &self,
        name: &str,
        targets: &Spanned<StepsToTarget>,
        mistakes: &mut Vec<Draft>,
    ) {
        if targets.levels.is_empty() {
            mistakes.push(
                Draft::error(Mistake::NoTarget, format!("`{name}` has no target"))
                    .at(targets.key, "no level is given")
                    .help("give levels of a metric, such as `train_loss: [0.1]`"),
            );
        }
        let Some(trainings) = self.trainings_of(&targets.runs) else {
            return;
        };
        for (&metric, list) in &targets.levels {
            for level in list {
                self.metric(metric, &trainings, level.span, mistakes);
                levels::check(&trainings, metric, **level, level.span, mistakes);
            }
        }
    }

    fn heatmap(&self, heatmap: &Heatmap, mistakes: &mut Vec<Draft>) {
        let Some(trainings) = self.trainings_of(&heatmap.runs) else {
            return;
        };
        self.metric(*heatmap.value, &trainings, heatmap.value.span, mistakes);
        for (axis, key) in [(&heatmap.x, "x"), (&heatmap.y, "y")] {
            check_axis(axis, key, &trainings, mistakes);
        }
        for at in &heatmap.at {
            moments::check(&trainings, **at, at.span, mistakes);
        }
    }

    fn report(&self, report: &Report, mistakes: &mut Vec<Draft>) {
        for (index, claim) in report.claims.iter().enumerate() {
            if report.claims[..index].contains(claim) {
                mistakes.push(
                    Draft::error(Mistake::ClaimTwice, "the same claim twice")
                        .at(claim.span, "again here"),
                );
            }
        }
        let Some(methods) = self.methods() else {
            return;
        };
        for name in report.claims.iter().flat_map(|claim| claim.choice()) {
            if let Some(place) = name.place()
                && !methods.contains(&name.as_str())
            {
                mistakes.push(no_such_method(name, place, &methods));
            }
        }
    }

    /// The methods of all runs of the study, each once, sorted; none where a stage of runs has a mistake.
    fn methods(&self) -> Option<Vec<&str>> {
        let mut methods = Vec::new();
        for (name, Decoded { stage, .. }) in &self.stages {
            let trains = match &stage.kind {
                Kind::Train(_) => true,
                Kind::Command(command) => command.curves.is_some(),
                _ => false,
            };
            if trains {
                methods.extend(self.trainings.get(name)?.methods());
            }
        }
        methods.sort_unstable();
        methods.dedup();
        Some(methods)
    }

    /// A metric needs its part of the data.
    fn metric(
        &self,
        metric: Metric,
        trainings: &[(&str, &Training)],
        span: Span,
        mistakes: &mut Vec<Draft>,
    ) {
        let data = trainings
            .iter()
            .filter_map(|(_, training)| self.dataset(training.dataset.as_deref()?));
        mistakes.extend(data.filter_map(|data| missing_part(metric, data, span)));
    }
}

/// A method is named that none of the runs has, whose methods are these.
fn no_such_method(method: &str, place: Span, methods: &[&str]) -> Draft {
    let help = if Optimizer::METHODS.contains(&method) {
        format!("the runs are of {}", methods.join(", "))
    } else {
        did_you_mean(method, methods.iter().copied())
    };
    Draft::error(
        Mistake::NoSuchMethod,
        format!("no run of method `{method}`"),
    )
    .at(place, "here")
    .help(help)
}

fn check_axis(
    axis: &Spanned<Axis>,
    key: &str,
    trainings: &[(&str, &Training)],
    mistakes: &mut Vec<Draft>,
) {
    let mut methods: Vec<&str> = trainings
        .iter()
        .flat_map(|(_, training)| training.methods())
        .collect();
    methods.sort_unstable();
    methods.dedup();
    if let Axis::PerMethod(names) = &**axis {
        let unknown = |(method, _): &(&String, _)| !methods.contains(&method.as_str());
        for (method, name) in names.iter().filter(unknown) {
            mistakes.push(no_such_method(method, name.span, &methods));
        }
    }
    for (name, training) in trainings {
        for method in training.methods() {
            let (setting, span) = match &**axis {
                Axis::Same(setting) => (setting, axis.span),
                Axis::PerMethod(names) => {
                    let Some(setting) = names.get(method) else {
                        mistakes.push(
                            Draft::error(
                                Mistake::AxisMissing,
                                format!("`{key}` names no setting for the method `{method}`"),
                            )
                            .at(axis.span, format!("`{name}` is of that method"))
                            .help(format!("add `{method}: SETTING`")),
                        );
                        continue;
                    };
                    (&**setting, setting.span)
                }
            };
            let values = training.grid.range(setting).map(|range| &range.values);
            let word = values
                .into_iter()
                .flatten()
                .find(|value| value.number().is_none());
            if let Some(word) = word {
                mistakes.push(
                    Draft::error(
                        Mistake::AxisNotNumbers,
                        format!("`{name}` has values of `{setting}` that are not numbers"),
                    )
                    .at(span, "an axis of the heatmap")
                    .also(word.span, "not a number")
                    .help("the axes of a heatmap are numbers; write one heatmap for each word"),
                );
            }
            if !training.sweeps(setting) {
                let swept = training.axes.iter().map(|axis| axis.name.as_str());
                let per_method = if methods.len() > 1 && matches!(**axis, Axis::Same(_)) {
                    let each = methods
                        .iter()
                        .map(|m| format!("{m}: …"))
                        .collect::<Vec<_>>()
                        .join(", ");
                    format!("; a setting for each method is written `{{{each}}}`")
                } else {
                    String::new()
                };
                mistakes.push(
                    Draft::error(
                        Mistake::NotSwept,
                        format!("`{name}` is not swept over `{setting}`"),
                    )
                    .at(span, "an axis of the heatmap")
                    .help(format!("{}{per_method}", did_you_mean(setting, swept))),
                );
            }
        }
    }
}
