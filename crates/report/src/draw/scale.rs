//! Axes: from values to pixels, with ticks at round numbers. Logarithms to
//! base 2 for batch sizes and steps, to base 10 for rates and losses.

use super::number;

/// How values are spread along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spacing {
    Linear,
    Log2,
    Log10,
}

/// One axis: a range of values laid on a range of pixels.
#[derive(Clone, Debug)]
pub(crate) struct Scale {
    spacing: Spacing,
    low: f64,
    high: f64,
    start: f64,
    end: f64,
}

/// A tick of an axis.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tick {
    pub(crate) value: f64,
    pub(crate) label: String,
}

impl Scale {
    /// The scale that shows all of `values`, with `margin` (share of the
    /// range) free at both ends. What the spacing cannot show (not finite; not
    /// above zero on a logarithmic axis) does not count; without any value the
    /// range is 1 to 10.
    pub(crate) fn of(spacing: Spacing, values: impl IntoIterator<Item = f64>, margin: f64) -> Self {
        let mut low = f64::INFINITY;
        let mut high = f64::NEG_INFINITY;
        for value in values {
            if spacing.shows(value) {
                low = low.min(spacing.forward(value));
                high = high.max(spacing.forward(value));
            }
        }
        if low > high {
            (low, high) = (spacing.forward(1.0), spacing.forward(10.0));
        }
        if high - low < 1e-9 {
            let around = match spacing {
                Spacing::Linear => (low.abs() * 0.1).max(0.01),
                Spacing::Log2 => 1.0,
                Spacing::Log10 => 0.5,
            };
            (low, high) = (low - around, high + around);
        }
        let free = (high - low) * margin;
        Scale {
            spacing,
            low: low - free,
            high: high + free,
            start: 0.0,
            end: 1.0,
        }
    }

    /// The same axis, but no further than these values, beyond which there are
    /// none.
    pub(crate) fn no_further(&self, low: f64, high: f64) -> Self {
        Scale {
            low: self.low.max(self.spacing.forward(low)),
            high: self.high.min(self.spacing.forward(high)),
            ..self.clone()
        }
    }

    /// The same values on other pixels; `start` may lie right of or below `end`.
    pub(crate) fn onto(&self, start: f64, end: f64) -> Self {
        Scale {
            start,
            end,
            ..self.clone()
        }
    }

    /// The pixel of a value, or `None` where the axis has none for it.
    pub(crate) fn at(&self, value: f64) -> Option<f64> {
        self.spacing.shows(value).then(|| {
            let share = (self.spacing.forward(value) - self.low) / (self.high - self.low);
            self.start + share * (self.end - self.start)
        })
    }

    /// Does the value lie within the axis?
    pub(crate) fn contains(&self, value: f64) -> bool {
        self.spacing.shows(value)
            && (self.low - 1e-9..=self.high + 1e-9).contains(&self.spacing.forward(value))
    }

    /// Lowest and highest value shown.
    pub(crate) fn range(&self) -> (f64, f64) {
        (
            self.spacing.backward(self.low),
            self.spacing.backward(self.high),
        )
    }

