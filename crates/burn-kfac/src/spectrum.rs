//! The eigenvalues of the curvature of a whole network, as quantiles: where a damping lies among them.

use rayon::prelude::*;

use crate::kfac::PARALLEL_WORK;
use crate::{Error, Kfac, KroneckerFactors, Spectrum};

impl Kfac {
    /// Largest and median eigenvalue of F, the block-diagonal matrix of all layers' T A (x) G, each factor the
    /// running average, bias-corrected; `None` before the first update.
    ///
    /// # Errors
    /// [`Error::Decomposition`].
    pub fn spectrum(&self) -> Result<Option<Spectrum>, Error> {
        let factors = self.all_factors();
        if factors.is_empty() {
            return Ok(None);
        }
        let work: usize = factors.iter().map(|of| of.a_mean.dim().pow(3)).sum();
        let all: Vec<Vec<f64>> = if work > PARALLEL_WORK {
            factors
                .par_iter()
                .map(KroneckerFactors::eigenvalues)
                .collect::<Result<_, _>>()?
        } else {
            factors
                .iter()
                .map(KroneckerFactors::eigenvalues)
                .collect::<Result<_, _>>()?
        };
        Ok(Some(Spectrum::of(all.concat())))
    }
}
