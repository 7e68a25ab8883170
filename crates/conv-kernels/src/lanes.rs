//! Vectors of `f32` at three levels of instruction sets, behind one trait.
//!
//! A kernel is written once, generic over [`Lanes`], and compiled once for each level;
//! [`Level::run`] enters the copy for the wanted level. The values of the types that implement
//! [`Lanes`] are tokens: one exists only where the processor has the instructions, which is what
//! makes their methods sound.
//!
//! Why not a crate for portable vectors: the kernels turn square blocks of registers around
//! ([`Lanes::transpose`]), which pulp, the one in reach, does not offer.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use std::fmt;

/// The instructions that a kernel is compiled for.
///
/// Results of one level are reproduced to the bit on every machine that has it; two levels may
/// differ in the last bits, as they sum in another order and as only some fuse multiplication and
/// addition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// Plain Rust; the compiler vectorises for the target's base instructions.
    Portable,
    /// AVX2 and FMA: 8 lanes.
    Avx2,
    /// AVX-512F: 16 lanes.
    Avx512,
}

impl Level {
    /// The levels that this processor has, the fastest last.
    pub fn available() -> Vec<Self> {
        [Self::Portable, Self::Avx2, Self::Avx512]
            .into_iter()
            .filter(|level| level.is_available())
            .collect()
    }

    /// The fastest level that this processor has.
    pub fn best() -> Self {
        if Self::Avx512.is_available() {
            Self::Avx512
        } else if Self::Avx2.is_available() {
            Self::Avx2
        } else {
            Self::Portable
        }
    }

    /// Whether this processor has the level's instructions.
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => is_x86_feature_detected!("avx512f"),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => false,
        }
    }

    /// Lanes of one vector.
    pub(crate) fn lanes(self) -> usize {
        match self {
            Self::Portable | Self::Avx2 => 8,
            Self::Avx512 => 16,
        }
    }

    /// Runs the task compiled for this level.
    ///
    /// # Panics
    ///
    /// If the processor lacks the level's instructions.
    pub(crate) fn run<T: Task>(self, task: T) -> T::Output {
        assert!(
            self.is_available(),
            "the processor lacks the instructions of {self:?}"
        );
        match self {
            Self::Portable => task.run::<8, _>(portable::Portable),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => {
                #[target_feature(enable = "avx2,fma")]
                fn enter<T: Task>(task: T) -> T::Output {
                    // SAFETY: the features of this function are the token's.
                    task.run::<8, _>(unsafe { avx2::Avx2::new() })
                }
                // SAFETY: `is_available` found the features.
                unsafe { enter(task) }
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                #[target_feature(enable = "avx512f,avx2,fma")]
                fn enter<T: Task>(task: T) -> T::Output {
                    // SAFETY: the features of this function are the token's.
                    task.run::<16, _>(unsafe { avx512::Avx512::new() })
                }
                // SAFETY: `is_available` found the features; every processor with AVX-512F has the
                // other two.
                unsafe { enter(task) }
            }
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => unreachable!("not available on this architecture"),
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Portable => "portable",
            Self::Avx2 => "AVX2",
            Self::Avx512 => "AVX-512",
        })
    }
}

/// Work that is compiled once for each level. Implementations of `run` are `#[inline(always)]`,
/// and so is what they call in their loops: only then does the level reach the instructions.
pub(crate) trait Task {
    /// What the work returns.
    type Output;

    /// Does the work with vectors of `N` lanes.
    fn run<const N: usize, L: Lanes<N>>(self, lanes: L) -> Self::Output;
}

/// Vectors of `N` values of type `f32`.
pub(crate) trait Lanes<const N: usize>: Copy {
    /// A vector.
    type V: Copy;

    /// `x` in every lane.
    fn splat(self, x: f32) -> Self::V;

    /// The `N` values from `from` on.
    ///
    /// # Safety
    ///
    /// They are readable.
    unsafe fn load(self, from: *const f32) -> Self::V;

    /// Writes the `N` values to `to`.
    ///
    /// # Safety
    ///
    /// They are writable.
    unsafe fn store(self, to: *mut f32, v: Self::V);

    /// `a * b + c`, rounded once where the level can.
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;

    /// `a + b`.
    fn add(self, a: Self::V, b: Self::V) -> Self::V;

    /// `a - b`.
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;

    /// `v` but 0 where it is negative; a NaN stays.
    fn relu(self, v: Self::V) -> Self::V;

    /// `v` where `x` is positive, otherwise 0.
    fn where_positive(self, x: Self::V, v: Self::V) -> Self::V;

    /// The sum over the lanes, in a fixed order.
    fn sum(self, v: Self::V) -> f32;

    /// Lane `j` of vector `i` becomes lane `i` of vector `j`.
    fn transpose(self, tile: &mut [Self::V; N]);
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Transpose([[f32; 16]; 16]);

    impl Task for Transpose {
        type Output = [[f32; 16]; 16];

        #[inline(always)]
        fn run<const N: usize, L: Lanes<N>>(mut self, lanes: L) -> Self::Output {
            // SAFETY: each row has 16 values, and N is at most 16.
            unsafe {
                let mut tile: [L::V; N] =
                    std::array::from_fn(|row| lanes.load(self.0[row].as_ptr()));
                lanes.transpose(&mut tile);
                for (row, v) in tile.into_iter().enumerate() {
                    lanes.store(self.0[row].as_mut_ptr(), v);
                }
            }
            self.0
        }
    }

    struct Sum([f32; 16]);

    impl Task for Sum {
        type Output = f32;

        #[inline(always)]
        fn run<const N: usize, L: Lanes<N>>(self, lanes: L) -> f32 {
            // SAFETY: there are 16 values, and N is at most 16.
            lanes.sum(unsafe { lanes.load(self.0.as_ptr()) })
        }
    }

    #[test]
    fn a_block_of_registers_is_turned_around() {
        let block: [[f32; 16]; 16] =
            std::array::from_fn(|i| std::array::from_fn(|j| (16 * i + j) as f32));
        for level in Level::available() {
            let turned = level.run(Transpose(block));
            for i in 0..level.lanes() {
                for j in 0..level.lanes() {
                    assert_eq!(
                        turned[i][j].to_bits(),
                        block[j][i].to_bits(),
                        "{level:?} {i} {j}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_sum_takes_every_lane_once() {
        for level in Level::available() {
            for lane in 0..level.lanes() {
                let mut values = [0.0; 16];
                values[lane] = 1.0;
                assert_eq!(
                    level.run(Sum(values)).to_bits(),
                    1.0_f32.to_bits(),
                    "{level:?} {lane}"
                );
            }
        }
    }
}
