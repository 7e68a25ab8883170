//! From a sound study to the engine's graph: one stage for each run, and those that read them.
//!
//! Canonical: names, settings and inputs depend on what the study means, not on how it is written.

use std::collections::{BTreeMap, BTreeSet};

use engine::{Binding, Graph, Input, Source, StageId};
use runs::Spanned;
use serde_json::{Map, Value};

use crate::check::Checked;
use crate::program::{From, Program, Read};
use crate::schema::{Command, Dataset, Kind, Name, Stage, Time};
use crate::settings;
use crate::size::Size;
use crate::source::Place;
use crate::sources::Sources;
use crate::training::{Origin, Training};

/// The graph; files are relative to the folder of the text that names them.
pub(crate) fn expand(checked: &Checked, study: &str, sources: &Sources) -> Graph {
    let mut expansion = Expansion {
        checked,
        study,
        sources,
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
    sources: &'a Sources,
    graph: Graph,
    /// The runs of each `train` stage.
    runs: BTreeMap<&'a str, Vec<StageId>>,
}

/// The output of a stage with a table, and the runs that it reads.
fn table(kind: &Kind) -> (&'static str, &[Spanned<Name>]) {
    match kind {
        Kind::Select(select) => ("winners", &select.runs),
        Kind::StepsToTarget(targets) => ("targets", &targets.runs),
        Kind::Heatmap(heatmap) => ("heatmap", &heatmap.runs),
        _ => unreachable!("a report includes tables"),
    }
}

impl<'a> Expansion<'a> {
    fn stage(&mut self, name: &'a str, stage: &'a Stage) {
        let kind = stage.kind.name();
        match &stage.kind {
            Kind::Dataset(dataset) => {
                let inputs = self.dataset_files(name, dataset);
                self.add(name, kind, settings::dataset(dataset), inputs);
            }
            Kind::Train(_) => {
                let runs = self.training(name, &self.checked.trainings[name]);
                self.runs.insert(name, runs);
            }
            Kind::Command(command) => {
                let runs = self.command(name, command, &self.checked.programs[name]);
                self.runs.insert(name, runs);
            }
            Kind::Select(select) => {
                let curves = self.curves(&names(&select.runs));
                self.add(name, kind, settings::select(select), curves);
            }
            Kind::StepsToTarget(targets) => {
                let curves = self.curves(&names(&targets.runs));
                self.add(name, kind, settings::steps_to_target(targets), curves);
            }
            Kind::Heatmap(heatmap) => {
                let curves = self.curves(&names(&heatmap.runs));
                self.add(name, kind, settings::heatmap(heatmap), curves);
            }
            Kind::Report(report) => {
                let mut runs = names(&report.runs);
                let mut inputs = Vec::new();
                for included in report.include.iter() {
                    let stage = &self.checked.stages[included.as_str()].stage;
                    let (table, read) = table(&stage.kind);
                    runs.extend(names(read));
                    inputs.push(self.input(included.to_string(), included.as_str(), table));
                }
                inputs.extend(self.curves(&runs));
                self.add(name, kind, settings::report(report, self.study), inputs);
            }
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
            execution: engine::Execution::default(),
        })
    }

    fn insert(&mut self, mut stage: engine::Stage) -> StageId {
        let execution = &self.checked.stages[&stage.family].stage.execution;
        stage.execution = engine::Execution {
            retries: execution.retries,
            timeout: execution.timeout.map(Time::get),
            memory: execution.memory.map_or(stage.execution.memory, Size::bytes),
        };
        self.graph
            .add(stage)
            .unwrap_or_else(|error| unreachable!("names are distinct, readers come after: {error}"))
    }

    /// What a data set is read from; a file to download is a stage of its own.
    fn dataset_files(&mut self, name: &str, dataset: &Spanned<Dataset>) -> Vec<Input> {
        let span = dataset.path.as_ref().map_or(dataset.key, |path| path.span);
        let places = dataset.places(&self.sources.of(span).folder);
        let input = |(file, place): (&'static str, Place)| {
            let source = match place {
                Place::Disk(path) => Source::File(path),
                Place::Web { url, sha256 } => {
                    let coordinates = vec![("download".to_owned(), file.to_owned())];
                    let stage = self.insert(engine::Stage {
                        name: full_name(name, &coordinates),
                        family: name.to_owned(),
                        coordinates,
                        kind: "download".to_owned(),
                        settings: settings::download(&url, &sha256),
                        bindings: Vec::new(),
                        inputs: Vec::new(),
                        execution: engine::Execution::default(),
                    });
                    Source::Stage {
                        stage,
                        output: "file".to_owned(),
                    }
                }
            };
            Input {
                name: file.to_owned(),
                source,
            }
        };
        places.into_iter().map(input).collect()
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
            name: curve_name(self.graph.stage(run)),
            source: Source::Stage {
                stage: run,
                output: "curve".to_owned(),
            },
        })
        .collect()
    }

    fn training(&mut self, name: &str, training: &Training) -> Vec<StageId> {
        match &training.origin {
            Origin::Own => {
                let memory = |point: &[u32]| training.memory_at(point);
                self.points(name, training, &[], &memory, None)
            }
            Origin::Command => unreachable!("the runs of a command are no `train` stages"),
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
                    let most = training.memory_of_winner(method, *batch_size);
                    let memory = |_: &[u32]| most;
                    runs.extend(self.points(name, training, &fixed, &memory, Some(&binding)));
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
        memory: &dyn Fn(&[u32]) -> u64,
        binding: Option<&Binding>,
    ) -> Vec<StageId> {
        let dataset = training
            .dataset
            .as_ref()
            .map(|dataset| self.input("dataset".to_owned(), dataset, "dataset"));
        let weights = training.initial_weights.as_ref();
        let weights = weights.map(|(path, span)| Input {
            name: "initial_weights".to_owned(),
            source: Source::File(self.sources.file(path, *span)),
        });
        let inputs: Vec<Input> = dataset.into_iter().chain(weights).collect();
        let mut runs = Vec::with_capacity(training.grid.count());
        for places in training.grid.points() {
            let mut settings = training.base.clone();
            let mut coordinates: Vec<(String, String)> = fixed
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect();
            for (axis, place) in training.axes.iter().zip(places) {
                let point = &axis.points[*place as usize];
                settings::set(&mut settings, &axis.path, point.value.clone());
                coordinates.push((axis.name.clone(), point.text.clone()));
            }
            coordinates.sort();
            runs.push(self.insert(engine::Stage {
                name: full_name(name, &coordinates),
                family: name.to_owned(),
                coordinates,
                kind: "train".to_owned(),
                execution: engine::Execution {
                    memory: memory(places),
                    ..engine::Execution::default()
                },
                settings,
                bindings: binding.into_iter().cloned().collect(),
                inputs: inputs.clone(),
            }));
        }
        runs
    }

    /// One stage for each point of a command's sweep.
    fn command(&mut self, name: &str, command: &Command, program: &Program) -> Vec<StageId> {
        let reads: Vec<(&Read, Index)> = program
            .reads
            .iter()
            .map(|read| (read, self.index(&read.from)))
            .collect();
        let mut runs = Vec::with_capacity(program.grid.count());
        for point in program.grid.points() {
            let texts = program.texts(point);
            let inputs = reads
                .iter()
                .flat_map(|(read, index)| self.inputs_at(read, index, &texts))
                .collect();
            let coordinates: Vec<(String, String)> = texts
                .into_iter()
                .map(|(name, text)| (name.to_owned(), text))
                .collect();
            runs.push(self.insert(engine::Stage {
                name: full_name(name, &coordinates),
                family: name.to_owned(),
                coordinates,
                kind: "command".to_owned(),
                execution: engine::Execution::default(),
                settings: program.settings(command, point, self.sources),
                bindings: Vec::new(),
                inputs,
            }));
        }
        runs
    }

    /// The runs of what is read, by the values of the settings that both sweep.
    fn index(&self, from: &From) -> Index {
        let mut index = Index::new();
        if let From::Runs { stage, shared, .. } = from {
            for &run in &self.runs[stage.as_str()] {
                let coordinates = &self.graph.stage(run).coordinates;
                let value = |name: &String| {
                    let found = coordinates.iter().find(|(own, _)| own == name);
                    found.map_or_else(String::new, |(_, value)| value.clone())
                };
                index
                    .entry(shared.iter().map(value).collect())
                    .or_default()
                    .push(run);
            }
        }
        index
    }

    /// What an input is at one point of the command's sweep: one file, or one for each run in a folder.
    fn inputs_at(&self, read: &Read, index: &Index, texts: &[(&str, String)]) -> Vec<Input> {
        match &read.from {
            From::File(path, span) => vec![Input {
                name: read.name.clone(),
                source: Source::File(self.sources.file(path, *span)),
            }],
            From::Stage { stage, output } => vec![self.input(read.name.clone(), stage, output)],
            From::Runs {
                output,
                shared,
                one,
                ..
            } => {
                let value = |name: &String| {
                    let found = texts.iter().find(|(own, _)| own == name);
                    found.map_or_else(String::new, |(_, text)| text.clone())
                };
                let key: Vec<String> = shared.iter().map(value).collect();
                let runs = index.get(&key).map_or(&[][..], Vec::as_slice);
                runs.iter()
                    .map(|&run| {
                        let rest: Vec<(String, String)> = self
                            .graph
                            .stage(run)
                            .coordinates
                            .iter()
                            .filter(|(name, _)| !shared.contains(name))
                            .cloned()
                            .collect();
                        Input {
                            name: if *one {
                                read.name.clone()
                            } else {
                                full_name(&read.name, &rest)
                            },
                            source: Source::Stage {
                                stage: run,
                                output: output.clone(),
                            },
                        }
                    })
                    .collect()
            }
        }
    }
}

/// Runs by the values of some of their coordinates.
type Index = BTreeMap<Vec<String>, Vec<StageId>>;

/// The name that readers know a curve by. It has a slash, which tells it from a table.
fn curve_name(run: &engine::Stage) -> String {
    if run.coordinates.is_empty() {
        format!("{}/run", run.name)
    } else {
        run.name.clone()
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

fn names(list: &[Spanned<Name>]) -> BTreeSet<&str> {
    list.iter().map(|name| name.as_str()).collect()
}
