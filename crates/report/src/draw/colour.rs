//! Colours that a colour-blind reader and a photocopy keep apart: cividis for
//! values, Okabe and Ito's palette for methods (always beside a shape and a
//! dash, never alone).
//!
//! Sources: NUNEZ, ANDERTON, RENSLOW 2018, `PLoS ONE` 13(7) (cividis);
//! OKABE, ITO 2008, "Color Universal Design" (palette).

/// cividis at 0, 1/32, ... 1; between them interpolated in sRGB, which is off
/// by no more than 6 of 255.
const CIVIDIS: [u32; 33] = [
    0x0000_224e,
    0x0000_285b,
    0x0000_2e6a,
    0x0005_3371,
    0x001a_386f,
    0x0027_3e6e,
    0x0032_436d,
    0x003b_496c,
    0x0043_4e6c,
    0x004b_546c,
    0x0053_5a6d,
    0x005a_5f6e,
    0x0061_656f,
    0x0068_6a71,
    0x006f_7073,
    0x0076_7676,
    0x007d_7c78,
    0x0083_8179,
    0x008b_8778,
    0x0092_8d78,
    0x009a_9376,
    0x00a2_9975,
    0x00aa_a073,
    0x00b3_a670,
    0x00bb_ad6d,
    0x00c3_b369,
    0x00cc_ba64,
    0x00d4_c15f,
    0x00dd_c858,
    0x00e6_d051,
    0x00ef_d748,
    0x00f8_df3c,
    0x00fe_e838,
];

/// Colours of the methods in light and in dark surroundings, in the order in
/// which methods are named; a page with more begins anew (shape and dash go on).
pub(crate) const METHODS: [(&str, &str); 6] = [
    ("#0072b2", "#56b4e9"),
    ("#d55e00", "#f28e3c"),
    ("#007f5c", "#2fc79b"),
    ("#a8518a", "#dd9bc2"),
    ("#8a6a00", "#f0e442"),
    ("#444444", "#c8c8c8"),
];

/// Text and outlines.
pub(crate) const INK: &str = "#1b1f24";
/// Axes, and what belongs to no method.
pub(crate) const QUIET: &str = "#59616b";
/// Lines of a grid.
pub(crate) const FAINT: &str = "#eceef1";
/// Lines around things.
pub(crate) const RULE: &str = "#d8dce1";
/// Behind cells without a value.
pub(crate) const PANEL: &str = "#f6f7f9";
/// Paper.
pub(crate) const PAGE: &str = "#fff";
/// What speaks against a result.
pub(crate) const BAD: &str = "#a63c00";
/// What a reader points at; the same in the dark.
pub(crate) const POINTED: &str = "#e6009d";

/// The colours of drawings but methods and batch sizes, and what stands in their place in the dark.
const SURROUNDINGS: [(&str, &str); 7] = [
    (INK, "#e4e7eb"),
    (QUIET, "#a3abb5"),
    (FAINT, "#262c34"),
    (RULE, "#3a414b"),
    (PANEL, "#1c2127"),
    (PAGE, "#14171c"),
    (BAD, "#ff9d66"),
];

/// A style sheet that puts other colours in the place of those that drawings have as attributes: of
/// surroundings, methods, and `further` ones. Shades stand for values and stay.
pub(crate) fn in_the_dark(further: &[(String, String)]) -> String {
    let further = further
        .iter()
        .map(|(light, dark)| (light.as_str(), dark.as_str()));
    let pairs = SURROUNDINGS.into_iter().chain(METHODS).chain(further);
    let rule = |(light, dark): (&str, &str)| {
        let one =
            |what: &str| format!(":not(.shades,.scale)>[{what}=\"{light}\"]{{{what}:{dark}}}");
        one("fill") + &one("stroke")
    };
    pairs.map(rule).collect()
}

/// A colour in sRGB, 0 to 255 a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rgb(pub(crate) u8, pub(crate) u8, pub(crate) u8);

impl Rgb {
    /// `#rrggbb`.
    pub(crate) fn hex(self) -> String {
        format!("#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }

    /// Relative luminance, 0 to 1.
    /// Source: WCAG 2.2, "relative luminance".
    pub(crate) fn luminance(self) -> f64 {
        let linear = |channel: u8| {
            let c = f64::from(channel) / 255.0;
            if c <= 0.04045 {
                c / 12.92
            } else {
                ((c + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * linear(self.0) + 0.7152 * linear(self.1) + 0.0722 * linear(self.2)
    }

    /// Is white better to read on it than black?
    pub(crate) fn is_dark(self) -> bool {
        // Where (1 + 0.05) / (L + 0.05) = (L + 0.05) / 0.05.
        self.luminance() < 0.179
    }
}

/// The colour of a share between 0 (dark blue) and 1 (yellow); what lies
/// outside is drawn as the nearest end.
pub(crate) fn cividis(share: f64) -> Rgb {
    let share = if share.is_finite() {
        share.clamp(0.0, 1.0)
    } else {
        0.0
    };
    let place = share * (CIVIDIS.len() - 1) as f64;
    let below = (place.floor() as usize).min(CIVIDIS.len() - 2);
    let part = place - below as f64;
    let channel = |shift: u32| {
        let low = f64::from((CIVIDIS[below] >> shift) & 0xff);
        let high = f64::from((CIVIDIS[below + 1] >> shift) & 0xff);
        (low + part * (high - low)).round() as u8
    };
    Rgb(channel(16), channel(8), channel(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cividis_is_matplotlibs() {
        // From matplotlib 3, colormaps["cividis"](i) with i of 0..256.
        for (index, colour) in [
            (8, 0x00_285b),
            (77, 0x50_576c),
            (100, 0x65_6870),
            (130, 0x7e_7d78),
            (203, 0xc7_b767),
            (250, 0xfc_e236),
        ] {
            let Rgb(r, g, b) = cividis(f64::from(index) / 255.0);
            for (ours, shift) in [(r, 16), (g, 8), (b, 0)] {
                let theirs = (colour >> shift) & 0xff;
                assert!(
                    (i32::from(ours) - theirs).abs() <= 6,
                    "at {index}: {colour:x}"
                );
            }
        }
    }

    #[test]
    fn cividis_grows_lighter_all_the_way() {
        let light: Vec<f64> = (0..=100)
            .map(|i| cividis(f64::from(i) / 100.0).luminance())
            .collect();
        assert!(light.is_sorted());
    }

    #[test]
    fn text_on_every_cell_has_the_contrast_that_wcag_aa_asks_for() {
        for i in 0..=100 {
            let colour = cividis(f64::from(i) / 100.0);
            let ink = if colour.is_dark() { 1.0 } else { 0.0 };
            let (a, b) = (colour.luminance().max(ink), colour.luminance().min(ink));
            assert!((a + 0.05) / (b + 0.05) >= 4.5, "{}", colour.hex());
        }
    }

    #[test]
    fn methods_stand_out_from_paper_and_from_the_dark_page() {
        let parse = |hex: &str| {
            let v = u32::from_str_radix(&hex[1..], 16).expect("hexadecimal digits");
            Rgb((v >> 16) as u8, (v >> 8) as u8, v as u8)
        };
        let dark_page = parse("#14171c").luminance();
        for (light, dark) in METHODS {
            assert!(1.05 / (parse(light).luminance() + 0.05) >= 3.7, "{light}");
            assert!(
                (parse(dark).luminance() + 0.05) / (dark_page + 0.05) >= 4.5,
                "{dark}"
            );
        }
    }
}
