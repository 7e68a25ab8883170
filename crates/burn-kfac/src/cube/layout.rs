//! Where the numbers of each layer lie in the buffers that hold those of all.

use crate::DampingMethod;
use crate::gradient::Parameters;

use super::products::TILE;

/// Where the numbers of one layer lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) rows: usize,
    pub(super) cols: usize,
    /// Columns of the weight.
    pub(super) inputs: usize,
    /// Lower triangles in the averages.
    pub(super) a: usize,
    pub(super) g: usize,
    /// In V, row by row with the bias last.
    pub(super) v: usize,
    /// In U.
    pub(super) weight: usize,
    pub(super) bias: usize,
    /// In the inverses: what multiplies from the left and from the right, and their eigenvalues.
    pub(super) left: usize,
    pub(super) right: usize,
    pub(super) left_values: usize,
    pub(super) right_values: usize,
    /// The cube after its last of a product.
    pub(super) tiles: usize,
}

/// Where the numbers of all layers lie, and how many there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) layers: Vec<Place>,
    pub(super) averages: usize,
    pub(super) v: usize,
    pub(super) u: usize,
    pub(super) inverses: usize,
}

/// Entries of a lower triangle.
pub(super) fn triangle(dim: usize) -> usize {
    dim * (dim + 1) / 2
}

/// Takes `count` places.
fn take(from: &mut usize, count: usize) -> usize {
    let begin = *from;
    *from += count;
    begin
}

impl Layout {
    /// `alignment`: of what is to be a tensor of its own, in values.
    pub(super) fn new<'a>(
        layers: impl Iterator<Item = &'a Parameters>,
        method: DampingMethod,
        alignment: usize,
    ) -> Self {
        let has_eigenvalues = method == DampingMethod::Eigen;
        let [mut averages, mut v, mut u, mut inverses, mut tiles] = [0; 5];
        let place = |of: &Parameters| {
            let (rows, cols) = (of.rows, of.cols);
            let inputs = cols - usize::from(of.bias.is_some());
            let side = |dim: usize| {
                if has_eigenvalues {
                    dim * dim
                } else {
                    triangle(dim)
                }
            };
            let values = |dim: usize| if has_eigenvalues { dim } else { 0 };
            tiles += rows.div_ceil(TILE) * cols.div_ceil(TILE);
            Place {
                rows,
                cols,
                inputs,
                a: take(&mut averages, triangle(cols)),
                g: take(&mut averages, triangle(rows)),
                v: take(&mut v, rows * cols),
                weight: take(&mut u, (rows * inputs).next_multiple_of(alignment)),
                bias: take(&mut u, rows.next_multiple_of(alignment)),
                left: take(&mut inverses, side(rows)),
                right: take(&mut inverses, side(cols)),
                left_values: take(&mut inverses, values(rows)),
                right_values: take(&mut inverses, values(cols)),
                tiles,
            }
        };
        let layers = layers.map(place).collect();
        Self {
            layers,
            averages,
            v,
            u,
            inverses,
        }
    }

    /// Cubes of a product.
    pub(super) fn tiles(&self) -> usize {
        self.layers.last().map_or(0, |last| last.tiles)
    }

    /// For [`multiply`](super::products::multiply).
    pub(super) fn table(&self) -> Vec<u32> {
        let row = |it: &Place| {
            [
                it.tiles,
                it.rows,
                it.cols,
                it.inputs,
                it.v,
                it.weight,
                it.bias,
                it.left,
                it.right,
                it.left_values,
                it.right_values,
            ]
        };
        let all = self.layers.iter().flat_map(row);
        all.map(|place| u32::try_from(place).expect("less than 4 billion numbers"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use burn::module::ParamId;

    use super::*;
    use crate::gradient::Kind;
    use crate::settings::Pi;

    fn layer(rows: usize, cols: usize, bias: bool) -> Parameters {
        Parameters {
            layer: String::new(),
            weight: ParamId::new(),
            bias: bias.then(ParamId::new),
            kind: Kind::Linear,
            rows,
            cols,
        }
    }

    /// Convolutions without a bias, three to 16, 32 and 64 channels, and a linear layer.
    fn resnet20() -> Vec<Parameters> {
        let mut layers = vec![layer(16, 3 * 9, false)];
        layers.extend((0..6).map(|_| layer(16, 16 * 9, false)));
        for channels in [32, 64] {
            layers.push(layer(channels, channels / 2 * 9, false));
            layers.extend((0..5).map(|_| layer(channels, channels * 9, false)));
        }
        layers.push(layer(10, 65, true));
        layers
    }

    /// What a read and an upload are, as `tests/on_a_gpu.rs` counts them.
    #[test]
    fn a_step_of_resnet20_reads_and_sends_so_many_bytes() {
        let layers = resnet20();
        let layout = |method| Layout::new(layers.iter(), method, 64);
        let eigen = layout(DampingMethod::Eigen);
        let read = 4 * (eigen.averages + eigen.tiles());
        assert_eq!(read, 4_692_464);
        assert_eq!(4 * eigen.inverses, 9_382_672);
        let factored = layout(DampingMethod::Factored(Pi::Trace));
        assert_eq!(4 * factored.inverses, 4_691_336);
    }

    #[test]
    fn what_is_a_tensor_of_its_own_is_aligned_and_nothing_overlaps() {
        let layers = [layer(3, 5, true), layer(70, 33, false), layer(1, 2, true)];
        let layout = Layout::new(layers.iter(), DampingMethod::Eigen, 64);
        let mut end = 0;
        for it in &layout.layers {
            assert!(it.weight.is_multiple_of(64) && it.bias.is_multiple_of(64));
            assert!(it.weight >= end && it.bias >= it.weight + it.rows * it.inputs);
            end = it.bias + it.rows;
        }
        assert!(layout.u >= end && layout.u.is_multiple_of(64));
        assert_eq!(layout.v, 15 + 70 * 33 + 2);
        assert_eq!(layout.tiles(), 1 + 3 * 2 + 1);
    }
}
