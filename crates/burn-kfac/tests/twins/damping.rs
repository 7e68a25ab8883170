//! Preconditioning by each damping, against a dense solution.

use burn_kfac::{Damping, DampingMethod, KroneckerFactors, Pi, Symmetric};
use proptest::prelude::*;

use crate::{Numbers, assert_close};

/// Solves m x = b by elimination with pivoting. m: `[n, n]` row-major.
fn solve(mut m: Vec<f64>, mut b: Vec<f64>) -> Vec<f64> {
    let n = b.len();
    for k in 0..n {
        let pivot = (k..n)
            .max_by(|&i, &j| m[i * n + k].abs().total_cmp(&m[j * n + k].abs()))
            .unwrap();
        (0..n).for_each(|j| m.swap(k * n + j, pivot * n + j));
        b.swap(k, pivot);
        for i in k + 1..n {
            let factor = m[i * n + k] / m[k * n + k];
            (k..n).for_each(|j| m[i * n + j] -= factor * m[k * n + j]);
            b[i] -= factor * b[k];
        }
    }
    for k in (0..n).rev() {
        let known: f64 = (k + 1..n).map(|j| m[k * n + j] * b[j]).sum();
        b[k] = (b[k] - known) / m[k * n + k];
    }
    b
}

/// A random second moment of rank `rank`.
fn moment(dim: usize, rank: usize, numbers: &mut Numbers) -> Symmetric {
    let columns: Vec<Vec<f32>> = (0..rank)
        .map(|_| (0..dim).map(|_| numbers.next()).collect())
        .collect();
    let entries: Vec<f32> = (0..dim * dim)
        .map(|at| {
            columns
                .iter()
                .map(|c| c[at / dim] * c[at % dim])
                .sum::<f32>()
                / rank as f32
        })
        .collect();
    Symmetric::from_dense(dim, &entries)
}

/// Random factors of a layer of `rows` outputs and `cols` inputs.
fn factors(
    rows: usize,
    cols: usize,
    rank: usize,
    positions: usize,
    numbers: &mut Numbers,
) -> KroneckerFactors {
    KroneckerFactors {
        layer: "layer".into(),
        a_mean: moment(cols, rank, numbers),
        g_mean: moment(rows, rank, numbers),
        positions,
    }
}

