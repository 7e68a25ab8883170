//! The values of a swept setting, and the one name that each has however it is written.

use crate::schema::{Progression, Values};
use crate::yaml::{Node, Value};

/// The values, numbers rounded to 12 significant digits.
pub(super) fn points(node: &Node, values: &Values) -> Vec<Node> {
    let at = |value| Node {
        span: node.span,
        value,
    };
    match values {
        Values::List(_) => match &node.value {
            Value::Sequence(items) => items.iter().map(exact).collect(),
            _ => unreachable!("a list of values was decoded from a list"),
        },
        Values::Progression(Progression::PowersOfTwo([from, to])) => {
            std::iter::successors(Some(from.get()), |value| value.checked_mul(2))
                .take_while(|value| *value <= to.get())
                .map(|value| at(Value::Integer(i128::from(value))))
                .collect()
        }
        Values::Progression(Progression::Geometric(rule)) => (0..rule.count.get())
            .map(|i| {
                at(Value::Float(rounded(
                    rule.from.get() * power(rule.ratio.get(), i),
                )))
            })
            .collect(),
        Values::Progression(Progression::Linear(rule)) => (0..rule.count.get())
            .map(|i| {
                at(Value::Float(rounded(
                    rule.from.get() + rule.step.get() * i as f64,
                )))
            })
            .collect(),
    }
}

/// A value as it is used: a number rounded.
pub(crate) fn exact(value: &Node) -> Node {
    match value.value {
        Value::Float(number) => Node {
            span: value.span,
            value: Value::Float(rounded(number)),
        },
        _ => value.clone(),
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

/// To 12 significant digits, so that `0.1 * 3` and `0.3` are one value.
fn rounded(number: f64) -> f64 {
    format!("{number:.11e}")
        .parse()
        .expect("a formatted number parses")
}

/// A value's name in coordinates: the same for `1e-3` and `0.001`.
pub(crate) fn text_of(value: &Node) -> String {
    match &value.value {
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number_text(*number),
        Value::Bool(flag) => flag.to_string(),
        Value::Text(text) => text.clone(),
        Value::Null | Value::Sequence(_) | Value::Mapping(_) => {
            unreachable!("values of a sweep are scalars")
        }
    }
}

/// A number as few digits as it takes.
pub(crate) fn number_text(number: f64) -> String {
    if number != 0.0 && !(1e-6..1e15).contains(&number.abs()) {
        format!("{number:e}")
    } else {
        number.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Span;

    #[test]
    fn values_are_rounded_to_twelve_digits() {
        assert_eq!(rounded(0.1 * 3.0).to_bits(), 0.3_f64.to_bits());
        assert_eq!(
            rounded(1e-3 * 3.0 * 3.0 * 3.0).to_bits(),
            0.027_f64.to_bits()
        );
        assert_eq!(
            rounded(123_456_789_012.4).to_bits(),
            123_456_789_012_f64.to_bits()
        );
        assert_eq!(rounded(0.0).to_bits(), 0.0_f64.to_bits());
    }

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

    #[test]
    fn a_value_has_one_name_however_it_is_written() {
        let text = |value| {
            text_of(&Node {
                span: Span { start: 0, end: 0 },
                value,
            })
        };
        assert_eq!(text(Value::Float(1e-3)), "0.001");
        assert_eq!(text(Value::Float(16.0)), "16");
        assert_eq!(text(Value::Integer(16)), "16");
        assert_eq!(text(Value::Float(1e-7)), "1e-7");
        assert_eq!(text(Value::Float(2.5e20)), "2.5e20");
        assert_eq!(text(Value::Text("resnet20".to_owned())), "resnet20");
    }
}
