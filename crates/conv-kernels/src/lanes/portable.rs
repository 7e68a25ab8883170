//! 8 lanes in plain Rust.

use super::Lanes;

/// Needs no proof: every processor runs plain Rust.
#[derive(Clone, Copy)]
pub(super) struct Portable;

/// Fused where the target always has the instruction; elsewhere a fused product would be a call
/// into the C library.
#[inline(always)]
fn mul_add(a: f32, b: f32, c: f32) -> f32 {
    if cfg!(any(target_arch = "aarch64", target_feature = "fma")) {
        a.mul_add(b, c)
    } else {
        a * b + c
    }
}

impl Lanes<8> for Portable {
    type V = [f32; 8];

    #[inline(always)]
    fn splat(self, x: f32) -> [f32; 8] {
        [x; 8]
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> [f32; 8] {
        // SAFETY: the caller vouches for 8 readable values; an array is as aligned as its values.
        unsafe { from.cast::<[f32; 8]>().read() }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, v: [f32; 8]) {
        // SAFETY: the caller vouches for 8 writable values; an array is as aligned as its values.
        unsafe { to.cast::<[f32; 8]>().write(v) }
    }

    #[inline(always)]
    fn mul_add(self, a: [f32; 8], b: [f32; 8], mut c: [f32; 8]) -> [f32; 8] {
        for i in 0..8 {
            c[i] = mul_add(a[i], b[i], c[i]);
        }
        c
    }

    #[inline(always)]
    fn add(self, mut a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        for i in 0..8 {
            a[i] += b[i];
        }
        a
    }

    #[inline(always)]
    fn sub(self, mut a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        for i in 0..8 {
            a[i] -= b[i];
        }
        a
    }

    #[inline(always)]
    fn relu(self, v: [f32; 8]) -> [f32; 8] {
        v.map(|x| if x < 0.0 { 0.0 } else { x })
    }

    #[inline(always)]
    fn where_positive(self, x: [f32; 8], mut v: [f32; 8]) -> [f32; 8] {
        for i in 0..8 {
            v[i] = if x[i] > 0.0 { v[i] } else { 0.0 };
        }
        v
    }

    #[inline(always)]
    fn sum(self, v: [f32; 8]) -> f32 {
        ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]))
    }

    #[inline(always)]
    fn transpose(self, tile: &mut [[f32; 8]; 8]) {
        let rows = *tile;
        *tile = std::array::from_fn(|i| rows.map(|row| row[i]));
    }
}
