//! New factors, added to the running averages where these are.

use burn::tensor::Gradients;
use rayon::prelude::*;

use super::{Kfac, Layer, PARALLEL_WORK};
use crate::capture::Capture;
use crate::cube::{self, OnDevice};
use crate::gradient::Parameters;
use crate::{Error, KroneckerFactors, Tape};

impl Kfac {
    /// Adds one batch to the running averages: S <- b S + (1 - b) new, from zero.
    ///
    /// `gradients` come from the *mean* loss of the forward pass that `tape` went through, with
    /// the data's labels or labels drawn from the model as the settings say.
    ///
    /// # Errors
    /// [`Error::EmptyTape`], those of [`Tape::captures`], [`Error::NonFinite`],
    /// [`Error::Reshaped`]. Running averages are unchanged after an error. On a device nobody looks for what is not
    /// finite: it stays in the averages, and is found when inverses are next due.
    pub fn update(&mut self, tape: Tape, gradients: &mut Gradients) -> Result<(), Error> {
        let captures = tape.captures(gradients)?;
        if captures.is_empty() {
            return Err(Error::EmptyTape);
        }
        if !self.on_host && cube::takes(&captures) {
            return self.update_on_device(&captures);
        }
        self.leave_device();
        let parallel = captures.iter().map(Capture::work).sum::<usize>() > PARALLEL_WORK;
        let facts: Vec<(Parameters, u64)> = captures
            .iter()
            .map(|c| (Parameters::of(c), c.batch() as u64))
            .collect();
        let one = Capture::factors_on_host;
        let new: Vec<KroneckerFactors> = if parallel {
            captures
                .into_par_iter()
                .with_max_len(1)
                .map(one)
                .collect::<Result<_, _>>()?
        } else {
            captures.into_iter().map(one).collect::<Result<_, _>>()?
        };
        let decay = self.settings.factor_decay.get();
        let places: Vec<Option<usize>> = facts
            .iter()
            .enumerate()
            .map(|(i, (of, _))| self.place(i, of))
            .collect::<Result<_, _>>()?;
        for ((place, (parameters, batch)), new) in places.into_iter().zip(facts).zip(new) {
            let layer = self.layer(place, parameters);
            let layer = &mut self.layers[layer];
            layer.averages.a_mean.average(decay, &new.a_mean);
            layer.averages.g_mean.average(decay, &new.g_mean);
            layer.count(batch, new.positions);
        }
        Ok(())
    }

    fn update_on_device(&mut self, captures: &[Capture]) -> Result<(), Error> {
        let facts: Vec<(Parameters, Option<usize>)> = captures
            .iter()
            .enumerate()
            .map(|(i, capture)| {
                let of = Parameters::of(capture);
                let place = self.place(i, &of)?;
                Ok((of, place))
            })
            .collect::<Result<_, _>>()?;
        if facts.iter().any(|(_, place)| place.is_none()) {
            self.leave_device();
        }
        let mut placed = Vec::with_capacity(captures.len());
        for ((of, place), capture) in facts.into_iter().zip(captures) {
            let at = self.layer(place, of);
            self.layers[at].count(capture.batch() as u64, capture.positions());
            placed.push((at, capture));
        }
        let Self {
            settings,
            layers,
            device,
            ..
        } = self;
        let device = device.get_or_insert_with(|| {
            let layers: Vec<_> = layers
                .iter()
                .map(|layer| (&layer.parameters, &layer.averages))
                .collect();
            OnDevice::new(captures, &layers, settings.damping_method)
        });
        device.update(&placed, settings.factor_decay.get());
        Ok(())
    }

    /// Brings to the host what is on a device.
    fn leave_device(&mut self) {
        if self.device.is_some() {
            let averages = self.averages();
            for (layer, averages) in self.layers.iter_mut().zip(averages) {
                layer.averages = averages;
            }
            self.device = None;
        }
    }

    /// The layer at a place, or a new one.
    fn layer(&mut self, place: Option<usize>, parameters: Parameters) -> usize {
        place.unwrap_or_else(|| {
            self.layers.push(Layer::new(parameters));
            self.layers.len() - 1
        })
    }

    /// Where the i-th layer of a tape is kept: mostly at i.
    fn place(&self, i: usize, of: &Parameters) -> Result<Option<usize>, Error> {
        let is = |layer: &Layer| layer.parameters.layer == of.layer;
        let place = match self.layers.get(i) {
            Some(layer) if is(layer) => Some(i),
            _ => self.layers.iter().position(is),
        };
        match place {
            Some(place) if self.layers[place].parameters != *of => Err(Error::Reshaped {
                layer: of.layer.clone(),
            }),
            place => Ok(place),
        }
    }
}
