//! A minimum of a function of a few variables without derivatives.

/// The simplex method of Nelder & Mead with the usual coefficients 1, 2, 1/2, 1/2, from `start` with
/// a simplex of edges `edge`, until its values agree within `tolerance` or 400 steps are made.
/// Returns the point and its value. Deterministic.
///
/// Source: Nelder & Mead 1965.
pub(crate) fn nelder_mead<const N: usize>(
    function: impl Fn([f64; N]) -> f64,
    start: [f64; N],
    edge: f64,
    tolerance: f64,
) -> ([f64; N], f64) {
    let mut simplex: Vec<([f64; N], f64)> = vec![(start, function(start))];
    for axis in 0..N {
        let mut point = start;
        point[axis] += edge;
        simplex.push((point, function(point)));
    }
    let along = |from: &[f64; N], to: &[f64; N], factor: f64| -> [f64; N] {
        std::array::from_fn(|i| from[i] + factor * (to[i] - from[i]))
    };
    for _ in 0..400 {
        simplex.sort_by(|a, b| a.1.total_cmp(&b.1));
        let (best, worst) = (simplex[0], simplex[N]);
        // The ends may agree by symmetry while the simplex still straddles the minimum.
        let spread = (0..N)
            .map(|i| (worst.0[i] - best.0[i]).abs())
            .fold(0.0, f64::max);
        if worst.1 - best.1 <= tolerance && spread <= tolerance.sqrt() {
            break;
        }
        let centre: [f64; N] = std::array::from_fn(|i| {
            simplex[..N].iter().map(|vertex| vertex.0[i]).sum::<f64>() / N as f64
        });
        let attempt = |factor: f64| {
            let point = along(&centre, &worst.0, factor);
            (point, function(point))
        };
        let reflected = attempt(-1.0);
        if reflected.1 < best.1 {
            let expanded = attempt(-2.0);
            simplex[N] = if expanded.1 < reflected.1 {
                expanded
            } else {
                reflected
            };
        } else if reflected.1 < simplex[N - 1].1 {
            simplex[N] = reflected;
        } else {
            let contracted = attempt(if reflected.1 < worst.1 { -0.5 } else { 0.5 });
            if contracted.1 < worst.1.min(reflected.1) {
                simplex[N] = contracted;
            } else {
                for vertex in &mut simplex[1..] {
                    let point = along(&best.0, &vertex.0, 0.5);
                    *vertex = (point, function(point));
                }
            }
        }
    }
    simplex
        .into_iter()
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .expect("a simplex has vertices")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minimum_of_a_curved_valley_is_found() {
        let rosenbrock = |[x, y]: [f64; 2]| (1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2);
        let ([x, y], value) = nelder_mead(rosenbrock, [-1.2, 1.0], 0.5, 1e-14);
        assert!(
            (x - 1.0).abs() < 1e-5 && (y - 1.0).abs() < 1e-5 && value < 1e-10,
            "{x} {y} {value}"
        );
    }
}
