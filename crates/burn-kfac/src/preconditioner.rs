//! (F + lambda I)^-1 of one layer, ready to apply.
//!
//! Decompositions run on the host in double precision (the error of a single-precision
//! eigendecomposition dominates otherwise: 1e-2 at damping 1e-4) and without threads of their
//! own, so that a result does not depend on the number of threads. What they give is applied in
//! single precision.

use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::linalg::cholesky::llt::{factor, inverse};
use faer::linalg::matmul::matmul;
use faer::prelude::default;
use faer::{Accum, Mat, MatMut, MatRef, Par};

use crate::error::Quantity;
use crate::settings::{Damping, DampingMethod, Pi};
use crate::{Error, KroneckerFactors, Symmetric};

/// V -> U for one layer; V and U are `[rows, cols]`: outputs by inputs, bias column last.
#[derive(Debug, Clone)]
pub struct Preconditioner(pub(crate) Inverse);

#[derive(Debug, Clone)]
pub(crate) enum Inverse {
    /// U = Qg [(Qg^T V Qa) * scale] Qa^T.
    Eigen {
        /// Eigenvectors of A, `[cols, cols]`.
        qa: Mat<f32>,
        /// Eigenvectors of G, `[rows, rows]`.
        qg: Mat<f32>,
        /// `1 / (T dg_i da_j + lambda)`, `[rows, cols]`.
        scale: Mat<f32>,
        /// Eigenvalues of A, `[cols]`: a device makes the scale of them.
        #[cfg(feature = "gpu")]
        of_a: Vec<f32>,
        /// Eigenvalues of T G, `[rows]`.
        #[cfg(feature = "gpu")]
        of_g: Vec<f32>,
    },
    /// U = g V a.
    Factored {
        /// (A + pi s I)^-1, `[cols, cols]`.
        a: Mat<f32>,
        /// (G + s/pi I)^-1 / T, `[rows, rows]`.
        g: Mat<f32>,
    },
}

impl Preconditioner {
    pub(crate) fn new(
        factors: &KroneckerFactors,
        damping: Damping,
        method: DampingMethod,
    ) -> Result<Self, Error> {
        factors.check()?;
        Ok(Self(match method {
            DampingMethod::Eigen => eigen(factors, damping.get())?,
            DampingMethod::Factored(pi) => factored(factors, damping.get(), pi)?,
        }))
    }

    /// U from V, both `[rows, cols]`, row-major.
    ///
    /// # Panics
    /// If v has not rows * cols entries.
    pub fn apply(&self, v: &[f32]) -> Vec<f32> {
        let (rows, cols) = match &self.0 {
            Inverse::Eigen { scale, .. } => (scale.nrows(), scale.ncols()),
            Inverse::Factored { a, g } => (g.nrows(), a.nrows()),
        };
        let mut u = vec![0.0; v.len()];
        let v = MatRef::from_row_major_slice(v, rows, cols);
        self.multiply(v, MatMut::from_row_major_slice_mut(&mut u, rows, cols));
        u
    }

    /// [`Preconditioner::apply`] on views of any layout.
    pub(crate) fn multiply(&self, v: MatRef<'_, f32>, u: MatMut<'_, f32>) {
        match &self.0 {
            Inverse::Eigen { qa, qg, scale, .. } => {
                let mut inner = product(product(qg.transpose(), v).as_ref(), qa.as_ref());
                for (inner, scale) in inner.col_iter_mut().zip(scale.col_iter()) {
                    inner
                        .iter_mut()
                        .zip(scale.iter())
                        .for_each(|(x, scale)| *x *= scale);
                }
                let outer = product(qg.as_ref(), inner.as_ref());
                matmul(u, Accum::Replace, &outer, qa.transpose(), 1.0, Par::Seq);
            }
            Inverse::Factored { a, g } => {
                matmul(u, Accum::Replace, &product(g.as_ref(), v), a, 1.0, Par::Seq);
            }
        }
    }
}

fn product(a: MatRef<'_, f32>, b: MatRef<'_, f32>) -> Mat<f32> {
    let mut c = Mat::zeros(a.nrows(), b.ncols());
    matmul(&mut c, Accum::Replace, a, b, 1.0, Par::Seq);
    c
}

fn single(m: &Mat<f64>) -> Mat<f32> {
    Mat::from_fn(m.nrows(), m.ncols(), |i, j| m[(i, j)] as f32)
}

/// Exactly (F + lambda I)^-1 in the eigenbasis of F = T A (x) G.
fn eigen(factors: &KroneckerFactors, lambda: f64) -> Result<Inverse, Error> {
    let failed = |what| {
        move || Error::Decomposition {
            layer: factors.layer.clone(),
            what,
        }
    };
    let a = factors
        .a_mean
        .eigen()
        .ok_or_else(failed(Quantity::InputFactor))?;
    let g = factors
        .g_mean
        .eigen()
        .ok_or_else(failed(Quantity::OutputFactor))?;
    let t = factors.positions as f64;
    let scale = Mat::from_fn(g.values.len(), a.values.len(), |i, j| {
        (1.0 / (t * g.values[i] * a.values[j] + lambda)) as f32
    });
    Ok(Inverse::Eigen {
        qa: single(&a.vectors),
        qg: single(&g.vectors),
        scale,
        #[cfg(feature = "gpu")]
        of_a: a.values.iter().map(|&value| value as f32).collect(),
        #[cfg(feature = "gpu")]
        of_g: g.values.iter().map(|&value| (t * value) as f32).collect(),
    })
}

/// (1/T) (G + s/pi I)^-1 V (A + pi s I)^-1 with s = sqrt(lambda / T).
/// Source: Martens & Grosse 2015, section 6.3.
fn factored(factors: &KroneckerFactors, lambda: f64, pi: Pi) -> Result<Inverse, Error> {
    let failed = |what| {
        move || Error::Decomposition {
            layer: factors.layer.clone(),
            what,
        }
    };
    let t = factors.positions as f64;
    let s = (lambda / t).sqrt();
    let pi = factors.pi(pi)?;
    let a =
        damped_inverse(&factors.a_mean, pi * s, 1.0).ok_or_else(failed(Quantity::InputFactor))?;
    let g = damped_inverse(&factors.g_mean, s / pi, 1.0 / t)
        .ok_or_else(failed(Quantity::OutputFactor))?;
    Ok(Inverse::Factored { a, g })
}

/// scale (m + shift I)^-1; `None` if that is not positive definite in floating point.
fn damped_inverse(m: &Symmetric, shift: f64, scale: f64) -> Option<Mat<f32>> {
    let n = m.dim();
    let mut l = m.lower_f64();
    for i in 0..n {
        l[(i, i)] += shift;
    }
    let mut memory = MemBuffer::new(StackReq::any_of(&[
        factor::cholesky_in_place_scratch::<f64>(n, Par::Seq, default()),
        inverse::inverse_scratch::<f64>(n, Par::Seq),
    ]));
    let stack = MemStack::new(&mut memory);
    factor::cholesky_in_place(l.as_mut(), default(), Par::Seq, stack, default()).ok()?;
    let mut inverse = Mat::zeros(n, n);
    inverse::inverse(inverse.as_mut(), l.as_ref(), Par::Seq, stack);
    let mut finite = true;
    let all = Mat::from_fn(n, n, |i, j| {
        let x = (inverse[(i.max(j), i.min(j))] * scale) as f32;
        finite &= x.is_finite();
        x
    });
    finite.then_some(all)
}
