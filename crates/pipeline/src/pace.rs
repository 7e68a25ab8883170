//! How long stages take, guessed from those that have ended: as long as the others of their stage of the study at the
//! same batch size, else as any of their method at that batch size, else as their stage of the study, else as their kind.

use std::collections::HashMap;

use engine::Stage;
use serde_json::Value;

/// Mean seconds of stages that have ended.
#[derive(Default)]
pub(crate) struct Paces<'a> {
    batches: HashMap<(&'a str, u64), Mean>,
    methods: HashMap<(&'a str, u64), Mean>,
    families: HashMap<&'a str, Mean>,
    kinds: HashMap<&'a str, Mean>,
}

#[derive(Default)]
struct Mean {
    sum: f64,
    count: f64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1.0;
    }

    fn value(&self) -> f64 {
        self.sum / self.count
    }
}

impl<'a> Paces<'a> {
    /// Takes note of a stage that took so long.
    pub(crate) fn add(&mut self, stage: &'a Stage, seconds: f64) {
        if let Some(batch) = batch_size(stage) {
            let alike = self.batches.entry((&stage.family, batch)).or_default();
            alike.add(seconds);
            if let Some(method) = method(stage) {
                self.methods
                    .entry((method, batch))
                    .or_default()
                    .add(seconds);
            }
        }
        self.families.entry(&stage.family).or_default().add(seconds);
        self.kinds.entry(&stage.kind).or_default().add(seconds);
    }

    /// Seconds that a stage is expected to take; none where none of its kind has ended.
    pub(crate) fn expected(&self, stage: &Stage) -> Option<f64> {
        let family = stage.family.as_str();
        let batch = batch_size(stage);
        let alike = batch.and_then(|batch| self.batches.get(&(family, batch)));
        let of_method = || self.methods.get(&(method(stage)?, batch?));
        let alike = alike
            .or_else(of_method)
            .or_else(|| self.families.get(family))
            .or_else(|| self.kinds.get(stage.kind.as_str()));
        alike.map(Mean::value)
    }
}

/// The batch size of a training run, where the study says it: that of a winner is in its name.
pub(crate) fn batch_size(stage: &Stage) -> Option<u64> {
    let named = || {
        let found = stage.coordinates.iter().find(|(of, _)| of == "batch_size");
        found.and_then(|(_, value)| value.parse().ok())
    };
    let settings = crate::stages::run_settings(&stage.kind, &stage.settings)?;
    settings
        .get("batch_size")
        .and_then(Value::as_u64)
        .or_else(named)
}

/// The optimiser of a training run, found in the same way.
pub(crate) fn method(stage: &Stage) -> Option<&str> {
    let settings = crate::stages::run_settings(&stage.kind, &stage.settings)?;
    let optimizer = settings.get("optimizer").and_then(Value::as_object);
    let named = || stage.coordinates.iter().find(|(of, _)| of == "method");
    let of_settings = optimizer.and_then(|optimizer| optimizer.keys().next());
    of_settings
        .or_else(|| named().map(|(_, value)| value))
        .map(String::as_str)
}
