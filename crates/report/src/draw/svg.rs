//! SVG pieces: coordinates, paths, markers and shortened text. Elements
//! themselves are written with maud, which escapes every text and attribute.

/// A coordinate in pixels with at most one decimal: a tenth of a pixel is
/// below what anybody sees, and pages stay small.
///
/// # Panics
/// When the coordinate is not finite: marks without a place must be left out
/// by the caller.
pub(crate) fn px(value: f64) -> String {
    assert!(value.is_finite(), "a coordinate must be finite");
    let tenths = (value * 10.0).round() as i64;
    if tenths % 10 == 0 {
        (tenths / 10).to_string()
    } else {
        let sign = if tenths < 0 { "-" } else { "" };
        format!("{sign}{}.{}", tenths.abs() / 10, tenths.abs() % 10)
    }
}

/// The `d` of a line through the points; empty for none. After the first each is written as its distance
/// from the one before, which is short; distances are between rounded points, so that no error adds up.
pub(crate) fn line_through(points: impl IntoIterator<Item = (f64, f64)>) -> String {
    let tenth = |value: f64| (value * 10.0).round() / 10.0;
    let mut d = String::new();
    let mut command = ' ';
    let mut last = None;
    for (x, y) in points {
        let place = (tenth(x), tenth(y));
        let (next, numbers) = match last {
            None => ('M', format!("{} {}", px(x), px(y))),
            Some((x, y)) => match (px(place.0 - x), px(place.1 - y)) {
                (x, zero) if zero == "0" => ('h', x),
                (zero, y) if zero == "0" => ('v', y),
                (x, y) if y.starts_with('-') => ('l', format!("{x}{y}")),
                (x, y) => ('l', format!("{x} {y}")),
            },
        };
        // A letter or a minus sign parts numbers as a space does.
        if next != command {
            d.push(next);
        } else if !numbers.starts_with('-') {
            d.push(' ');
        }
        d.push_str(&numbers);
        (command, last) = (next, Some(place));
    }
    d
}

/// A marker's shape. Each method has its own, so that colour is never alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Circle,
    Square,
    Triangle,
    Diamond,
    Pentagon,
    Star,
}

/// The shapes in the order in which methods are named.
pub(crate) const SHAPES: [Shape; 6] = [
    Shape::Circle,
    Shape::Square,
    Shape::Triangle,
    Shape::Diamond,
    Shape::Pentagon,
    Shape::Star,
];

impl Shape {
    /// The `d` of the shape around a point; all shapes look equally large.
    pub(crate) fn path(self, x: f64, y: f64, radius: f64) -> String {
        let around = |corners: usize, radius: f64, turn: f64, inner: f64| {
            let mut d = line_through((0..corners).map(|i| {
                let angle = (turn + i as f64 / corners as f64) * std::f64::consts::TAU;
                let r = if i % 2 == 1 { radius * inner } else { radius };
                (x + r * angle.sin(), y - r * angle.cos())
            }));
            d.push('Z');
            d
        };
        match self {
            Shape::Circle => {
                let (left, r, across) = (px(x - radius), px(radius), px(2.0 * radius));
                format!(
                    "M{left} {}a{r} {r} 0 1 0 {across} 0a{r} {r} 0 1 0 -{across} 0Z",
                    px(y)
                )
            }
            Shape::Square => around(4, radius * 1.25, 0.125, 1.0),
            Shape::Triangle => around(3, radius * 1.35, 0.0, 1.0),
            Shape::Diamond => around(4, radius * 1.3, 0.0, 1.0),
            Shape::Pentagon => around(5, radius * 1.15, 0.0, 1.0),
            Shape::Star => around(10, radius * 1.45, 0.0, 0.45),
        }
    }
}

