//! SGD on a GPU: burn-optim's rule, computed for all parameters at once.
//!
//! burn-optim updates a parameter at a time, in some six launches each. Here each gets the memory of its results, and
//! what they are is computed when the last has been asked for. What is remembered has the names that burn-optim's own
//! rule gives it, so that checkpoints are the same.

use std::sync::{Arc, Mutex};

use burn::optim::{ModuleOptimizer, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor};
use burn_conv_kernels::{self as kernels, transfer};
use runs::number::{Decay, NonNegative};

/// Updates that wait for [`launch`](Self::launch).
pub(super) struct Descent {
    waiting: Arc<Mutex<kernels::Updates>>,
    momentum: f64,
    weight_decay: f64,
}

impl Descent {
    /// With the rule that leaves updates waiting.
    pub(super) fn new(momentum: Decay, weight_decay: NonNegative) -> (Self, ModuleOptimizer) {
        let waiting = Arc::<Mutex<kernels::Updates>>::default();
        let rule = Leaving(Arc::clone(&waiting)).into();
        let descent = Self {
            waiting,
            momentum: momentum.get(),
            weight_decay: weight_decay.get(),
        };
        (descent, rule)
    }

    pub(super) fn launch(&self, rate: f64) {
        let mut waiting = self.waiting.lock().expect("no update panicked");
        waiting.launch(kernels::Descent {
            rate,
            momentum: self.momentum,
            weight_decay: self.weight_decay,
        });
    }
}

#[derive(Clone)]
struct Leaving(Arc<Mutex<kernels::Updates>>);

/// The velocity of a parameter.
#[derive(Clone)]
struct Velocity<const D: usize>(Tensor<D>);

impl<const D: usize> Velocity<D> {
    const NAME: &str = "momentum.velocity";
}

impl<const D: usize> RecordState for Velocity<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        out.push_tensor(prefix, Self::NAME, transfer::down(self.0.clone()));
    }

    fn state_unflatten(prefix: &str, from: &mut StateSource, device: &Device) -> Option<Self> {
        let velocity = from.take_tensor(prefix, Self::NAME)?;
        Some(Self(transfer::up(velocity, device)))
    }
}

impl Optimizer for Leaving {
    type State<const D: usize> = Velocity<D>;

    fn step<const D: usize>(
        &self,
        _rate: f64,
        tensor: Tensor<D>,
        gradient: Tensor<D>,
        velocity: Option<Velocity<D>>,
    ) -> (Tensor<D>, Option<Velocity<D>>) {
        let mut waiting = self.0.lock().expect("no update panicked");
        let [tensor, velocity] = waiting
            .add(tensor, gradient, velocity.map(|velocity| velocity.0))
            .expect("parameters on a GPU are f32");
        (tensor, Some(Velocity(velocity)))
    }

    fn to_device<const D: usize>(velocity: Velocity<D>, device: &Device) -> Velocity<D> {
        Velocity(velocity.0.to_device(device))
    }
}
