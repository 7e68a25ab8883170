//! Reads weights, as other programs save them.

#![no_main]

#[path = "../src/curves.rs"]
#[allow(dead_code, reason = "each target uses one of them")]
mod curves;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| curves::weights(bytes));