/// The `d` of an arrow that points up from just above a marker: the value lies
/// beyond.
pub(crate) fn arrow_up(x: f64, y: f64) -> String {
    let (top, wing) = (y - 14.0, y - 10.5);
    format!(
        "M{x} {}V{top}M{} {wing}L{x} {top} {} {wing}",
        px(y - 5.0),
        px(x - 3.5),
        px(x + 3.5),
        x = px(x),
        top = px(top),
        wing = px(wing),
    )
}

/// The `d` of a diagonal cross.
pub(crate) fn cross(x: f64, y: f64, radius: f64) -> String {
    let (l, r, t, b) = (
        px(x - radius),
        px(x + radius),
        px(y - radius),
        px(y + radius),
    );
    format!("M{l} {t}L{r} {b}M{l} {b}L{r} {t}")
}

/// The text, or its beginning and an ellipsis, in `room` characters: SVG text
/// does not wrap. The whole text belongs in the element's `title`.
pub(crate) fn shortened(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_string();
    }
    let mut out: String = text.chars().take(room.saturating_sub(1)).collect();
    out.push('…');
    out
}

/// How wide the letter surely is at most: in bold, in pixels, of the widest font that a page may come to be shown in.
fn letter(letter: char, size: f64) -> f64 {
    size * match letter {
        'f' | 'i' | 'j' | 'l' | 't' | 'I' | ' ' | '.' | ',' | ':' | ';' | '|' | '(' | ')' | '-'
        | '\'' => 0.47,
        'm' | 'w' | 'M' | 'W' | '%' | '@' => 1.1,
        c if c.is_ascii() => 0.76,
        _ => 1.0,
    }
}

/// How wide the text surely is at most, in pixels.
pub(crate) fn width(text: &str, size: f64) -> f64 {
    text.chars().map(|c| letter(c, size)).sum()
}

/// The text, or as much of its beginning and an ellipsis as surely fits.
pub(crate) fn fitting(text: &str, size: f64, most: f64) -> String {
    let end = text
        .char_indices()
        .scan(0.0, |long, (at, c)| {
            *long += letter(c, size);
            Some((at, *long))
        })
        .find(|(_, long)| *long > most - size);
    match end {
        Some((end, _)) if width(text, size) > most => format!("{}…", &text[..end]),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_have_one_decimal_at_most() {
        for (value, text) in [
            (1.0, "1"),
            (1.04, "1"),
            (1.25, "1.3"),
            (-0.26, "-0.3"),
            (-0.01, "0"),
        ] {
            assert_eq!(px(value), text);
        }
        assert_eq!(
            line_through([(0.0, 1.0), (2.5, 3.0), (2.04, 2.96), (2.0, 9.0)]),
            "M0 1l2.5 2h-0.5v6"
        );
        assert_eq!(line_through([]), "");
    }

    #[test]
    #[should_panic(expected = "a coordinate must be finite")]
    fn a_coordinate_that_is_no_number_is_a_bug() {
        px(f64::NAN);
    }

    #[test]
    fn every_shape_is_closed_and_its_own() {
        let mut drawn: Vec<_> = SHAPES.iter().map(|s| s.path(10.0, 10.0, 4.0)).collect();
        assert!(drawn.iter().all(|d| d.starts_with('M') && d.ends_with('Z')));
        drawn.sort();
        drawn.dedup();
        assert_eq!(drawn.len(), SHAPES.len());
    }

    #[test]
    fn a_heading_is_cut_where_its_letters_end_not_at_a_count() {
        let heading = "K-FAC (resnet20-kfac): test accuracy ≥ 90\u{a0}%";
        assert_eq!(fitting(heading, 14.0, 420.0), heading);
        assert_eq!(fitting(&"l".repeat(60), 14.0, 420.0), "l".repeat(60));
        let cut = fitting(&"n".repeat(60), 14.0, 420.0);
        assert_eq!(cut, format!("{}…", "n".repeat(38)));
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(shortened("größer", 6), "größer");
        assert_eq!(shortened("größer als", 6), "größe…");
    }
}
