//! Update rules, from burn-optim, and what they remember of each parameter.

#[cfg(feature = "gpu")]
mod descent;
mod muon;
mod record;

use std::num::NonZeroU32;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{
    AdamWConfig, GradientsParams, LambConfig, LionConfig, ModuleOptimizer, SgdConfig,
};
#[cfg(feature = "gpu")]
use burn::tensor::Device;
use burn::tensor::Tensor;
use burn_kfac::{FactorDecay, KlClip, Pi};
use runs::number::{Decay, Interval, NonNegative};
use runs::settings::{AdamW, DampingMethod, Fisher, Kfac, Lamb, Lion, Optimizer};

use crate::Error;
use crate::models::Network;

/// A parameter of a network.
pub(crate) struct Named {
    pub(crate) id: ParamId,
    /// PyTorch's name, `layer1.0.conv1.weight`.
    pub(crate) name: String,
    /// burn's, with the network's variant before it.
    pub(crate) path: String,
    /// In burn's layout.
    pub(crate) shape: Vec<usize>,
}

/// The parameters of a network, in the order of the forward pass.
pub(crate) fn parameters(network: &Network) -> Vec<Named> {
    #[derive(Default)]
    struct Walk {
        path: Vec<String>,
        found: Vec<Named>,
    }
    impl ModuleVisitor for Walk {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.found.push(Named {
                id: param.id,
                name: self.path[1..].join("."),
                path: self.path.join("."),
                shape: param.shape().to_vec(),
            });
        }
    }
    let mut walk = Walk::default();
    network.visit(&mut walk);
    walk.found
}

/// An update rule with what it remembers.
pub(crate) struct Updates {
    rule: ModuleOptimizer,
    /// What the rule leaves to be computed for all parameters at once.
    #[cfg(feature = "gpu")]
    descent: Option<descent::Descent>,
}

impl Updates {
    pub(crate) fn new(settings: &Optimizer, network: &Network) -> Self {
        match settings {
            Optimizer::Sgd(it) => Self::sgd(it.momentum, it.weight_decay, network),
            Optimizer::Kfac(it) => Self::sgd(it.momentum, it.weight_decay, network),
            Optimizer::AdamW(it) => adamw(it).init().into(),
            Optimizer::Lamb(it) => lamb(it).into(),
            Optimizer::Lion(it) => lion(it).into(),
            Optimizer::Muon(it) => muon::init(it, &parameters(network)).into(),
        }
    }

    #[cfg(feature = "gpu")]
    fn sgd(momentum: Decay, weight_decay: NonNegative, network: &Network) -> Self {
        if network
            .devices()
            .into_iter()
            .all(|it| it.inner() == Device::flex())
        {
            return sgd(momentum, weight_decay).into();
        }
        let (descent, rule) = descent::Descent::new(momentum, weight_decay);
        Self {
            rule,
            descent: Some(descent),
        }
    }

    #[cfg(not(feature = "gpu"))]
    fn sgd(momentum: Decay, weight_decay: NonNegative, _network: &Network) -> Self {
        sgd(momentum, weight_decay).into()
    }

    pub(crate) fn step(
        &mut self,
        rate: f64,
        network: Network,
        directions: GradientsParams,
    ) -> Network {
        let network = self.rule.step(rate, network, directions);
        #[cfg(feature = "gpu")]
        if let Some(descent) = &self.descent {
            descent.launch(rate);
        }
        network
    }
}

impl From<ModuleOptimizer> for Updates {
    fn from(rule: ModuleOptimizer) -> Self {
        Self {
            rule,
            #[cfg(feature = "gpu")]
            descent: None,
        }
    }
}

/// What K-FAC does to a gradient before momentum.
///
/// # Errors
///
/// [`Error::NoDamping`] without a damping, which has no default.
pub(crate) fn preconditioner(settings: &Kfac) -> Result<burn_kfac::Settings, Error> {
    let damping = settings.damping.ok_or(Error::NoDamping)?;
    let every = |interval: Interval| NonZeroU32::new(interval.get()).expect("1 or more");
    let kl_clip = settings.kl_clip.map(|bound| KlClip::new(bound.get()));
    let settings = burn_kfac::Settings {
        damping: burn_kfac::Damping::new(damping.get()).map_err(Error::Kfac)?,
        damping_method: match settings.damping_method {
            DampingMethod::Eigen => burn_kfac::DampingMethod::Eigen,
            DampingMethod::Factored => burn_kfac::DampingMethod::Factored(Pi::Trace),
            DampingMethod::FactoredFrobenius => burn_kfac::DampingMethod::Factored(Pi::Frobenius),
            DampingMethod::FactoredSpectral => burn_kfac::DampingMethod::Factored(Pi::Spectral),
            DampingMethod::FactoredUnbalanced => burn_kfac::DampingMethod::Factored(Pi::One),
        },
        fisher: match settings.fisher {
            Fisher::Sampled => burn_kfac::Fisher::Sampled,
            Fisher::Empirical => burn_kfac::Fisher::Empirical,
        },
        factor_decay: FactorDecay::new(settings.factor_decay.get()).map_err(Error::Kfac)?,
        factor_every: every(settings.factor_every),
        inverse_every: every(settings.inverse_every),
        delay: settings.delay,
        kl_clip: kl_clip.transpose().map_err(Error::Kfac)?,
        burn_in: burn_kfac::BurnIn {
            batches: settings.burn_in.batches,
            examples_per_dimension: settings.burn_in.examples_per_dimension,
        },
    };
    settings.check().map_err(Error::Kfac)?;
    Ok(settings)
}

