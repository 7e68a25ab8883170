//! From a stage to its manifest, once the results of what it reads are known.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::worker::with_sources;
use crate::{
    Blob, Digest, Error, Frozen, FrozenInput, Graph, Kinds, Manifest, Record, Source, Stage,
    StageId, Store,
};

/// Everything that manifests are made from. Input files are hashed once, at the start; what a frozen plan has of them is
/// taken from there.
pub(crate) struct Resolver<'a> {
    graph: &'a Graph,
    store: &'a Store,
    kinds: &'a Kinds,
    /// Input files and folders, or why one cannot be read: that is the fault of who reads it alone.
    files: HashMap<PathBuf, Result<Digest, String>>,
    /// The JSON outputs that bindings read, or why one is none.
    parsed: HashMap<Digest, Arc<serde_json::Result<Value>>>,
}

/// Why a stage has no manifest although all it reads has results.
pub(crate) enum Unresolved {
    /// The output that a binding names is not in the store, or was damaged.
    Lost { stage: StageId, blob: Digest },
    /// An output has not the form that the stage counts on. It will not run.
    Unfit(String),
}

impl<'a> Resolver<'a> {
    /// # Errors
    ///
    /// If nobody executes a stage's kind.
    pub(crate) fn new(
        graph: &'a Graph,
        store: &'a Store,
        kinds: &'a Kinds,
        frozen: Option<&Frozen>,
    ) -> Result<Self, Error> {
        let mut files = HashMap::new();
        for stage in graph.stages() {
            if kinds.code(&stage.kind).is_none() {
                return Err(Error::UnknownKind {
                    stage: stage.name.clone(),
                    kind: stage.kind.clone(),
                });
            }
            for input in &stage.inputs {
                if let Source::File(path) = &input.source
                    && !files.contains_key(path)
                {
                    let digest = match frozen.and_then(|frozen| frozen.inputs.get(path)) {
                        Some(input) => Ok(input.digest()),
                        None => store.digest_file(path),
                    };
                    files.insert(path.clone(), digest.map_err(|error| with_sources(&error)));
                }
            }
        }
        Ok(Self {
            graph,
            store,
            kinds,
            files,
            parsed: HashMap::new(),
        })
    }

    /// The manifest of a stage. `record` gives the result of each stage upstream.
    pub(crate) fn manifest<'r>(
        &mut self,
        id: StageId,
        record: impl Fn(StageId) -> &'r Record,
    ) -> Result<Result<Manifest, Unresolved>, Error> {
        let stage = self.graph.stage(id);
        let mut settings = stage.settings.clone();
        for binding in &stage.bindings {
            let blob = match self.output(record(binding.from), binding.from, &binding.output) {
                Ok(blob) => blob,
                Err(unresolved) => return Ok(Err(unresolved)),
            };
            let json = match self.json(blob.digest) {
                Ok(json) => json,
                Err(Error::NoBlob { .. } | Error::Damaged { .. }) => {
                    return Ok(Err(Unresolved::Lost {
                        stage: binding.from,
                        blob: blob.digest,
                    }));
                }
                Err(error) => return Err(error),
            };
            let json = match &*json {
                Ok(json) => json,
                Err(error) => {
                    let what = format!("is not JSON: {error}");
                    return Ok(Err(self.unfit(binding.from, &binding.output, &what)));
                }
            };
            match json.get(&binding.entry).and_then(Value::as_object) {
                Some(entry) => merge(&mut settings, entry),
                None => {
                    return Ok(Err(self.unfit(
                        binding.from,
                        &binding.output,
                        &format!("has no settings under `{}`", binding.entry),
                    )));
                }
            }
        }
        let mut inputs = BTreeMap::new();
        for input in &stage.inputs {
            let digest = match &input.source {
                Source::File(path) => match &self.files[path] {
                    Ok(digest) => *digest,
                    Err(error) => return Ok(Err(Unresolved::Unfit(error.clone()))),
                },
                Source::Stage { stage, output } => {
                    match self.output(record(*stage), *stage, output) {
                        Ok(blob) => blob.digest,
                        Err(unresolved) => return Ok(Err(unresolved)),
                    }
                }
            };
            inputs.insert(input.name.clone(), digest);
        }
        let code = self
            .kinds
            .code(&stage.kind)
            .expect("kinds were looked at when the resolver was made");
        Ok(Ok(Manifest::new(&stage.kind, code, settings, inputs)))
    }

    fn output(&self, record: &Record, stage: StageId, output: &str) -> Result<Blob, Unresolved> {
        let missing = || {
            Unresolved::Unfit(format!(
                "`{}` has no output `{output}`",
                self.graph.stage(stage).name
            ))
        };
        record.outputs.get(output).copied().ok_or_else(missing)
    }

    fn unfit(&self, stage: StageId, output: &str, what: &str) -> Unresolved {
        Unresolved::Unfit(format!(
            "the output `{output}` of `{}` {what}",
            self.graph.stage(stage).name
        ))
    }

    fn json(&mut self, digest: Digest) -> Result<Arc<serde_json::Result<Value>>, Error> {
        if let Some(value) = self.parsed.get(&digest) {
            return Ok(Arc::clone(value));
        }
        let value = Arc::new(serde_json::from_slice(&self.store.read(digest)?));
        self.parsed.insert(digest, Arc::clone(&value));
        Ok(value)
    }
}

