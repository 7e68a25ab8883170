//! Counting the kernels that are launched on a GPU.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use burn_cubecl::cubecl::config::{TypeNameFormatLevel, type_name_format};
use burn_cubecl::cubecl::logging::{LaunchObservation, LaunchObserver};

/// How often each kernel was launched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Launches(BTreeMap<&'static str, u64>);

impl Launches {
    /// Of all kernels.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }
}

/// A line for each kernel, the most frequent first.
impl fmt::Display for Launches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows: Vec<_> = self.0.iter().collect();
        rows.sort_by_key(|(name, count)| (u64::MAX - **count, **name));
        for (name, count) in rows {
            let name = type_name_format(name, TypeNameFormatLevel::Balanced);
            writeln!(f, "{count:8}  {name}")?;
        }
        write!(f, "{:8}  in all", self.total())
    }
}

/// Counts what the whole process launches while `work` runs.
pub fn launches<T>(work: impl FnOnce() -> T) -> (T, Launches) {
    #[derive(Default)]
    struct Counting(Mutex<Launches>);
    impl LaunchObserver for Counting {
        fn launched(&self, kernel: &'static str) {
            let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            *counts.0.entry(kernel).or_default() += 1;
        }
    }
    let counting = Arc::new(Counting::default());
    let watching = LaunchObservation::new(counting.clone());
    let result = work();
    drop(watching);
    let counts = counting.0.lock().unwrap_or_else(PoisonError::into_inner);
    (result, counts.clone())
}
