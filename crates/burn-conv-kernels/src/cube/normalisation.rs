//! Batch normalisation and what follows it: two launches forward, two backward.

mod kernels;

use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::tensor::CubeTensor;

use super::images::{Division, Images, Parts};
use kernels::Plan;

/// What follows the normalisation.
#[derive(Debug, Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "passed once a layer, never stored in numbers"
)]
pub(super) enum Follows {
    Nothing,
    Relu,
    /// Forward with the shortcut, backward with the output.
    AddRelu(Images),
}

/// What is normalised, and how.
#[derive(Debug, Clone)]
pub(super) struct Normalisation {
    pub(super) x: Images,
    /// `[channels]`
    pub(super) scale: CubeTensor,
    /// `[channels]`
    pub(super) shift: CubeTensor,
    pub(super) epsilon: f32,
}

/// Mean and biased variance of each channel, `[channels]`.
#[derive(Debug, Clone)]
pub(super) struct Statistics {
    pub(super) mean: CubeTensor,
    pub(super) variance: CubeTensor,
}

/// With respect to x, scale, shift and the shortcut, if there was one.
pub(super) struct Gradients {
    pub(super) x: Images,
    pub(super) scale: CubeTensor,
    pub(super) shift: CubeTensor,
    pub(super) shortcut: Option<Images>,
}

/// Of tensors among the arguments of a launch: addresses that reach all of them.
fn addresses(images: &[&Images]) -> AddressType {
    images
        .iter()
        .map(|images| images.address_type())
        .max()
        .unwrap_or_default()
}

fn plan(division: Division) -> Plan {
    Plan {
        lanes: division.lanes,
        rows: division.rows,
        even: division.even,
        add: false,
        relu: false,
        given: false,
    }
}

fn argument(tensor: &CubeTensor) -> TensorArg {
    tensor.clone().into_tensor_arg()
}

impl Normalisation {
    /// By the statistics of x itself, which are returned, too.
    pub(super) fn forward(&self, follows: &Follows) -> (Images, Statistics) {
        let [_, channels, _] = self.x.dims();
        let division = Division::new(&[&self.x]);
        let parts = division.reducing();
        let means = self.x.table([parts.count, channels]);
        let squares = self.x.table([parts.count, channels]);
        kernels::part_moments::launch(
            self.x.client(),
            parts.cubes.clone(),
            parts.units,
            addresses(&[&self.x]),
            self.x.argument(),
            argument(&means),
            argument(&squares),
            parts.span,
            plan(division),
        );
        let statistics = Statistics {
            mean: self.x.vector(channels),
            variance: self.x.vector(channels),
        };
        let output = self.apply([&means, &squares], Some((&parts, &statistics)), follows);
        (output, statistics)
    }

    /// By given statistics.
    pub(super) fn with(&self, statistics: &Statistics, follows: &Follows) -> Images {
        self.apply([&statistics.mean, &statistics.variance], None, follows)
    }

    /// `reduced`: the parts that `first` and `second` have statistics of, and where to write those of all.
    fn apply(
        &self,
        [first, second]: [&CubeTensor; 2],
        reduced: Option<(&Parts, &Statistics)>,
        follows: &Follows,
    ) -> Images {
        let output = self.x.empty_like();
        let mut images = vec![&self.x, &output];
        if let Follows::AddRelu(shortcut) = follows {
            images.push(shortcut);
        }
        let division = Division::new(&images);
        let parts = division.apart();
        let plan = Plan {
            add: matches!(follows, Follows::AddRelu(_)),
            relu: !matches!(follows, Follows::Nothing),
            given: reduced.is_none(),
            ..plan(division)
        };
        // What is not used stands in for what is not there.
        let (mean, variance) = match reduced {
            Some((_, to)) => (argument(&to.mean), argument(&to.variance)),
            None => (first.as_tensor_alias(2), second.as_tensor_alias(3)),
        };
        kernels::normalise::launch(
            self.x.client(),
            parts.cubes,
            parts.units,
            addresses(&images),
            self.x.argument(),
            match follows {
                Follows::AddRelu(shortcut) => shortcut.argument(),
                Follows::Nothing | Follows::Relu => self.x.alias(0),
            },
            argument(first),
            argument(second),
            argument(&self.scale),
            argument(&self.shift),
            output.argument(),
            mean,
            variance,
            self.epsilon,
            reduced.map_or(0, |(parts, _)| parts.count),
            reduced.map_or(0, |(parts, _)| parts.span),
            parts.span,
            plan,
        );
        output
    }

    /// Of [`Self::forward`], given that at its output.
    pub(super) fn gradients(
        &self,
        statistics: &Statistics,
        follows: &Follows,
        gradient: &Images,
    ) -> Gradients {
        let [_, channels, _] = self.x.dims();
        let results = Gradients {
            x: self.x.empty_like(),
            scale: self.x.vector(channels),
            shift: self.x.vector(channels),
            shortcut: match follows {
                Follows::AddRelu(_) => Some(self.x.empty_like()),
                Follows::Nothing | Follows::Relu => None,
            },
        };
        let mut images = vec![&self.x, gradient, &results.x];
        if let Follows::AddRelu(output) = follows {
            images.push(output);
        }
        let division = Division::new(&images);
        let parts = division.reducing();
        let plan = Plan {
            add: results.shortcut.is_some(),
            relu: !matches!(follows, Follows::Nothing),
            ..plan(division)
        };
        let sums = self.x.table([parts.count, channels]);
        let products = self.x.table([parts.count, channels]);
        kernels::part_gradients::launch(
            self.x.client(),
            parts.cubes.clone(),
            parts.units,
            addresses(&images),
            self.x.argument(),
            gradient.argument(),
            match follows {
                Follows::AddRelu(output) => output.argument(),
                Follows::Nothing | Follows::Relu => self.x.alias(0),
            },
            argument(&statistics.mean),
            argument(&statistics.variance),
            argument(&self.scale),
            argument(&self.shift),
            argument(&sums),
            argument(&products),
            match &results.shortcut {
                Some(shortcut) => shortcut.argument(),
                None => gradient.alias(1),
            },
            self.epsilon,
            parts.span,
            plan,
        );
        let all = division.apart();
        kernels::gradients::launch(
            self.x.client(),
            all.cubes,
            all.units,
            addresses(&images),
            self.x.argument(),
            results.shortcut.as_ref().unwrap_or(gradient).argument(),
            argument(&statistics.mean),
            argument(&statistics.variance),
            argument(&self.scale),
            argument(&self.shift),
            argument(&sums),
            argument(&products),
            results.x.argument(),
            argument(&results.scale),
            argument(&results.shift),
            self.epsilon,
            parts.count,
            all.span,
            plan,
        );
        results
    }
}
