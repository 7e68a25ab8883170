//! The weighted layers of a network, worked out without building it.

use super::Model;

/// A convolution or a fully connected layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layer {
    /// The side of K-FAC's factor of its inputs: inputs of a unit, with a row for the bias. Convolutions before BatchNorm
    /// have none.
    pub a: u64,
    /// The side of K-FAC's factor of its output gradients: units, or channels.
    pub g: u64,
    /// Positions of an image at which a convolution is computed; 1 for a fully connected layer.
    pub positions: u64,
}

impl Layer {
    fn linear(inputs: u64, units: u64) -> Self {
        Self {
            a: inputs.saturating_add(1),
            g: units,
            positions: 1,
        }
    }

    /// Its trained numbers, without those of a BatchNorm that follows.
    pub fn parameters(&self) -> u64 {
        self.a.saturating_mul(self.g)
    }

    /// Numbers that it makes of one example.
    pub fn outputs(&self) -> u64 {
        self.g.saturating_mul(self.positions)
    }
}

/// An image on its way through a network.
struct Flow {
    channels: u64,
    height: u64,
    width: u64,
    layers: Vec<Layer>,
}

impl Flow {
    fn new([channels, height, width]: [u64; 3]) -> Self {
        Self {
            channels,
            height,
            width,
            layers: Vec::new(),
        }
    }

    /// A convolution that keeps the size of an image but for its stride of 1 or 2.
    fn convolve(&mut self, channels: u64, side: u64, stride: u64, has_bias: bool) {
        self.pool(stride);
        let inputs = self.channels.saturating_mul(side * side);
        self.channels = channels;
        self.layers.push(Layer {
            a: inputs.saturating_add(u64::from(has_bias)),
            g: channels,
            positions: self.height.saturating_mul(self.width),
        });
    }

    fn pool(&mut self, stride: u64) {
        self.height = self.height.div_ceil(stride);
        self.width = self.width.div_ceil(stride);
    }

    /// Fully connected layers, of so many units each, on all that there is of an image.
    fn connect(mut self, units: impl IntoIterator<Item = u64>) -> Vec<Layer> {
        let mut inputs = [self.channels, self.height, self.width]
            .into_iter()
            .fold(1, u64::saturating_mul);
        for units in units {
            self.layers.push(Layer::linear(inputs, units));
            inputs = units;
        }
        self.layers
    }
}

impl Model {
    /// Its weighted layers, from the input on, for images of `[channels, height, width]` and this many classes.
    pub fn layers(&self, image: [u64; 3], classes: u64) -> Vec<Layer> {
        let mut flow = Flow::new(image);
        match self {
            Self::Mlp(mlp) => {
                let hidden = mlp.hidden.iter().map(|units| units.get());
                flow.connect(hidden.chain([classes]))
            }
            Self::Cnn(cnn) => {
                for (at, channels) in cnn.channels.iter().enumerate() {
                    flow.convolve(channels.get(), 3, if at == 0 { 1 } else { 2 }, false);
                }
                flow.connect([classes])
            }
            Self::ResNet20 => resnet(flow, 3, classes),
            Self::ResNet32 => resnet(flow, 5, classes),
            Self::AlexNet => {
                for _ in 0..2 {
                    flow.convolve(64, 5, 1, true);
                    flow.pool(2);
                }
                flow.connect([384, 192, classes])
            }
        }
    }
}

fn resnet(mut flow: Flow, blocks: usize, classes: u64) -> Vec<Layer> {
    flow.convolve(16, 3, 1, false);
    for channels in [16, 32, 64] {
        for block in 0..blocks {
            let halves = block == 0 && channels > 16;
            flow.convolve(channels, 3, if halves { 2 } else { 1 }, false);
            flow.convolve(channels, 3, 1, false);
        }
    }
    // The average over the pixels.
    (flow.height, flow.width) = (1, 1);
    flow.connect([classes])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(json: &str) -> Model {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn the_parameters_are_those_of_the_papers() {
        let weights = |json: &str, image| -> u64 {
            let layers = model(json).layers(image, 10);
            layers.iter().map(Layer::parameters).sum()
        };
        // He et al. 2016, table 6: 0.27 M and 0.46 M; BatchNorm has 2 for each of its channels, which are 688 and 1,136.
        let cifar = [3, 32, 32];
        assert_eq!(weights("\"resnet20\"", cifar) + 2 * 688, 269_722);
        assert_eq!(weights("\"resnet32\"", cifar) + 2 * 1136, 464_154);
        // Zhang et al. 2017, table 1, on crops of 28x28.
        assert_eq!(weights("\"alexnet\"", [3, 28, 28]), 1_387_786);
        let mlp = "{\"mlp\": {\"hidden\": [32]}}";
        assert_eq!(weights(mlp, [1, 8, 8]), 65 * 32 + 33 * 10);
    }

    #[test]
    fn a_stride_halves_an_image_and_rounds_up() {
        let layers = model("{\"cnn\": {\"channels\": [8, 16, 4]}}").layers([1, 9, 8], 10);
        let positions: Vec<u64> = layers.iter().map(|layer| layer.positions).collect();
        assert_eq!(positions, [72, 5 * 4, 3 * 2, 1]);
        assert_eq!(layers[3].a, 4 * 3 * 2 + 1);
        assert_eq!(layers[1].a, 8 * 9);
    }

    #[test]
    fn absurd_sizes_do_not_overflow() {
        let layers =
            model("{\"mlp\": {\"hidden\": [18446744073709551615]}}").layers([3, 32, 32], 10);
        assert_eq!(layers[0].parameters(), u64::MAX);
    }
}
