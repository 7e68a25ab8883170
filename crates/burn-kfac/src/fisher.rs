//! Labels from the model, and the expectation over them.
//!
//! Nothing here draws random numbers: who trains owns the random streams.

use burn::tensor::Tensor;

use crate::{Error, Symmetric};

/// One label a sample from softmax(logits), by inversion: the first class at which the
/// cumulated probability exceeds the sample's uniform number.
///
/// logits: `[batch, classes]` row-major; uniforms: `[batch]`, each in [0, 1).
///
/// # Errors
/// [`Error::NonFiniteLogits`].
///
/// # Panics
/// If the lengths do not fit together.
pub fn draw_labels(logits: &[f32], classes: usize, uniforms: &[f64]) -> Result<Vec<i64>, Error> {
    assert!(classes > 0, "a classifier has at least one class");
    assert_eq!(
        logits.len(),
        classes * uniforms.len(),
        "one uniform number a sample"
    );
    let rows = logits.chunks_exact(classes).zip(uniforms).enumerate();
    rows.map(|(sample, (row, &uniform))| {
        if row.iter().any(|x| !x.is_finite()) {
            return Err(Error::NonFiniteLogits { sample });
        }
        let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let weight = |x: f32| f64::from(x - top).exp();
        let mut left = uniform * row.iter().copied().map(weight).sum::<f64>();
        for (class, &x) in (0..).zip(row) {
            left -= weight(x);
            if left < 0.0 {
                return Ok(class);
            }
        }
        // Rounding can leave a crumb of the sum: it belongs to the last class that has weight.
        let last = (0..).zip(row).filter(|&(_, &x)| weight(x) > 0.0).last();
        Ok(last.expect("the largest logit has weight 1").0)
    })
    .collect()
}

/// G with the expectation over labels taken exactly:
/// 1/(N T) sum over samples, classes c and positions of p(c) d d^T, d that of label c.
/// Source: Martens & Grosse 2015, section 2.1.
///
/// Takes one backward pass a class, so it is a yardstick for [`draw_labels`], no way to train.
/// Only for networks whose samples do not interact (no batch statistics).
///
/// `by_class[c]`: `[batch, out, positions]`, gradients of the mean loss at the layer's output
/// with label c for every sample; probabilities: `[batch, classes]`.
///
/// # Panics
/// If there is not one gradient a class.
pub fn expected_g_mean(by_class: &[Tensor<3>], probabilities: &Tensor<2>) -> Symmetric {
    let [batch, classes] = probabilities.dims();
    assert_eq!(by_class.len(), classes, "one gradient a class");
    let mut g = None;
    for (class, d) in by_class.iter().enumerate() {
        let [_, out, positions] = d.dims();
        let root = probabilities
            .clone()
            .narrow(1, class, 1)
            .sqrt()
            .reshape([batch, 1, 1]);
        let d = (d.clone() * root)
            .swap_dims(1, 2)
            .reshape([batch * positions, out]);
        let data = crate::capture::host::data(d);
        let rows = crate::capture::host::values(&data);
        let m = faer::MatRef::from_column_major_slice(rows, out, batch * positions);
        // d = N g for the gradient g of the mean loss.
        g.get_or_insert_with(|| Symmetric::zeros(out))
            .add_outer(batch as f32 / positions as f32, m);
    }
    g.expect("a classifier has at least one class")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_follow_the_cumulated_softmax() {
        // p = (0.25, 0.25, 0.5)
        let row = [0.0, 0.0, 2.0_f32.ln()];
        let logits: Vec<f32> = row.repeat(5);
        let labels = draw_labels(&logits, 3, &[0.0, 0.249, 0.251, 0.51, 0.999_999_999]).unwrap();
        assert_eq!(labels, [0, 0, 1, 2, 2]);
    }

    #[test]
    fn extreme_logits_give_certain_labels_and_nan_gives_an_error() {
        let certain = draw_labels(&[1e30, -1e30, -1e30, 1e30], 2, &[0.999, 0.0]).unwrap();
        assert_eq!(certain, [0, 1]);
        let error = draw_labels(&[0.0, 0.0, f32::NAN, 0.0], 2, &[0.5, 0.5]).unwrap_err();
        assert_eq!(error, Error::NonFiniteLogits { sample: 1 });
    }
}
