//! Numbers that look random and that both sides make from integers: the twin of `pytorch/formula.py`.

use training::models::Weight;

/// `count` numbers in [-1, 1) that f32 holds; those of another stream differ.
pub(crate) fn uniform(stream: u32, count: usize) -> Vec<f64> {
    let first = stream.wrapping_mul(0x9E37_79B9);
    (0..count)
        .map(|i| {
            let mut x = first.wrapping_add(u32::try_from(i).expect("few numbers"));
            x = (x ^ (x >> 16)).wrapping_mul(0x85EB_CA6B);
            x = (x ^ (x >> 13)).wrapping_mul(0xC2B2_AE35);
            x ^= x >> 16;
            f64::from(x >> 8) / f64::from(1 << 23) - 1.0
        })
        .collect()
}

/// A stream for each name: the bytes as digits in base 31, modulo 2^32.
pub(crate) fn stream(name: &str) -> u32 {
    name.bytes().fold(0, |number: u32, byte| {
        number.wrapping_mul(31).wrapping_add(u32::from(byte))
    })
}

/// The formula's values for a tensor of a `state_dict` like this one.
pub(crate) fn weight(like: &Weight) -> Weight {
    let Weight { name, shape, .. } = like;
    let last = name.rsplit('.').next().expect("a name");
    let is_norm = name.contains("bn") || name.contains("norms");
    let of = |u: f64| {
        if shape.len() > 1 {
            let fan_in: usize = shape[1..].iter().product();
            u * (6.0 / fan_in as f64).sqrt()
        } else if last == "running_var" {
            1.0 + u / 2.0
        } else if is_norm && last == "weight" {
            1.0 + u / 4.0
        } else {
            u / 8.0
        }
    };
    let count = shape.iter().product();
    Weight {
        name: name.clone(),
        shape: shape.clone(),
        values: uniform(stream(name), count)
            .into_iter()
            .map(|u| of(u) as f32)
            .collect(),
    }
}
