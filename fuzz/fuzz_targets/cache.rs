//! Reads the files of a cache.

#![no_main]

#[path = "../src/cache.rs"]
mod cache;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cache::cache(bytes));