fn sgd(momentum: Decay, weight_decay: NonNegative) -> ModuleOptimizer {
    let momentum = MomentumConfig::new()
        .with_momentum(momentum.get())
        .with_dampening(0.0);
    SgdConfig::new()
        .with_momentum(Some(momentum))
        .with_weight_decay(decay(weight_decay))
        .init()
}

fn adamw(settings: &AdamW) -> AdamWConfig {
    AdamWConfig::new()
        .with_beta_1(settings.beta_1.get() as f32)
        .with_beta_2(settings.beta_2.get() as f32)
        .with_epsilon(settings.epsilon.get() as f32)
        .with_weight_decay(settings.weight_decay.get() as f32)
}

fn lamb(settings: &Lamb) -> ModuleOptimizer {
    LambConfig::new()
        .with_beta_1(settings.beta_1.get() as f32)
        .with_beta_2(settings.beta_2.get() as f32)
        .with_epsilon(settings.epsilon.get() as f32)
        .with_weight_decay(settings.weight_decay.get() as f32)
        .init()
}

fn lion(settings: &Lion) -> ModuleOptimizer {
    LionConfig::new()
        .with_beta_1(settings.beta_1.get() as f32)
        .with_beta_2(settings.beta_2.get() as f32)
        .with_weight_decay(settings.weight_decay.get() as f32)
        .init()
}

/// Weight decay, if there is any.
fn decay(weight_decay: NonNegative) -> Option<WeightDecayConfig> {
    let decay = weight_decay.get();
    (decay > 0.0).then(|| WeightDecayConfig::new(decay as f32))
}

#[cfg(test)]
mod tests {
    use datasets::Data;
    use serde_json::{Value, json};

    use super::*;
    use crate::models::Weight;

    fn numbers(values: &Value) -> Vec<f32> {
        let numbers = values.as_array().unwrap().iter();
        numbers.map(|x| x.as_f64().unwrap() as f32).collect()
    }

    /// Weights of this network with numbers from the fixture.
    fn weights(shapes: &Value, values: &Value) -> Vec<Weight> {
        let named = shapes.as_object().unwrap().iter();
        named
            .map(|(name, shape)| Weight {
                name: name.clone(),
                shape: serde_json::from_value(shape.clone()).unwrap(),
                values: numbers(&values[name]),
            })
            .collect()
    }

    /// As gradients: those of the network that has them as weights.
    fn gradients(network: &Network, shapes: &Value, values: &Value) -> GradientsParams {
        struct Register(GradientsParams);
        impl ModuleVisitor for Register {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                self.0.register(param.id, param.val().inner());
            }
        }
        let as_weights = network.clone().with_weights(&weights(shapes, values));
        let mut register = Register(GradientsParams::new());
        as_weights.unwrap().visit(&mut register);
        register.0
    }

    #[test]
    fn the_defaults_of_kfac_are_those_of_its_library() {
        let given: Kfac = serde_json::from_value(json!({"damping": 0.03})).unwrap();
        let damping = burn_kfac::Damping::new(0.03).unwrap();
        let ours = preconditioner(&given).unwrap();
        assert_eq!(ours, burn_kfac::Settings::new(damping));
        let without = preconditioner(&Kfac::default()).unwrap_err();
        assert_eq!(without.to_string(), "optimizer.kfac.damping: is missing");
    }

    #[test]
    fn the_methods_of_damping_have_one_name() {
        for method in burn_kfac::DampingMethod::ALL {
            let given = json!({"damping": 1, "damping_method": method.name()});
            let given = serde_json::from_value(given).unwrap();
            assert_eq!(preconditioner(&given).unwrap().damping_method, method);
        }
    }

    #[test]
    fn every_rule_updates_as_pytorch_or_its_paper_does() {
        let fixture: Value =
            serde_json::from_str(include_str!("../tests/fixtures/optimizers/numbers.json"))
                .unwrap();
        let (device, _) = crate::device::open("cpu").unwrap();
        let split = json!({"source": "digits", "train": 10});
        let bytes = datasets::prepare(
            &serde_json::from_value(split).unwrap(),
            &datasets::Files::new(),
        )
        .unwrap();
        let data = Data {
            height: 2,
            width: 2,
            classes: 2,
            ..Data::from_bytes(&bytes).unwrap()
        };
        for (network, model) in [
            ("mlp", json!({"mlp": {"hidden": [3]}})),
            ("cnn", json!({"cnn": {"channels": [2]}})),
        ] {
            let (shapes, of) = (&fixture["shapes"][network], &fixture["networks"][network]);
            for (rule, settings) in fixture["rules"].as_object().unwrap() {
                let model = serde_json::from_value(model.clone()).unwrap();
                let network = Network::new(&model, &data, 0, &device).unwrap();
                let mut network = network
                    .with_weights(&weights(shapes, &of["initial"]))
                    .unwrap();
                let settings = serde_json::from_value(json!({rule: settings})).unwrap();
                let mut updates = Updates::new(&settings, &network);
                for step in of["gradients"].as_array().unwrap() {
                    let directions = gradients(&network, shapes, step);
                    let rate = fixture["rate"].as_f64().unwrap();
                    network = updates.step(rate, network, directions);
                }
                for ours in network.weights() {
                    let expected = numbers(&of["ended"][rule][&ours.name]);
                    let same = |(a, b): (&f32, &f32)| (a - b).abs() < 2e-6 * b.abs().max(1.0);
                    assert!(
                        ours.values.iter().zip(&expected).all(same),
                        "{rule}, {}: {:?}, expected {expected:?}",
                        ours.name,
                        ours.values
                    );
                }
            }
        }
    }
}