/// The outputs that a stage reads from others as inputs, with who makes them. Those of bindings are
/// not among them: they are read before the stage has a key.
pub(crate) fn reads<'a>(
    stage: &'a Stage,
    record: impl Fn(StageId) -> &'a Record,
) -> impl Iterator<Item = (StageId, Blob)> {
    stage
        .inputs
        .iter()
        .filter_map(move |input| match &input.source {
            Source::Stage { stage, output } => Some((*stage, record(*stage).outputs[output])),
            Source::File(_) => None,
        })
}

/// The files that a stage reads, by the names of its inputs; not those whose contents come from a frozen plan.
pub(crate) fn files(stage: &Stage, frozen: Option<&Frozen>) -> BTreeMap<String, OsString> {
    let file = |source: &Source| match source {
        Source::File(path) if frozen.is_some_and(|it| it.inputs.contains_key(path)) => None,
        Source::File(path) => Some(path.clone().into_os_string()),
        Source::Stage { .. } => None,
    };
    stage
        .inputs
        .iter()
        .filter_map(|input| Some((input.name.clone(), file(&input.source)?)))
        .collect()
}

/// What a stage reads of the inputs of a frozen plan, by the names of its inputs.
pub(crate) fn frozen<'a>(
    stage: &'a Stage,
    frozen: Option<&'a Frozen>,
) -> impl Iterator<Item = (&'a str, FrozenInput)> {
    stage.inputs.iter().filter_map(move |input| {
        let Source::File(path) = &input.source else {
            return None;
        };
        Some((input.name.as_str(), *frozen?.inputs.get(path)?))
    })
}

/// The folders among these, each with the blob that it is packed in.
pub(crate) fn packs(stage: &Stage, plan: Option<&Frozen>) -> BTreeMap<String, Digest> {
    frozen(stage, plan)
        .filter_map(|(name, input)| match input {
            FrozenInput::Folder { pack, .. } => Some((name.to_owned(), pack.digest)),
            FrozenInput::File(_) => None,
        })
        .collect()
}

/// Adds the settings that are not there yet, each as a whole: half of one budget and half of another
/// would be neither.
fn merge(settings: &mut Map<String, Value>, entry: &Map<String, Value>) {
    for (name, value) in entry {
        settings.entry(name).or_insert_with(|| value.clone());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_bound_object_fills_in_what_the_stage_does_not_say() {
        let mut settings = json!({"seed": 100, "budget": {"iterations": 50}});
        let entry = json!({"seed": 0, "learning_rate": 0.1, "budget": {"epochs": 3}});
        merge(
            settings.as_object_mut().unwrap(),
            entry.as_object().unwrap(),
        );
        let merged = json!({"seed": 100, "learning_rate": 0.1, "budget": {"iterations": 50}});
        assert_eq!(settings, merged);
    }
}
