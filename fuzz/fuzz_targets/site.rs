//! Reads site files.

#![no_main]

#[path = "../src/texts.rs"]
#[allow(dead_code, reason = "each target uses one of them")]
mod texts;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| texts::site(bytes));
