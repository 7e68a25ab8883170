//! Which earlier point of its sweep a new one is nearest to, so that a plan can say how they differ.
//!
//! Earlier points are known by their names alone (`kfac/batch_size=16,damping=0.01`), which the history keeps. What is
//! no such name is no point. Nothing but a plan's words depends on it.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::history::History;
use crate::{Digest, Graph, Stage};

/// The points that the last run of a study had.
pub(crate) struct EarlierPoints<'a>(HashMap<&'a str, Vec<Point<'a>>>);

struct Point<'a> {
    name: &'a str,
    key: Digest,
    /// Sorted by name.
    coordinates: Vec<(&'a str, &'a str)>,
    /// Whether the study has it no longer.
    gone: bool,
}

impl<'a> EarlierPoints<'a> {
    pub(crate) fn new(graph: &'a Graph, history: &'a History) -> Self {
        let mut families: HashMap<&str, Vec<Point<'_>>> = HashMap::new();
        for (name, key) in history.keys() {
            if let Some((family, coordinates)) = coordinates(name) {
                families.entry(family).or_default().push(Point {
                    name,
                    key,
                    coordinates,
                    gone: graph.find(name).is_none(),
                });
            }
        }
        Self(families)
    }

    /// The name and the key of the earlier point that differs from this stage in the fewest coordinates; of several
    /// that do, one that the study has no longer, as after an edit of a value; of those the one whose values are
    /// nearest.
    pub(crate) fn nearest(&self, stage: &'a Stage) -> Option<(&'a str, Digest)> {
        let (_, own) = coordinates(&stage.name)?;
        let points = self.0.get(stage.family.as_str())?;
        let fewest = points
            .iter()
            .map(|point| differences(&own, &point.coordinates).count())
            .min()?;
        let nearest = points
            .iter()
            .filter(|point| differences(&own, &point.coordinates).count() == fewest)
            .min_by(|a, b| {
                let far = |point: &Point<'a>| -> f64 {
                    differences(&own, &point.coordinates)
                        .map(|(a, b)| distance(a, b))
                        .sum()
                };
                let gone_first = b.gone.cmp(&a.gone);
                gone_first.then_with(|| far(a).total_cmp(&far(b)))
            })?;
        Some((nearest.name, nearest.key))
    }
}

/// The family and the coordinates in the name of a point.
fn coordinates(name: &str) -> Option<(&str, Vec<(&str, &str)>)> {
    let (family, point) = name.split_once('/')?;
    let pairs = point.split(',').map(|pair| pair.split_once('='));
    let mut coordinates: Vec<_> = pairs.collect::<Option<_>>()?;
    coordinates.sort_unstable();
    Some((family, coordinates))
}

/// The values of the coordinates in which two points differ; of one that a point lacks, nothing.
fn differences<'p>(
    a: &'p [(&str, &str)],
    b: &'p [(&str, &str)],
) -> impl Iterator<Item = (&'p str, &'p str)> {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    std::iter::from_fn(move || {
        loop {
            let order = match (a.peek(), b.peek()) {
                (Some((a, _)), Some((b, _))) => a.cmp(b),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return None,
            };
            let (mut left, mut right) = ("", "");
            if order.is_le() {
                left = a.next()?.1;
            }
            if order.is_ge() {
                right = b.next()?.1;
            }
            if left != right {
                return Some((left, right));
            }
        }
    })
}

/// How far apart two values are: by their ratio, as sweeps are spaced, where there is one.
fn distance(a: &str, b: &str) -> f64 {
    match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(a), Ok(b)) if a > 0.0 && b > 0.0 => (a / b).ln().abs(),
        (Ok(a), Ok(b)) => (a - b).abs(),
        _ => f64::INFINITY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn differ(a: &str, b: &str) -> Vec<(String, String)> {
        let (a, b) = (coordinates(a).unwrap().1, coordinates(b).unwrap().1);
        let differences = differences(&a, &b);
        differences
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .collect()
    }

    #[test]
    fn points_differ_in_values_and_in_coordinates_that_one_lacks() {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(differ("f/a=1,b=2", "f/b=2,a=1"), []);
        assert_eq!(differ("f/a=1,b=2", "f/a=1,b=3"), [pair("2", "3")]);
        assert_eq!(
            differ("f/a=1,c=2", "f/b=3,c=4"),
            [pair("1", ""), pair("", "3"), pair("2", "4")]
        );
    }

    #[test]
    fn what_is_no_point_has_no_coordinates() {
        for name in ["targets", "kfac/run", "kfac/a=1,2"] {
            assert!(coordinates(name).is_none(), "{name}");
        }
    }

    #[test]
    fn values_are_near_by_their_ratio() {
        assert!(distance("0.1", "0.3") < distance("0.1", "1"));
        assert!(distance("16", "32") < distance("16", "4"));
        assert!(distance("0", "1") < distance("0", "2"));
        assert!(distance("constant", "cosine").is_infinite());
    }
}