    /// Values evenly spread over the axis, both ends among them.
    pub(crate) fn spread(&self, count: usize) -> impl Iterator<Item = f64> + '_ {
        let last = count.max(2) - 1;
        (0..=last).map(move |i| {
            let share = i as f64 / last as f64;
            self.spacing
                .backward(self.low + share * (self.high - self.low))
        })
    }

    /// Ticks at round numbers inside the axis, about `wanted` and at most twice
    /// as many.
    pub(crate) fn ticks(&self, wanted: usize) -> Vec<Tick> {
        let wanted = wanted.max(2);
        let values = match self.spacing {
            Spacing::Linear => linear_ticks(self.low, self.high, wanted),
            Spacing::Log2 => power_ticks(2.0, self.low, self.high, wanted),
            Spacing::Log10 => decade_ticks(self.low, self.high, wanted),
        };
        // A short stretch of a logarithmic axis is close to linear, so are its ticks. Two powers of 2 tell where
        // the others are; two of 1, 2, 5 and 10 do not.
        let least = match self.spacing {
            Spacing::Linear => 0,
            Spacing::Log2 => 2,
            Spacing::Log10 => 3,
        };
        let values = if values.len() < least {
            let (low, high) = self.range();
            self.apart(linear_ticks(low, high, wanted), wanted)
        } else {
            values
        };
        values
            .into_iter()
            .map(|value| Tick {
                value,
                label: number::significant(value, 6),
            })
            .collect()
    }

    /// Ascending ticks without those that would crowd the one before: on a logarithmic axis equal steps do, at its
    /// upper end.
    fn apart(&self, mut values: Vec<f64>, wanted: usize) -> Vec<f64> {
        let least = 0.75 / wanted as f64 * (self.high - self.low);
        let mut last = f64::NEG_INFINITY;
        values.retain(|&value| {
            let place = self.spacing.forward(value);
            let keep = place - last >= least;
            if keep {
                last = place;
            }
            keep
        });
        values
    }
}

impl Spacing {
    fn shows(self, value: f64) -> bool {
        value.is_finite() && (self == Spacing::Linear || value > 0.0)
    }

    fn forward(self, value: f64) -> f64 {
        match self {
            Spacing::Linear => value,
            Spacing::Log2 => value.log2(),
            Spacing::Log10 => value.log10(),
        }
    }

    fn backward(self, place: f64) -> f64 {
        match self {
            Spacing::Linear => place,
            Spacing::Log2 => place.exp2(),
            Spacing::Log10 => 10f64.powf(place),
        }
    }
}

/// Multiples of 1, 2 or 5 times a power of ten.
fn linear_ticks(low: f64, high: f64, wanted: usize) -> Vec<f64> {
    let raw = (high - low) / wanted as f64;
    let power = 10f64.powf(raw.log10().floor());
    // The nearest of them on a logarithmic scale.
    let step = power
        * match raw / power {
            r if r < 2f64.sqrt() => 1.0,
            r if r < 10f64.sqrt() => 2.0,
            r if r < 50f64.sqrt() => 5.0,
            _ => 10.0,
        };
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last).map(|i| i as f64 * step).collect()
}

/// Powers of `base` whose exponents lie in `low..=high`, every one, every
/// second, every third ..., so that at most twice `wanted` remain.
fn power_ticks(base: f64, low: f64, high: f64, wanted: usize) -> Vec<f64> {
    let first = (low - 1e-9).ceil() as i64;
    let last = (high + 1e-9).floor() as i64;
    let every = (((last - first + 1) as f64 / wanted as f64).floor() as i64).max(1);
    (first..=last)
        .filter(|exponent| exponent.rem_euclid(every) == 0)
        .map(|exponent| base.powi(exponent as i32))
        .collect()
}

