//! When work is worth a second thread.
//!
//! Waking a thread and waiting for it takes some ten microseconds. Work that one thread does in a few times that is
//! not divided. No result depends on this.

/// Fewest products of a convolution that are divided.
const PRODUCTS: usize = 4_000_000;
/// Fewest values of a pass over images that are divided.
const VALUES: usize = 1 << 18;

/// Whether to divide a convolution, or a gradient of one, of so many products.
pub(crate) fn divide_products(count: usize) -> bool {
    count >= PRODUCTS && rayon::current_num_threads() > 1
}

/// Whether to divide a pass over so many values.
pub(crate) fn divide_values(count: usize) -> bool {
    count >= VALUES && rayon::current_num_threads() > 1
}
