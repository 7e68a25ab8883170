//! The rule that `doc/optimisers.md` adds, compiled from what the page says.

#![expect(unreachable_pub, reason = "the page's words are those of a library")]

use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer, RmsPropConfig};
use burn::tensor::{Device, Tensor};
use runs::number::Decay;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the list of the rules makes of a line.
macro_rules! optimizers {
    ($($(#[$doc:meta])* $rule:ident $name:literal,)*) => {
        #[derive(Deserialize)]
        enum Optimizer {
            $(
                $(#[$doc])*
                #[serde(rename = $name)]
                $rule($rule),
            )*
        }
    };
}

optimizers! {
    /// The gradient over the root of its average square (Hinton 2012).
    RmsProp "rmsprop",
}

/// Settings of this rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RmsProp {
    /// Decay of the average squared gradient.
    pub alpha: Decay,
}

impl Default for RmsProp {
    fn default() -> Self {
        Self {
            alpha: Decay::preset(0.99),
        }
    }
}

/// The crate's own type of this name is made from a rule, too.
struct Updates(ModuleOptimizer);

impl From<ModuleOptimizer> for Updates {
    fn from(rule: ModuleOptimizer) -> Self {
        Self(rule)
    }
}

fn updates(settings: &Optimizer) -> Updates {
    match settings {
        Optimizer::RmsProp(it) => RmsPropConfig::new()
            .with_alpha(it.alpha.get() as f32)
            .with_momentum(0.0)
            .with_epsilon(1e-8)
            .init()
            .into(),
    }
}

#[derive(Module, Debug)]
struct Weights {
    weights: burn::module::Param<Tensor<1>>,
}

#[test]
fn the_page_s_rule_is_rms_prop() {
    let device = Device::flex().autodiff();
    let settings = serde_json::from_str(r#"{"rmsprop": {"alpha": 0.9}}"#).unwrap();
    let mut rule = updates(&settings).0;
    let weights = Tensor::from_floats([1.0, -2.0], &device);
    let mut module = Weights {
        weights: burn::module::Param::from_tensor(weights),
    };
    let (mut expected, mut squared) = ([1.0_f64, -2.0], [0.0_f64; 2]);
    for _ in 0..3 {
        // The gradient is twice the weights.
        let loss = module.weights.val().powi_scalar(2).sum();
        let gradients = GradientsParams::from_grads(loss.backward(), &module);
        module = rule.step(0.1, module, gradients);
        for (weight, squared) in expected.iter_mut().zip(&mut squared) {
            let gradient = 2.0 * *weight;
            *squared = 0.9 * *squared + 0.1 * gradient * gradient;
            *weight -= 0.1 * gradient / (squared.sqrt() + 1e-8);
        }
    }
    let weights = module
        .weights
        .val()
        .into_data()
        .try_to_vec::<f32>()
        .unwrap();
    for (ours, expected) in weights.iter().zip(expected) {
        assert!((f64::from(*ours) - expected).abs() < 1e-6, "{weights:?}");
    }
}

/// Lines without their indentation.
fn flat(text: &str) -> String {
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn the_page_says_what_is_compiled_here() {
    let page = include_str!("../../../../doc/optimisers.md");
    let blocks = page.split("```rust\n").skip(1);
    let blocks: Vec<&str> = blocks.filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(blocks.len(), 3);
    let here = flat(include_str!("new_rule.rs"));
    for block in blocks {
        assert!(here.contains(&flat(block)), "{block}");
    }
}
