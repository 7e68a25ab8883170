//! Where no GPU backend is built in, nothing is on a device.

use burn::optim::GradientsParams;

use crate::capture::Capture;
use crate::gradient::Parameters;
use crate::{DampingMethod, Error, KroneckerFactors, Preconditioner, Settings, Symmetric, Traffic};

/// None of the following is ever there: others cannot see why.
#[derive(Debug)]
enum Never {}

#[derive(Debug)]
pub(crate) struct OnDevice(Never);

#[derive(Debug)]
pub(crate) struct Snapshot(Never);

#[derive(Debug)]
pub(crate) struct Reading(Never);

#[derive(Debug)]
pub(crate) struct Products(Never);

pub(crate) struct Read {
    pub(crate) averages: Vec<[Symmetric; 2]>,
    pub(crate) unfit: Option<usize>,
}

pub(crate) fn takes(_: &[Capture]) -> bool {
    false
}

pub(crate) fn factors(capture: &Capture) -> KroneckerFactors {
    unreachable!("takes() says no of {}", capture.name)
}

impl OnDevice {
    pub(crate) fn new(
        captures: &[Capture],
        _: &[(&Parameters, &KroneckerFactors)],
        _: DampingMethod,
    ) -> Self {
        unreachable!("takes() says no of {} layers", captures.len())
    }

    pub(crate) fn update(&mut self, _: &[(usize, &Capture)], _: f64) {
        match self.0 {}
    }

    pub(crate) fn traffic(&self) -> Traffic {
        match self.0 {}
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        match self.0 {}
    }

    pub(crate) fn has_inverses(&self) -> bool {
        match self.0 {}
    }

    pub(crate) fn put_inverses<'a>(&mut self, _: impl Iterator<Item = &'a Preconditioner>) {
        match self.0 {}
    }

    pub(crate) fn precondition(
        &self,
        _: &[&Parameters],
        _: &Settings,
        _: f64,
        _: &mut GradientsParams,
    ) -> Result<Option<Products>, Error> {
        match self.0 {}
    }
}

impl Snapshot {
    pub(crate) fn read(&self) -> Reading {
        match self.0 {}
    }
}

impl Reading {
    pub(crate) fn wait(self) -> Read {
        match self.0 {}
    }
}

impl Products {
    pub(crate) fn read(&self) -> Vec<f64> {
        match self.0 {}
    }
}
