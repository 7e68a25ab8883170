//! Numbers as a reader wants them: few digits, no `0.30000000000000004`, a
//! power of ten only where plain digits would be long.

/// A value with at most `digits` significant digits: `0.03`, `12`, `1.5e-4`.
/// What is not finite reads `–`: it is no number of the study.
pub(crate) fn significant(value: f64, digits: usize) -> String {
    if !value.is_finite() {
        return "–".into();
    }
    if value == 0.0 {
        return "0".into();
    }
    let digits = digits.max(1);
    let scientific = format!("{value:.*e}", digits - 1);
    let (mantissa, exponent) = scientific
        .split_once('e')
        .expect("`{:e}` always writes an exponent");
    let exponent: isize = exponent.parse().expect("`{:e}` writes a whole exponent");
    if (-3..6).contains(&exponent) {
        let decimals = digits.saturating_add_signed(-1 - exponent);
        // Rounded in scientific form first, so that 1234 at two digits is 1200.
        let rounded: f64 = scientific.parse().expect("a number written by `{:e}`");
        minus(&trimmed(&format!("{rounded:.decimals$}")))
    } else {
        minus(&format!("{}e{exponent}", trimmed(mantissa)))
    }
}

/// A setting as it is written in a study, to be copied back into one: every
/// digit that tells it from its neighbour, the minus sign a hyphen.
pub(crate) fn exact(value: f64) -> String {
    significant(value, 12).replace('\u{2212}', "-")
}

/// A value with exactly `decimals` decimals.
pub(crate) fn fixed(value: f64, decimals: usize) -> String {
    if value.is_finite() {
        minus(&format!("{value:.decimals$}"))
    } else {
        "–".into()
    }
}

/// A share of one as percent: `0.934` is `93.4 %`.
pub(crate) fn percent(share: f64, decimals: usize) -> String {
    format!("{}\u{a0}%", fixed(share * 100.0, decimals))
}

/// A count with its noun: `1 run`, `260 runs`.
pub(crate) fn count(n: usize, noun: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{}\u{a0}{noun}{plural}", grouped(n as u64))
}

/// A count with a narrow space before every three digits from five digits on.
pub(crate) fn grouped(n: u64) -> String {
    let plain = n.to_string();
    if plain.len() < 5 {
        return plain;
    }
    let mut out = String::new();
    for (index, digit) in plain.chars().enumerate() {
        if index > 0 && (plain.len() - index).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// Seconds as people say them: `850 ms`, `12.3 s`, `4 min 05 s`, `2 h 03 min`.
pub(crate) fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        "–".into()
    } else if seconds < 1.0 {
        format!("{:.0}\u{a0}ms", seconds * 1e3)
    } else if seconds < 100.0 {
        format!("{seconds:.1}\u{a0}s")
    } else if seconds < 3600.0 {
        let whole = seconds.round() as u64;
        format!("{}\u{a0}min\u{a0}{:02}\u{a0}s", whole / 60, whole % 60)
    } else {
        let minutes = (seconds / 60.0).round() as u64;
        format!(
            "{}\u{a0}h\u{a0}{:02}\u{a0}min",
            grouped(minutes / 60),
            minutes % 60
        )
    }
}

fn trimmed(digits: &str) -> String {
    if digits.contains('.') {
        digits
            .trim_end_matches('0')
            .trim_end_matches('.')
            .to_string()
    } else {
        digits.to_string()
    }
}

/// The hyphen becomes a minus sign.
fn minus(text: &str) -> String {
    text.replace('-', "\u{2212}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_the_digits_asked_for_and_no_noise() {
        for (value, digits, text) in [
            (0.1 + 0.2, 3, "0.3"),
            (0.03, 3, "0.03"),
            (1234.0, 2, "1200"),
            (9.996, 3, "10"),
            (1.5e-4, 3, "1.5e−4"),
            (-0.25, 3, "−0.25"),
            (1e6, 3, "1e6"),
            (0.0, 3, "0"),
            (f64::NAN, 3, "–"),
            (f64::INFINITY, 3, "–"),
        ] {
            assert_eq!(significant(value, digits), text);
        }
        assert_eq!(exact(0.027), "0.027");
        assert_eq!(exact(1e-4), "1e-4");
    }

    #[test]
    fn durations_and_counts_read_as_people_say_them() {
        let plain = |s: String| s.replace(['\u{a0}', '\u{202f}'], " ");
        assert_eq!(plain(duration(0.0421)), "42 ms");
        assert_eq!(plain(duration(12.34)), "12.3 s");
        assert_eq!(plain(duration(245.0)), "4 min 05 s");
        assert_eq!(plain(duration(7_400.0)), "2 h 03 min");
        assert_eq!(plain(count(1, "run")), "1 run");
        assert_eq!(plain(count(12_345, "run")), "12 345 runs");
        assert_eq!(grouped(1000), "1000");
        assert_eq!(plain(percent(0.9342, 1)), "93.4 %");
    }
}