/// left (x) right + damping I solved for V, where V's rows go with `left`.
fn dense_solve(
    left: &[f64],
    rows: usize,
    right: &[f64],
    cols: usize,
    damping: f64,
    v: &[f32],
) -> Vec<f64> {
    let n = rows * cols;
    let mut m = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..n {
            m[i * n + j] = left[i / cols * rows + j / cols] * right[i % cols * cols + j % cols];
        }
        m[i * n + i] += damping;
    }
    solve(m, v.iter().map(|&x| f64::from(x)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn eigen_damping_solves_the_dense_kronecker_system(
        seed: u64, rows in 1..5_usize, cols in 1..7_usize, rank in 1..8_usize,
        positions in 1..10_usize, damping in 0.01..10.0_f64,
    ) {
        let mut numbers = Numbers(seed);
        let factors = factors(rows, cols, rank, positions, &mut numbers);
        let v: Vec<f32> = (0..rows * cols).map(|_| numbers.next()).collect();
        let u = factors.preconditioner(Damping::new(damping).unwrap(), DampingMethod::Eigen).unwrap().apply(&v);
        let a: Vec<f64> = factors.a_mean.to_dense().into_iter().map(f64::from).collect();
        let g: Vec<f64> = factors.g_mean.to_dense().into_iter().map(|g| positions as f64 * f64::from(g)).collect();
        assert_close(&u, &dense_solve(&g, rows, &a, cols, damping, &v), 1e-4, "U");
    }

    #[test]
    fn factored_damping_solves_the_product_of_damped_factors(
        seed: u64, rows in 1..5_usize, cols in 1..7_usize, rank in 1..8_usize,
        positions in 1..10_usize, damping in 0.01..10.0_f64, which in 1..5_usize,
    ) {
        let mut numbers = Numbers(seed);
        let factors = factors(rows, cols, rank, positions, &mut numbers);
        let method = DampingMethod::ALL[which];
        let DampingMethod::Factored(pi) = method else { unreachable!("the first is eigen") };
        let v: Vec<f32> = (0..rows * cols).map(|_| numbers.next()).collect();
        let u = factors.preconditioner(Damping::new(damping).unwrap(), method).unwrap().apply(&v);
        let (t, pi) = (positions as f64, factors.pi(pi).unwrap());
        let s = (damping / t).sqrt();
        let damped = |m: &Symmetric, shift: f64, scale: f64| -> Vec<f64> {
            let n = m.dim();
            (0..n * n).map(|at| {
                scale * (f64::from(m.get(at / n, at % n)) + if at / n == at % n { shift } else { 0.0 })
            }).collect()
        };
        let (g, a) = (damped(&factors.g_mean, s / pi, t), damped(&factors.a_mean, pi * s, 1.0));
        assert_close(&u, &dense_solve(&g, rows, &a, cols, 0.0, &v), 1e-4, "U");
    }

    #[test]
    fn pi_makes_the_result_independent_of_the_scale_of_the_factors(
        seed: u64, scale in 0.01..100.0_f32, which in 1..4_usize,
    ) {
        let mut numbers = Numbers(seed);
        let (a, g) = (moment(4, 6, &mut numbers), moment(3, 6, &mut numbers));
        let v: Vec<f32> = (0..12).map(|_| numbers.next()).collect();
        let by = |m: &Symmetric, scale: f32| {
            let dense: Vec<f32> = m.to_dense().iter().map(|x| x * scale).collect();
            Symmetric::from_dense(m.dim(), &dense)
        };
        let u = |scale: f32| {
            let factors = KroneckerFactors {
                layer: "layer".into(), a_mean: by(&a, scale), g_mean: by(&g, 1.0 / scale), positions: 3,
            };
            let damping = Damping::new(0.1).unwrap();
            factors.preconditioner(damping, DampingMethod::ALL[which]).unwrap().apply(&v)
        };
        let reference: Vec<f64> = u(1.0).into_iter().map(f64::from).collect();
        assert_close(&u(scale), &reference, 1e-4, "U");
    }
}

#[test]
fn vanishing_curvature_leaves_the_gradient_over_the_damping() {
    let factors = KroneckerFactors {
        layer: "fc".into(),
        a_mean: Symmetric::from_dense(2, &[1.0, 0.0, 0.0, 1.0]),
        g_mean: Symmetric::zeros(2),
        positions: 1,
    };
    let u = factors
        .preconditioner(Damping::new(0.25).unwrap(), DampingMethod::Eigen)
        .unwrap()
        .apply(&[1.0, 2.0, 3.0, 4.0]);
    assert_close(&u, &[4.0, 8.0, 12.0, 16.0], 1e-6, "U");
    assert!((factors.pi(Pi::Trace).unwrap() - 1.0).abs() < 1e-12);
}

#[test]
fn a_spectrum_has_the_products_of_both_sides_times_the_positions() {
    let factors = KroneckerFactors {
        layer: "fc".into(),
        a_mean: Symmetric::from_dense(2, &[2.0, 0.0, 0.0, 3.0]),
        g_mean: Symmetric::from_dense(2, &[1.0, 0.0, 0.0, 5.0]),
        positions: 4,
    };
    let eigenvalues = factors.eigenvalues().unwrap();
    for (ours, reference) in eigenvalues.iter().zip([8.0, 12.0, 40.0, 60.0]) {
        assert!((ours - reference).abs() < 1e-9);
    }
    let spectrum = factors.spectrum().unwrap();
    assert!((spectrum.top - 60.0).abs() < 1e-9 && (spectrum.median - 12.0).abs() < 1e-9);
}
