//! What K-FAC remembers, under the names of the network's layers.

use burn_kfac::{KroneckerFactors, LayerState, State, Symmetric};

use crate::checkpoint::Unusable;
use crate::memory::Memory;
use crate::optimizer::Named;

/// Puts `kfac.LAYER.a` and so on.
///
/// # Panics
///
/// If a layer has another name on the tape than in the network.
pub(crate) fn save(state: State, parameters: &[Named], memory: &mut Memory) {
    memory.put_count("kfac.step".to_owned(), state.step);
    for (order, layer) in state.layers.into_iter().enumerate() {
        let name = &layer.averages.layer;
        let weight = parameters.iter().find(|it| it.id == layer.weight);
        assert!(
            weight.is_some_and(|it| it.name == format!("{name}.weight")),
            "layers have one name in the network and on the tape"
        );
        let factors = [
            ("", Some(&layer.averages)),
            ("inverted.", layer.inverted.as_ref()),
            ("pending.", layer.pending.as_ref()),
        ];
        for (of, factors) in factors {
            let Some(factors) = factors else { continue };
            for (factor, matrix) in [("a", &factors.a_mean), ("g", &factors.g_mean)] {
                let triangle = matrix.to_triangle();
                let name = format!("kfac.{name}.{of}{factor}");
                memory.put(name, vec![triangle.len()], triangle);
            }
        }
        for (what, count) in [
            ("order", order as u64),
            ("positions", layer.averages.positions as u64),
            ("updates", u64::from(layer.updates)),
            ("examples", layer.examples),
        ] {
            memory.put_count(format!("kfac.{name}.{what}"), count);
        }
    }
}

/// Takes what [`save`] put. The error says what is wrong with it.
pub(crate) fn restore(parameters: &[Named], memory: &mut Memory) -> Result<State, Unusable> {
    let step = memory.take_count("kfac.step")?;
    let mut layers = Vec::new();
    for weight in parameters {
        let Some(layer) = weight.name.strip_suffix(".weight") else {
            continue;
        };
        // BatchNorm's scales have none.
        let Ok(order) = memory.take_count(&format!("kfac.{layer}.order")) else {
            continue;
        };
        layers.push((order, restore_layer(layer, weight, parameters, memory)?));
    }
    layers.sort_by_key(|(order, _)| *order);
    let layers = layers.into_iter().map(|(_, layer)| layer).collect();
    Ok(State { step, layers })
}

fn restore_layer(
    layer: &str,
    weight: &Named,
    parameters: &[Named],
    memory: &mut Memory,
) -> Result<LayerState, Unusable> {
    let bias = parameters
        .iter()
        .find(|it| it.name == format!("{layer}.bias"));
    let (inputs, outputs, convolution) = match *weight.shape {
        [inputs, outputs] => (inputs, outputs, None),
        [outputs, channels, height, width] => (
            channels * height * width,
            outputs,
            Some([outputs, channels, height, width]),
        ),
        _ => {
            let layer = layer.to_owned();
            return Err(Unusable::NotALayer { layer });
        }
    };
    let cols = inputs + usize::from(bias.is_some());
    let mut count = |what: &str| memory.take_count(&format!("kfac.{layer}.{what}"));
    let positions = count("positions")? as usize;
    let (updates, examples) = (count("updates")?, count("examples")?);
    let updates = u32::try_from(updates).map_err(|_| Unusable::TooMany {
        name: format!("kfac.{layer}.updates"),
        count: updates,
    })?;
    let [has_inverted, has_pending] =
        ["inverted", "pending"].map(|of| memory.has(&format!("kfac.{layer}.{of}.a")));
    let mut factors = |of: &str| -> Result<KroneckerFactors, Unusable> {
        let mut factor = |factor: &str, dim: usize| {
            let name = format!("kfac.{layer}.{of}{factor}");
            let triangle = memory.take(&name)?.values;
            Symmetric::from_triangle(&triangle)
                .filter(|matrix| matrix.dim() == dim)
                .ok_or(Unusable::Factor { name, rows: dim })
        };
        Ok(KroneckerFactors {
            layer: layer.to_owned(),
            a_mean: factor("a", cols)?,
            g_mean: factor("g", outputs)?,
            positions,
        })
    };
    let averages = factors("")?;
    let mut kept = |has: bool, of: &str| has.then(|| factors(of)).transpose();
    let inverted = kept(has_inverted, "inverted.")?;
    let pending = kept(has_pending, "pending.")?;
    Ok(LayerState {
        weight: weight.id,
        bias: bias.map(|it| it.id),
        convolution,
        averages,
        updates,
        examples,
        inverted,
        pending,
    })
}
