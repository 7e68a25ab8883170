//! Batch normalisation and its gradient, in double precision and as plainly as can be.

use super::numbers::numbers;

pub(crate) const EPSILON: f64 = 1e-5;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Follows {
    Nothing,
    Relu,
    AddRelu,
}

#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// Batch, channels, rows, columns.
    pub(crate) dims: [usize; 4],
    pub(crate) follows: Follows,
    pub(crate) x: Vec<f64>,
    pub(crate) shortcut: Vec<f64>,
    pub(crate) scale: Vec<f64>,
    pub(crate) shift: Vec<f64>,
    /// The loss is the sum of the outputs, so weighted.
    pub(crate) weighting: Vec<f64>,
}

pub(crate) struct Twin {
    pub(crate) output: Vec<f64>,
    pub(crate) mean: Vec<f64>,
    pub(crate) variance: Vec<f64>,
}

pub(crate) struct Gradients {
    pub(crate) x: Vec<f64>,
    pub(crate) shortcut: Vec<f64>,
    pub(crate) scale: Vec<f64>,
    pub(crate) shift: Vec<f64>,
}

impl Case {
    pub(crate) fn random(dims: [usize; 4], follows: Follows, mean: f32) -> Self {
        let (all, channels) = (dims.iter().product(), dims[1]);
        let around = |seed, count, mean: f32| {
            let numbers = numbers(seed, count).into_iter();
            numbers.map(|x| f64::from(x as f32 + mean)).collect()
        };
        Self {
            dims,
            follows,
            x: around(1, all, mean),
            shortcut: around(2, all, 0.1),
            scale: around(3, channels, 0.8),
            shift: around(4, channels, 0.1),
            weighting: around(5, all, 0.2),
        }
    }

    fn channel(&self, at: usize) -> usize {
        let [_, channels, rows, columns] = self.dims;
        at / (rows * columns) % channels
    }

    /// Sums over everything but channels.
    fn per_channel(&self, value: impl Fn(usize) -> f64) -> Vec<f64> {
        let mut sums = vec![0.0; self.dims[1]];
        for at in 0..self.x.len() {
            sums[self.channel(at)] += value(at);
        }
        sums
    }

    fn count(&self) -> f64 {
        (self.x.len() / self.dims[1]) as f64
    }

    pub(crate) fn forward(&self) -> Twin {
        let mean: Vec<f64> = self
            .per_channel(|at| self.x[at])
            .into_iter()
            .map(|sum| sum / self.count())
            .collect();
        let variance: Vec<f64> = self
            .per_channel(|at| (self.x[at] - mean[self.channel(at)]).powi(2))
            .into_iter()
            .map(|sum| sum / self.count())
            .collect();
        let output = (0..self.x.len())
            .map(|at| {
                let c = self.channel(at);
                let z = self.scale[c] * (self.x[at] - mean[c]) / (variance[c] + EPSILON).sqrt()
                    + self.shift[c];
                match self.follows {
                    Follows::Nothing => z,
                    Follows::Relu => z.max(0.0),
                    Follows::AddRelu => (z + self.shortcut[at]).max(0.0),
                }
            })
            .collect();
        Twin {
            output,
            mean,
            variance,
        }
    }

    pub(crate) fn loss(&self) -> f64 {
        let output = self.forward().output;
        output.iter().zip(&self.weighting).map(|(a, b)| a * b).sum()
    }

    pub(crate) fn gradients(&self) -> Gradients {
        let Twin {
            output,
            mean,
            variance,
        } = self.forward();
        // At the normalised value, after scale and shift.
        let g: Vec<f64> = (0..self.x.len())
            .map(|at| match self.follows {
                Follows::Nothing => self.weighting[at],
                _ if output[at] > 0.0 => self.weighting[at],
                _ => 0.0,
            })
            .collect();
        let deviation = |c: usize| (variance[c] + EPSILON).sqrt();
        let hat = |at: usize| {
            let c = self.channel(at);
            (self.x[at] - mean[c]) / deviation(c)
        };
        let shift = self.per_channel(|at| g[at]);
        let scale = self.per_channel(|at| g[at] * hat(at));
        let x = (0..self.x.len())
            .map(|at| {
                let c = self.channel(at);
                let centred = g[at] - shift[c] / self.count() - hat(at) * scale[c] / self.count();
                self.scale[c] / deviation(c) * centred
            })
            .collect();
        let shortcut = match self.follows {
            Follows::AddRelu => g,
            Follows::Nothing | Follows::Relu => vec![0.0; self.x.len()],
        };
        Gradients {
            x,
            shortcut,
            scale,
            shift,
        }
    }
}
