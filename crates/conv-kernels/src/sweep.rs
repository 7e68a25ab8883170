//! Passes over values, a vector at a time.

use crate::lanes::Lanes;

/// Calls `each` with the inputs' values, a vector at a time, the last one filled up with `fill`.
#[inline(always)]
pub(crate) fn visit<const N: usize, L: Lanes<N>, const K: usize>(
    lanes: L,
    inputs: [&[f32]; K],
    fill: [f32; K],
    mut each: impl FnMut([L::V; K]),
) {
    let len = inputs[0].len();
    assert!(inputs.iter().all(|input| input.len() == len));
    let whole = len / N * N;
    for start in (0..whole).step_by(N) {
        // SAFETY: N values from `start` on are inside every input.
        each(std::array::from_fn(|i| unsafe {
            lanes.load(inputs[i].as_ptr().add(start))
        }));
    }
    if whole < len {
        each(std::array::from_fn(|i| {
            rest(lanes, &inputs[i][whole..], fill[i])
        }));
    }
}

/// Fewer than N values, filled up.
#[inline(always)]
fn rest<const N: usize, L: Lanes<N>>(lanes: L, values: &[f32], fill: f32) -> L::V {
    let mut all = [fill; N];
    all[..values.len()].copy_from_slice(values);
    // SAFETY: there are N values.
    unsafe { lanes.load(all.as_ptr()) }
}

/// Writes to `output` what `each` makes of the inputs' values, a vector at a time.
#[inline(always)]
pub(crate) fn map<const N: usize, L: Lanes<N>, const K: usize>(
    lanes: L,
    inputs: [&[f32]; K],
    output: &mut [f32],
    mut each: impl FnMut([L::V; K]) -> L::V,
) {
    let len = output.len();
    assert!(inputs.iter().all(|input| input.len() == len));
    let whole = len / N * N;
    for start in (0..whole).step_by(N) {
        // SAFETY: N values from `start` on are inside every input and the output.
        unsafe {
            let v = each(std::array::from_fn(|i| {
                lanes.load(inputs[i].as_ptr().add(start))
            }));
            lanes.store(output.as_mut_ptr().add(start), v);
        }
    }
    if whole < len {
        let v = each(std::array::from_fn(|i| {
            rest(lanes, &inputs[i][whole..], 0.0)
        }));
        let mut all = [0.0; N];
        // SAFETY: there are N values.
        unsafe { lanes.store(all.as_mut_ptr(), v) };
        output[whole..].copy_from_slice(&all[..len - whole]);
    }
}