/// Powers of ten, with 2 and 5 between them where there is room.
fn decade_ticks(low: f64, high: f64, wanted: usize) -> Vec<f64> {
    let decades = power_ticks(10.0, low, high, wanted);
    if high - low > 2.2 {
        return decades;
    }
    let first = low.floor() as i32;
    let last = high.ceil() as i32;
    (first..=last)
        .flat_map(|exponent| {
            // Written and read back, so that 2e-3 is 0.002 and not its neighbour.
            [1, 2, 5].map(|m| {
                format!("{m}e{exponent}")
                    .parse::<f64>()
                    .expect("a number in scientific form")
            })
        })
        .filter(|value| (low - 1e-9..=high + 1e-9).contains(&value.log10()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: &Scale, wanted: usize) -> String {
        let ticks: Vec<_> = scale.ticks(wanted).into_iter().map(|t| t.label).collect();
        ticks.join(" ")
    }

    #[test]
    fn ticks_stand_at_round_numbers() {
        let log2 = Scale::of(Spacing::Log2, [16.0, 256.0], 0.0);
        assert_eq!(labels(&log2, 6), "16 32 64 128 256");
        let wide = Scale::of(Spacing::Log2, [1.0, 1_048_576.0], 0.0);
        assert_eq!(labels(&wide, 7), "1 8 64 512 4096 32768 262144");
        let log10 = Scale::of(Spacing::Log10, [1e-4, 1.0], 0.0);
        assert_eq!(labels(&log10, 6), "1e−4 0.001 0.01 0.1 1");
        let narrow = Scale::of(Spacing::Log10, [0.01, 0.1], 0.0);
        assert_eq!(labels(&narrow, 5), "0.01 0.02 0.05 0.1");
        let threefold = Scale::of(Spacing::Log10, [0.95, 2.8], 0.0);
        assert_eq!(labels(&threefold, 4), "1 1.5 2 2.5");
        let fourfold = Scale::of(Spacing::Log10, [0.9, 3.2], 0.0);
        assert_eq!(labels(&fourfold, 4), "1 1.5 2 3");
        let within = Scale::of(Spacing::Log10, [0.31, 0.42], 0.0);
        assert_eq!(labels(&within, 5), "0.32 0.34 0.36 0.38 0.4 0.42");
        let linear = Scale::of(Spacing::Linear, [0.9, 0.95], 0.0);
        assert_eq!(labels(&linear, 5), "0.9 0.91 0.92 0.93 0.94 0.95");
        let percent = Scale::of(Spacing::Linear, [-1.0, 1.0], 0.0);
        assert_eq!(labels(&percent, 4), "−1 −0.5 0 0.5 1");
    }

    #[test]
    fn an_axis_of_shares_ends_where_shares_end() {
        let wide = Scale::of(Spacing::Linear, [0.3, 1.0], 0.1);
        assert!(wide.contains(1.05));
        let possible = wide.no_further(0.0, 1.0);
        assert!(!possible.contains(1.05) && possible.contains(1.0));
        assert_eq!(possible.range().0.to_bits(), wide.range().0.to_bits());
    }

    #[test]
    fn a_doubling_is_as_far_anywhere_on_a_log_axis() {
        let scale = Scale::of(Spacing::Log2, [16.0, 256.0], 0.0).onto(100.0, 500.0);
        for (value, pixel) in [(16.0, 100.0), (32.0, 200.0), (256.0, 500.0), (512.0, 600.0)] {
            let at = scale.at(value).expect("positive values are on the axis");
            assert!((at - pixel).abs() < 1e-9, "{value} lies at {at}");
        }
        assert_eq!(scale.at(0.0), None);
        assert_eq!(scale.at(f64::NAN), None);
        assert!(!scale.contains(512.0) && scale.contains(16.0));
    }

    #[test]
    fn a_range_without_values_or_with_one_still_has_a_width() {
        for spacing in [Spacing::Linear, Spacing::Log2, Spacing::Log10] {
            for values in [vec![], vec![f64::NAN], vec![0.0], vec![3.0], vec![3.0, 3.0]] {
                let scale = Scale::of(spacing, values, 0.05);
                let (low, high) = scale.range();
                assert!(low < high && low.is_finite() && high.is_finite());
                assert!(!scale.ticks(5).is_empty());
            }
        }
    }

    #[test]
    fn never_more_than_twice_the_ticks_wanted() {
        for spacing in [Spacing::Linear, Spacing::Log2, Spacing::Log10] {
            for exponent in 1..60 {
                let scale = Scale::of(spacing, [1.0, 1.7f64.powi(exponent)], 0.03);
                let ticks = scale.ticks(6);
                assert!((2..=12).contains(&ticks.len()), "{spacing:?} {ticks:?}");
                assert!(ticks.iter().all(|tick| scale.contains(tick.value)));
            }
        }
    }
}
