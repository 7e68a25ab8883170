//! From a sound study to the engine's graph: one stage for each run, and those that read them.
//!
//! Canonical: names, settings and inputs depend on what the study means, not on how it is written.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use engine::{Binding, Graph, Input, Source, StageId};
use serde_json::{Map, Value};

use crate::check::Checked;
use crate::schema::{Name, Stage};
use crate::settings;
use crate::training::{Origin, Training};

/// The graph; files are relative to `folder`.
pub(crate) fn expand(checked: &Checked, study: &str, folder: &Path) -> Graph {
    let mut expansion = Expansion {
        checked,
        study,
        folder,
        graph: Graph::new(),
        runs: BTreeMap::new(),
    };
    for name in &checked.order {
        expansion.stage(name, &checked.stages[name].stage);
    }
    expansion.graph
}

struct Expansion<'a> {
    checked: &'a Checked,
    study: &'a str,
    folder: &'a Path,
    graph: Graph,
    /// The runs of each `train` stage.
    runs: BTreeMap<&'a str, Vec<StageId>>,
}

/// The output that others read of a stage of this kind.
fn table(kind: &str) -> &'static str {
    match kind {
        "select" => "winners",
        "steps_to_target" => "targets",
        "heatmap" => "heatmap",
        _ => unreachable!("a `{kind}` stage has no table"),
    }
}

impl<'a> Expansion<'a> {
    fn stage(&mut self, name: &'a str, stage: &'a Stage) {
        if let Some(dataset) = &stage.dataset {
            let file = dataset.path.as_ref().map(|path| Input {
                name: "file".to_owned(),
                source: Source::File(self.folder.join(path)),
            });
            self.add(
                name,
                "dataset",
                settings::dataset(dataset),
                file.into_iter().collect(),
            );
        }
        if stage.train.is_some() {
            let training = &self.checked.trainings[name];
            let runs = self.training(name, training);
            self.runs.insert(name, runs);
        }
        if let Some(select) = &stage.select {
            self.add(
                name,
                "select",
                settings::select(select),
                self.curves(&names(&select.runs)),
            );
        }
        if let Some(targets) = &stage.steps_to_target {
            self.add(
                name,
                "steps_to_target",
                settings::steps_to_target(targets),
                self.curves(&names(&targets.runs)),
            );
        }
        if let Some(heatmap) = &stage.heatmap {
            self.add(
                name,
                "heatmap",
                settings::heatmap(heatmap),
                self.curves(&names(&heatmap.runs)),
            );
        }
        if let Some(report) = &stage.report {
            let mut runs = names(&report.runs);
            let mut inputs = Vec::new();
            for included in &report.include {
                let (kind, read) = read_by(&self.checked.stages[included.as_str()].stage);
                runs.extend(names(read));
                inputs.push(self.input(included.to_string(), included.as_str(), table(kind)));
            }
            inputs.extend(self.curves(&runs));
            self.add(name, "report", settings::report(report, self.study), inputs);
        }
    }

    fn add(
        &mut self,
        name: &str,
        kind: &str,
        settings: Map<String, Value>,
        inputs: Vec<Input>,
    ) -> StageId {
        self.insert(engine::Stage {
            name: name.to_owned(),
            family: name.to_owned(),
            coordinates: Vec::new(),
            kind: kind.to_owned(),
            settings,
            bindings: Vec::new(),
            inputs,
        })
    }

    fn insert(&mut self, stage: engine::Stage) -> StageId {
        self.graph
            .add(stage)
            .unwrap_or_else(|error| unreachable!("names are distinct, readers come after: {error}"))
    }

    fn find(&self, name: &str) -> StageId {
        self.graph
            .find(name)
            .unwrap_or_else(|| unreachable!("`{name}` comes before what reads it"))
    }

    fn input(&self, name: String, stage: &str, output: &str) -> Input {
        Input {
            name,
            source: Source::Stage {
                stage: self.find(stage),
                output: output.to_owned(),
            },
        }
    }

    /// The curves of these stages, each under its run's name.
    fn curves(&self, stages: &BTreeSet<&str>) -> Vec<Input> {
        let runs = stages.iter().flat_map(|name| &self.runs[name]);
        runs.map(|&run| Input {
            name: self.graph.stage(run).name.clone(),
            source: Source::Stage {
                stage: run,
                output: "curve".to_owned(),
            },
        })
        .collect()
    }

    fn training(&mut self, name: &str, training: &Training) -> Vec<StageId> {
        match &training.origin {
            Origin::Own => self.points(name, training, &[], None),
            Origin::Winners { select, entries } => {
                let from = self.find(select);
                let mut runs = Vec::new();
                for (method, batch_size) in entries {
                    let fixed = [
                        ("method", method.clone()),
                        ("batch_size", batch_size.to_string()),
                    ];
                    let entry = format!("{method}/{batch_size}");
                    let binding = Binding {
                        from,
                        output: "configurations".to_owned(),
                        entry,
                    };
                    runs.extend(self.points(name, training, &fixed, Some(&binding)));
                }
                runs
            }
        }
    }

    /// One run for each combination of the axes' points, the last axis fastest.
    fn points(
        &mut self,
        name: &str,
        training: &Training,
        fixed: &[(&str, String)],
        binding: Option<&Binding>,
    ) -> Vec<StageId> {
        let dataset = self.input("dataset".to_owned(), &training.dataset, "dataset");
        let count: usize = training.axes.iter().map(|axis| axis.points.len()).product();
        let mut runs = Vec::with_capacity(count);
        for index in 0..count {
            let mut settings = training.base.clone();
            let mut coordinates: Vec<(String, String)> = fixed
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect();
            let mut rest = index;
            for axis in training.axes.iter().rev() {
                let point = &axis.points[rest % axis.points.len()];
                rest /= axis.points.len();
                settings::set(&mut settings, &axis.path, point.value.clone());
                coordinates.push((axis.name.clone(), point.text.clone()));
            }
            coordinates.sort();
            runs.push(self.insert(engine::Stage {
                name: full_name(name, &coordinates),
                family: name.to_owned(),
                coordinates,
                kind: "train".to_owned(),
                settings,
                bindings: binding.into_iter().cloned().collect(),
                inputs: vec![dataset.clone()],
            }));
        }
        runs
    }
}

fn full_name(stage: &str, coordinates: &[(String, String)]) -> String {
    if coordinates.is_empty() {
        return stage.to_owned();
    }
    let texts: Vec<String> = coordinates
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    format!("{stage}/{}", texts.join(","))
}

fn names(list: &[Name]) -> BTreeSet<&str> {
    list.iter().map(Name::as_str).collect()
}

/// The kind of a stage with a table, and the runs it reads.
fn read_by(stage: &Stage) -> (&'static str, &[Name]) {
    match (&stage.select, &stage.steps_to_target, &stage.heatmap) {
        (Some(select), ..) => ("select", &select.runs),
        (_, Some(targets), _) => ("steps_to_target", &targets.runs),
        (.., Some(heatmap)) => ("heatmap", &heatmap.runs),
        _ => unreachable!("a report includes tables"),
    }
}
