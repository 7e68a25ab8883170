//! 16 lanes with AVX-512F.

#[allow(clippy::wildcard_imports)] // some thirty names that all say where they are from
use std::arch::x86_64::*;

use super::Lanes;

/// Proof that the processor has AVX-512F.
#[derive(Clone, Copy)]
pub(super) struct Avx512(());

impl Avx512 {
    /// # Safety
    ///
    /// The processor has AVX-512F.
    #[inline(always)]
    pub(super) unsafe fn new() -> Self {
        Self(())
    }
}

// SAFETY (all blocks): the token proves that the processor has the instructions; `load` and
// `store` touch what their callers vouch for.
#[allow(clippy::undocumented_unsafe_blocks)] // one reason for all of them, above
impl Lanes<16> for Avx512 {
    type V = __m512;

    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        unsafe { _mm512_set1_ps(x) }
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m512 {
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, v: __m512) {
        unsafe { _mm512_storeu_ps(to, v) }
    }

    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_sub_ps(a, b) }
    }

    #[inline(always)]
    fn relu(self, v: __m512) -> __m512 {
        // Where either is NaN the instruction returns its second operand.
        unsafe { _mm512_max_ps(_mm512_setzero_ps(), v) }
    }

    #[inline(always)]
    fn where_positive(self, x: __m512, v: __m512) -> __m512 {
        unsafe {
            let positive = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(x, _mm512_setzero_ps());
            _mm512_maskz_mov_ps(positive, v)
        }
    }

    #[inline(always)]
    fn sum(self, v: __m512) -> f32 {
        unsafe {
            let halves = _mm512_add_ps(v, _mm512_shuffle_f32x4::<0b01_00_11_10>(v, v));
            let quarters = _mm512_add_ps(
                halves,
                _mm512_shuffle_f32x4::<0b10_11_00_01>(halves, halves),
            );
            let four = _mm512_castps512_ps128(quarters);
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
        }
    }

    #[inline(always)]
    fn transpose(self, tile: &mut [__m512; 16]) {
        unsafe {
            let r = *tile;
            let mut t = r;
            for i in 0..8 {
                t[2 * i] = _mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]);
                t[2 * i + 1] = _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]);
            }
            // Quarter q of s[4 i + c]: column 4 q + c of rows 4 i to 4 i + 3.
            let mut s = t;
            for i in 0..4 {
                let pair = |a: __m512, b: __m512| {
                    let (a, b) = (_mm512_castps_pd(a), _mm512_castps_pd(b));
                    (
                        _mm512_castpd_ps(_mm512_unpacklo_pd(a, b)),
                        _mm512_castpd_ps(_mm512_unpackhi_pd(a, b)),
                    )
                };
                (s[4 * i], s[4 * i + 1]) = pair(t[4 * i], t[4 * i + 2]);
                (s[4 * i + 2], s[4 * i + 3]) = pair(t[4 * i + 1], t[4 * i + 3]);
            }
            // The quarters of one column side by side.
            for i in 0..4 {
                t[i] = _mm512_shuffle_f32x4::<0x88>(s[i], s[i + 4]);
                t[i + 4] = _mm512_shuffle_f32x4::<0xdd>(s[i], s[i + 4]);
                t[i + 8] = _mm512_shuffle_f32x4::<0x88>(s[i + 8], s[i + 12]);
                t[i + 12] = _mm512_shuffle_f32x4::<0xdd>(s[i + 8], s[i + 12]);
            }
            for i in 0..4 {
                tile[i] = _mm512_shuffle_f32x4::<0x88>(t[i], t[i + 8]);
                tile[i + 8] = _mm512_shuffle_f32x4::<0xdd>(t[i], t[i + 8]);
                tile[i + 4] = _mm512_shuffle_f32x4::<0x88>(t[i + 4], t[i + 12]);
                tile[i + 12] = _mm512_shuffle_f32x4::<0xdd>(t[i + 4], t[i + 12]);
            }
        }
    }
}
