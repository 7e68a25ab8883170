//! Claims about runs.

use schemars::JsonSchema;
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};

use crate::number::Positive;
use crate::{Metric, Spanned};

/// A claim to decide.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Claim {
    /// The confirmed performance of the methods is equal within a margin, at every batch size.
    ComparablePerformance(Comparison),
    /// Both methods have diminishing returns from larger batches, and the first departs from ideal scaling further. Of
    /// more than two methods: each departs further than those named after it.
    DiminishingReturns(Scaling),
    /// At fixed epochs the good region shrinks as the batch size grows.
    RegionShrinksAtFixedEpochs(Region),
    /// At fixed iterations the good region grows with the batch size.
    RegionGrowsAtFixedIterations(Region),
    /// Good learning rates and good dampings are positively correlated, at every batch size.
    RatesAndDampingsCorrelate(Correlation),
    /// Each method needs fewer steps than those named after it to the same loss, at every batch size.
    FasterPerIteration(Progress),
    /// The control: at a large damping K-FAC is SGD with learning rate / damping, within a margin. It takes SGD runs
    /// with those rates and the same momentum, seeds and budget.
    LargeDampingIsSgd(Control),
}

impl Claim {
    /// The methods that it compares; a single one where it is on one method alone.
    pub fn methods(&self) -> Vec<&str> {
        match self {
            Self::RatesAndDampingsCorrelate(_) => vec![KFAC],
            Self::LargeDampingIsSgd(_) => vec![KFAC, SGD],
            _ => self.choice().iter().map(|name| name.as_str()).collect(),
        }
    }

    /// The methods that the study can name: with their places in the file where it does.
    pub fn choice(&self) -> &[Spanned<String>] {
        match self {
            Self::ComparablePerformance(Comparison { methods, .. })
            | Self::DiminishingReturns(Scaling { methods, .. })
            | Self::FasterPerIteration(Progress { methods, .. }) => &methods.0,
            Self::RegionShrinksAtFixedEpochs(Region { method, .. })
            | Self::RegionGrowsAtFixedIterations(Region { method, .. }) => {
                std::slice::from_ref(method)
            }
            Self::RatesAndDampingsCorrelate(_) | Self::LargeDampingIsSgd(_) => &[],
        }
    }

    /// The smallest effect that matters, in the unit of the claim's effect, if the study declares it: what a claim of
    /// equality calls its margin.
    pub fn smallest(&self) -> Option<f64> {
        match self {
            Self::ComparablePerformance(Comparison { margin, .. })
            | Self::LargeDampingIsSgd(Control { margin, .. }) => Some(*margin),
            Self::DiminishingReturns(Scaling { smallest, .. })
            | Self::RegionShrinksAtFixedEpochs(Region { smallest, .. })
            | Self::RegionGrowsAtFixedIterations(Region { smallest, .. })
            | Self::RatesAndDampingsCorrelate(Correlation { smallest }) => {
                smallest.map(Positive::get)
            }
            // A ratio of 1.1.
            Self::FasterPerIteration(Progress { smallest, .. }) => {
                smallest.map(|share| share.get().ln_1p())
            }
        }
    }
}

const KFAC: &str = "kfac";
const SGD: &str = "sgd";

/// Two methods or more, each by its optimiser's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct Methods(
    #[schemars(length(min = 2), extend("uniqueItems" = true))] pub Vec<Spanned<String>>,
);

impl<'de> Deserialize<'de> for Methods {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = Vec::<Spanned<String>>::deserialize(deserializer)?;
        if names.len() < 2 {
            return Err(D::Error::custom("a comparison needs two methods or more"));
        }
        match (1..names.len()).find(|&i| names[..i].contains(&names[i])) {
            Some(i) => Err(D::Error::custom(format!("names `{}` twice", names[i]))),
            None => Ok(Self(names)),
        }
    }
}

fn kfac_and_sgd() -> Methods {
    Methods([KFAC, SGD].map(|name| name.to_owned().into()).into())
}

