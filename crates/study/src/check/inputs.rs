//! The inputs of a command: outputs that exist, and for every run of the command something to read.

use std::collections::BTreeSet;

use super::{Checked, Decoded};
use crate::diagnostic::{Draft, Mistake, did_you_mean};
use crate::grid::Grid;
use crate::program::{From, Read, reference};
use crate::schema::{Command, Kind};
use crate::training::Origin;

/// A stage's points as those who read it tell them apart.
struct Points {
    names: Vec<String>,
    /// The value of each name.
    values: Vec<Vec<String>>,
}

impl Points {
    fn of(grid: &Grid) -> Self {
        let texts = |point: &[u32]| {
            let pairs = grid.ranges.iter().zip(point);
            pairs
                .map(|(range, place)| range.values[*place as usize].to_string())
                .collect()
        };
        Self {
            names: grid.ranges.iter().map(|range| range.name.clone()).collect(),
            values: grid.points().map(texts).collect(),
        }
    }

    /// The values of some names alone.
    fn projected(&self, names: &[String]) -> BTreeSet<Vec<&str>> {
        let places: Vec<usize> = names
            .iter()
            .filter_map(|name| self.names.iter().position(|own| own == name))
            .collect();
        self.values
            .iter()
            .map(|values| places.iter().map(|at| values[*at].as_str()).collect())
            .collect()
    }
}

impl Checked {
    /// The points of a stage that is sound; none of names that it does not have.
    fn points(&self, name: &str) -> Option<Points> {
        if let Some(program) = self.programs.get(name) {
            return Some(Points::of(&program.grid));
        }
        let training = self.trainings.get(name)?;
        let mut points = Points::of(&training.grid);
        if let Origin::Winners { entries, .. } = &training.origin {
            points
                .names
                .extend(["method", "batch_size"].map(str::to_owned));
            points.values = points
                .values
                .iter()
                .flat_map(|values| {
                    entries.iter().map(move |(method, batch_size)| {
                        let winner = [method.clone(), batch_size.to_string()];
                        values.iter().cloned().chain(winner).collect()
                    })
                })
                .collect();
        }
        Some(points)
    }

    /// The outputs of a stage, the one that is meant where none is named first; folders end in `/`.
    fn outputs(&self, name: &str) -> Vec<(String, String)> {
        let fixed = |names: &[&str]| {
            names
                .iter()
                .map(|name| ((*name).to_owned(), (*name).to_owned()))
                .collect()
        };
        let Some(Decoded { stage, .. }) = self.stages.get(name) else {
            return Vec::new();
        };
        match &stage.kind {
            Kind::Command(command) => {
                let declared = command.outputs.iter();
                let declared = declared.map(|(name, path)| (name.clone(), String::clone(path)));
                let curve = command
                    .curves
                    .is_some()
                    .then(|| ("curve".to_owned(), "curve".to_owned()));
                declared.chain(curve).collect()
            }
            Kind::Dataset(_) => fixed(&["dataset"]),
            Kind::Train(_) => fixed(&["curve"]),
            Kind::Select(_) => fixed(&["winners", "configurations"]),
            Kind::StepsToTarget(_) => fixed(&["targets"]),
            Kind::Heatmap(_) => fixed(&["heatmap"]),
            Kind::Report(_) => fixed(&["report"]),
        }
    }

    /// What a command reads, if all of it is sound.
    pub(super) fn reads(
        &self,
        name: &str,
        command: &Command,
        grid: &Grid,
        mistakes: &mut Vec<Draft>,
    ) -> Option<Vec<Read>> {
        let own = Points::of(grid);
        let mut reads = Vec::new();
        let mut sound = true;
        for (input, text) in &command.inputs {
            let span = text.span;
            let Some((from, output)) = reference(text, |stage| self.stages.contains_key(stage))
            else {
                reads.push(Read {
                    name: input.clone(),
                    from: From::File(String::clone(text), span),
                    unpack: false,
                });
                continue;
            };
            let outputs = self.outputs(from);
            let kind = self.stages.get(from).map(|decoded| &decoded.stage.kind);
            let is_command = matches!(kind, Some(Kind::Command(_)));
            let found = match output {
                Some(output) => outputs.iter().find(|(known, _)| known == output),
                None if is_command && outputs.len() != 1 => None,
                None => outputs.first(),
            };
            let Some((output, path)) = found else {
                sound = false;
                if kind.is_some() {
                    let known = outputs.iter().map(|(known, _)| known.as_str());
                    mistakes.push(match output {
                        Some(output) => Draft::error(
                            Mistake::NoSuchOutput,
                            format!("`{from}` has no output `{output}`"),
                        )
                        .at(span, "no such output")
                        .help(did_you_mean(output, known)),
                        None if outputs.is_empty() => {
                            Draft::error(Mistake::NoSuchOutput, format!("`{from}` has no output"))
                                .at(span, "nothing to read")
                                .help(format!("give `{from}` an output"))
                        }
                        None => Draft::error(
                            Mistake::NoSuchOutput,
                            format!("`{from}` has several outputs"),
                        )
                        .at(span, "one of them must be named")
                        .help(format!(
                            "write one of {}",
                            known
                                .map(|output| format!("`{from}.{output}`"))
                                .collect::<Vec<_>>()
                                .join(", ")
                        )),
                    });
                }
                continue;
            };
            let swept = match self.points(from) {
                Some(points) => points,
                // Something else is wrong with it.
                None if is_command || matches!(kind, Some(Kind::Train(_))) => {
                    sound = false;
                    continue;
                }
                None => Points {
                    names: Vec::new(),
                    values: vec![Vec::new()],
                },
            };
            let source = if swept.names.is_empty() {
                From::Stage {
                    stage: from.to_owned(),
                    output: output.clone(),
                }
            } else {
                let shared: Vec<String> = swept
                    .names
                    .iter()
                    .filter(|name| own.names.contains(name))
                    .cloned()
                    .collect();
                let there = swept.projected(&shared);
                if let Some(missing) = own
                    .projected(&shared)
                    .into_iter()
                    .find(|point| !there.contains(point))
                {
                    let point: Vec<String> = shared
                        .iter()
                        .zip(missing)
                        .map(|(name, value)| format!("{name}={value}"))
                        .collect();
                    mistakes.push(
                        Draft::error(Mistake::NoRunToRead, format!("no run of `{from}` at {}", point.join(",")))
                            .at(span, format!("`{name}` has a run there"))
                            .help(format!("sweep both over the same values, or give `{name}` another name for its own")),
                    );
                    sound = false;
                }
                From::Runs {
                    stage: from.to_owned(),
                    output: output.clone(),
                    one: shared.len() == swept.names.len(),
                    shared,
                }
            };
            reads.push(Read {
                name: input.clone(),
                from: source,
                unpack: path.ends_with('/'),
            });
        }
        sound.then_some(reads)
    }
}
