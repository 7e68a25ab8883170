//! Which seeds decide, and at which level: looks at the data that were declared, and what was looked at before.
//!
//! Adding seeds until a verdict pleases finds what is not there: with a look at each seed from 5 to 40, a null effect
//! is "found" in a quarter of all studies. So a verdict is given at the number of seeds that the study has. A second
//! look is declared beforehand and shares the level with the first; after an extension that was not declared, only the
//! added seeds decide, because the others have been seen.

use std::collections::BTreeSet;

use runs::reader::Looks;
use serde::{Deserialize, Serialize};

use super::judge::{LEVEL, SEEDS_TO_DECIDE};

/// Levels of the first and the second declared look: together 5 %.
const LEVELS: [f64; 2] = [0.01, 0.04];

/// What a study rules for all its claims.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rules {
    /// The numbers of seeds at which it declares to look.
    pub looks: Option<Looks>,
    /// Seeds that an earlier report of the study had used.
    pub seen: BTreeSet<u64>,
}

/// Which look a verdict was given at, where there is more than one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Look {
    /// One of the declared ones.
    Declared {
        /// 1 or 2.
        number: usize,
        /// The seeds of the other one.
        other: usize,
    },
    /// The study was extended after a report had used this many of its seeds, which no longer count.
    Extended {
        /// Seeds that were seen.
        seen: usize,
    },
}

/// Seeds to decide with, at a level.
pub(super) struct Looking {
    pub(super) seeds: BTreeSet<u64>,
    pub(super) alpha: f64,
    pub(super) which: Option<Look>,
    /// Fewest seeds that decide at this look.
    pub(super) needed: usize,
}

impl Rules {
    /// The look at some seeds.
    pub(super) fn look(&self, seeds: &BTreeSet<u64>) -> Looking {
        if let Some(Looks([first, second])) = self.looks {
            // What an earlier report had used before the looks were declared has been seen.
            let seeds = seeds - &self.seen;
            let is_second = seeds.len() >= second;
            let (place, take, other) = if is_second {
                (1, second, first)
            } else {
                (0, first, second)
            };
            return Looking {
                seeds: seeds.into_iter().take(take).collect(),
                needed: take,
                alpha: LEVELS[place],
                which: Some(Look::Declared {
                    number: place + 1,
                    other,
                }),
            };
        }
        let seen = seeds & &self.seen;
        let added = seeds - &self.seen;
        let is_extended = seen.len() >= SEEDS_TO_DECIDE && !added.is_empty();
        Looking {
            which: is_extended.then_some(Look::Extended { seen: seen.len() }),
            seeds: if is_extended { added } else { seeds.clone() },
            alpha: LEVEL,
            needed: SEEDS_TO_DECIDE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(rules: &Rules, seeds: u64) -> (usize, f64, Option<Look>) {
        let looking = rules.look(&(0..seeds).collect());
        (looking.seeds.len(), looking.alpha, looking.which)
    }

    #[test]
    fn declared_looks_share_the_level_and_take_the_seeds_that_they_name() {
        let rules = Rules {
            looks: Some(Looks([5, 20])),
            seen: BTreeSet::new(),
        };
        let first = Some(Look::Declared {
            number: 1,
            other: 20,
        });
        let second = Some(Look::Declared {
            number: 2,
            other: 5,
        });
        assert_eq!(look(&rules, 4), (4, 0.01, first));
        assert_eq!(look(&rules, 19), (5, 0.01, first));
        assert_eq!(look(&rules, 20), (20, 0.04, second));
        assert_eq!(look(&rules, 30), (20, 0.04, second));
        // Before the first look there is no verdict, and what was seen before the looks were declared does not count.
        assert_eq!(rules.look(&(0..4).collect()).needed, 5);
        let late = Rules {
            seen: (0..5).collect(),
            ..rules
        };
        assert_eq!(look(&late, 20), (5, 0.01, first));
        assert_eq!(look(&late, 25), (20, 0.04, second));
    }

    #[test]
    fn after_an_extension_only_the_added_seeds_decide() {
        let seen = |n: u64| Rules {
            looks: None,
            seen: (0..n).collect(),
        };
        assert_eq!(look(&seen(0), 5), (5, 0.05, None));
        assert_eq!(look(&seen(5), 5), (5, 0.05, None));
        let extended = Some(Look::Extended { seen: 5 });
        assert_eq!(look(&seen(5), 12), (7, 0.05, extended));
        // Too few to have decided anything: nothing was seen.
        assert_eq!(look(&seen(4), 12), (12, 0.05, None));
    }
}
