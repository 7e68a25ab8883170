//! What the host reads: averages when inverses are due, products when somebody asks.

use burn_cubecl::tensor::CubeTensor;

use super::OnDevice;
use super::layout::{Place, triangle};
use super::transfer::{self, Link};
use crate::Symmetric;
use crate::capture::host;

/// The averages of a moment.
#[derive(Debug)]
pub(crate) struct Snapshot {
    link: Link,
    places: Vec<Place>,
    averages: CubeTensor,
    unfit: CubeTensor,
}

/// A snapshot on its way to the host.
pub(crate) struct Reading {
    places: Vec<Place>,
    numbers: transfer::Reading<2>,
}

/// What was read.
#[derive(Debug)]
pub(crate) struct Read {
    /// A and G of each layer, averages before bias correction.
    pub(crate) averages: Vec<[Symmetric; 2]>,
    /// The first layer that had a product that is not finite.
    pub(crate) unfit: Option<usize>,
}

/// <U, V> by cubes, which nobody has looked at yet.
#[derive(Debug)]
pub(crate) struct Products {
    link: Link,
    dots: CubeTensor,
    /// The cube after the last of each layer.
    ends: Vec<usize>,
}

impl OnDevice {
    /// What the host may want to know, as it is now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot {
            link: self.link.clone(),
            places: self.layout.layers.clone(),
            averages: self.averages.clone(),
            unfit: self.unfit.clone(),
        }
    }

    pub(super) fn products(&self, dots: CubeTensor) -> Products {
        Products {
            link: self.link.clone(),
            dots,
            ends: self.layout.layers.iter().map(|it| it.tiles).collect(),
        }
    }
}

impl Snapshot {
    /// Begins to read it.
    pub(crate) fn read(&self) -> Reading {
        Reading {
            places: self.places.clone(),
            numbers: self.link.read(&[&self.averages, &self.unfit]),
        }
    }
}

impl Reading {
    /// Waits for them.
    ///
    /// # Panics
    ///
    /// If the device is lost.
    pub(crate) fn wait(self) -> Read {
        let [averages, unfit] = self.numbers.wait();
        let (averages, unfit) = (host::values(&averages), host::values(&unfit));
        let one = |at: usize, dim: usize| {
            let entries = &averages[at..][..triangle(dim)];
            Symmetric::from_triangle(entries).expect("a triangle of that length")
        };
        let triangles = |it: &Place| [one(it.a, it.cols), one(it.g, it.rows)];
        let cube = unfit.iter().position(|&was| was > 0.0);
        Read {
            averages: self.places.iter().map(triangles).collect(),
            unfit: cube.and_then(|cube| self.places.iter().position(|it| cube < it.tiles)),
        }
    }
}

impl Products {
    /// <U, V> of each layer.
    pub(crate) fn read(&self) -> Vec<f64> {
        let [data] = self.link.read(&[&self.dots]).wait();
        let all = host::values(&data);
        let mut begin = 0;
        let layer = |&end: &usize| {
            let parts = &all[std::mem::replace(&mut begin, end)..end];
            parts.iter().map(|&part| f64::from(part)).sum()
        };
        self.ends.iter().map(layer).collect()
    }
}
