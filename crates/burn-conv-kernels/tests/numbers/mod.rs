//! Numbers for tests.

/// Numbers in -1..1, the same each time (xorshift), and each one of `f32`.
pub(crate) fn numbers(seed: u64, count: usize) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        f64::from(((state >> 40) as f32) / 8_388_608.0 - 1.0)
    };
    (0..count).map(|_| next()).collect()
}
