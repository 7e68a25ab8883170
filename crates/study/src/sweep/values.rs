//! The values of a swept setting.

use runs::Spanned;

use crate::schema::{Progression, Scalar, Values, rounded};

/// The values, numbers rounded to 12 significant digits.
pub(super) fn points(values: &Spanned<Values>) -> Vec<Spanned<Scalar>> {
    let numbers = |count: u64, number: &dyn Fn(u64) -> f64| {
        let number = |i| values.with(Scalar::Number(rounded(number(i))));
        (0..count).map(number).collect()
    };
    match &**values {
        Values::List(list) => list
            .iter()
            .map(|value| value.with(value.rounded()))
            .collect(),
        Values::Progression(Progression::PowersOfTwo(ends)) => {
            let [from, to] = **ends;
            std::iter::successors(Some(from.get()), |value| value.checked_mul(2))
                .take_while(|value| *value <= to.get())
                .map(|value| values.with(Scalar::Integer(value.into())))
                .collect()
        }
        Values::Progression(Progression::Geometric(rule)) => numbers(rule.count.get(), &|i| {
            rule.from.get() * power(rule.ratio.get(), i)
        }),
        Values::Progression(Progression::Linear(rule)) => numbers(rule.count.get(), &|i| {
            rule.from.get() + rule.step.get() * i as f64
        }),
    }
}

/// By squaring and multiplying: the same bits on every platform, unlike `powi`.
fn power(base: f64, mut exponent: u64) -> f64 {
    let (mut result, mut square) = (1.0, base);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result *= square;
        }
        square *= square;
        exponent >>= 1;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_are_products() {
        for exponent in 0..20 {
            let product: f64 = (0..exponent).map(|_| 3.0).product();
            assert_eq!(
                power(3.0, exponent).to_bits(),
                product.to_bits(),
                "exact: below 2^53"
            );
        }
    }
}
