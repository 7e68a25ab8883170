//! Each stage against what it reads: the settings that it needs there, moments, levels, parts of the data.

use runs::settings::Optimizer;

use super::{Checked, Decoded, dataset, levels, moments};
use crate::diagnostic::{Draft, Span, did_you_mean};
use crate::like::Written;
use crate::schema::{Axis, By, Heatmap, Kind, Metric, Report, Select, StepsToTarget};
use crate::training::{Training, missing_part};
use crate::yaml::Value as Yaml;

impl Checked {
    /// Checks one stage.
    pub(super) fn reader(&self, name: &str, mistakes: &mut Vec<Draft>) {
        let Some(Decoded { written, stage }) = self.stages.get(name) else {
            return;
        };
        match &stage.kind {
            Kind::Dataset(dataset) => dataset::check(dataset, mistakes),
            Kind::Select(select) => self.select(select, written, mistakes),
            Kind::StepsToTarget(targets) => self.steps_to_target(name, targets, written, mistakes),
            Kind::Heatmap(heatmap) => self.heatmap(heatmap, written, mistakes),
            Kind::Report(report) => check_report(report, written, mistakes),
            Kind::Train(_) | Kind::Command(_) => {}
        }
    }

    fn select(&self, select: &Select, written: &Written, mistakes: &mut Vec<Draft>) {
        let Some(trainings) = self.trainings_of(&select.runs) else {
            return;
        };
        let span = written.node.span_at(&["select", "by"]);
        if let By::Metric(metric) = select.by {
            self.metric(metric, &trainings, span, mistakes);
            let select_node = written
                .node
                .entry("select")
                .expect("the stage was decoded as `select`");
            let at = select_node
                .node
                .get("at")
                .map_or(select_node.key_span, |at| at.span);
            moments::check(&trainings, select.at, at, mistakes);
        } else if let By::StepsTo { steps_to: target } = select.by {
            self.metric(target.metric, &trainings, span, mistakes);
            levels::check(&trainings, target.metric, target.level, span, mistakes);
        }
        for (index, name) in select.per.iter().enumerate() {
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
                    Draft::error(format!("nothing called `{name}` to select per"))
                        .at(
                            written.node.span_at(&["select", "per", &index.to_string()]),
                            "not swept",
                        )
                        .help(did_you_mean(name, known)),
                );
            }
        }
    }

    fn steps_to_target(
        &self,
        name: &str,
        targets: &StepsToTarget,
        written: &Written,
        mistakes: &mut Vec<Draft>,
    ) {
        if targets.levels.is_empty() {
            mistakes.push(
                Draft::error(format!("`{name}` has no target"))
                    .at(
                        written
                            .node
                            .entry("steps_to_target")
                            .map_or(written.key_span, |e| e.key_span),
                        "steps to what?",
                    )
                    .help("give levels of a metric, such as `train_loss: [0.1]`"),
            );
        }
        let Some(trainings) = self.trainings_of(&targets.runs) else {
            return;
        };
        for (&metric, list) in &targets.levels {
            for (index, &level) in list.iter().enumerate() {
                let span =
                    written
                        .node
                        .span_at(&["steps_to_target", metric.name(), &index.to_string()]);
                self.metric(metric, &trainings, span, mistakes);
                levels::check(&trainings, metric, level, span, mistakes);
            }
        }
    }

    fn heatmap(&self, heatmap: &Heatmap, written: &Written, mistakes: &mut Vec<Draft>) {
        let Some(trainings) = self.trainings_of(&heatmap.runs) else {
            return;
        };
        self.metric(
            heatmap.value,
            &trainings,
            written.node.span_at(&["heatmap", "value"]),
            mistakes,
        );
        for (axis, key) in [(&heatmap.x, "x"), (&heatmap.y, "y")] {
            check_axis(axis, key, &trainings, written, mistakes);
        }
        for (index, at) in heatmap.at.iter().enumerate() {
            moments::check(
                &trainings,
                *at,
                written.node.span_at(&["heatmap", "at", &index.to_string()]),
                mistakes,
            );
        }
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

fn check_report(report: &Report, written: &Written, mistakes: &mut Vec<Draft>) {
    for (index, claim) in report.claims.iter().enumerate() {
        if report.claims[..index].contains(claim) {
            mistakes.push(
                Draft::error("the same claim twice").at(
                    written
                        .node
                        .span_at(&["report", "claims", &index.to_string()]),
                    "again here",
                ),
            );
        }
    }
}

fn check_axis(
    axis: &Axis,
    key: &str,
    trainings: &[(&str, &Training)],
    written: &Written,
    mistakes: &mut Vec<Draft>,
) {
    let mut methods: Vec<&str> = trainings
        .iter()
        .flat_map(|(_, training)| training.methods())
        .collect();
    methods.sort_unstable();
    methods.dedup();
    if let Axis::PerMethod(names) = axis {
        for method in names
            .keys()
            .filter(|method| !methods.contains(&method.as_str()))
        {
            let span = written.node.span_at(&["heatmap", key, method]);
            let help = if Optimizer::METHODS.contains(&method.as_str()) {
                format!("the runs are of {}", methods.join(", "))
            } else {
                did_you_mean(method, methods.iter().copied())
            };
            mistakes.push(
                Draft::error(format!("no run of method `{method}`"))
                    .at(span, "here")
                    .help(help),
            );
        }
    }
    for (name, training) in trainings {
        for method in training.methods() {
            let (setting, span) = match axis {
                Axis::Same(setting) => (setting, written.node.span_at(&["heatmap", key])),
                Axis::PerMethod(names) => {
                    let Some(setting) = names.get(method) else {
                        mistakes.push(
                            Draft::error(format!("`{key}` names no setting for `{method}`"))
                                .at(
                                    written.node.span_at(&["heatmap", key]),
                                    format!("`{name}` is of that method"),
                                )
                                .help(format!("add `{method}: SETTING`")),
                        );
                        continue;
                    };
                    (setting, written.node.span_at(&["heatmap", key, method]))
                }
            };
            let values = training.grid.range(setting).map(|range| &range.values);
            let word = values
                .into_iter()
                .flatten()
                .find(|value| !matches!(value.value, Yaml::Integer(_) | Yaml::Float(_)));
            if let Some(word) = word {
                mistakes.push(
                    Draft::error(format!("`{name}` takes values for `{setting}` that are no numbers"))
                        .at(span, "an axis of the heatmap")
                        .also(word.span, "no number")
                        .help("an axis has numbers; write a heatmap for each word, of runs that `when` or `like` leave"),
                );
            }
            if !training.sweeps(setting) {
                let swept = training.axes.iter().map(|axis| axis.name.as_str());
                let per_method = if methods.len() > 1 && matches!(axis, Axis::Same(_)) {
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
                    Draft::error(format!("`{name}` is not swept over `{setting}`"))
                        .at(span, "an axis of the heatmap")
                        .help(format!("{}{per_method}", did_you_mean(setting, swept))),
                );
            }
        }
    }
}
