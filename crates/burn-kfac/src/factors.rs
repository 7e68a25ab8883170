//! Kronecker factors of one layer: F = T A (x) G.
//!
//! A = E[a a^T] and G = E[d d^T] are means over samples and output positions; T is the number
//! of positions. Source: Martens & Grosse 2015, section 3; for convolutions Grosse & Martens
//! 2016, section 3 (KFC; Omega = T A, Gamma = G).

use crate::error::Quantity;
use crate::settings::{Damping, DampingMethod, Pi};
use crate::{Error, Preconditioner, Symmetric};

/// Kronecker factors of one layer.
#[derive(Debug, Clone, PartialEq)]
pub struct KroneckerFactors {
    /// Name of the layer on the tape.
    pub layer: String,
    /// A, `[in, in]` for inputs `in`, one more with a bias (the last).
    pub a_mean: Symmetric,
    /// G, `[out, out]`; d is N times the gradient of the mean loss.
    pub g_mean: Symmetric,
    /// T, positions of the layer's output; 1 for a linear layer.
    pub positions: usize,
}

/// Where damping lies relative to curvature: a damping above `median` is larger than most
/// of what it is added to; above `top`, K-FAC is SGD at learning rate / damping.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spectrum {
    /// Largest eigenvalue of F.
    pub top: f64,
    /// Median eigenvalue of F (the lower of the two middle ones).
    pub median: f64,
}

impl Spectrum {
    /// Of these eigenvalues, at least one.
    pub(crate) fn of(mut eigenvalues: Vec<f64>) -> Self {
        let middle = (eigenvalues.len() - 1) / 2;
        let (_, median, above) = eigenvalues.select_nth_unstable_by(middle, f64::total_cmp);
        let median = *median;
        Self {
            top: above.iter().copied().fold(median, f64::max),
            median,
        }
    }
}

impl KroneckerFactors {
    /// Balance of factored damping.
    /// Source: Martens & Grosse 2015, section 6.3.
    ///
    /// 1 where the ratio does not exist: a factor that is zero has no scale to balance.
    ///
    /// # Errors
    /// [`Error::Decomposition`] from [`Pi::Spectral`].
    pub fn pi(&self, kind: Pi) -> Result<f64, Error> {
        let ratio = match kind {
            Pi::One => 1.0,
            Pi::Trace => {
                per_root(&self.a_mean, 2.0, Symmetric::trace)
                    / per_root(&self.g_mean, 2.0, Symmetric::trace)
            }
            Pi::Frobenius => {
                per_root(&self.a_mean, 1.0, Symmetric::frobenius)
                    / per_root(&self.g_mean, 1.0, Symmetric::frobenius)
            }
            Pi::Spectral => {
                let (a, g) = self.both_eigenvalues()?;
                a[a.len() - 1] / g[g.len() - 1]
            }
        };
        let pi = ratio.sqrt();
        Ok(if pi.is_finite() && pi > 0.0 { pi } else { 1.0 })
    }

    /// The rows * cols eigenvalues of F = T A (x) G, ascending.
    ///
    /// # Errors
    /// [`Error::Decomposition`].
    pub fn eigenvalues(&self) -> Result<Vec<f64>, Error> {
        let (a, g) = self.both_eigenvalues()?;
        let t = self.positions as f64;
        let mut all: Vec<f64> = a
            .iter()
            .flat_map(|a| g.iter().map(move |g| t * a * g))
            .collect();
        all.sort_unstable_by(f64::total_cmp);
        Ok(all)
    }

    /// Top and median eigenvalue of F.
    ///
    /// # Errors
    /// [`Error::Decomposition`].
    pub fn spectrum(&self) -> Result<Spectrum, Error> {
        Ok(Spectrum::of(self.eigenvalues()?))
    }

    /// (F + lambda I)^-1, ready to apply.
    ///
    /// # Errors
    /// [`Error::NonFinite`] for factors that hold NaN or infinities, [`Error::Decomposition`].
    pub fn preconditioner(
        &self,
        damping: Damping,
        method: DampingMethod,
    ) -> Result<Preconditioner, Error> {
        Preconditioner::new(self, damping, method)
    }

    fn both_eigenvalues(&self) -> Result<(Vec<f64>, Vec<f64>), Error> {
        let failed = |what| Error::Decomposition {
            layer: self.layer.clone(),
            what,
        };
        let a = self
            .a_mean
            .eigenvalues()
            .ok_or_else(|| failed(Quantity::InputFactor))?;
        let g = self
            .g_mean
            .eigenvalues()
            .ok_or_else(|| failed(Quantity::OutputFactor))?;
        Ok((a, g))
    }

    /// Complains about the first factor that holds something other than numbers.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let what = if !self.a_mean.is_finite() {
            Quantity::InputFactor
        } else if !self.g_mean.is_finite() {
            Quantity::OutputFactor
        } else {
            return Ok(());
        };
        Err(Error::NonFinite {
            layer: self.layer.clone(),
            what,
        })
    }
}

/// norm / dim^(power / 2): both norms of the identity are then 1.
fn per_root(matrix: &Symmetric, power: f64, norm: fn(&Symmetric) -> f64) -> f64 {
    norm(matrix) / (matrix.dim() as f64).powf(power / 2.0)
}
