//! A network with its BatchNorm statistics as a safetensors file that PyTorch reads.
//!
//! Names and layout are those of PyTorch's `state_dict`: parameters as in [`Weight`], and for each BatchNorm
//! layer `running_mean` and `running_var`, the statistics that it evaluates with. The bytes are in
//! [`runs::weights`].
//!
//! Variances are the population's, as everywhere here, because that is what evaluation uses; PyTorch's own
//! training would note `n / (n - 1)` times as much.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor, TensorData};
use burn_conv_kernels::transfer;
pub use runs::weights::to_bytes;

use super::weights::Path;
use super::{Moments, Network, Weight};
use crate::Error;

const MEAN: &str = "running_mean";
const VARIANCE: &str = "running_var";

impl Network {
    /// All weights, and the statistics of all BatchNorm layers, one entry a layer in the order of the
    /// forward pass; none are written if there are none.
    ///
    /// # Panics
    ///
    /// If there are statistics, but of another number of layers than the network has.
    pub fn state_dict(&self, statistics: &[Moments]) -> Vec<Weight> {
        let mut state = self.weights();
        if statistics.is_empty() {
            return state;
        }
        let layers = self.batch_norms();
        assert_eq!(
            layers.len(),
            statistics.len(),
            "statistics of every BatchNorm layer"
        );
        let vector = |name: String, tensor: &Tensor<1>| Weight {
            name,
            shape: tensor.dims().to_vec(),
            values: host(tensor),
        };
        for (layer, moments) in layers.iter().zip(statistics) {
            state.push(vector(format!("{layer}.{MEAN}"), &moments.mean));
            state.push(vector(format!("{layer}.{VARIANCE}"), &moments.variance));
        }
        state
    }

    /// The network with the weights of a `state_dict` instead of its own, and the statistics in it, if it has
    /// any: one entry a BatchNorm layer in the order of the forward pass, on `device` (without autodiff).
    ///
    /// # Errors
    ///
    /// [`Error::MissingWeight`], [`Error::WeightShape`], [`Error::SurplusWeights`] unless the names and shapes are exactly those of this network; statistics may be
    /// missing, but not some of them.
    pub fn with_state_dict(
        self,
        state: &[Weight],
        device: &Device,
    ) -> Result<(Self, Option<Vec<Moments>>), Error> {
        let is_statistic = |weight: &&Weight| {
            let last = weight.name.rsplit('.').next();
            last == Some(MEAN) || last == Some(VARIANCE)
        };
        let (statistics, weights): (Vec<&Weight>, Vec<&Weight>) =
            state.iter().partition(is_statistic);
        let weights: Vec<Weight> = weights.into_iter().cloned().collect();
        let network = self.with_weights(&weights)?;
        if statistics.is_empty() {
            return Ok((network, None));
        }
        let layers = network.batch_norms();
        let vector = |name: String, like: usize| -> Result<Tensor<1>, Error> {
            let found = statistics
                .iter()
                .find(|weight| weight.name == name)
                .ok_or_else(|| Error::MissingWeight { name: name.clone() })?;
            if found.shape != [like] {
                return Err(Error::WeightShape {
                    name,
                    found: found.shape.clone(),
                    wanted: vec![like],
                });
            }
            let data = TensorData::new(found.values.clone(), [like]);
            Ok(transfer::up(data, device))
        };
        let channels = |layer: &str| {
            let scale = format!("{layer}.weight");
            let scale = weights.iter().find(|weight| weight.name == scale);
            let Some(scale) = scale else {
                unreachable!("the network took its weights, and every BatchNorm layer has a scale");
            };
            scale.shape[0]
        };
        let moments = layers
            .iter()
            .map(|layer| {
                let channels = channels(layer);
                Ok(Moments {
                    mean: vector(format!("{layer}.{MEAN}"), channels)?,
                    variance: vector(format!("{layer}.{VARIANCE}"), channels)?,
                })
            })
            .collect::<Result<Vec<_>, Error>>()?;
        if statistics.len() != 2 * moments.len() {
            return Err(Error::SurplusWeights {
                what: " running statistics",
                given: statistics.len(),
                used: 2 * moments.len(),
            });
        }
        Ok((network, Some(moments)))
    }

    /// Names of the BatchNorm layers, in the order of the forward pass.
    pub fn batch_norms(&self) -> Vec<String> {
        #[derive(Default)]
        struct Names {
            path: Path,
            found: Vec<String>,
        }
        impl ModuleVisitor for Names {
            fn enter_module(&mut self, name: &str, container: &str) {
                self.path.enter(name, container);
            }

            fn exit_module(&mut self, _name: &str, _container: &str) {
                self.path.exit();
            }

            fn visit_float<const D: usize>(&mut self, _param: &Param<Tensor<D>>) {
                if self.path.is_in("BatchNorm")
                    && let Some(layer) = self.path.name().strip_suffix(".weight")
                {
                    self.found.push(layer.to_owned());
                }
            }
        }
        let mut names = Names::default();
        self.visit(&mut names);
        names.found
    }
}

/// Reads weights from a safetensors file, in the order of their names.
///
/// # Errors
///
/// [`Error::NotWeights`] if the bytes are something else, or a tensor is not of 32-bit floats.
pub fn from_bytes(bytes: &[u8]) -> Result<Vec<Weight>, Error> {
    runs::weights::from_bytes(bytes).map_err(Error::NotWeights)
}

fn host(tensor: &Tensor<1>) -> Vec<f32> {
    let data = transfer::down(tensor.clone());
    data.try_into_vec().expect("statistics are f32")
}
