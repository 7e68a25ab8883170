//! Weights by name, in PyTorch's layout.
//!
//! A name is the path of the parameter in its network (`layer1.0.conv1.weight`), a linear weight is
//! `[out, in]`, a convolution's `[out, in, height, width]`: what PyTorch calls them.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};
use burn_conv_kernels::transfer;

use super::{Network, Weight};
use crate::Error;

impl Network {
    /// All weights, in the order of the forward pass.
    pub fn weights(&self) -> Vec<Weight> {
        let mut export = Export {
            path: Path::default(),
            weights: Vec::new(),
        };
        self.visit(&mut export);
        export.weights
    }

    /// The network with these weights instead of its own.
    ///
    /// # Errors
    ///
    /// [`Error::MissingWeight`], [`Error::WeightShape`], [`Error::SurplusWeights`] unless names and shapes are exactly those of [`weights`](Self::weights).
    pub fn with_weights(self, weights: &[Weight]) -> Result<Self, Error> {
        let mut import = Import {
            path: Path::default(),
            weights,
            used: 0,
            wrong: None,
        };
        let network = self.map(&mut import);
        match import.wrong {
            Some(wrong) => Err(wrong),
            None if import.used != weights.len() => Err(Error::SurplusWeights {
                what: "",
                given: weights.len(),
                used: import.used,
            }),
            None => Ok(network),
        }
    }
}

/// Where a walk through a network is; the outermost entry is the variant of [`Network`].
#[derive(Default)]
pub(super) struct Path {
    names: Vec<String>,
    containers: Vec<String>,
}

impl Path {
    pub(super) fn enter(&mut self, name: &str, container: &str) {
        self.names.push(name.to_owned());
        self.containers.push(container.to_owned());
    }

    pub(super) fn exit(&mut self) {
        self.names.pop();
        self.containers.pop();
    }

    pub(super) fn name(&self) -> String {
        self.names[1..].join(".")
    }

    /// burn keeps a linear weight as `[in, out]`.
    fn is_transposed(&self, rank: usize) -> bool {
        rank == 2 && self.is_in("Linear")
    }

    /// Whether the parameter is a direct part of a module of this type.
    pub(super) fn is_in(&self, module: &str) -> bool {
        self.containers
            .last()
            .and_then(|container| container.rsplit(':').next())
            == Some(module)
    }
}

struct Export {
    path: Path,
    weights: Vec<Weight>,
}

impl ModuleVisitor for Export {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val().inner();
        let tensor = if self.path.is_transposed(D) {
            tensor.swap_dims(0, 1)
        } else {
            tensor
        };
        self.weights.push(Weight {
            name: self.path.name(),
            shape: tensor.dims().to_vec(),
            values: transfer::down(tensor)
                .try_into_vec()
                .expect("weights are f32"),
        });
    }
}

struct Import<'a> {
    path: Path,
    weights: &'a [Weight],
    used: usize,
    wrong: Option<Error>,
}

impl ModuleMapper for Import<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.name();
        let transposed = self.path.is_transposed(D);
        let mut shape = param.val().dims().to_vec();
        if transposed {
            shape.swap(0, 1);
        }
        let Some(weight) = self.weights.iter().find(|weight| weight.name == name) else {
            self.wrong.get_or_insert(Error::MissingWeight { name });
            return param;
        };
        if weight.shape != shape {
            self.wrong.get_or_insert(Error::WeightShape {
                name,
                found: weight.shape.clone(),
                wanted: shape,
            });
            return param;
        }
        self.used += 1;
        param.map(|old| {
            let data = TensorData::new(weight.values.clone(), shape);
            let tensor: Tensor<D> = transfer::up(data, &old.device().inner());
            let tensor = if transposed {
                tensor.swap_dims(0, 1)
            } else {
                tensor
            };
            Tensor::from_inner(tensor).require_grad()
        })
    }
}
