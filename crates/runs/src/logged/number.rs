//! One cell as a number, by the same rule in every format.

/// The number that a cell has; none of one that is empty. `1e400` is infinite, as it is for the program that reads it.
///
/// # Errors
/// What to do, if it is no number.
pub(super) fn number(cell: &str, decimal_comma: bool) -> Result<Option<f64>, &'static str> {
    let cell = cell.trim();
    if matches!(cell, "" | "null" | "None" | "NA" | "N/A" | "-") {
        return Ok(None);
    }
    if let Ok(number) = cell.parse() {
        return Ok(Some(number));
    }
    if cell.eq_ignore_ascii_case("-nan") {
        return Ok(Some(f64::NAN));
    }
    match cell.split_once(',') {
        Some((whole, rest)) if decimal_comma && !whole.contains('.') => {
            let number = format!("{whole}.{rest}").parse();
            number.map(Some).map_err(|_| "")
        }
        Some(_) if !decimal_comma => {
            Err("; write decimals with a point, and thousands without a mark")
        }
        _ if cell.ends_with('%') => {
            Err("; write percentages as plain numbers, and say `percent: true`")
        }
        _ if cell.starts_with("tensor(") => Err("; write `loss.item()` instead of the tensor"),
        _ => Err(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_that_loggers_have_is_read() {
        for (cell, value) in [
            ("0.5", 0.5),
            (" -1e-3 ", -0.001),
            ("1e400", f64::INFINITY),
            ("-inf", f64::NEG_INFINITY),
            ("Infinity", f64::INFINITY),
            ("+3.", 3.0),
        ] {
            assert_eq!(number(cell, false), Ok(Some(value)), "{cell}");
        }
        for cell in ["nan", "NaN", "-nan", "NAN"] {
            assert!(number(cell, false).unwrap().unwrap().is_nan(), "{cell}");
        }
        for cell in ["", " ", "null", "None", "NA"] {
            assert_eq!(number(cell, false), Ok(None), "{cell}");
        }
        assert_eq!(number("0,25", true), Ok(Some(0.25)));
        assert_eq!(number("-1,5e-2", true), Ok(Some(-0.015)));
        for cell in ["1.234,5", "x", "true", "1,2,3"] {
            assert!(number(cell, true).is_err(), "{cell}");
        }
        assert!(number("0,25", false).unwrap_err().contains("with a point"));
        assert!(number("93%", false).unwrap_err().contains("percent: true"));
    }
}
