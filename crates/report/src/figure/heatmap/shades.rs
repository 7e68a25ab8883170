//! The colour scale that all panels of a table share.

use analysis::Metric;
use analysis::heatmap::HeatmapTable;
use maud::html;

use super::cell::value;
use crate::draw::colour::{QUIET, cividis};
use crate::draw::drawing::Drawing;
use crate::draw::number::significant;
use crate::draw::scale::{Scale, Spacing};
use crate::draw::style::Style;
use crate::draw::svg::px;
use crate::words;

/// What shades grow darker with: a loss, or the share of errors. Between 96 and 98 % of accuracy half of the
/// errors go, between 16 and 18 % next to none; the scale is logarithmic so that the former shows.
fn badness(metric: Metric, value: f64) -> f64 {
    if metric.is_loss() {
        value
    } else {
        (1.0 - value).max(FEWEST_ERRORS)
    }
}

/// Fewer errors have no darker or lighter shade: none at all has no logarithm.
const FEWEST_ERRORS: f64 = 1e-3;

/// From a value to a place on the colour scale; better is lighter.
pub(super) struct Shades {
    metric: Metric,
    scale: Option<Scale>,
}

impl Shades {
    pub(super) fn of(table: &HeatmapTable) -> Self {
        let values: Vec<f64> = table
            .panels
            .iter()
            .flat_map(|panel| panel.cells.iter().filter_map(|c| value(&c.state)))
            .collect();
        let metric = table.value;
        let bad: Vec<f64> = values.iter().map(|value| badness(metric, *value)).collect();
        let spacing = if bad.iter().all(|bad| *bad > 0.0) {
            Spacing::Log10
        } else {
            Spacing::Linear
        };
        Shades {
            metric,
            scale: (!bad.is_empty()).then(|| Scale::of(spacing, bad, 0.0).onto(1.0, 0.0)),
        }
    }

    pub(super) fn share(&self, value: f64) -> f64 {
        let bad = badness(self.metric, value);
        self.scale.as_ref().and_then(|s| s.at(bad)).unwrap_or(0.0)
    }

    /// A bar of the scale with ticks and the declared level.
    pub(super) fn bar(&self, id: &str, level: Option<f64>) -> Option<Drawing> {
        let scale = self.scale.as_ref()?;
        let (left, width) = (10.0, 300.0);
        let place = |value: f64| scale.at(value).map(|share| left + share * width);
        let level = level.map(|level| badness(self.metric, level));
        let marks = html! {
                @for i in 0..60_u8 {
                    rect x=(px(left + f64::from(i) * width / 60.0)) y="4" width="5.5" height="14"
                        fill=(cividis((f64::from(i) + 0.5) / 60.0).hex()) {}
                }
                @for tick in scale.ticks(5) {
                    @if let Some(x) = place(tick.value) {
                        (Style::Axis.plain(&format!("M{} 18v4", px(x))))
                        text text-anchor="middle" font-size="10.5" x=(px(x)) y="33" {
                            @if self.metric.is_loss() { (tick.label) }
                            @else { (significant((1.0 - tick.value) * 100.0, 4)) " %" }
                        }
                    }
                }
                @if let Some(x) = level.filter(|v| scale.contains(*v)).and_then(place) {
                    (Style::Outline.plain(&format!("M{} 1v20", px(x))))
                }
                text text-anchor="middle" font-size="10.5" fill=(QUIET) x="160" y="47" { (words::axis(self.metric)) }
        };
        Some(Drawing {
            id: id.to_owned(),
            class: Some("scale"),
            title: format!("Colour scale of {}, better is lighter", self.metric),
            description: None,
            width: 320.0,
            height: 52.0,
            grid: None,
            marks,
        })
    }
}
