//! Muon for networks with convolutions.
//!
//! Momentum of a matrix is replaced by the nearest orthogonal matrix, or nearly. A convolution's weight is taken as a
//! matrix `[out, in * height * width]`, as Jordan et al. 2024 do for CIFAR-10. The last linear layer, biases and
//! BatchNorm follow AdamW; Liu et al. 2025, eq. (4), scale a matrix's update by 0.2 sqrt(max(rows, columns)), to the
//! size of AdamW's, so that one learning rate serves both.

use burn::module::ParamGroup;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdjustLrFn, ModuleOptimizer, MuonConfig, Optimizer};
use burn::tensor::{Device, Tensor};
use runs::settings::Muon;

use super::{Named, adamw, decay};

/// Muon for hidden matrices, AdamW for the rest.
pub(super) fn init(settings: &Muon, parameters: &[Named]) -> ModuleOptimizer {
    let momentum = MomentumConfig::new()
        .with_momentum(settings.momentum.get())
        .with_dampening(0.0)
        .with_nesterov(true);
    let matrices = MuonConfig::new()
        .with_momentum(momentum)
        .with_weight_decay(decay(settings.weight_decay))
        .with_adjust_lr_fn(AdjustLrFn::MatchRmsAdamW)
        .build();
    let hidden = ParamGroup::from_paths(hidden(parameters));
    adamw(&settings.rest())
        .init()
        .with_group(hidden, Flattened(matrices), None)
}

/// Paths of the convolutions and of the linear weights but the last.
fn hidden(parameters: &[Named]) -> Vec<String> {
    let rank = |parameter: &Named| parameter.shape.len();
    let last = parameters.iter().rposition(|it| rank(it) == 2);
    let matrices = parameters.iter().enumerate();
    matrices
        .filter(|(at, it)| rank(it) > 1 && Some(*at) != last)
        .map(|(_, it)| it.path.clone())
        .collect()
}

/// A rule for matrices, applied to weights of more dimensions as matrices of as many rows.
#[derive(Clone)]
struct Flattened(burn::optim::Muon);

impl Optimizer for Flattened {
    type State<const D: usize> = <burn::optim::Muon as Optimizer>::State<2>;

    fn step<const D: usize>(
        &self,
        rate: f64,
        tensor: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let shape = tensor.shape();
        let (matrix, state) = self.0.step::<2>(
            rate,
            tensor.flatten::<2>(1, D - 1),
            gradient.flatten::<2>(1, D - 1),
            state,
        );
        (matrix.reshape(shape), state)
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        burn::optim::Muon::to_device::<2>(state, device)
    }
}
