//! Reads SVHN's.

#![no_main]

#[path = "../src/readers.rs"]
#[allow(dead_code, reason = "each target uses one of them")]
mod readers;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| readers::mat(bytes));
