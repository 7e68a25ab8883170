//! What an update rule remembers, read from burn-optim's records and put into them.
//!
//! The only place that knows how these records are laid out, which burn does not promise: entries `PARAMETER.FIELD`
//! with the parameter's number and the field of the rule's own type, arrays of f32 and counts. Checkpoints keep the
//! fields' names, so a burn that names one otherwise makes checkpoints of another kind; the test below says so first.

use std::collections::BTreeMap;

use burn::optim::OptimizerRecord;
use burn::tensor::{Bytes, DType};
use burn_pack::{Reader, Scalar, Writer};

use super::{Named, Updates, parameters};
use crate::checkpoint::Unusable;
use crate::memory::{Array, Memory};
use crate::models::Network;

/// The name under which burn-optim keeps the number of dimensions of a parameter.
const RANK: &str = "__rank";

impl Updates {
    /// Puts `optimizer.NAME.FIELD` for each parameter that was updated.
    ///
    /// # Panics
    ///
    /// If burn-optim keeps something else than arrays of f32 and counts.
    pub(crate) fn save(&self, network: &Network, memory: &mut Memory) {
        const PACKED: &str = "burn-optim reads what it wrote";
        let packed = self.rule.to_record().into_bytes().expect(PACKED);
        let reader = Reader::from_bytes(packed).expect(PACKED);
        let names: BTreeMap<String, String> = parameters(network)
            .into_iter()
            .map(|parameter| (parameter.id.val().to_string(), parameter.name))
            .collect();
        let name = |entry: &str| {
            let (id, field) = entry.split_once('.').expect("`PARAMETER.FIELD`");
            (field != RANK).then(|| format!("optimizer.{}.{field}", names[id]))
        };
        for (entry, scalar) in reader.scalars() {
            if let Some(name) = name(entry) {
                let count = u64::try_from(*scalar).expect("update rules keep counts only");
                memory.put_count(name, count);
            }
        }
        for tensor in reader.into_tensors().expect(PACKED) {
            let (entry, dtype, shape, _, bytes) = tensor.into_parts().expect(PACKED);
            assert_eq!(dtype, DType::F32, "update rules keep f32");
            let values = bytes.as_chunks().0;
            memory.put(
                name(&entry).expect("a rank is no array"),
                shape.to_vec(),
                values.iter().map(|x| f32::from_le_bytes(*x)).collect(),
            );
        }
    }

    /// Takes what [`save`](Self::save) put. The error says what is wrong with it.
    pub(crate) fn restore(
        &mut self,
        network: &Network,
        memory: &mut Memory,
    ) -> Result<(), Unusable> {
        let (mut tensors, mut scalars, mut paths) = (Vec::new(), Vec::new(), Vec::new());
        for Named {
            id,
            name,
            path,
            shape,
        } in parameters(network)
        {
            let id = id.val();
            let prefix = format!("optimizer.{name}.");
            for (field, Array { shape, values }) in memory.take_all(&prefix) {
                let bytes = values.iter().flat_map(|x| x.to_le_bytes()).collect();
                tensors.push(burn_pack::Tensor::new(
                    format!("{id}.{field}"),
                    DType::F32,
                    shape,
                    Some(id),
                    Bytes::from_bytes_vec(bytes),
                ));
            }
            for (field, count) in memory.take_all_counts(&prefix) {
                scalars.push((format!("{id}.{field}"), Scalar::UInt(count)));
            }
            scalars.push((format!("{id}.{RANK}"), Scalar::UInt(shape.len() as u64)));
            paths.push((id.to_string(), path));
        }
        let given = tensors.len();
        let mut writer = Writer::new(tensors);
        for (name, scalar) in scalars {
            writer = writer.with_scalar(&name, scalar);
        }
        for (name, path) in paths {
            writer = writer.with_metadata(&name, &path);
        }
        let packed = writer.into_bytes().map_err(unread)?;
        let record = OptimizerRecord::from_bytes(packed).map_err(unread)?;
        self.rule = self.rule.clone().load_record(record);
        // What it does not know, it leaves out.
        let taken = self.rule.to_record().len();
        if taken != given || taken == 0 {
            return Err(Unusable::OptimizerArrays { taken, given });
        }
        Ok(())
    }
}

fn unread(error: impl std::fmt::Display) -> Unusable {
    Unusable::Optimizer {
        said: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use burn::module::{Module, ModuleVisitor, Param};
    use burn::optim::GradientsParams;
    use burn::tensor::Tensor;
    use datasets::Data;
    use serde_json::{Value, json};

    use super::*;

    /// The weights themselves.
    #[derive(Default)]
    struct SomeGradients(GradientsParams);

    impl ModuleVisitor for SomeGradients {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.register(param.id, param.val().inner());
        }
    }

    /// The fields that a rule remembers of the weights of two layers after a step.
    fn remembered(rule: &str, settings: &Value) -> BTreeSet<String> {
        let (device, _) = crate::device::open("cpu").unwrap();
        let split = serde_json::from_value(json!({"source": "digits", "train": 10})).unwrap();
        let bytes = datasets::prepare(&split, &datasets::Files::new()).unwrap();
        let data = Data::from_bytes(&bytes).unwrap();
        let model = serde_json::from_value(json!({"mlp": {"hidden": [3]}})).unwrap();
        let network = Network::new(&model, &data, 0, &device).unwrap();
        let settings = serde_json::from_value(json!({rule: settings})).unwrap();
        let mut updates = Updates::new(&settings, &network);
        let mut gradients = SomeGradients::default();
        network.visit(&mut gradients);
        let network = updates.step(0.1, network, gradients.0);
        let mut memory = Memory::default();
        updates.save(&network, &mut memory);
        let arrays = memory.arrays.into_keys();
        let names = arrays.chain(memory.counts.into_keys());
        let of_weights = names.filter_map(|name| Some(name.split_once(".weight.")?.1.to_owned()));
        of_weights.collect()
    }

    #[test]
    fn the_fields_that_checkpoints_keep_are_those_that_burn_has() {
        let fixture: Value =
            serde_json::from_str(include_str!("../../tests/fixtures/optimizers/numbers.json"))
                .unwrap();
        for (rule, settings) in fixture["rules"].as_object().unwrap() {
            let expected: &[&str] = match rule.as_str() {
                "adamw" => &["momentum.moment_1", "momentum.moment_2", "momentum.time"],
                "lamb" => &["moment_1", "moment_2", "time"],
                "lion" => &["momentum"],
                // The last layer is AdamW's.
                "muon" => &[
                    "momentum.moment_1",
                    "momentum.moment_2",
                    "momentum.time",
                    "momentum.velocity",
                ],
                _ => &["momentum.velocity"],
            };
            let fields = remembered(rule, settings);
            assert!(fields.iter().eq(expected), "{rule}: {fields:?}");
        }
    }
}
