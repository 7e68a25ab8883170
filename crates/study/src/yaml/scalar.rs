//! The types of plain scalars.
//!
//! Source: YAML 1.2.2, section 10.3.2 (tag resolution of the core schema).

use super::Value;

/// A plain scalar by the core schema.
pub(crate) fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Value::Float(f64::NAN),
        _ => {}
    }
    let (negative, unsigned) = match text.as_bytes()[0] {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Value::Float(if negative {
            f64::NEG_INFINITY
        } else {
            f64::INFINITY
        });
    }
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let radix = |prefix: &str, radix| {
        let rest = text.strip_prefix(prefix)?;
        if rest.starts_with(['+', '-']) {
            None
        } else {
            i128::from_str_radix(rest, radix).ok()
        }
    };
    if let Some(integer) = radix("0o", 8).or_else(|| radix("0x", 16)) {
        return Value::Integer(integer);
    }
    if digits(unsigned)
        && let Ok(integer) = text.parse()
    {
        return Value::Integer(integer);
    }
    let (mantissa, exponent) = unsigned
        .split_once(['e', 'E'])
        .map_or((unsigned, None), |(m, e)| (m, Some(e)));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_float = (digits(whole) && (fraction.is_empty() || digits(fraction))
        || whole.is_empty() && digits(fraction))
        && exponent
            .is_none_or(|exponent| digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)));
    match text.parse::<f64>() {
        // Adding 0 makes -0 a 0: one number, one key.
        Ok(number) if is_float => Value::Float(number + 0.0),
        _ => Value::Text(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::parse;

    fn value(text: &str) -> Value {
        parse(text, 0, &mut Vec::new()).unwrap().unwrap().value
    }

    #[test]
    fn scalars_have_the_types_of_the_core_schema() {
        // The examples of YAML 1.2.2, section 10.3.2, and what YAML 1.1 would have read otherwise.
        for text in ["null", "~", "Null"] {
            assert!(matches!(value(text), Value::Null), "{text}");
        }
        for (text, expected) in [
            ("0", 0),
            ("0o7", 7),
            ("0x3A", 58),
            ("-19", -19),
            ("+12", 12),
            ("010", 10),
        ] {
            assert!(
                matches!(value(text), Value::Integer(found) if found == expected),
                "{text}"
            );
        }
        for (text, expected) in [
            ("0.", 0.0),
            ("-0.0", 0.0),
            (".5", 0.5),
            ("+12e03", 12000.0),
            ("-2E+05", -2e5),
        ] {
            assert!(
                matches!(value(text), Value::Float(found) if found.total_cmp(&expected).is_eq()),
                "{text}"
            );
        }
        assert!(matches!(value("-.Inf"), Value::Float(found) if found == f64::NEG_INFINITY));
        assert!(matches!(value(".nan"), Value::Float(found) if found.is_nan()));
        assert!(matches!(value("True"), Value::Bool(true)));
        for text in [
            "yes", "on", "1_000", "0b1", "12:30", "nan", "inf", "infinity", "1e", ".", "e5", "0x",
            "+-1",
        ] {
            let text = format!("[{text}]");
            let Value::Sequence(items) = value(&text) else {
                panic!("{text}")
            };
            assert!(
                matches!(items[0].value, Value::Text(_)),
                "{text}: {:?}",
                items[0].value
            );
        }
        assert!(matches!(value("'1'"), Value::Text(text) if text == "1"));
    }
}
