//! What is measured: a network at a batch size, on so many threads, with an update rule.

use std::fmt;

use serde_json::{Value, json};

/// The network: its name and what follows from it.
pub(crate) struct Network {
    pub(crate) name: &'static str,
    /// Channels, height, width.
    pub(crate) shape: [usize; 3],
    batches: &'static [usize],
    /// Whether K-FAC on it is measured only if it is asked for.
    slow_kfac: bool,
}

pub(crate) const NETWORKS: [Network; 4] = [
    Network {
        name: "mlp",
        shape: [1, 8, 8],
        batches: &[16, 64, 256],
        slow_kfac: false,
    },
    Network {
        name: "cnn",
        shape: [1, 8, 8],
        batches: &[32, 128, 512],
        slow_kfac: false,
    },
    Network {
        name: "resnet20",
        shape: [3, 32, 32],
        batches: &[128, 512],
        slow_kfac: false,
    },
    Network {
        name: "alexnet",
        shape: [3, 32, 32],
        batches: &[128],
        // Of its first fully connected layer, A is of dimension 4,097.
        slow_kfac: true,
    },
];

/// SGD, or K-FAC with one of its two Fisher matrices.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    Sgd,
    Empirical,
    Sampled,
}

pub(crate) const RULES: [Rule; 3] = [Rule::Sgd, Rule::Empirical, Rule::Sampled];

/// One line of work for both programs.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) network: &'static Network,
    pub(crate) batch: usize,
    pub(crate) threads: usize,
    pub(crate) rule: Rule,
}

impl Network {
    pub(crate) fn model(&self) -> Value {
        match self.name {
            "mlp" => json!({"mlp": {"hidden": [32]}}),
            "cnn" => json!({"cnn": {"channels": [8, 16]}}),
            name => json!(name),
        }
    }
}

impl Rule {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sgd => "sgd",
            Self::Empirical => "empirical",
            Self::Sampled => "sampled",
        }
    }
}

impl Case {
    /// The words of a case, as both workers and the filter take them.
    pub(crate) fn words(&self) -> [String; 4] {
        [
            self.network.name.to_owned(),
            self.batch.to_string(),
            format!("threads={}", self.threads),
            self.rule.name().to_owned(),
        ]
    }

    /// The case of such words.
    pub(crate) fn from_words(words: &[String]) -> Option<Self> {
        every().find(|case| case.words() == words)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().join(" "))
    }
}

/// All cases, those of one network, batch size and number of threads together, SGD first.
fn every() -> impl Iterator<Item = Case> {
    NETWORKS.iter().flat_map(|network| {
        network.batches.iter().flat_map(move |&batch| {
            [1, 2].into_iter().flat_map(move |threads| {
                RULES.into_iter().map(move |rule| Case {
                    network,
                    batch,
                    threads,
                    rule,
                })
            })
        })
    })
}

/// The cases that a filter chooses: of each kind of word, one of those given, if any is. The error is a word
/// that is of no kind.
pub(crate) fn chosen(filter: &[String]) -> Result<Vec<Case>, String> {
    let is_known = |word: &&String| every().any(|case| case.words().contains(*word));
    if let Some(word) = filter.iter().find(|word| !is_known(word)) {
        return Err(word.clone());
    }
    // The words of one kind that the filter names.
    let named = |kind: usize| -> Vec<&String> {
        let is_of_kind = |word: &&String| every().any(|case| case.words()[kind] == **word);
        filter.iter().filter(is_of_kind).collect()
    };
    let kinds = [0, 1, 2, 3].map(named);
    let slow_is_named = !kinds[3].is_empty();
    Ok(every()
        .filter(|case| {
            let fits =
                |(word, named): (&String, &Vec<&String>)| named.is_empty() || named.contains(&word);
            case.words().iter().zip(&kinds).all(fits)
        })
        .filter(|case| slow_is_named || !case.network.slow_kfac || case.rule == Rule::Sgd)
        .collect())
}
