//! How marks look. Each carries its own presentation attributes, in the colours of a white page: so a drawing is
//! right in a file, and on a page whose style sheet is blocked. In the dark the page's style sheet puts another
//! colour in the place of each (`colour::in_the_dark`).

use maud::{Markup, PreEscaped};

use super::colour::{BAD, FAINT, INK, PAGE, PANEL, POINTED, QUIET, RULE};

/// What a path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Grid,
    Axis,
    Line,
    /// A line of a further seed.
    Further,
    /// Ideal scaling.
    Ideal,
    /// A fitted law.
    Law,
    Band,
    Mark,
    Open,
    Seed,
    Bar,
    ThickBar,
    Rail,
    Level,
    Outline,
    /// The outline by the second rule.
    Second,
    /// Light around an outline.
    Halo,
    /// A cell without a value.
    Lost,
    /// The cross of a cell that diverged.
    Cross,
    /// Lines between cells.
    Gaps,
    Cell,
    Missing,
    /// Behind hatching.
    Ground,
    Curvature,
    /// A side of a grid that good cells touch.
    Touch,
    /// Between stages.
    Edge,
}

impl Style {
    /// The class, and the attributes of a mark of this colour, where it has not its own.
    fn of(self, colour: &str) -> (&'static str, String) {
        let line = |colour: &str, rest: &str| format!("fill=\"none\" stroke=\"{colour}\"{rest}");
        match self {
            Style::Grid => ("grid", line(FAINT, "")),
            Style::Axis => ("axis", line(QUIET, "")),
            Style::Line => (
                "line",
                line(colour, " stroke-width=\"1.8\" stroke-linejoin=\"round\""),
            ),
            Style::Further => (
                "line further",
                line(
                    colour,
                    " stroke-width=\".8\" stroke-linejoin=\"round\" opacity=\".28\"",
                ),
            ),
            Style::Ideal => (
                "ideal",
                line(
                    colour,
                    " stroke-width=\"1.6\" stroke-dasharray=\".1 4.5\" stroke-linecap=\"round\" opacity=\".85\"",
                ),
            ),
            Style::Law => ("law", line(colour, " opacity=\".8\"")),
            Style::Band => ("band", format!("fill=\"{colour}\" opacity=\".1\"")),
            Style::Mark => (
                "mark",
                format!("fill=\"{colour}\" stroke=\"{PAGE}\" stroke-width=\".8\""),
            ),
            Style::Open => (
                "mark open",
                format!("fill=\"{PAGE}\" stroke=\"{colour}\" stroke-width=\"1.5\""),
            ),
            Style::Seed => ("seed", line(colour, " opacity=\".75\"")),
            Style::Bar => ("bar", line(colour, " stroke-width=\"1.5\"")),
            Style::ThickBar => ("bar thick", line(colour, " stroke-width=\"3\"")),
            Style::Rail => ("rail", line(RULE, " stroke-dasharray=\"2 3\"")),
            Style::Level => (
                "level",
                line(INK, " stroke-dasharray=\"6 4\" opacity=\".75\""),
            ),
            Style::Outline => (
                "outline",
                line(INK, " stroke-width=\"2.4\" stroke-linecap=\"square\""),
            ),
            Style::Second => (
                "outline second",
                line(
                    INK,
                    " stroke-width=\"1.8\" stroke-linecap=\"square\" stroke-dasharray=\"4 5\"",
                ),
            ),
            Style::Halo => (
                "halo",
                line(PAGE, " stroke-width=\"4.6\" stroke-linecap=\"square\""),
            ),
            Style::Lost => ("lost", line(QUIET, " stroke-width=\"1.3\"")),
            Style::Cross => ("lost thick", line(INK, " stroke-width=\"2.2\"")),
            Style::Gaps => ("gaps", line(PAGE, "")),
            Style::Cell => ("cell", format!("fill=\"{PANEL}\" stroke=\"{PAGE}\"")),
            Style::Missing => ("missing", line(RULE, " stroke-dasharray=\"2 2\"")),
            Style::Ground => ("ground", format!("fill=\"{PANEL}\"")),
            Style::Curvature => (
                "curvature",
                line(POINTED, " stroke-width=\"2\" stroke-dasharray=\"2 3\""),
            ),
            Style::Touch => ("touch", format!("fill=\"{BAD}\"")),
            Style::Edge => ("edge", line(QUIET, " stroke-width=\"1.1\" opacity=\".7\"")),
        }
    }

    /// A path in a colour of its own.
    pub(crate) fn path(self, colour: &str, d: &str) -> Markup {
        self.with(colour, "", d)
    }

    /// A path in the colours of its style.
    pub(crate) fn plain(self, d: &str) -> Markup {
        self.with(QUIET, "", d)
    }

    /// A path with further attributes, each with a space before it.
    pub(crate) fn with(self, colour: &str, more: &str, d: &str) -> Markup {
        let (class, attributes) = self.of(colour);
        PreEscaped(format!(
            "<path class=\"{class}\" {attributes}{more} d=\"{d}\"/>"
        ))
    }

    /// The beginning of a group whose paths look like this.
    pub(crate) fn group(self, colour: &str, inside: &Markup) -> Markup {
        let (class, attributes) = self.of(colour);
        PreEscaped(format!(
            "<g class=\"{class}\" {attributes}>{}</g>",
            inside.0
        ))
    }

    /// A line in dashes; `none` is solid.
    pub(crate) fn dashed(self, colour: &str, dash: &str, d: &str) -> Markup {
        match dash {
            "none" => self.path(colour, d),
            dash => self.with(colour, &format!(" stroke-dasharray=\"{dash}\""), d),
        }
    }
}
