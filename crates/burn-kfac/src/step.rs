//! What one preconditioning did.

use crate::Error;
use crate::cube::Products;
use crate::error::Quantity;
use crate::settings::KlClip;

/// What [`Kfac::precondition`](crate::Kfac::precondition) did.
#[derive(Debug)]
pub struct Step {
    /// False during burn-in: gradients are then unchanged and nu is 1.
    pub preconditioned: bool,
    numbers: Numbers,
}

#[derive(Debug)]
enum Numbers {
    Known {
        vg: Option<f64>,
        nu: f64,
    },
    /// On a device.
    Unread {
        products: Box<Products>,
        layers: Vec<String>,
        learning_rate: f64,
        kappa: Option<KlClip>,
    },
}

/// min(1, sqrt(kappa / vg)).
fn nu(kappa: Option<KlClip>, vg: f64) -> f64 {
    kappa.map_or(1.0, |kappa| (kappa.get() / vg.abs()).sqrt().min(1.0))
}

impl Step {
    pub(crate) fn passed_through(vg: Option<f64>) -> Self {
        Self {
            preconditioned: false,
            numbers: Numbers::Known { vg, nu: 1.0 },
        }
    }

    pub(crate) fn known(vg: f64, kappa: Option<KlClip>) -> Self {
        Self {
            preconditioned: true,
            numbers: Numbers::Known {
                vg: Some(vg),
                nu: nu(kappa, vg),
            },
        }
    }

    pub(crate) fn unread(
        products: Products,
        layers: Vec<String>,
        learning_rate: f64,
        kappa: Option<KlClip>,
    ) -> Self {
        Self {
            preconditioned: true,
            numbers: Numbers::Unread {
                products: Box::new(products),
                layers,
                learning_rate,
                kappa,
            },
        }
    }

    /// lr^2 sum over layers of <U, V>, before clipping: twice the predicted KL divergence. During a burn-in that of
    /// U = V, and none where the gradients are on a device: nobody has multiplied them there.
    ///
    /// Waits for the device.
    pub fn vg(&self) -> Option<f64> {
        match &self.numbers {
            Numbers::Known { vg, .. } => *vg,
            Numbers::Unread {
                products,
                learning_rate,
                ..
            } => Some(learning_rate.powi(2) * products.read().iter().sum::<f64>()),
        }
    }

    /// min(1, sqrt(kappa / vg)), by which every U is multiplied; 1 without clipping.
    ///
    /// With clipping, waits for the device.
    pub fn nu(&self) -> f64 {
        match &self.numbers {
            Numbers::Known { nu, .. } => *nu,
            Numbers::Unread { kappa: None, .. } => 1.0,
            Numbers::Unread { kappa, .. } => self.vg().map_or(1.0, |vg| nu(*kappa, vg)),
        }
    }

    /// Whether U is finite, which a step on the host has asked already.
    ///
    /// Waits for the device.
    ///
    /// # Errors
    /// [`Error::NonFinite`].
    pub fn check(&self) -> Result<(), Error> {
        let Numbers::Unread {
            products, layers, ..
        } = &self.numbers
        else {
            return Ok(());
        };
        let first = products.read().iter().position(|it| !it.is_finite());
        first.map_or(Ok(()), |layer| {
            Err(Error::NonFinite {
                layer: layers[layer].clone(),
                what: Quantity::PreconditionedGradient,
            })
        })
    }
}
