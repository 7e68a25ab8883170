//! Symmetric matrices: one Kronecker factor.
//!
//! Only the lower triangle is computed and read, so a factor cannot be unsymmetric.

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::linalg::matmul::triangular::{BlockStructure, matmul};
use faer::prelude::default;
use faer::{Accum, Mat, MatMut, MatRef, Par};

/// A symmetric matrix in single precision, `[dim, dim]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Symmetric {
    dim: usize,
    /// Column-major; above the diagonal: unspecified.
    lower: Vec<f32>,
}

/// Eigenvalues (ascending, none below 0) and eigenvectors (columns) in double precision.
pub(crate) struct Eigen {
    pub(crate) values: Vec<f64>,
    pub(crate) vectors: Mat<f64>,
}

impl Symmetric {
    /// The zero matrix.
    pub fn zeros(dim: usize) -> Self {
        Self {
            dim,
            lower: vec![0.0; dim * dim],
        }
    }

    /// From all entries, `[dim, dim]`; of two mirrored entries the mean is taken.
    ///
    /// # Panics
    /// If there are not dim * dim entries.
    pub fn from_dense(dim: usize, entries: &[f32]) -> Self {
        assert_eq!(
            entries.len(),
            dim * dim,
            "a symmetric matrix needs dim * dim entries"
        );
        let mut matrix = Self::zeros(dim);
        for j in 0..dim {
            for i in j..dim {
                matrix.lower[j * dim + i] =
                    f32::midpoint(entries[i * dim + j], entries[j * dim + i]);
            }
        }
        matrix
    }

    /// The lower triangle column by column, `[dim (dim + 1) / 2]`: every entry once.
    pub fn to_triangle(&self) -> Vec<f32> {
        (0..self.dim)
            .flat_map(|j| &self.lower[j * self.dim + j..(j + 1) * self.dim])
            .copied()
            .collect()
    }

    /// The matrix of which [`to_triangle`](Self::to_triangle) gives this; `None` unless the length is that of
    /// a triangle.
    pub fn from_triangle(entries: &[f32]) -> Option<Self> {
        let triangle = |n: usize| n * (n + 1) / 2;
        let dim = (0..=entries.len()).find(|&n| triangle(n) >= entries.len())?;
        if triangle(dim) != entries.len() {
            return None;
        }
        let (mut matrix, mut rest) = (Self::zeros(dim), entries);
        for j in 0..dim {
            let (column, after) = rest.split_at(dim - j);
            matrix.lower[j * dim + j..(j + 1) * dim].copy_from_slice(column);
            rest = after;
        }
        Some(matrix)
    }

    /// Rows.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Entry (i, j).
    ///
    /// # Panics
    /// If i or j is not below [`Symmetric::dim`].
    pub fn get(&self, i: usize, j: usize) -> f32 {
        assert!(
            i < self.dim && j < self.dim,
            "entry ({i}, {j}) of a matrix of {} rows",
            self.dim
        );
        self.lower[i.min(j) * self.dim + i.max(j)]
    }

    /// Sets the entries (i, j) and (j, i).
    pub(crate) fn set(&mut self, i: usize, j: usize, x: f32) {
        self.lower[i.min(j) * self.dim + i.max(j)] = x;
    }

    /// All entries, `[dim, dim]`.
    pub fn to_dense(&self) -> Vec<f32> {
        let n = self.dim;
        (0..n * n).map(|at| self.get(at / n, at % n)).collect()
    }

    /// Sum of the eigenvalues.
    pub fn trace(&self) -> f64 {
        (0..self.dim).map(|i| f64::from(self.get(i, i))).sum()
    }

    /// Root of the sum of squared entries.
    pub fn frobenius(&self) -> f64 {
        let mut sum = 0.0;
        for j in 0..self.dim {
            let column = &self.lower[j * self.dim..(j + 1) * self.dim];
            sum += f64::from(column[j]).powi(2);
            sum += 2.0
                * column[j + 1..]
                    .iter()
                    .map(|&x| f64::from(x).powi(2))
                    .sum::<f64>();
        }
        sum.sqrt()
    }

    /// Whether every entry is a number, for a sum of outer products: there an entry that is
    /// not finite shows on the diagonal.
    pub(crate) fn is_finite(&self) -> bool {
        self.trace().is_finite()
    }

    /// The first rows and columns of self <- themselves + scale m m^T. m: `[at most dim, k]`.
    pub(crate) fn add_outer(&mut self, scale: f32, m: MatRef<'_, f32>) {
        let full = BlockStructure::Rectangular;
        let (dim, some) = (self.dim, m.nrows());
        let dst = MatMut::from_column_major_slice_with_stride_mut(&mut self.lower, some, some, dim);
        let (lower, right) = (BlockStructure::TriangularLower, m.transpose());
        matmul(
            dst,
            lower,
            Accum::Add,
            m,
            full,
            right,
            full,
            scale,
            Par::Seq,
        );
    }

    /// self <- decay self + (1 - decay) new.
    pub(crate) fn average(&mut self, decay: f64, new: &Self) {
        let (old_weight, new_weight) = (decay as f32, (1.0 - decay) as f32);
        for (old, new) in self.lower.iter_mut().zip(&new.lower) {
            *old = old_weight * *old + new_weight * new;
        }
    }

    /// scale * self.
    pub(crate) fn scaled(&self, scale: f64) -> Self {
        let lower = self
            .lower
            .iter()
            .map(|&x| (f64::from(x) * scale) as f32)
            .collect();
        Self {
            dim: self.dim,
            lower,
        }
    }

    /// In double precision; above the diagonal: unspecified.
    pub(crate) fn lower_f64(&self) -> Mat<f64> {
        Mat::from_fn(self.dim, self.dim, |i, j| {
            f64::from(self.lower[j * self.dim + i])
        })
    }

    /// `None` if the iteration does not converge or gives something that is no number.
    pub(crate) fn eigen(&self) -> Option<Eigen> {
        let mut vectors = Mat::zeros(self.dim, self.dim);
        let values = self.evd(Some(vectors.as_mut()))?;
        let finite = vectors
            .col_iter()
            .all(|c| c.iter().all(|x: &f64| x.is_finite()));
        finite.then_some(Eigen { values, vectors })
    }

    /// Ascending, none below 0. `None` as for [`Symmetric::eigen`].
    pub(crate) fn eigenvalues(&self) -> Option<Vec<f64>> {
        self.evd(None)
    }

    /// Rounding can make an eigenvalue of a second moment negative: those are clamped at 0.
    fn evd(&self, vectors: Option<MatMut<'_, f64>>) -> Option<Vec<f64>> {
        let n = self.dim;
        let want = if vectors.is_some() {
            ComputeEigenvectors::Yes
        } else {
            ComputeEigenvectors::No
        };
        let scratch = self_adjoint_evd_scratch::<f64>(n, want, Par::Seq, default());
        let mut values = Diag::zeros(n);
        self_adjoint_evd(
            self.lower_f64().as_ref(),
            values.as_mut(),
            vectors,
            Par::Seq,
            MemStack::new(&mut MemBuffer::new(scratch)),
            default(),
        )
        .ok()?;
        let values: Vec<f64> = values.column_vector().iter().copied().collect();
        values
            .iter()
            .all(|x| x.is_finite())
            .then(|| values.iter().map(|x| x.max(0.0)).collect())
    }
}