fn is_kfac_and_sgd(methods: &Methods) -> bool {
    *methods == kfac_and_sgd()
}

fn sgd_and_kfac() -> Methods {
    Methods([SGD, KFAC].map(|name| name.to_owned().into()).into())
}

fn is_sgd_and_kfac(methods: &Methods) -> bool {
    *methods == sgd_and_kfac()
}

fn kfac() -> Spanned<String> {
    KFAC.to_owned().into()
}

fn is_kfac(method: &Spanned<String>) -> bool {
    **method == KFAC
}

/// What counts as comparable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Comparison {
    /// The methods to compare. More than two give a table of pairs.
    #[serde(skip_serializing_if = "is_kfac_and_sgd")]
    pub methods: Methods,
    /// The largest difference that counts as equal, in the metric's unit.
    #[serde(deserialize_with = "Positive::number")]
    #[schemars(with = "Positive")]
    pub margin: f64,
    /// What is compared.
    pub metric: Metric,
}

impl Default for Comparison {
    fn default() -> Self {
        Self {
            methods: kfac_and_sgd(),
            margin: 0.01,
            metric: Metric::TestAccuracy,
        }
    }
}

/// How methods gain from larger batches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Scaling {
    /// The methods, the one that departs furthest from ideal scaling first. More than two give a table of pairs.
    #[serde(skip_serializing_if = "is_kfac_and_sgd")]
    pub methods: Methods,
    /// The smallest difference of the slopes of log steps over log batch size that matters, for the number of seeds
    /// that the report advises.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smallest: Option<Positive>,
}

impl Default for Scaling {
    fn default() -> Self {
        Self {
            methods: kfac_and_sgd(),
            smallest: None,
        }
    }
}

/// How many steps methods need.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Progress {
    /// The methods, the fastest first. More than two give a table of pairs.
    #[serde(skip_serializing_if = "is_sgd_and_kfac")]
    pub methods: Methods,
    /// The smallest relative difference in steps that matters (0.1: a tenth more), for the number of seeds that the
    /// report advises.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smallest: Option<Positive>,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            methods: sgd_and_kfac(),
            smallest: None,
        }
    }
}

/// Whose good region.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Region {
    /// The method whose heatmaps are looked at.
    #[serde(skip_serializing_if = "is_kfac")]
    pub method: Spanned<String>,
    /// The smallest change of the share of good cells per doubling of the batch size that matters (0.01: one point),
    /// for the number of seeds that the report advises.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smallest: Option<Positive>,
}

impl Default for Region {
    fn default() -> Self {
        Self {
            method: kfac(),
            smallest: None,
        }
    }
}

/// How good learning rates go with dampings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Correlation {
    /// The smallest slope of log learning rate over log damping that matters, for the number of seeds that the report
    /// advises.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smallest: Option<Positive>,
}

/// What counts as the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Control {
    /// The largest difference that counts as equal, in the metric's unit.
    #[serde(deserialize_with = "Positive::number")]
    #[schemars(with = "Positive")]
    pub margin: f64,
    /// What is compared.
    pub metric: Metric,
}

impl Default for Control {
    fn default() -> Self {
        Self {
            margin: 0.01,
            metric: Metric::TestAccuracy,
        }
    }
}

/// The numbers of seeds at which a verdict is given.
///
/// Looks at the data are declared beforehand, because each further look may find by chance what is not there: the
/// first is tested at 1 % and the second at 4 %, so that both together err in at most 5 %.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct Looks(#[schemars(inner(range(min = 5)))] pub [usize; 2]);

impl<'de> Deserialize<'de> for Looks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match <[usize; 2]>::deserialize(deserializer)? {
            [first, second] if 5 <= first && first < second => Ok(Self([first, second])),
            _ => Err(D::Error::custom(
                "two numbers of seeds, ascending and at least 5, as `[5, 20]`",
            )),
        }
    }
}
