//! What takes the place of the kernels for GPUs where none is built in: types that have no value.

use std::convert::Infallible;

use burn::tensor::{Device, Tensor};

use crate::{Chosen, Descents};

/// Labelled images on a GPU: there is none.
#[derive(Debug, Clone)]
pub struct Examples(Infallible);

/// A label of each example of a batch, on a GPU: there is none.
#[derive(Debug, Clone)]
pub struct Labels(Infallible);

/// Losses of some mini-batches, on a GPU: there is none.
#[derive(Debug)]
pub struct Losses(Infallible);

impl Examples {
    /// `None`.
    pub fn new(_: &[u8], _: &[u8], _: Vec<f32>, _: [usize; 3], _: &Device) -> Option<Self> {
        None
    }

    /// Of nothing.
    pub fn batch(&self, _: impl Iterator<Item = Chosen>, _: usize) -> (Tensor<2>, Labels) {
        match self.0 {}
    }
}

impl Labels {
    /// `None`.
    pub fn new(_: &[u8], _: &Device) -> Option<Self> {
        None
    }

    /// Of nothing.
    pub fn scores(&self, _: Tensor<2>) -> Tensor<2> {
        match self.0 {}
    }
}

impl Losses {
    /// `None`.
    pub fn new(_: usize, _: usize, _: &Device) -> Option<Self> {
        None
    }

    /// Of nothing.
    pub fn noted(&self) -> usize {
        match self.0 {}
    }

    /// Of nothing.
    pub fn note(&mut self, _: Tensor<2>, _: &Labels, _: Option<Vec<f32>>) -> Descents {
        match self.0 {}
    }

    /// Of nothing.
    pub fn read(&mut self) -> Vec<f64> {
        match self.0 {}
    }
}
